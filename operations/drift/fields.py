"""Paths to the fields of an object, as Kubernetes' own record of who set what (`managedFields`) writes them.

Pure functions. The format: keys of nested maps are `f:name` for a field, `k:{"name":"hub"}` for the item of a list with
those values, `v:"x"` for a value of a set, `i:0` for a place in a list, and `.` for the thing itself
(kubernetes.io, "Server-Side Apply"; structured-merge-diff, fieldpath/serialize.go).
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, NamedTuple

# Maps whose keys are users' own words, in which a dot is no step of the path.
MAPS: Final = frozenset({"annotations", "binaryData", "data", "labels", "matchLabels", "nodeSelector"})
_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9]*")
_ITSELF: Final = "."


# Nothing stands at a path.
MISSING: Final = object()
Tree = Mapping[str, Any]


class Step(NamedTuple):
    """One step: `kind` is f, k, v or i; `value` is a name, the pairs of an item's keys, a value, or an index."""

    kind: str
    value: Any


Path = tuple[Step, ...]


def leaves(tree: Tree, path: Path = ()) -> Iterator[Path]:
    """Yield the paths of a `fieldsV1` that have nothing below them: what its manager set."""
    for key, below in tree.items():
        if key != _ITSELF:
            here = (*path, _step(key))
            if below.keys() - {_ITSELF}:
                yield from leaves(below, here)
            else:
                yield here


def _step(key: str) -> Step:
    kind, _, text = key.partition(":")
    if kind == "f":
        return Step(kind, text)
    value = json.loads(text)
    return Step(kind, tuple(value.items()) if kind == "k" else _hashable(value))


def _hashable(value: Any) -> Any:
    return value if isinstance(value, str | int | float | bool | None) else json.dumps(value, sort_keys=True)


def value_at(one: Any, path: Path) -> Any:
    """Return what stands at a path of an object, `MISSING` if nothing does."""
    for step in path:
        one = _below(one, step)
        if one is MISSING:
            break
    return one


def _below(one: Any, step: Step) -> Any:
    if step.kind == "f":
        return one.get(step.value, MISSING) if isinstance(one, Mapping) else MISSING
    if not isinstance(one, list):
        return MISSING
    if step.kind == "i":
        return one[step.value] if step.value < len(one) else MISSING
    if step.kind == "v":
        return next((item for item in one if _hashable(item) == step.value), MISSING)
    return next((item for item in one if _has(item, step.value)), MISSING)


def _has(item: Any, keys: Iterable[tuple[str, Any]]) -> bool:
    # As it was deployed, an item may lack a key that the API server fills in, such as a port's protocol.
    return isinstance(item, Mapping) and all(item.get(key, value) == value for key, value in keys)


def prefixes(paths: Iterable[Path]) -> set[Path]:
    """Return the paths and everything above them."""
    return {path[:length] for path in paths for length in range(1, len(path) + 1)}


def text(path: Path) -> str:
    """Return a path as a user reads it: `spec.template.spec.containers[hub].env[FOO]`."""
    out, above = "", ""
    for step in path:
        plain = step.kind == "f" and above not in MAPS and _NAME.fullmatch(step.value)
        out += ("." if out else "") + step.value if plain else f"[{_label(step)}]"
        above = step.value if step.kind == "f" else ""
    return out


def _label(step: Step) -> str:
    if step.kind == "k":
        return "/".join(str(value) for _, value in step.value)
    return str(step.value)

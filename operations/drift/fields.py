"""Paths to the fields of an object, as Kubernetes' own record of who set what (`managedFields`) writes them.

Pure functions. A path is the keys of nested maps: `f:name` for a field, `k:{"name":"hub"}` for the item of a list with
those values, `v:"x"` for a value of a set, `i:0` for a place in a list; `.` is the thing itself (kubernetes.io,
"Server-Side Apply"; structured-merge-diff, fieldpath/serialize.go).
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

Path = tuple[str, ...]
# Nothing stands at a path.
MISSING: Final = object()
# Maps whose keys are users' own words, in which a dot is no step of the path.
MAPS: Final = frozenset({"annotations", "binaryData", "data", "labels", "matchLabels", "nodeSelector"})
_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9]*")
_ITSELF: Final = "."


def leaves(tree: Mapping[str, Any], path: Path = ()) -> Iterator[Path]:
    """Yield the paths of a `fieldsV1` that have nothing below them: what its manager set."""
    for step, below in tree.items():
        if below.keys() - {_ITSELF}:
            yield from leaves(below, (*path, step))
        elif step != _ITSELF:
            yield (*path, step)


def value_at(one: Any, path: Path) -> Any:
    """Return what stands at a path of an object, `MISSING` if nothing does."""
    for step in path:
        one = next(_below(one, step), MISSING)
    return one


def _below(one: Any, step: str) -> Iterator[Any]:
    kind, _, text = step.partition(":")
    if kind == "f" and isinstance(one, Mapping) and text in one:
        yield one[text]
    elif kind == "i" and isinstance(one, list):
        yield from one[int(text) :][:1]
    elif kind in "kv" and isinstance(one, list):
        wanted = json.loads(text)
        yield from (item for item in one if item == wanted or (kind == "k" and _has(item, wanted)))


def _has(item: Any, keys: Mapping[str, Any]) -> bool:
    # As it was deployed, an item may lack a key that the API server fills in, such as a port's protocol.
    return isinstance(item, Mapping) and all(item.get(key, value) == value for key, value in keys.items())


def prefixes(paths: Iterable[Path]) -> set[Path]:
    """Return the paths and everything above them."""
    return {path[:length] for path in paths for length in range(1, len(path) + 1)}


def text(path: Path) -> str:
    """Return a path as a user reads it: `spec.template.spec.containers[hub].env[FOO]`."""
    out = ""
    for above, step in zip(("", *path), path, strict=False):
        kind, _, label = step.partition(":")
        if kind == "f" and above.removeprefix("f:") not in MAPS and _NAME.fullmatch(label):
            out += f".{label}"
        else:
            value = label if kind == "f" else json.loads(label)
            out += f"[{'/'.join(map(str, value.values())) if isinstance(value, dict) else value}]"
    return out.removeprefix(".")

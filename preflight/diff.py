"""What changes between the objects of a release as they are and as they would be.

Pure functions. An object is a dict as the API knows it.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from kube.manifests import WORKLOADS, Object, ObjectKey, pod_template

_POLICY: Final = "helm.sh/resource-policy"
# Kinds whose contents charts sum up in an annotation of the pods that use them.
_SUMMED_UP: Final = ("ConfigMap", "Secret")
_Path = tuple[Any, ...]


@dataclass(frozen=True)
class Change:
    """What becomes of one object: "new", "deleted", "changed", or "pods restart" for a workload's changed pods.

    "left behind" is one that Helm deletes no more, because of a note in it.
    """

    key: ObjectKey
    what: str

    def __str__(self) -> str:
        return str(self.key) + (f" ({self.what})" if self.what != "changed" else "")


def changes(old: Mapping[ObjectKey, Object], new: Mapping[ObjectKey, Object]) -> list[Change]:
    """Compare the objects of a release as they are and as they would be, sorted by key."""
    found = []
    for key in sorted({*old, *new}):
        if key not in old or key not in new:
            found.append(Change(key, _end(old[key]) if key in old else "new"))
        elif old[key] != new[key]:
            restarts = key.kind in WORKLOADS and pod_template(old[key]) != pod_template(new[key])
            found.append(Change(key, "pods restart" if restarts else "changed"))
    return found


def _end(one: Object) -> str:
    annotations = one["metadata"].get("annotations") or {}
    return "left behind" if annotations.get(_POLICY) == "keep" else "deleted"


def without_random(
    old: Mapping[ObjectKey, Object], new: Mapping[ObjectKey, Object], again: Mapping[ObjectKey, Object]
) -> dict[ObjectKey, dict[str, Any]]:
    """Return those objects of `new` that hold something random, with what `old` has in its place.

    `again` is a second rendering of the same values: leaves at which the two differ are random. Helm keeps such a leaf
    where the chart looks it up, which a rendering cannot. A checksum over one is random as well: it stays new where
    what it sums up may really change.
    """
    found: dict[ObjectKey, dict[str, Any]] = {}
    for key in old.keys() & new.keys() & again.keys():
        for path in _differing(new[key], again[key]):
            live = _at(old[key], path)
            if live is not None:
                found[key] = _with(found.get(key, new[key]), path, live)
    if any(change.key.kind in _SUMMED_UP for change in changes(old, {**new, **found})):
        return {key: one for key, one in found.items() if key.kind not in WORKLOADS}
    return found


def _differing(one: Any, other: Any, path: _Path = ()) -> Iterator[_Path]:
    """Yield the paths of the leaves that differ."""
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        for name in one.keys() & other.keys():
            yield from _differing(one[name], other[name], (*path, name))
    elif isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        for index, item in enumerate(one):
            yield from _differing(item, other[index], (*path, index))
    elif one != other:
        yield path


def _at(one: Any, path: _Path) -> Any:
    """Return what stands at a path; None if nothing does."""
    try:
        for step in path:
            one = one[step]
    except (LookupError, TypeError):
        return None
    return one


def _with(one: Any, path: _Path, value: Any) -> Any:
    """Return a copy with another value at a path."""
    if not path:
        return value
    copy = list(one) if isinstance(one, list) else dict(one)
    copy[path[0]] = _with(one[path[0]], path[1:], value)
    return copy

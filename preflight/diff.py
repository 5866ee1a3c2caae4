"""What changes between the objects of a release as they are and as they would be.

Pure functions. An object is a dict as the API knows it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any, Final

from kube.manifests import WORKLOADS, Object, ObjectKey, pod_template

_POLICY: Final = "helm.sh/resource-policy"
# Kinds whose contents charts sum up in an annotation of the pods that use them.
_SUMMED_UP: Final = ("ConfigMap", "Secret")


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
    found = {key: _settled(old[key], new[key], again[key]) for key in old.keys() & new.keys() & again.keys()}
    found = {key: one for key, one in found.items() if one != new[key]}
    if any(change.key.kind in _SUMMED_UP for change in changes(old, {**new, **found})):
        return {key: one for key, one in found.items() if key.kind not in WORKLOADS}
    return found


def _settled(live: Any, one: Any, other: Any) -> Any:
    """Return the first of two renderings, but where they differ what is there; as it is, where nothing is there."""
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        there = live if isinstance(live, Mapping) else {}
        return {name: _settled(there.get(name), below, other.get(name, below)) for name, below in one.items()}
    if isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        items = live[: len(one)] if isinstance(live, list) else []
        return [_settled(*three) for three in zip_longest(items, one, other)]
    return one if one == other or live is None else live

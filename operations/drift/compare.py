"""What differs between the objects of a stack and those in the cluster, and who changed them.

Pure functions. What is expected comes in as a map from the path of each field to its value (`Wanted`). Whatever a stack
does not say itself is nobody's business, unless a user said it: that is what Kubernetes' record of who set what
(`managedFields`) tells, with a name (`kubectl-edit`) and mostly with a time (`kubectl scale` leaves none).
"""

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from kube.manifests import Object, ObjectKey
from operations.drift import masks
from operations.drift.fields import MISSING, Path, Step, leaves, prefixes, text, value_at

Wanted = Mapping[Path, Any]
Pair = tuple[Any, Any]
# Helm through Pulumi's provider, and the provider itself with a random suffix (seen with pulumi-kubernetes 4.25.0).
_PULUMI: Final = "pulumi-"
# What works for a cluster by itself: its own controllers, autoscalers, operators, webhooks, a cloud's agents.
_CONTROLLER: Final = re.compile(
    r"kube-|kubelet|vpa-|gke-|gcp-|glbc$|manager$|cert-manager|cloud-(node|provider)"
    r"|.*(controller|scaler|scaling|scheduler|operator|webhook|injector|kwok)",
    re.IGNORECASE,
)
# Stands for a whole item of a list, such as a container: its name says enough, and much is in it.
ITEM: Final = object()
# kubectl's notes to itself. What `apply` changed is seen by itself, and a restart changes no setting.
_NOTES: Final = frozenset({"kubectl.kubernetes.io/last-applied-configuration", "kubectl.kubernetes.io/restartedAt"})


@dataclass(frozen=True)
class Author:
    """Who set fields: the name of a program, when (in UTC; "" if unknown), and the paths."""

    name: str
    time: str
    paths: frozenset[Path]


@dataclass(frozen=True)
class Difference:
    """One field that is not as it was deployed.

    `change` is changed, added, removed, or deleted for a whole object, whose `field` is "". `masked` says that the
    values may be secret; they are None then, as is a value that is not there. `by` and `at` are "" if nobody knows.
    """

    object: ObjectKey
    field: str
    change: str
    expected: Any = None
    found: Any = None
    masked: bool = False
    by: str = ""
    at: str = ""


def authors(live: Object) -> list[Author]:
    """Return who set which fields of an object, apart from its status; the newest last."""
    entries = [e for e in live["metadata"].get("managedFields") or [] if e.get("subresource") != "status"]
    found = [Author(e["manager"], e.get("time") or "", frozenset(leaves(e.get("fieldsV1") or {}))) for e in entries]
    return sorted(found, key=lambda author: author.time)


def is_user(name: str, ignored: Collection[str] = ()) -> bool:
    """Return whether a program that sets fields works for a user; `ignored` are names that do not."""
    return not (name.startswith(_PULUMI) or _is_controller(name, ignored))


def _is_controller(name: str, ignored: Collection[str]) -> bool:
    return name in ignored or _CONTROLLER.match(name) is not None


def compare(key: ObjectKey, wanted: Wanted, live: Object | None, ignored: Collection[str] = ()) -> list[Difference]:
    """Compare an object with what is expected of it; `live` is None if there is none.

    `ignored` are names of programs whose changes do not count, beside those of Kubernetes itself.
    """
    if live is None or live["metadata"].get("deletionTimestamp"):
        return [Difference(key, "", "deleted")]
    known = authors(live)
    found = []
    for path, pair in {**_changed(wanted, live), **_added(wanted, live, known, ignored)}.items():
        author = _author(path, known, ignored)
        if author and _is_controller(author.name, ignored):
            continue
        if pair[1] is MISSING and author and not is_user(author.name, ignored):
            author = None  # who set the list or map does not tell who took something out of it
        if _is_meant(path):
            found.append(_difference(key, live, path, pair, author))
    return sorted(found, key=lambda one: one.field)


def _is_meant(path: Path) -> bool:
    """Return whether a field says something: not those by which the items of a list are told from each other."""
    item = path[-2] if len(path) > 1 and path[-2].kind == "k" else None
    if item and path[-1].value in dict(item.value):
        return False
    return path[-1].value not in _NOTES


def _changed(wanted: Wanted, live: Object) -> dict[Path, Pair]:
    """Return the fields that have another value, or none; of a list's item that is gone, the item alone."""
    found: dict[Path, Pair] = {}
    for path, value in wanted.items():
        if gone := _missing_item(path, live):
            found[gone] = (ITEM, MISSING)
        else:
            found |= {
                below: (expected, there) for below, expected, there in _differences(value, value_at(live, path), path)
            }
    return found


def _missing_item(path: Path, live: Object) -> Path:
    return next((item for item in _items(path) if value_at(live, item) is MISSING), ())


def _items(path: Path) -> Iterator[Path]:
    """Yield the paths of the lists' items that a path leads through, outermost first."""
    return (path[:length] for length in range(1, len(path) + 1) if path[length - 1].kind in "kv")


def _added(wanted: Wanted, live: Object, known: Collection[Author], ignored: Collection[str]) -> dict[Path, Pair]:
    """Return the fields that users set and of which nothing is expected; of a list's new item, the item alone."""
    users = {path for a in known if is_user(a.name, ignored) for path in a.paths}
    ours = {path for a in known if not is_user(a.name, ignored) for path in a.paths}
    expected = prefixes(wanted)
    found: dict[Path, Pair] = {}
    for path in users - ours - expected:
        new = next((item for item in _items(path) if item not in expected | prefixes(ours)), ())
        found[new or path] = (MISSING, ITEM if new else value_at(live, path))
    return {path: pair for path, pair in found.items() if pair[1] is not MISSING}


def _author(path: Path, known: Collection[Author], ignored: Collection[str]) -> Author | None:
    """Return who set a field last: a user, else whoever it was; for a list's item, who set anything in it."""
    above = prefixes([path])
    there = [a for a in known if any(p in above or p[: len(path)] == path for p in a.paths)]
    users = [a for a in there if is_user(a.name, ignored)]
    return next(reversed(users or there), None)


def _differences(expected: Any, there: Any, path: Path) -> Iterator[tuple[Path, Any, Any]]:
    if isinstance(expected, Mapping) and isinstance(there, Mapping):
        for name in sorted({*expected, *there}):
            below = (*path, Step("f", name))
            yield from _differences(expected.get(name, MISSING), there.get(name, MISSING), below)
    elif isinstance(expected, list) and isinstance(there, list) and len(expected) == len(there):
        for index, (one, other) in enumerate(zip(expected, there, strict=True)):
            yield from _differences(one, other, (*path, Step("i", index)))
    elif expected != there:
        yield path, expected, there


def _difference(key: ObjectKey, live: Object, path: Path, pair: Pair, author: Author | None) -> Difference:
    expected, there = (None if value in (ITEM, MISSING) else value for value in pair)
    masked = any(masks.hides(live, path, value) for value in (expected, there))
    change = "added" if pair[0] is MISSING else "removed" if pair[1] is MISSING else "changed"
    shown = (None, None) if masked else (expected, there)
    return Difference(
        key, text(path), change, *shown, masked, author.name if author else "", author.time if author else ""
    )

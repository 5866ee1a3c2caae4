"""What differs between an object as a stack expects it and as it is in the cluster, and who changed it.

Pure functions. What is expected is a map from the path of each field to its value (`Wanted`). Which value that is says
best the API server itself, from a dry run (`by_server`); where it refuses that, what is left is what users have set
(`by_users`). Whatever a stack does not say itself is nobody's business, unless a user said it: that is what Kubernetes'
record of who set what (`managedFields`) tells, with a name (`kubectl-edit`) and mostly with a time.
"""

import json
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from kube.manifests import Object, ObjectKey
from operations.drift import masks
from operations.drift.fields import MISSING, Path, leaves, prefixes, text, value_at

Wanted = Mapping[Path, Any]
# What is expected at a path, and what is there.
Pair = tuple[Any, Any]
# The field manager of the dry runs. No object ever has it.
MANAGER: Final = "binderhub-drift"
# Helm through Pulumi's provider, and the provider itself with a random suffix (seen with pulumi-kubernetes 4.25.0).
_PULUMI: Final = "pulumi-"
# What works for a cluster by itself: its own controllers, autoscalers, operators, webhooks, a cloud's agents.
_CONTROLLER: Final = re.compile(
    r"kube-|kubelet|vpa-|gke-|gcp-|glbc$|manager$|cert-manager|cloud-(node|provider)"
    r"|.*(controller|scaler|scaling|scheduler|operator|webhook|injector|kwok)",
    re.IGNORECASE,
)
# Stands for a whole item of a list, such as a container: its name says enough, and much is in it.
_ITEM: Final = object()
# kubectl's notes to itself. What `apply` changed is seen by itself, and a restart changes no setting.
_NOTES: Final = ("f:kubectl.kubernetes.io/last-applied-configuration", "f:kubectl.kubernetes.io/restartedAt")


@dataclass(frozen=True)
class Author:
    """Who set fields: a program's name, for whom it works (user, controller, stack), the paths, and when if known."""

    name: str
    role: str
    paths: frozenset[Path]
    time: str | None


@dataclass(frozen=True)
class Difference:
    """One field that is not as it was deployed.

    `change` is changed, added, removed, or deleted for a whole object, whose `field` is "". `masked` says that the
    values may be secret; they are None then, as is a value that is not there. `by` and `at` are None if nobody knows.
    """

    object: ObjectKey
    field: str
    change: str
    expected: Any = None
    found: Any = None
    masked: bool = False
    by: str | None = None
    at: str | None = None


def authors(live: Object, ignored: Collection[str] = ()) -> list[Author]:
    """Return who set which fields of an object, apart from its status; the newest last.

    `ignored` are names of programs whose changes do not count: as if they were controllers.
    """
    entries = [e for e in live["metadata"].get("managedFields") or [] if e.get("subresource") != "status"]
    return [
        Author(e["manager"], role(e["manager"], ignored), frozenset(leaves(e.get("fieldsV1") or {})), e.get("time"))
        for e in sorted(entries, key=lambda e: e.get("time") or "")
    ]


def role(name: str, ignored: Collection[str] = ()) -> str:
    """Return for whom a program that sets fields works: controller, stack or user."""
    if name in ignored:
        return "controller"
    return "stack" if name.startswith(_PULUMI) else "controller" if _CONTROLLER.match(name) else "user"


def by_server(applied: Object) -> Wanted:
    """Return what is expected of an object that a dry run has applied to the one in the cluster.

    The server's record says which fields were in the request, and beside it stands what it makes of them: quantities,
    and what webhooks change, are in the same form as in the cluster.
    """
    return {path: value_at(applied, path) for one in authors(applied) if one.name == MANAGER for path in one.paths}


def by_users(deployed: Object, known: Collection[Author]) -> Wanted:
    """Return what was deployed of the fields that users have set in the cluster.

    What they took out is not among them: the record of who set what says nothing of it.
    """
    return {path: value for path in _set_by_users(known) if (value := value_at(deployed, path)) is not MISSING}


def compare(key: ObjectKey, wanted: Wanted, live: Object, known: Sequence[Author]) -> list[Difference]:
    """Compare an object with what is expected of it; `known` are its authors, the newest last."""
    found = []
    for path, pair in {**_changed(wanted, live), **_added(wanted, live, known)}.items():
        author = _author(path, known)
        role = author.role if author else ""
        if role == "controller" or not _is_meant(path):
            continue
        if role == "stack" and pair[1] is MISSING:
            author = None  # who set a list or a map does not tell who took something out of it
        found.append(_difference(key, live, path, pair, author))
    return sorted(found, key=lambda one: one.field)


def _is_meant(path: Path) -> bool:
    """Return whether a field says something: not those by which the items of a list are told from each other."""
    above, last = ("", *path)[-2:]
    keys = json.loads(above[2:]) if above.startswith("k:") else {}
    return last not in _NOTES and last.removeprefix("f:") not in keys


def _changed(wanted: Wanted, live: Object) -> dict[Path, Pair]:
    """Return the fields that have another value, or none; of a list's item that is gone, the item alone."""
    found: dict[Path, Pair] = {}
    for path, value in wanted.items():
        if gone := [item for item in _items(path) if value_at(live, item) is MISSING]:
            found[gone[0]] = (_ITEM, MISSING)
        else:
            found |= _differences(value, value_at(live, path), path)
    return found


def _added(wanted: Wanted, live: Object, known: Collection[Author]) -> dict[Path, Pair]:
    """Return the fields that users set and of which nothing is expected; of a list's new item, the item alone."""
    ours = {path for author in known if author.role != "user" for path in author.paths}
    old = prefixes({*wanted, *ours})
    found: dict[Path, Pair] = {}
    for path in _set_by_users(known) - old:
        there = value_at(live, path)
        if there is not MISSING:
            new = next((item for item in _items(path) if item not in old), ())
            found[new or path] = (MISSING, _ITEM if new else there)
    return found


def _set_by_users(known: Collection[Author]) -> set[Path]:
    return {path for author in known if author.role == "user" for path in author.paths}


def _items(path: Path) -> Iterator[Path]:
    """Yield the paths of the lists' items that a path leads through, outermost first."""
    return (path[:length] for length in range(1, len(path) + 1) if path[length - 1][0] in "kv")


def _author(path: Path, known: Sequence[Author]) -> Author | None:
    """Return who set a field last: a user, else whoever it was; for a list's item, who set anything in it."""
    above = prefixes([path])
    there = [a for a in known if any(p in above or p[: len(path)] == path for p in a.paths)]
    return next(reversed([a for a in there if a.role == "user"] or there), None)


def _differences(expected: Any, there: Any, path: Path) -> Iterator[tuple[Path, Pair]]:
    if isinstance(expected, Mapping) and isinstance(there, Mapping):
        for name in {*expected, *there}:
            yield from _differences(expected.get(name, MISSING), there.get(name, MISSING), (*path, f"f:{name}"))
    elif isinstance(expected, list) and isinstance(there, list) and len(expected) == len(there):
        for index, (one, other) in enumerate(zip(expected, there, strict=True)):
            yield from _differences(one, other, (*path, f"i:{index}"))
    elif expected != there:
        yield path, (expected, there)


def _difference(key: ObjectKey, live: Object, path: Path, pair: Pair, author: Author | None) -> Difference:
    change = "added" if pair[0] is MISSING else "removed" if pair[1] is MISSING else "changed"
    expected, found = (None if value in (_ITEM, MISSING) else value for value in pair)
    masked = any(masks.hides(live, path, value) for value in (expected, found) if value is not None)
    shown = (None, None) if masked else (expected, found)
    by, at = (author.name, author.time) if author else (None, None)
    return Difference(key, text(path), change, *shown, masked, by, at)

"""Collects the drift of a stack: from its state, Helm's records of its release, and its objects in the cluster.

Nothing is changed. Needed are the rights to read all of these, and `patch` for the dry runs; without it only what users
have set is seen, not what they took out.
"""

import base64
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from kube import helm_releases, manifests, nested
from kube.api import Answer, Api, side_by_side
from kube.errors import UnknownTypeError
from kube.manifests import Object, ObjectKey
from operations import cluster, state
from operations.drift.compare import MANAGER, Difference, authors, by_server, by_users, compare
from operations.errors import BlockedError

NO_RIGHT: Final = "no right to patch"
Objects = Mapping[ObjectKey, Object]


@dataclass(frozen=True, kw_only=True)
class DriftReport:
    """What was found.

    `release` is `namespace/name`, `timeout` its setting in seconds; `own` are the objects that the program makes
    itself, `count` is the number of all that were compared. `unread` says what could not be read and why, `refused`
    why the server would not apply what was deployed: of these, what was taken out is not seen.
    """

    release: str
    context: str
    timeout: int
    count: int
    drift: Sequence[Difference]
    own: Collection[ObjectKey]
    unread: Mapping[str, str]
    refused: Mapping[ObjectKey, str]


def collect(found: state.State, api: Api, ignored: Collection[str] = ()) -> DriftReport:
    """Compare the objects of the stack with this state to those in the cluster.

    `ignored` are names of programs whose changes do not count. Raises `BlockedError` if the stack has no release, or
    one whose last operation came to no good end.
    """
    release = state.release(found)
    if release is None:
        raise BlockedError("this stack has no release in its state", "a stack that was brought up", "pulumi up")
    namespace, name = release["inputs"]["namespace"], release["inputs"]["name"]
    own = manifests.by_key(state.plain_objects(found), namespace)
    records = cluster.records(api, f"{namespace}/{name}")
    helms, drift = _by_helm(release, records.items) if records.ok else ({}, [])
    wanted = {key: _complete(one, key, namespace) for key, one in {**helms, **own}.items()}
    looks = dict(zip(wanted, side_by_side(lambda key: _look(api, key, wanted[key], ignored), wanted), strict=True))
    unread = {} if records.ok else {f"Helm's record of {namespace}/{name}": records.message}
    unread |= {str(key): look.unread for key, look in looks.items() if look.unread}
    return DriftReport(
        release=f"{namespace}/{name}",
        context=api.context,
        timeout=int(release["inputs"]["timeout"]),
        count=sum(not look.unread for look in looks.values()),
        drift=[*drift, *(one for look in looks.values() for one in look.drift)],
        own=own.keys(),
        unread=unread,
        refused={key: look.refused for key, look in looks.items() if look.refused},
    )


def _by_helm(release: state.Resource, records: Sequence[Object]) -> tuple[Objects, list[Difference]]:
    """Return the objects that Helm installed, without hooks (they come and go), and what somebody did with Helm itself.

    That leaves no trace in the objects, since the record changed with them.
    """
    namespace, name = release["inputs"]["namespace"], release["inputs"]["name"]
    history = helm_releases.history(records, namespace)
    if history.unfinished or (history.status and not history.deployed):
        raise BlockedError(
            f"release {namespace}/{name} is {history.status}: an operation on it goes on, was killed, or failed",
            "one whose last operation came to its end: wait, or see docs/recovery.md",
            "pulumi up",
        )
    key = ObjectKey("Release", name)
    if not history.deployed:
        return {}, [Difference(key, "", "deleted")]
    # What Helm adds to every object (seen with pulumi-kubernetes 4.25.0). Without it the next upgrade refuses the
    # object, so that it counts as drift when it is gone.
    notes = {manifests.OF_RELEASE: name, manifests.OF_NAMESPACE: namespace}
    owner = {"metadata": {"labels": manifests.BY_HELM, "annotations": notes}}
    objects = {k: nested.merged(one, owner) for k, one in history.objects.items() if not manifests.hooks(one)}
    known = ((release.get("outputs") or {}).get("status") or {}).get("revision")
    # After an `up` that failed, the state has another revision than the deployed one.
    if release.get("initErrors") or known is None or int(known) == history.deployed:
        return objects, []
    return objects, [Difference(key, "revision", "changed", int(known), history.deployed)]


def _complete(one: Object, key: ObjectKey, namespace: str) -> dict[str, Any]:
    """Return an object as the API server takes it: with its namespace, and a Secret's texts among its data."""
    place = {} if key.kind in manifests.CLUSTER_WIDE else {"namespace": key.namespace or namespace}
    whole = nested.merged(one, {"metadata": place})
    texts = whole.pop("stringData", None) or {}
    data = {name: base64.b64encode(str(value).encode()).decode() for name, value in texts.items()}
    return nested.merged(whole, {"data": data}) if data else whole


@dataclass(frozen=True)
class _Look:
    """One object: its drift, why it could not be read, and why the server would not apply what was deployed."""

    drift: Sequence[Difference] = ()
    unread: str = ""
    refused: str = ""


def _look(api: Api, key: ObjectKey, one: Object, ignored: Collection[str]) -> _Look:
    """Read an object, and let the server apply to it what was deployed, in a dry run."""
    try:
        found = cluster.find(api, one)
    except UnknownTypeError as error:
        return _Look(unread=str(error))
    if found.reason == "NotFound" or (found.ok and found.body["metadata"].get("deletionTimestamp")):
        return _Look([Difference(key, "", "deleted")])
    if not found.ok:
        return _Look(unread=found.message)
    known = authors(found.body, ignored)
    # By force, since the fields have another manager.
    applied = api.apply(one, MANAGER, dry_run=True, force=True)
    wanted = by_server(applied.body) if applied.ok else by_users(one, known)
    return _Look(compare(key, wanted, found.body, known), refused="" if applied.ok else _reason(applied))


def _reason(answer: Answer) -> str:
    """Return why a dry run was refused, without values: a server quotes what it refuses, even a whole pod.

    Of a sentence that is what stands before its first colon: who refuses (`admission webhook "x" denied the request`).
    """
    if answer.reason == "Forbidden":
        return NO_RIGHT
    causes = dict.fromkeys(": ".join(filter(None, map(one.get, ("field", "reason")))) for one in answer.causes)
    return ", ".join(causes) or answer.message.partition(":")[0]

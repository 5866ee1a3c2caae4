"""Collects the drift of a stack: from its state, Helm's records of its release, and its objects in the cluster.

Nothing is changed. Needed are the rights to read all of these, and `patch` for the dry runs; without it only what users
have set is seen, not what they took out.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kube import helm_releases, manifests
from kube.api import Answer, Api, side_by_side
from kube.errors import UnknownTypeError
from kube.helm_releases import History
from kube.manifests import Object, ObjectKey
from operations import cluster, state
from operations.drift import expected
from operations.drift.compare import Difference, compare
from operations.errors import BlockedError

NO_RIGHT = "no right to patch"


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
    history = _history(records.items, namespace, name) if records.ok else None
    deployed = history.deployed.objects if history and history.deployed else {}
    helms = {key: expected.owned_by_helm(one, name, namespace) for key, one in deployed.items()}
    wanted = expected.complete({**helms, **own}, namespace)
    looks = dict(zip(wanted, side_by_side(lambda key: _look(api, key, wanted[key], ignored), wanted), strict=True))
    unread = {} if records.ok else {f"Helm's record of {namespace}/{name}": records.message}
    unread |= {str(key): look.unread for key, look in looks.items() if look.unread}
    return DriftReport(
        release=f"{namespace}/{name}",
        context=api.context,
        timeout=int(release["inputs"]["timeout"]),
        count=sum(not look.unread for look in looks.values()),
        drift=[*_of_release(release, history), *(one for look in looks.values() for one in look.drift)],
        own=own.keys(),
        unread=unread,
        refused={key: look.refused for key, look in looks.items() if look.refused},
    )


def _history(records: Sequence[Object], namespace: str, name: str) -> History:
    history = helm_releases.history(records, namespace)
    if history.unfinished or (history.status and not history.deployed):
        raise BlockedError(
            f"release {namespace}/{name} is {history.status}: an operation on it goes on, was killed, or failed",
            "one whose last operation came to its end: wait, or see docs/recovery.md",
            "pulumi up",
        )
    return history


def _of_release(release: Mapping[str, Any], history: History | None) -> list[Difference]:
    """Tell what somebody did with Helm itself: it leaves no trace in the objects, since the record changed with them.

    A resource with `initErrors` is one whose last `up` failed: its revision in the state is not the deployed one.
    """
    key = ObjectKey("Release", release["inputs"]["name"])
    if history is None:
        return []
    if not history.deployed:
        return [Difference(key, "", "deleted")]
    known = ((release.get("outputs") or {}).get("status") or {}).get("revision")
    if release.get("initErrors") or known is None or int(known) == history.deployed.number:
        return []
    return [Difference(key, "revision", "changed", int(known), history.deployed.number)]


@dataclass(frozen=True, kw_only=True)
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
    if found.reason == "NotFound":
        return _Look(drift=compare(key, {}, None))
    if not found.ok:
        return _Look(unread=found.message)
    # By force, since the fields have another manager.
    applied = api.apply(one, expected.MANAGER, dry_run=True, force=True)
    wanted = expected.by_server(applied.body) if applied.ok else expected.by_users(one, found.body, ignored)
    return _Look(drift=compare(key, wanted, found.body, ignored), refused="" if applied.ok else _reason(applied))


def _reason(answer: Answer) -> str:
    """Return why a dry run was refused, without values: a server quotes what it refuses, even a whole pod.

    Of a sentence that is what stands before its first colon: who refuses (`admission webhook "x" denied the request`).
    """
    if answer.reason == "Forbidden":
        return NO_RIGHT
    causes = (": ".join(filter(None, (one.field, one.reason))) for one in answer.causes)
    return ", ".join(causes) or answer.message.partition(":")[0]

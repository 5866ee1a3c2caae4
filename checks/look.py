"""Looks at a stack: its state, Helm's record of its release, and its objects in the cluster. Nothing is changed.

Needed are the rights to read all of these, and `patch` for the dry runs; without it the comparison is our own.
"""

import json
import re
from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Final

from checks import expected
from checks.drift import Difference, Wanted, compare
from commands import state
from commands.programs import Kubectl, RefusedError
from components import objects, record
from components.kubectl import Answer
from components.objects import Key, Object
from components.record import History

_GET: Final = ("get", "--ignore-not-found", "--show-managed-fields", "-o", "json", "-f", "-")
# `--validate=false`: what was deployed is not to be judged. `--force-conflicts`: the fields have another manager.
_DRY_RUN: Final = (
    "apply", "--server-side", "--force-conflicts", "--dry-run=server", "--validate=false",
    f"--field-manager={expected.MANAGER}", "--show-managed-fields", "-o", "json", "-f", "-",
)  # fmt: skip
# How many kubectl at once: each waits for the network most of its time.
_AT_ONCE: Final = 8
_FORBIDDEN: Final = "(Forbidden)"
# A server quotes what it refuses, and that may be a whole pod.
_QUOTED: Final = re.compile(r"\bvalue: (.*(?=: )|.*)")


@dataclass(frozen=True)
class Answers:
    """What kubectl said of objects, one by one: those that it printed, and why it refused others."""

    objects: Mapping[Key, Object]
    refused: Mapping[Key, str]


@dataclass(frozen=True, kw_only=True)
class Report:
    """What was found.

    `release` is `namespace/name`, `timeout` its setting in seconds; `own` are the objects that the program makes
    itself, `count` is the number of all that were looked at. `unread` says what could not be read and why, `stuck` why
    the server would not put an object back, `unasked` which ones it may not be asked about.
    """

    release: str
    context: str
    timeout: int
    count: int
    drift: Sequence[Difference]
    own: Collection[Key]
    unread: Mapping[str, str]
    stuck: Mapping[Key, str]
    unasked: Collection[Key]


def look(found: state.State, kubectl: Kubectl, ignored: Collection[str] = ()) -> Report:
    """Compare the objects of the stack with this state to those in the cluster.

    `ignored` are names of programs whose changes do not count. Raises `RefusedError` if the stack has no release, or
    one whose last operation came to no good end.
    """
    release = state.release(found)
    if release is None:
        raise RefusedError("this stack has no release in its state", "a stack that was brought up", "pulumi up")
    namespace, name = release["inputs"]["namespace"], release["inputs"]["name"]
    own = expected.of_program(state.plain_objects(found), namespace)
    records = kubectl.ask("-n", namespace, "get", "secrets", "-l", record.selector(name), "-o", "json")
    history = None if records.status else _history(records, namespace, name)
    helms = expected.of_release(history.deployed, name, namespace) if history and history.deployed else {}
    live = _ask(kubectl, _GET, {**helms, **own}, namespace)
    readable = {key: one for key, one in {**helms, **own}.items() if key not in live.refused}
    applied = _ask(kubectl, _DRY_RUN, {key: readable[key] for key in readable if key in live.objects}, namespace)
    drift = _of_release(release, history) if history else []
    for key, one in readable.items():
        drift += compare(key, *_sides(one, live.objects.get(key), applied.objects.get(key)), ignored)
    differing = {one.object for one in drift}
    unread = {f"Helm's record of {namespace}/{name}": _reason(records)} if records.status else {}
    return Report(
        release=f"{namespace}/{name}",
        context=kubectl.kubeconfig.context,
        timeout=int(release["inputs"]["timeout"]),
        count=len(readable),
        drift=drift,
        own=own.keys(),
        unread=unread | {str(key): why for key, why in live.refused.items()},
        stuck={key: why for key, why in applied.refused.items() if _FORBIDDEN not in why and key in differing},
        unasked=[key for key, why in applied.refused.items() if _FORBIDDEN in why],
    )


def _history(records: Answer, namespace: str, name: str) -> History:
    history = record.read(json.loads(records.out)["items"], namespace)
    if history.unfinished or (history.status and not history.deployed):
        raise RefusedError(
            f"release {namespace}/{name} is {history.status}: an operation on it goes on, was killed, or failed",
            "one whose last operation came to its end: wait, or see docs/recovery.md",
            "pulumi up",
        )
    return history


def _of_release(release: Mapping[str, Any], history: History) -> list[Difference]:
    """Tell what somebody did with Helm itself: it leaves no trace in the objects, since the record changed with them.

    A resource with `initErrors` is one whose last `up` failed: its revision in the state is not the deployed one.
    """
    key = Key("Release", release["inputs"]["name"])
    if not history.deployed:
        return [Difference(key, "", "deleted")]
    known = ((release.get("outputs") or {}).get("status") or {}).get("revision")
    if release.get("initErrors") or known is None or int(known) == history.deployed.number:
        return []
    return [Difference(key, "revision", "changed", int(known), history.deployed.number)]


def _ask(kubectl: Kubectl, command: Sequence[str], wanted: Mapping[Key, Object], namespace: str) -> Answers:
    """Ask for all objects at once, or, since one refusal loses all answers, for each by itself."""
    whole = kubectl.ask(*command, stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": [*wanted.values()]}))
    if not whole.status or not wanted:
        return Answers(_parsed(whole, namespace), {})
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        answers = pool.map(lambda one: kubectl.ask(*command, stdin=json.dumps(one)), wanted.values())
    alone = dict(zip(wanted, answers, strict=True))
    good = [_parsed(answer, namespace) for answer in alone.values() if not answer.status]
    refused = {key: _QUOTED.sub("value", _reason(answer)) for key, answer in alone.items() if answer.status}
    return Answers({key: one for answer in good for key, one in answer.items()}, refused)


def _parsed(answer: Answer, namespace: str) -> dict[Key, Object]:
    """Return the objects that kubectl printed: a list, for exactly one that one, and for none nothing."""
    content = json.loads(answer.out) if answer.out.strip() else {"items": []}
    return dict(objects.by_key(content.get("items", [content]), namespace))


def _reason(answer: Answer) -> str:
    lines = answer.err.strip().splitlines()
    return lines[-1] if lines else f"kubectl ended with status {answer.status}"


def _sides(wanted: Object, live: Object | None, applied: Object | None) -> tuple[Wanted, Object | None]:
    if live is None:
        return {}, None
    return expected.by_server(applied) if applied else expected.by_hand(wanted, live), live

"""`python -m operations recover`. The page for users is docs/recovery.md."""

import argparse
import functools
import json
import time
from pathlib import Path
from typing import Any

from kube import helm_releases
from kube.api import Answer, Api
from operations import cluster
from operations.errors import BlockedError, LockedError, OperationError
from operations.pulumi_cli import Pulumi
from operations.recovery import helm, state
from operations.recovery.processes import killed_holder, wait_for_orphans
from operations.state import NAMESPACE, RELEASE, State, is_object

say = functools.partial(print, flush=True)


def run(engine: Pulumi, api: Api, given: argparse.Namespace) -> int:
    """Put a stack in order; return the exit status. Safe to repeat, also where it was itself killed.

    The state goes first: until Helm's records are in order too, they show again what was interrupted. Raises
    `OperationError`.
    """
    wait_for_orphans()
    before = engine.export()
    edited, records = plan(before, api)
    try:
        write_state(engine, before, edited)
    except LockedError as error:
        holder = killed_holder(str(error))
        engine("cancel", "--yes")
        say(f"lock: removed the one that {holder} left")
        return run(engine, api, given)
    if edited.refresh:
        engine("refresh", "--yes", "--skip-preview", *(f"--target={urn}" for urn in edited.refresh))
    for release, changes in records.items():
        for record, status in changes:
            write_record(api, release, record, status)
    if edited.state == before and not any(records.values()):
        say("nothing to put in order: state and Helm's records say the same as before")
    say("now run: pulumi up")
    return 0


def plan(before: State, api: Api) -> tuple[state.Edited, dict[str, list[helm.Change]]]:
    """Read what the cluster has and decide what becomes of the state and, by release, of Helm's records.

    Nothing is changed. Raises `BlockedError` for a destroy.
    """
    begun = state.operations(before)
    unrecorded = {resource["urn"] for kind, resource in begun if kind != "deleting"}
    urns = state.releases(before)
    found = {release: _records(api, release) for release in urns}
    ending = {urns[release] for release, records in found.items() if helm.newest(records) == helm.UNINSTALLING}
    deleted = {resource["type"] for kind, resource in begun if kind == "deleting"}
    if ending - unrecorded or deleted & {RELEASE, NAMESPACE}:
        raise BlockedError(
            "a destroy of this stack was interrupted; nothing was touched",
            "that it is completed by Pulumi itself",
            "pulumi cancel, then pulumi destroy",
        )
    changes = {release: helm.changes(records, urns[release] in unrecorded) for release, records in found.items()}
    live: dict[str, Any] = {urns[release]: {} for release, records in found.items() if records}
    for kind, resource in begun:
        if kind == "creating" and is_object(resource["type"]) and resource["type"] != RELEASE:
            answer, names = cluster.find(api, resource["inputs"]), resource["inputs"]["metadata"]
            if answer.reason != "NotFound":
                live[resource["urn"]] = _accepted(answer, f"read {resource['inputs']['kind']} {names['name']}").body
    return state.edit(before, live, [urns[release] for release, some in changes.items() if some]), changes


def _records(api: Api, release: str) -> list[dict[str, Any]]:
    answer = _accepted(cluster.records(api, release), f"read Helm's records of {release}")
    return sorted(answer.items, key=helm_releases.number)


def _accepted(answer: Answer, what: str) -> Answer:
    if not answer.ok:
        raise OperationError(f"cannot {what}: {answer.message}")
    return answer


def write_state(engine: Pulumi, before: State, edited: state.Edited) -> None:
    """Write the state back, changed or not: that alone shows whether Pulumi can decrypt it and nobody locks it."""
    if engine.export() != before:
        raise BlockedError(
            "the state changed while it was read: another run is at work; nothing was touched",
            "that it has ended",
            "python -m operations recover",
        )
    copy = save(engine.stack, before) if edited.state != before else None
    try:
        engine.put(edited.state)
    except OperationError:
        if copy:
            copy.unlink()
        raise
    if copy:
        say(f"state: a copy of what it was lies in {copy} (secrets encrypted)")
    for note in edited.notes:
        say(f"state: {note}")


def save(stack: str, content: State) -> Path:
    """Write a copy of the state that only its owner can read, and return its path."""
    folder = Path(".pulumi") / "recovery"  # Git ignores it; `pulumi login file://.` keeps its state there, too
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{stack.replace('/', '-')}-{time.strftime('%Y%m%d-%H%M%S')}.json"
    path.touch(0o600, exist_ok=False)
    path.write_text(json.dumps(content, indent=2))
    return path


def write_record(api: Api, release: str, record: helm_releases.Record, status: str) -> None:
    """Give one of Helm's records a new status, or ("") delete it."""
    was, number = helm_releases.status(record), helm_releases.number(record)
    if status:
        # The whole object with its resourceVersion: refused if anybody else changed it meanwhile.
        answer, done = api.replace(helm.rewritten(record, status), dry_run=False), f"it counts as {status} now"
    else:
        answer, done = api.delete(record, dry_run=False), "its record is gone"
    _accepted(answer, f"change Helm's record of revision {number} of {release}")
    say(f"Helm: revision {number} of {release} was {was}; {done}")

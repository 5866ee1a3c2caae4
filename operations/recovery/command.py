"""`python -m operations recover [--stack S]`. The page for users is docs/recovery.md."""

import argparse
import functools
import json
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from kube import helm_releases
from kube.api import Answer, Api
from operations import cluster
from operations.errors import BlockedError, LockedError, OperationError
from operations.pulumi_cli import Pulumi
from operations.recovery import helm, state
from operations.recovery.processes import killed_holder, wait_for_orphans
from operations.state import State

# Git ignores it; `pulumi login file://.` keeps its state there, too.
COPIES: Final = Path(".pulumi") / "recovery"
say = functools.partial(print, flush=True)


@dataclass(frozen=True)
class Plan:
    """What is to be done: the state as it was and as it shall be, and the changes of Helm's records."""

    before: State
    edited: state.Edited
    records: dict[str, list[helm.RecordChange]]

    @property
    def empty(self) -> bool:
        """Whether all is in order."""
        return self.edited.state == self.before and not any(self.records.values())


def add(commands: Any) -> None:
    """Add the command to those of a command line (what `ArgumentParser.add_subparsers` returns)."""
    recover: argparse.ArgumentParser = commands.add_parser(
        "recover",
        help="put a killed run in order",
        description="Put a stack whose run was killed in order, so that the next `pulumi up` completes it.",
        epilog="exit status: 0 the stack is in order, 1 something is in the way",
    )
    recover.set_defaults(run=run, failure=1)


def run(engine: Pulumi, api: Api, _: argparse.Namespace) -> int:
    """Put a stack in order; return the exit status. Safe to repeat, also where it was itself killed.

    The state goes first: until Helm's records are in order too, they show again what was interrupted. Raises
    `OperationError`.
    """
    wait_for_orphans()
    plan = make_plan(engine.export(), api)
    try:
        write_state(engine, plan)
    except LockedError as error:
        holder = killed_holder(str(error))
        engine("cancel", "--yes")
        say(f"lock: removed the one that {holder} left")
        plan = make_plan(engine.export(), api)
        write_state(engine, plan)
    if plan.edited.refresh:
        engine("refresh", "--yes", "--skip-preview", *(f"--target={urn}" for urn in plan.edited.refresh))
    for release, changes in plan.records.items():
        for change in changes:
            write_record(api, release, change)
    if plan.empty:
        say("nothing to put in order: state and Helm's records say the same as before")
    say("now run: pulumi up")
    return 0


def make_plan(before: State, api: Api) -> Plan:
    """Read what the cluster has and decide what is to be done; changes nothing. Raises `BlockedError` for a destroy."""
    unrecorded = {op.urn for op in state.operations(before) if op.kind != "deleting"}
    urns = state.releases(before)
    found = {release: _records(api, release) for release in urns}
    changes = {release: helm.changes(records, urns[release] in unrecorded) for release, records in found.items()}
    ending = [r for r, records in found.items() if urns[r] not in unrecorded and helm.is_uninstalling(records)]
    if ending or state.being_destroyed(before):
        raise BlockedError(
            "a destroy of this stack was interrupted; nothing was touched",
            "that it is completed by Pulumi itself",
            "pulumi cancel, then pulumi destroy",
        )
    live: dict[str, Any] = {urns[release]: {} for release, records in found.items() if records}
    live |= {r["urn"]: there for r in state.begun_objects(before) if (there := _find(api, r["inputs"]))}
    return Plan(before, state.edit(before, live, [release for release, some in changes.items() if some]), changes)


def _records(api: Api, release: str) -> list[dict[str, Any]]:
    return _accepted(cluster.records(api, release), f"read Helm's records of {release}").items


def _find(api: Api, wanted: dict[str, Any]) -> Any:
    """Return the object that a run began to make, None if there is none."""
    answer = cluster.find(api, wanted)
    if answer.reason == "NotFound":
        return None
    return _accepted(answer, f"read {wanted['kind']} {wanted['metadata']['name']}").body


def _accepted(answer: Answer, what: str) -> Answer:
    if not answer.ok:
        raise OperationError(f"cannot {what}: {answer.message}")
    return answer


def write_state(engine: Pulumi, plan: Plan) -> None:
    """Write the state back, changed or not: that alone shows whether Pulumi can decrypt it and nobody locks it."""
    if engine.export() != plan.before:
        raise BlockedError(
            "the state changed while it was read: another run is at work; nothing was touched",
            "that it has ended",
            "python -m operations recover",
        )
    copy = save(engine.stack, plan.before) if plan.edited.state != plan.before else None
    try:
        engine.put(plan.edited.state)
    except OperationError:
        if copy:
            copy.unlink()
        raise
    if copy:
        say(f"state: a copy of what it was lies in {copy} (secrets encrypted)")
    for note in plan.edited.notes:
        say(f"state: {note}")


def save(stack: str, content: State) -> Path:
    """Write a copy of the state that only its owner can read, and return its path."""
    COPIES.mkdir(parents=True, exist_ok=True)
    path = COPIES / f"{stack.replace('/', '-')}-{time.strftime('%Y%m%d-%H%M%S')}.json"
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        json.dump(content, file, indent=2)
    return path


def write_record(api: Api, release: str, change: helm.RecordChange) -> None:
    """Change one of Helm's records."""
    was, number = helm_releases.status(change.record), helm_releases.number(change.record)
    if change.status:
        # The whole object with its resourceVersion: refused if anybody else changed it meanwhile.
        answer = api.replace(helm.rewritten(change.record, change.status), dry_run=False)
        done = f"it counts as {change.status} now"
    else:
        answer = api.delete(change.record, dry_run=False)
        done = "its record is gone"
    _accepted(answer, f"change Helm's record of revision {number} of {release}")
    say(f"Helm: revision {number} of {release} was {was}; {done}")

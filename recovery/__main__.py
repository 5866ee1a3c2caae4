"""The command line: `python -m recovery [--stack S]`. The runbook is docs/recovery.md."""

import argparse
import json
import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pulumi

from commands.programs import Kubectl, LockedError, Pulumi, RefusedError, require, selected_stack
from commands.state import State
from recovery import helm, state
from recovery.tools import killed_holder, wait_for_orphans

_COMMAND: Final = "python -m recovery"
# Git ignores it; `pulumi login file://.` keeps its state there, too.
COPIES: Final = Path(".pulumi") / "recovery"


@dataclass(frozen=True)
class Plan:
    """What is to be done: the state as it was and as it shall be, and the changes of Helm's records."""

    before: State
    edited: state.Edited
    records: dict[str, list[helm.Change]]

    @property
    def empty(self) -> bool:
        """Whether all is in order."""
        return self.edited.state == self.before and not any(self.records.values())


def main(arguments: list[str]) -> int:
    """Put a stack in order; return the exit status: 0 it is, 1 something is in the way."""
    parser = argparse.ArgumentParser(
        prog=_COMMAND,
        description="Put a stack whose run was killed in order, so that the next `pulumi up` completes it.",
    )
    parser.add_argument("--stack", default="", help="which stack (default: the selected one)")
    given = parser.parse_args(arguments)
    try:
        recover(given.stack)
    except (RefusedError, LockedError, pulumi.RunError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def recover(stack: str) -> None:
    """Put a stack ("": the selected one) in order. Safe to repeat, also where it was itself killed.

    The state goes first: until Helm's records are settled too, they show again what was interrupted.
    """
    require(_COMMAND)
    engine, unlocked = Pulumi(stack or selected_stack(_COMMAND), _COMMAND), False
    kubectl = Kubectl(engine.cluster())
    wait_for_orphans()
    plan = make_plan(engine.export(), kubectl)
    try:
        write_state(engine, plan)
    except LockedError as error:
        holder = killed_holder(str(error))
        engine("cancel", "--yes")
        unlocked = True
        say(f"lock: removed the one that {holder} left")
        plan = make_plan(engine.export(), kubectl)
        write_state(engine, plan)
    if plan.edited.refresh:
        engine("refresh", "--yes", "--skip-preview", *(f"--target={urn}" for urn in plan.edited.refresh))
    for release, changes in plan.records.items():
        for change in changes:
            settle(kubectl, release, change)
    if plan.empty:
        say(f"nothing {'else ' if unlocked else ''}to put in order: state and Helm's records say the same as before")
    say("now run: pulumi up")


def make_plan(before: State, kubectl: Kubectl) -> Plan:
    """Look at the cluster and decide what is to be done; changes nothing. Raises `RefusedError` for a destroy."""
    unrecorded = {op.urn for op in state.operations(before) if op.kind != "deleting"}
    found = {release: kubectl.records(release) for release in state.releases(before)}
    urns = state.releases(before)
    changes = {release: helm.settle(records, urns[release] in unrecorded) for release, records in found.items()}
    ending = [r for r, records in found.items() if urns[r] not in unrecorded and _is_uninstalling(records)]
    if ending or state.being_destroyed(before):
        raise RefusedError(
            "a destroy of this stack was interrupted; nothing was touched",
            "that it is completed by Pulumi itself",
            "pulumi cancel, then pulumi destroy",
        )
    live: dict[str, Any] = {urns[release]: {} for release, records in found.items() if records}
    live |= {r["urn"]: there for r in state.to_look_for(before) if (there := kubectl.find(r))}
    return Plan(before, state.edit(before, live, [release for release, list_ in changes.items() if list_]), changes)


def _is_uninstalling(records: list[dict[str, Any]]) -> bool:
    return bool(records) and helm.status(helm.ordered(records)[-1]) == helm.UNINSTALLING


def write_state(engine: Pulumi, plan: Plan) -> None:
    """Write the state back, changed or not: that alone shows whether Pulumi can decrypt it and nobody locks it."""
    if engine.export() != plan.before:
        raise RefusedError(
            "the state changed while it was read: another run is at work; nothing was touched",
            "that it has ended",
            _COMMAND,
        )
    copy = save(engine.stack, plan.before) if plan.edited.state != plan.before else None
    try:
        engine.put(plan.edited.state)
    except (RefusedError, LockedError):
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


def settle(kubectl: Kubectl, release: str, change: helm.Change) -> None:
    """Change one of Helm's records."""
    was, number = helm.status(change.record), helm.revision(change.record)
    if change.status:
        # The whole object with its resourceVersion: refused if anybody else changed it meanwhile.
        kubectl("replace", "-f", "-", stdin=json.dumps(helm.rewritten(change.record, change.status)))
        say(f"Helm: revision {number} of {release} was {was}; it counts as {change.status} now")
    else:
        names = change.record["metadata"]
        kubectl("-n", names["namespace"], "delete", "secret", names["name"])
        say(f"Helm: revision {number} of {release} was {was}; its record is gone")


def say(line: str) -> None:
    """Print one line for the person."""
    print(line, flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""The command line: `python -m checks drift [--stack S] [--json]`. The page for people is docs/drift.md."""

import argparse
import sys
from typing import Final

import pulumi

from checks import report
from checks.look import Report, look
from commands.programs import Kubectl, LockedError, Pulumi, RefusedError, require, selected_stack

_COMMAND: Final = "python -m checks drift"
_NONE, _SOME, _UNKNOWN = 0, 1, 2


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    top = argparse.ArgumentParser(prog="python -m checks", description="Look at a stack in use; nothing is changed.")
    commands = top.add_subparsers(dest="command", required=True)
    drift = commands.add_parser(
        "drift",
        help="what people changed by hand in the cluster",
        description="Show what people changed by hand in the cluster.",
        epilog="exit status: 0 no drift, 1 drift, 2 something could not be looked at",
    )
    drift.add_argument("--stack", default="", help="which stack (default: the selected one)")
    drift.add_argument("--json", action="store_true", help="print the report as JSON")
    drift.add_argument(
        "--ignore",
        action="append",
        default=[],
        metavar="NAME",
        help="a program whose changes do not count (may repeat)",
    )
    return top


def main(arguments: list[str]) -> int:
    """Run a command; return its exit status: 0 no drift, 1 drift, 2 something could not be looked at."""
    given = parser().parse_args(arguments)
    try:
        require(_COMMAND)
        stack = given.stack or selected_stack(_COMMAND)
        engine = Pulumi(stack, _COMMAND)
        found = look(engine.export(), Kubectl(engine.cluster()), given.ignore)
    except (RefusedError, LockedError, pulumi.RunError) as error:
        print(f"error: {error}", file=sys.stderr)
        return _UNKNOWN
    print(report.as_json(stack, found) if given.json else report.as_text(stack, found, given.stack))
    return _status(found)


def _status(found: Report) -> int:
    if found.unasked:
        many = report.count(len(found.unasked), "object")
        print(f"note: you may not patch {many}: compared without the server's help", file=sys.stderr)
    for what, why in found.unread.items():
        print(f"error: cannot read {what}: {why}", file=sys.stderr)
    if found.unread:
        return _UNKNOWN
    return _SOME if found.drift else _NONE


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

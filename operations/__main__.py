"""The command line: `python -m operations drift|recover ...`. For users: docs/drift.md and docs/recovery.md."""

import argparse
import sys

from operations.cluster import connected
from operations.drift import command as drift
from operations.errors import OperationError
from operations.pulumi_cli import on_stack
from operations.recovery import command as recovery


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line.

    A command sets `run` (its stack, the stack's cluster, arguments -> exit status) and `failure`.
    """
    top = argparse.ArgumentParser(prog="python -m operations", description="Work on a stack in use.")
    commands = top.add_subparsers(dest="command", required=True)
    drift.add(commands)
    recovery.add(commands)
    for command in commands.choices.values():
        command.add_argument("--stack", default="", help="which stack (default: the selected one)")
    return top


def main(arguments: list[str]) -> int:
    """Run a command; return its exit status, `failure` where it ends early: then the cause is printed."""
    given = parser().parse_args(arguments)
    try:
        engine = on_stack(given.stack)
        with connected(engine) as api:
            status: int = given.run(engine, api, given)
    except OperationError as error:
        print(f"error: {error}", file=sys.stderr)
        status = given.failure
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""The command line: `python -m operations drift|recover ...`. For users: docs/drift.md and docs/recovery.md."""

import argparse
import contextlib
import sys

from kube import kubeconfig
from kube.api import connect
from kube.errors import ClusterUnreachableError, KubeError
from operations.drift import command as drift
from operations.errors import BlockedError, OperationError
from operations.pulumi_cli import Pulumi
from operations.recovery import command as recovery


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line.

    It sets `run` (Pulumi on the stack, the stack's cluster, arguments -> exit status) and `failure`, another status.
    """
    top = argparse.ArgumentParser(prog="python -m operations", description="Work on a stack in use.")
    commands = top.add_subparsers(dest="command", required=True)
    one = commands.add_parser(
        "drift",
        help="show what was changed by hand in the cluster",
        description="Show what was changed by hand in the cluster. Nothing is changed.",
        epilog="exit status: 0 no drift, 1 drift, 2 something could not be read",
    )
    one.add_argument("--json", action="store_true", help="print the report as JSON")
    ignore = "leave out the changes of a program (may repeat)"
    one.add_argument("--ignore", action="append", default=[], metavar="NAME", help=ignore)
    one.set_defaults(run=drift.run, failure=2)
    one = commands.add_parser(
        "recover",
        help="put a killed run in order",
        description="Put a stack whose run was killed in order, so that the next `pulumi up` completes it.",
        epilog="exit status: 0 the stack is in order, 1 something is in the way",
    )
    one.set_defaults(run=recovery.run, failure=1)
    for one in commands.choices.values():
        one.add_argument("--stack", default="", help="which stack (default: the selected one)")
    return top


def main(arguments: list[str]) -> int:
    """Run a command; return its exit status, `failure` where it ends early: then the cause is printed."""
    cause: Exception
    given = parser().parse_args(arguments)
    try:
        engine = Pulumi(given.stack or Pulumi("")("stack", "--show-name").strip())
        with contextlib.closing(connect(kubeconfig.find(*engine.cluster()))) as api:
            return int(given.run(engine, api, given))
    except ClusterUnreachableError as error:
        # Its own text says that nothing was touched, which is not so in the midst of a recovery.
        cause = BlockedError(
            f"the cluster of context {error.context} cannot be asked: {error.cause}",
            "a running cluster that this machine can reach, and a login that it accepts",
            f"kubectl --context {error.context} version",
        )
    except (OperationError, KubeError) as error:
        cause = error
    _say(f"error: {cause}")
    return int(given.failure)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

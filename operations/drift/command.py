"""`python -m operations drift [--stack S] [--json] [--ignore NAME]`. The page for users is docs/drift.md."""

import argparse
import sys
from typing import Any

from kube.api import Api
from operations.drift import report
from operations.drift.collect import DriftReport, collect
from operations.pulumi_cli import Pulumi

_NO_DRIFT, _DRIFT, _UNKNOWN = 0, 1, 2


def add(commands: Any) -> None:
    """Add the command to those of a command line (what `ArgumentParser.add_subparsers` returns)."""
    drift: argparse.ArgumentParser = commands.add_parser(
        "drift",
        help="show what was changed by hand in the cluster",
        description="Show what was changed by hand in the cluster. Nothing is changed.",
        epilog="exit status: 0 no drift, 1 drift, 2 something could not be read",
    )
    drift.add_argument("--json", action="store_true", help="print the report as JSON")
    ignore = "leave out the changes of a program (may repeat)"
    drift.add_argument("--ignore", action="append", default=[], metavar="NAME", help=ignore)
    drift.set_defaults(run=run, failure=_UNKNOWN)


def run(engine: Pulumi, api: Api, given: argparse.Namespace) -> int:
    """Print the report; return the exit status. Raises `OperationError`."""
    found = collect(engine.export(), api, given.ignore)
    print((report.as_json if given.json else report.as_text)(engine.stack, found), flush=True)
    return _status(found)


def _status(found: DriftReport) -> int:
    if found.refused:
        many, why = report.count(len(found.refused), "object"), ", ".join(sorted(set(found.refused.values())))
        print(f"note: of {many} ({why}) what was taken out is not seen, only what was set", file=sys.stderr)
    for what, why in found.unread.items():
        print(f"error: cannot read {what}: {why}", file=sys.stderr)
    if found.unread:
        return _UNKNOWN
    return _DRIFT if found.drift else _NO_DRIFT

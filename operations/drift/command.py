"""`python -m operations drift`: prints the report. The page for users is docs/drift.md."""

import argparse
import json
import sys
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any, Final

from kube.api import Api
from kube.manifests import ObjectKey
from operations.drift.collect import NO_RIGHT, DriftReport, collect
from operations.drift.compare import Difference
from operations.pulumi_cli import Pulumi

# Longer values are cut in the middle of the report, not in the JSON.
_LONGEST: Final = 80


def run(engine: Pulumi, api: Api, given: argparse.Namespace) -> int:
    """Print the report; return 0 (no drift), 1 (drift) or 2 (something could not be read). Raises `OperationError`."""
    found = collect(engine.export(), api, given.ignore)
    print((as_json if given.json else as_text)(engine.stack, found), flush=True)
    if found.refused:
        many, why = _count(len(found.refused), "object"), ", ".join(sorted(set(found.refused.values())))
        print(f"note: of {many} ({why}) what was taken out is not seen, only what was set", file=sys.stderr)
    for what, why in found.unread.items():
        print(f"error: cannot read {what}: {why}", file=sys.stderr)
    return 2 if found.unread else 1 if found.drift else 0


def as_json(stack: str, report: DriftReport) -> str:
    """Return the report as one JSON object."""
    drift = [asdict(one) | {"object": str(one.object)} for one in report.drift]
    refused = {str(key): why for key, why in report.refused.items()}
    whole = {"stack": stack, "release": report.release, "drift": drift, "unread": report.unread, "refused": refused}
    return json.dumps(whole, indent=2)


def as_text(stack: str, report: DriftReport) -> str:
    """Return the report as a user reads it."""
    where = f"{_count(report.count, 'object')}: stack {stack}, release {report.release}, cluster {report.context}."
    if not report.drift:
        return f"No drift in {where}"
    grouped: dict[ObjectKey, list[str]] = {}
    for one in report.drift:
        grouped.setdefault(one.object, [str(one.object)]).append(f"  {_line(one)}")
    head = f"{_count(len(report.drift), 'difference')} at {len(grouped)} of {where}"
    return "\n\n".join([head, *map("\n".join, grouped.values()), "\n".join(_advice(report, f" --stack {stack}"))])


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _line(one: Difference) -> str:
    if not one.field:
        return "was deleted"
    # From 2026-11-23T09:12:04Z.
    time = f"{one.at[:10]} {one.at[11:16]} UTC" if one.at else ""
    who = ", ".join(filter(None, (one.by, time)))
    return f"{one.field}: {_what(one)}" + (f"  ({who})" if who else "")


def _what(one: Difference) -> str:
    if one.masked:
        return ("differs" if one.change == "changed" else f"was {one.change}") + ", not shown"
    if one.expected is None and one.found is None:
        return f"was {one.change}"
    if isinstance(one.expected, list) and isinstance(one.found, list):
        more = [item for item in one.found if item not in one.expected]
        less = [item for item in one.expected if item not in one.found]
        parts = [f"has {_shown(more)} too"] * bool(more) + [f"lacks {_shown(less)}"] * bool(less)
        return ", ".join(parts) or "has another order"
    return f"{_shown(one.expected)} -> {_shown(one.found)}"


def _shown(value: Any) -> str:
    written = "nothing" if value is None else json.dumps(value)
    return written if len(written) <= _LONGEST else f"{written[:_LONGEST]}..."


def _advice(report: DriftReport, option: str) -> Iterator[str]:
    """Say what puts things back; each was seen on the real engine (docs/drift.md)."""
    back = [one for one in report.drift if not _stays(one, report)]
    lost = [one for one in back if one.object.kind == "Release" and one.change == "deleted"]
    pulumis = [*lost, *(one for one in back if one.object in report.own)]
    yield f"`pulumi up{option}` alone undoes nothing of this: it compares the program with its own state."
    differing = {one.object for one in report.drift}
    for key, why in report.refused.items():
        if key in differing and why != NO_RIGHT:
            yield f"{key}: put it right by hand before all else. The server refuses what was deployed ({why})."
    if len(pulumis) < len(back):
        longer = f"pulumi config set timeout {report.timeout + 1}{option}"
        yield f"What Helm installed: its next upgrade puts it back. To have one: `{longer}`, then `pulumi up{option}`"
    if pulumis:
        # Without force, a field that somebody else set last is a conflict; a preview wants addresses that are gone.
        force = any(one.change != "deleted" for one in pulumis)
        names = ", ".join(sorted({str(one.object) for one in pulumis}))
        forced = f"PULUMI_K8S_ENABLE_PATCH_FORCE=true pulumi up --refresh --skip-preview{option}"
        yield f"{names}: `{forced if force else f'pulumi up --refresh{option}'}`"
    if len(back) < len(report.drift):
        namespace = report.release.partition("/")[0]
        yield f"What was added stays until you take it out: `kubectl -n {namespace} edit KIND/NAME`"


def _stays(one: Difference, report: DriftReport) -> bool:
    """Return whether nothing puts a difference back: a refresh of Pulumi's own objects misses what a list has too."""
    if one.object in report.own and isinstance(one.expected, list) and isinstance(one.found, list):
        return all(item in one.found for item in one.expected)
    return one.change == "added"

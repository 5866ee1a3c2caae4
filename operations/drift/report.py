"""How the report reads. Pure functions."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any, Final

from kube.manifests import ObjectKey
from operations.drift.collect import NO_RIGHT, DriftReport
from operations.drift.compare import Difference

# Longer values are cut in the middle of the report, not in the JSON.
_LONGEST: Final = 80
_FORCE: Final = "PULUMI_K8S_ENABLE_PATCH_FORCE=true"


def as_json(stack: str, report: DriftReport) -> str:
    """Return the report as one JSON object."""
    drift = [
        {**asdict(one), "object": str(one.object), "by": one.by or None, "at": one.at or None} for one in report.drift
    ]
    whole = {"stack": stack, "release": report.release, "drift": drift, "unread": dict(report.unread)}
    whole["refused"] = {str(key): why for key, why in report.refused.items()}
    return json.dumps(whole, indent=2)


def as_text(stack: str, report: DriftReport) -> str:
    """Return the report as a user reads it."""
    parts = [_head(stack, report), *_objects(report.drift)]
    if report.drift:
        parts.append("\n".join(_advice(report, f" --stack {stack}")))
    return "\n\n".join(parts)


def _head(stack: str, report: DriftReport) -> str:
    where = f"stack {stack}, release {report.release}, cluster {report.context}"
    if not report.drift:
        return f"No drift in {count(report.count, 'object')}: {where}."
    places = len({one.object for one in report.drift})
    return f"{count(len(report.drift), 'difference')} at {places} of {count(report.count, 'object')}: {where}."


def count(number: int, what: str) -> str:
    """Return `1 object` or `2 objects`."""
    return f"{number} {what}{'' if number == 1 else 's'}"


def _objects(drift: Sequence[Difference]) -> Iterator[str]:
    grouped: dict[ObjectKey, list[str]] = {}
    for one in drift:
        grouped.setdefault(one.object, []).append(f"  {_line(one)}")
    for key, lines in grouped.items():
        yield "\n".join([str(key), *lines])


def _line(one: Difference) -> str:
    if not one.field:
        return "was deleted"
    who = ", ".join(filter(None, (one.by, _time(one.at))))
    return f"{one.field}: {_what(one)}" + (f"  ({who})" if who else "")


def _what(one: Difference) -> str:
    if one.masked:
        return {"changed": "differs", "added": "was added", "removed": "was removed"}[one.change] + ", not shown"
    if one.expected is None and one.found is None:
        return f"was {one.change}"
    if isinstance(one.expected, list) and isinstance(one.found, list):
        return _list(one.expected, one.found)
    return f"{_shown(one.expected)} -> {_shown(one.found)}"


def _list(expected: list[Any], found: list[Any]) -> str:
    more, less = [one for one in found if one not in expected], [one for one in expected if one not in found]
    parts = [f"has {_shown(more)} too"] * bool(more) + [f"lacks {_shown(less)}"] * bool(less)
    return ", ".join(parts) or "has another order"


def _shown(value: Any) -> str:
    written = "nothing" if value is None else json.dumps(value)
    return written if len(written) <= _LONGEST else f"{written[:_LONGEST]}..."


def _time(stamp: str) -> str:
    """Return `2026-11-23T09:12:04Z` as `2026-11-23 09:12 UTC`."""
    return f"{stamp[:10]} {stamp[11:16]} UTC" if stamp else ""


def _advice(report: DriftReport, option: str) -> Iterator[str]:
    """Say what puts things back; each was seen on the real engine (docs/drift.md)."""
    back = [one for one in report.drift if not _stays(one, report)]
    pulumis = [one for one in back if _is_pulumis(one, report)]
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
        command = f"{_FORCE} pulumi up --refresh --skip-preview" if force else "pulumi up --refresh"
        yield f"{names}: `{command}{option}`"
    if any(_stays(one, report) for one in report.drift):
        namespace = report.release.partition("/")[0]
        yield f"What was added stays until you take it out: `kubectl -n {namespace} edit KIND/NAME`"


def _is_pulumis(one: Difference, report: DriftReport) -> bool:
    return one.object in report.own or (one.object.kind == "Release" and one.change == "deleted")


def _stays(one: Difference, report: DriftReport) -> bool:
    """Return whether nothing puts a difference back: a refresh of Pulumi's own objects misses what a list has too."""
    if one.object in report.own and isinstance(one.expected, list) and isinstance(one.found, list):
        return all(item in one.found for item in one.expected)
    return one.change == "added"

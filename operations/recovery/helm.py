"""Helm's records of a release, one Secret per revision, and what an interrupted operation leaves in them.

Pure functions. Helm refuses to work on a release whose newest record says that an operation is going on, and takes the
newest *deployed* revision as the base of its next upgrade: only what that one contains is removed when the program no
longer has it. So the revision that really lies in the cluster must be the deployed one (facts: failures.md 3.4).
"""

import base64
import gzip
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from kube.helm_releases import RECOVERED, Record, contents, number, status

_UNINSTALLING: Final = "uninstalling"
_PENDING: Final = "pending-"
_ROLLBACK: Final = "pending-rollback"
# Only where Pulumi, too, knows of an operation without an end: elsewhere they are honest ends of their own.
_UNFINISHED: Final = ("failed", _UNINSTALLING)


@dataclass(frozen=True)
class RecordChange:
    """What becomes of one record: `status` is its new status, or "" if it is deleted."""

    record: Record
    status: str


def ordered(records: Sequence[Record]) -> list[Record]:
    """Return Secrets of one release, as the API gives them, oldest revision first."""
    return sorted(records, key=number)


def changes(records: Sequence[Record], unrecorded: bool) -> list[RecordChange]:
    """Return the changes that put the records of one release in order; none if its last operation came to an end.

    `unrecorded` says that Pulumi has an operation on the release, other than a deletion, whose end it does not know.
    """
    rest, gone = ordered(records), []
    while len(rest) > 1 and status(rest[-1]) == _ROLLBACK:
        # What was rolled back lies in the cluster as well, and Helm's next upgrade replaces both.
        gone.append(RecordChange(rest.pop(), ""))
    if not rest:
        return []
    newest = status(rest[-1])
    if not (gone or newest.startswith(_PENDING) or (unrecorded and newest in _UNFINISHED)):
        return []
    found = [RecordChange(record, "superseded") for record in rest[:-1] if status(record) == "deployed"]
    if newest != "deployed":
        found.append(RecordChange(rest[-1], "deployed"))
    # Deletions come last: until then a repeated run sees that there is something to change.
    return [*found, *gone]


def is_uninstalling(records: Sequence[Record]) -> bool:
    """Return whether the newest record of a release says that it is being removed."""
    return bool(records) and status(ordered(records)[-1]) == _UNINSTALLING


def rewritten(record: Record, new: str) -> dict[str, Any]:
    """Return the record with another status, in its label and in its contents, and all else as it was."""
    body = contents(record)
    body["info"] |= {"status": new, "description": RECOVERED}
    packed = base64.b64encode(gzip.compress(json.dumps(body).encode()))
    metadata = {**record["metadata"], "labels": {**record["metadata"]["labels"], "status": new}}
    return {**record, "metadata": metadata, "data": {**record["data"], "release": base64.b64encode(packed).decode()}}

"""Helm's records of a release, one Secret per revision, and what an interrupted operation leaves in them.

Pure functions. Helm refuses to work on a release whose newest record says that an operation is going on, and takes the
newest *deployed* revision as the base of its next upgrade: only what that one contains is removed when the program no
longer has it. So the revision that really lies in the cluster must be the deployed one (facts: failures.md 3.4).
"""

import base64
import gzip
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from components.record import RECOVERED, contents, status
from components.record import number as revision

__all__ = ["UNINSTALLING", "Change", "ordered", "revision", "rewritten", "settle", "status"]

UNINSTALLING: Final = "uninstalling"
_PENDING: Final = "pending-"
_ROLLBACK: Final = "pending-rollback"
# Only where Pulumi, too, knows of an operation without an end: elsewhere they are honest ends of their own.
_UNFINISHED: Final = ("failed", UNINSTALLING)

Record = Mapping[str, Any]


@dataclass(frozen=True)
class Change:
    """What becomes of one record: `status` is its new status, or "" if it is deleted."""

    record: Record
    status: str


def ordered(records: Sequence[Record]) -> list[Record]:
    """Return Secrets of one release, as the API gives them, oldest revision first."""
    return sorted(records, key=revision)


def settle(records: Sequence[Record], unrecorded: bool) -> list[Change]:
    """Return the changes that put the records of one release in order; none if its last operation came to an end.

    `unrecorded` says that Pulumi has an operation on the release, other than a deletion, whose end it does not know.
    """
    rest, gone = ordered(records), []
    while len(rest) > 1 and status(rest[-1]) == _ROLLBACK:
        # What it took back lies in the cluster as well, and Helm's next upgrade settles both.
        gone.append(Change(rest.pop(), ""))
    if not rest:
        return []
    newest = status(rest[-1])
    if not (gone or newest.startswith(_PENDING) or (unrecorded and newest in _UNFINISHED)):
        return []
    changes = [Change(record, "superseded") for record in rest[:-1] if status(record) == "deployed"]
    if newest != "deployed":
        changes.append(Change(rest[-1], "deployed"))
    # Deletions come last: until then a repeated run sees that there is something to settle.
    return [*changes, *gone]


def rewritten(record: Record, new: str) -> dict[str, Any]:
    """Return the record with another status, in its label and in its contents, and all else as it was."""
    body = contents(record)
    body["info"] |= {"status": new, "description": RECOVERED}
    packed = base64.b64encode(gzip.compress(json.dumps(body).encode()))
    metadata = {**record["metadata"], "labels": {**record["metadata"]["labels"], "status": new}}
    return {**record, "metadata": metadata, "data": {**record["data"], "release": base64.b64encode(packed).decode()}}

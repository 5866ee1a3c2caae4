"""Helm's records of a release, one Secret per revision, and what an interrupted operation leaves in them.

Pure functions. Helm refuses to work on a release whose newest record says that an operation is going on, and takes the
newest *deployed* revision as the base of its next upgrade: only what that one contains is removed when the program no
longer has it. So the revision that really lies in the cluster must be the deployed one (facts: failures.md 3.4).
"""

import base64
import gzip
import json
from collections.abc import Sequence
from typing import Any, Final

from kube.helm_releases import RECOVERED, Record, contents, status

UNINSTALLING: Final = "uninstalling"
# Only where Pulumi, too, knows of an operation without an end: elsewhere they are honest ends of their own.
_UNFINISHED: Final = ("failed", UNINSTALLING)
# A record, and its new status, "" if it is deleted.
Change = tuple[Record, str]


def newest(records: Sequence[Record]) -> str:
    """Return the status of the newest record, the last one; "" if there is none."""
    return status(records[-1]) if records else ""


def changes(records: Sequence[Record], unrecorded: bool) -> list[Change]:
    """Return the changes that put the records of one release in order; none if its last operation came to an end.

    `records` begin with the oldest. `unrecorded` says that Pulumi has an operation on the release, other than a
    deletion, whose end it does not know.
    """
    rest, gone = list(records), []
    while len(rest) > 1 and status(rest[-1]) == "pending-rollback":
        # What was rolled back lies in the cluster as well, and Helm's next upgrade replaces both.
        gone.append((rest.pop(), ""))
    end = newest(rest)
    if not (gone or end.startswith("pending-") or (unrecorded and end in _UNFINISHED)):
        return []
    found = [(record, "superseded") for record in rest[:-1] if status(record) == "deployed"]
    if end != "deployed":
        found.append((rest[-1], "deployed"))
    # Deletions come last: until then a repeated run sees that there is something to change.
    return [*found, *gone]


def rewritten(record: Record, new: str) -> dict[str, Any]:
    """Return the record with another status, in its label and in its contents, and all else as it was."""
    body = contents(record)
    body["info"] |= {"status": new, "description": RECOVERED}
    packed = base64.b64encode(gzip.compress(json.dumps(body).encode()))
    metadata = {**record["metadata"], "labels": {**record["metadata"]["labels"], "status": new}}
    return {**record, "metadata": metadata, "data": {**record["data"], "release": base64.b64encode(packed).decode()}}

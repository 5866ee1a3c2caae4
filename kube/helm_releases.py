"""Helm's own records of a release: one Secret for each revision, with the manifest and the status in it.

Pure functions. Helm takes the newest *deployed* revision as what lies in the cluster (facts: failures.md 3.4).
"""

import base64
import gzip
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from kube import manifests
from kube.manifests import ObjectKey

# How many revisions of a release Helm keeps. Its own default; the provider's is "keep all", and each revision is a
# Secret with all values.
KEPT: Final = 10
# What a recovered revision is described with; the stack's own text comes back with its next upgrade.
RECOVERED: Final = "Interrupted; the next pulumi up completes it"
_ROLLBACK: Final = re.compile(r"Rollback to (\d+)")
Record = Mapping[str, Any]


@dataclass(frozen=True)
class Revision:
    """One revision: its number, and its objects without their namespace."""

    number: int
    objects: Mapping[ObjectKey, Mapping[str, Any]]


@dataclass(frozen=True)
class History:
    """What the records of one release say.

    `deployed` is the revision that lies in the cluster, None if none does; `status` is the newest one's ("" for no
    record at all); `newest` is its number; `owner` describes whose release it is.
    """

    deployed: Revision | None = None
    status: str = ""
    newest: int = 0
    owner: str = ""

    @property
    def unfinished(self) -> bool:
        """Whether an operation is going on, or was killed."""
        return self.status.startswith("pending-") or self.status == "uninstalling"


def selector(release: str) -> str:
    """Return the label selector of a release's records."""
    return f"owner=helm,name={release}"


def number(secret: Record) -> int:
    """Return the number of a record's revision."""
    return int(secret["metadata"]["labels"]["version"])


def status(secret: Record) -> str:
    """Return a record's status, by its label."""
    return str(secret["metadata"]["labels"].get("status", ""))


def contents(secret: Record) -> dict[str, Any]:
    """Return what a record holds: the keys `info`, `manifest`, `hooks`, `config` and more. Secrets stand in it."""
    packed = base64.b64decode(base64.b64decode(secret["data"]["release"]))
    body: dict[str, Any] = json.loads(gzip.decompress(packed))
    return body


def history(secrets: Iterable[Record], namespace: str) -> History:
    """Read all records of a release in `namespace`, as the API gives them."""
    ordered = sorted(secrets, key=number)
    if not ordered:
        return History()
    deployed = [secret for secret in ordered if status(secret) == "deployed"]
    shown = _revision(deployed[-1], namespace) if deployed else None
    owner = _owner(ordered, deployed[-1] if deployed else ordered[-1])
    return History(shown, status(ordered[-1]), number(ordered[-1]), owner)


def _revision(secret: Record, namespace: str) -> Revision:
    body = contents(secret)
    texts = [body.get("manifest") or "", *(hook["manifest"] for hook in body.get("hooks") or [])]
    found = [one for text in texts for one in manifests.parse(text)]
    return Revision(number(secret), manifests.by_key(found, namespace))


def _description(body: Mapping[str, Any]) -> str:
    return str((body.get("info") or {}).get("description") or "")


def _owner(ordered: list[Record], deployed: Record) -> str:
    """A rollback belongs to whom the restored revision belonged, a recovered one to whom the one before it did."""
    known = {number(secret): secret for secret in ordered}
    at = number(deployed)
    while at in known:
        text = _description(contents(known[at]))
        rollback = _ROLLBACK.fullmatch(text)
        if not rollback and text != RECOVERED:
            return text
        at = int(rollback[1]) if rollback else at - 1
    return RECOVERED

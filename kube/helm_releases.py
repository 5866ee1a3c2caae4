"""Helm's own records of a release: one Secret for each revision, with the manifest and the status in it.

Pure functions. Helm takes the newest *deployed* revision as what lies in the cluster (facts: failures.md 3.4).
"""

import base64
import gzip
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from kube import manifests, yaml
from kube.manifests import ObjectKey

# How many revisions of a release Helm keeps. Its own default; the provider's is "keep all", and each revision is a
# Secret with all values.
KEPT: Final = 10
# What a recovered revision is described with; the stack's own text comes back with its next upgrade.
RECOVERED: Final = "Interrupted; the next pulumi up completes it"
_ROLLBACK: Final = re.compile(r"Rollback to (\d+)")
Record = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class History:
    """What the records of one release say.

    `deployed` is the number of the revision that lies in the cluster, 0 if none does, and `objects` are its objects
    without their namespace; `newest` is the number of the newest one, `status` its status ("" for no record at all);
    `owner` describes whose release it is, `chart` is the chart in the deployed record.
    """

    deployed: int = 0
    objects: Mapping[ObjectKey, Mapping[str, Any]] = field(default_factory=dict)
    newest: int = 0
    status: str = ""
    owner: str = ""
    chart: Mapping[str, Any] = field(default_factory=dict)

    @property
    def unfinished(self) -> bool:
        """Whether an operation is going on, or was killed."""
        return self.status.startswith("pending-") or self.status == "uninstalling"


def selector(release: str) -> str:
    """Return the label selector of a release's records."""
    return f"owner=helm,name={release}"


# The label selector of what lies in a cluster, of all releases.
DEPLOYED: Final = "owner=helm,status=deployed"


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


def packed(body: Mapping[str, Any]) -> str:
    """Return what stands in a record's data for `body`, as `contents` reads it."""
    compressed = gzip.compress(json.dumps(body).encode())
    return base64.b64encode(base64.b64encode(compressed)).decode()


def history(secrets: Iterable[Record], namespace: str) -> History:
    """Read all records of a release in `namespace`, as the API gives them."""
    ordered = sorted(secrets, key=number)
    if not ordered:
        return History()
    newest = ordered[-1]
    deployed = next((secret for secret in reversed(ordered) if status(secret) == "deployed"), None)
    body = contents(deployed) if deployed else {}
    return History(
        deployed=number(deployed) if deployed else 0,
        objects=_objects(body, namespace),
        chart=body.get("chart") or {},
        newest=number(newest),
        status=status(newest),
        owner=_owner(ordered, deployed or newest),
    )


def _objects(body: Mapping[str, Any], namespace: str) -> dict[ObjectKey, dict[str, Any]]:
    texts = [body.get("manifest") or "", *(hook["manifest"] for hook in body.get("hooks") or [])]
    return manifests.by_key((one for text in texts for one in yaml.load_all(text, "a manifest") if one), namespace)


def _owner(ordered: Iterable[Record], deployed: Record) -> str:
    """A rollback belongs to whom the restored revision belonged, a recovered one to whom the one before it did."""
    known = {number(secret): secret for secret in ordered}
    at = number(deployed)
    while at in known:
        text = str((contents(known[at]).get("info") or {}).get("description") or "")
        rollback = _ROLLBACK.fullmatch(text)
        if not rollback and text != RECOVERED:
            return text
        at = int(rollback[1]) if rollback else at - 1
    return RECOVERED

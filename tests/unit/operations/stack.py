"""A stack with the release `hub` in the namespace `binder` and an account: its state, and Helm's records."""

import base64
import gzip
import json
from typing import Any

RELEASE = {
    "type": "kubernetes:helm.sh/v3:Release",
    "urn": "urn:pulumi:dev::binderhub::kubernetes:helm.sh/v3:Release::binderhub",
    "id": "binder/hub",
    "inputs": {"name": "hub", "namespace": "binder", "timeout": 900},
    "outputs": {"status": {"revision": 1}},
}
ACCOUNT = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "tiller", "namespace": "kube-system"}}


def exported(*resources: Any, pending: Any = ()) -> dict[str, Any]:
    """Return a state with these resources; `pending` are operations, each a kind and a resource."""
    operations = [{"type": kind, "resource": resource} for kind, resource in pending]
    return {"deployment": {"resources": list(resources), **({"pending_operations": operations} if pending else {})}}


STATE = exported(RELEASE, {"type": "kubernetes:core/v1:ServiceAccount", "urn": "urn:x::tiller", "inputs": ACCOUNT})


def history(*statuses: str, manifest: str = "") -> list[dict[str, Any]]:
    """Return Helm's records of revisions 1, 2, ... with these statuses, as the API gives them."""
    found = []
    for number, status in enumerate(statuses, 1):
        body = {"info": {"status": status, "description": "-"}, "version": number, "manifest": manifest, "x": "é"}
        packed = base64.b64encode(gzip.compress(json.dumps(body).encode()))
        names = {"name": f"sh.helm.release.v1.hub.v{number}", "namespace": "binder", "resourceVersion": "17"}
        about = {**names, "labels": {"status": status, "version": str(number), "owner": "helm"}}
        data = {"release": base64.b64encode(packed).decode()}
        found.append({"apiVersion": "v1", "kind": "Secret", "metadata": about, "data": data})
    return found

"""What a stack expects of its objects. Pure functions.

Which value each field should have is best said by the API server itself, from a dry run (`by_server`);
where it refuses that, what is left is what users have set (`by_users`).
"""

import base64
from collections.abc import Collection, Mapping
from typing import Any, Final

from kube import manifests
from kube.manifests import Object, ObjectKey
from operations.drift.compare import Wanted, authors, is_user
from operations.drift.fields import MISSING, leaves, value_at

# The field manager of the dry runs. No object ever has it.
MANAGER: Final = "binderhub-drift"


def complete(found: Mapping[ObjectKey, Object], namespace: str) -> dict[ObjectKey, dict[str, Any]]:
    """Return objects as the API server takes them; `namespace` is the release's. Hooks are left out: they come and go.

    They have their namespace, no status, and a Secret's texts are among its data.
    """
    return {key: _ready(one, key, namespace) for key, one in found.items() if not manifests.hooks(one)}


def owned_by_helm(one: Object, release: str, namespace: str) -> dict[str, Any]:
    """Add what Helm adds to every object that it installs (seen with pulumi-kubernetes 4.25.0).

    Without it the next upgrade refuses the object, so that it counts as drift when it is gone.
    """
    about = one["metadata"]
    labels = {**(about.get("labels") or {}), "app.kubernetes.io/managed-by": "Helm"}
    owner = {"meta.helm.sh/release-name": release, "meta.helm.sh/release-namespace": namespace}
    notes = {**(about.get("annotations") or {}), **owner}
    return {**one, "metadata": {**about, "labels": labels, "annotations": notes}}


def _ready(one: Object, key: ObjectKey, namespace: str) -> dict[str, Any]:
    where = {} if key.kind in manifests.CLUSTER_WIDE else {"namespace": key.namespace or namespace}
    whole = {**one, "metadata": {**one["metadata"], **where}}
    whole.pop("status", None)
    if one["kind"] == "Secret" and (texts := whole.pop("stringData", None)):
        encoded = {name: base64.b64encode(str(value).encode()).decode() for name, value in texts.items()}
        whole["data"] = {**(whole.get("data") or {}), **encoded}
    return whole


def by_server(applied: Object) -> Wanted:
    """Return what is expected of an object that a dry run has applied to the one in the cluster.

    The server's record says which fields were in the request, and beside it stands what it makes of them: quantities,
    and what webhooks change, are in the same form as in the cluster.
    """
    entries = [e for e in applied["metadata"].get("managedFields") or [] if e["manager"] == MANAGER]
    return {path: value_at(applied, path) for entry in entries for path in leaves(entry["fieldsV1"])}


def by_users(one: Object, live: Object, ignored: Collection[str]) -> Wanted:
    """Return what was deployed of the fields that users have set in the cluster; `ignored` are no users.

    What they took out is not among them: the record of who set what says nothing of it.
    """
    paths = {path for author in authors(live) if is_user(author.name, ignored) for path in author.paths}
    return {path: value for path in paths if (value := value_at(one, path)) is not MISSING}

"""Objects of Kubernetes as Pulumi resources, made from their manifests."""

from collections.abc import Mapping
from typing import Any

import pulumi


class KubernetesObject(pulumi.CustomResource):
    """One object. Outputs: `id`, known once it is there, and `status`, as the API gives it.

    Like the class of its type in `pulumi_kubernetes`, and the same to Pulumi's engine. But to import that class is to
    import those of its whole API group with all their arguments: half of the CPU time of a small program, each time.
    """

    status: pulumi.Output[Any]

    def __init__(self, name: str, manifest: Mapping[str, Any], opts: pulumi.ResourceOptions) -> None:
        group, _, version = manifest["apiVersion"].rpartition("/")
        token = f"kubernetes:{group or 'core'}/{version}:{manifest['kind']}"
        super().__init__(token, name, {**manifest, "status": None}, opts)

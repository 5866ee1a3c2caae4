"""Objects of Kubernetes as Pulumi resources, made from their manifests."""

from collections.abc import Iterable, Mapping
from typing import Any

import pulumi


class KubernetesObject(pulumi.CustomResource):
    """One object, as its `manifest` says. Outputs: `id`, known once it is there, and `status`, as the API gives it.

    Like the class of its type in `pulumi_kubernetes`, and the same to Pulumi's engine. But to import that class is to
    import those of its whole API group with all their arguments: half of the CPU time of a small program, each time.
    """

    status: pulumi.Output[Any]

    def __init__(self, name: str, manifest: Mapping[str, Any], opts: pulumi.ResourceOptions) -> None:
        group, _, version = manifest["apiVersion"].rpartition("/")
        token = f"kubernetes:{group or 'core'}/{version}:{manifest['kind']}"
        super().__init__(token, name, {**manifest, "status": None}, opts)
        self.manifest = manifest


def manifests(objects: Iterable[KubernetesObject]) -> list[Mapping[str, Any]]:
    """Return the objects as the API takes them: previews ask about them before they are made."""
    return [one.manifest for one in objects]


def ids(objects: Iterable[KubernetesObject]) -> list[pulumi.Output[str]]:
    """Return the ids of objects: a preview knows that of each which this stack made before, and of no other."""
    return [one.id for one in objects]

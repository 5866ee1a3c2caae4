"""Tiller: the service account whose rights install the release, as in the walkthrough, and nothing that listens."""

from typing import Any

import pulumi

from components.objects import KubernetesObject
from config.settings import TillerSettings
from kube.manifests import OWN_LABELS


class Tiller(pulumi.ComponentResource):
    """A service account and its cluster role binding.

    Outputs: `account`, the user name to impersonate (`system:serviceaccount:<namespace>:<name>`, known at once);
    `bound`, the binding's id, known when the rights are there. `made` are both objects.
    """

    def __init__(self, name: str, args: TillerSettings, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("binderhub:components:Tiller", name, None, opts)
        account, binding = manifests(args)
        made = KubernetesObject(name, account, pulumi.ResourceOptions(parent=self))
        bound = KubernetesObject(
            name,
            binding,
            # First away with the old rights, then the new ones.
            pulumi.ResourceOptions(parent=self, depends_on=[made], delete_before_replace=True),
        )
        self.account = f"system:serviceaccount:{args.namespace}:{args.name}"
        self.bound, self.made = bound.id, [made, bound]
        self.register_outputs({"account": self.account, "bound": self.bound})


def manifests(args: TillerSettings) -> list[dict[str, Any]]:
    """Return the account and its binding as the API takes them.

    The binding's name ends in the role unless that is the usual one. A binding's role can never change, and the preview
    of a replacement under the same name fails in the provider ("cannot change roleRef", seen with pulumi-kubernetes
    4.25.0): another role therefore is another object.
    """
    account = {"name": args.name, "namespace": args.namespace}
    binding = args.binding if args.role == "cluster-admin" else f"{args.binding}-{args.role}"
    return [
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {**account, "labels": OWN_LABELS}},
        {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "ClusterRoleBinding",
            "metadata": {"name": binding, "labels": OWN_LABELS},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": args.role},
            "subjects": [{"kind": "ServiceAccount", **account}],
        },
    ]

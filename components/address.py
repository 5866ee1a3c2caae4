"""Address: where browsers reach the hub and the binder, known before the release is installed.

LoadBalancer Services of our own select the pods that the chart will make. Their addresses are there before the first
install, so `hub_url` is in it, and they survive a reinstall. (Facts: binderhub-chart.md 3.4 option C, pulumi.md 11.2.)
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import pulumi
from pulumi_kubernetes.core.v1 import Service

from components.progress import Explained
from config.settings import Settings
from kube.manifests import OWN_LABELS

# The chart makes Services `proxy-public` and `binder` itself, so ours have names of their own.
HUB_SERVICE: Final = "proxy-public-external"
_NOWHERE: Final = "no-address.invalid"
BINDER_SERVICE: Final = "binder-external"
_HINT: Final = (
    "No load balancer gave {name} an external address within {seconds} s.\n"
    "  minikube: run `minikube tunnel` in another window and leave it open\n"
    "  kind:     run cloud-provider-kind\n"
    "  a cloud:  look at the events: kubectl -n {namespace} describe service {name}\n"
    "Then run `pulumi up` again: what exists is kept. A slow cloud needs `pulumi config set addressTimeout 900`."
)


@dataclass(frozen=True, kw_only=True)
class AddressArgs:
    """The stack's settings, for namespace, release and the time that an address may take; `requires` is made before."""

    settings: Settings
    requires: Sequence[pulumi.Resource] = ()


# Where each Service leads: the labels of the pods that the chart makes, and their port.
_TARGETS: Final[dict[str, tuple[dict[str, str], int | str]]] = {
    HUB_SERVICE: ({"app": "jupyterhub", "component": "proxy"}, "http"),
    BINDER_SERVICE: ({"app": "binder", "component": "binder"}, 8585),
}


def manifests(namespace: str, release: str) -> list[dict[str, Any]]:
    """Return the two Services, the hub's first, as the API takes them: previews ask about them before they are made."""
    return [
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {
                "name": name,
                "namespace": namespace,
                "labels": OWN_LABELS,
                # The usual wait also wants endpoints, and the pods come later, with the release.
                "annotations": {"pulumi.com/waitFor": "jsonpath={.status.loadBalancer.ingress}"},
            },
            "spec": {
                "type": "LoadBalancer",
                "selector": {**selector, "release": release},
                "ports": [{"name": "http", "port": 80, "targetPort": target}],
            },
        }
        for name, (selector, target) in _TARGETS.items()
    ]


class Address(pulumi.ComponentResource):
    """Two LoadBalancer Services.

    Outputs: `hub`, the external IP or host name of the hub's proxy; `hub_url` and `binder_url`, absolute, no slash at
    the end.
    """

    hub: pulumi.Output[str]
    hub_url: pulumi.Output[str]
    binder_url: pulumi.Output[str]

    def __init__(self, name: str, args: AddressArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("binderhub:components:Address", name, None, opts)
        self.manifests = manifests(args.settings.namespace, args.settings.release)
        hub, binder = (self._service(one, args) for one in self.manifests)
        self.hub = hub.status.apply(first_address)
        self.hub_url = pulumi.Output.concat("http://", self.hub.apply(in_url))
        self.binder_url = pulumi.Output.concat("http://", binder.status.apply(first_address).apply(in_url))
        self.register_outputs({"hub": self.hub, "hub_url": self.hub_url, "binder_url": self.binder_url})

    def _service(self, manifest: Mapping[str, Any], args: AddressArgs) -> Service:
        name, seconds = manifest["metadata"]["name"], args.settings.address_timeout
        limit = f"{seconds}s"
        wait = Explained(
            f"{name}-wait",
            progress=f"waiting for an external address of service {name}",
            hint=_HINT.format(name=name, namespace=args.settings.namespace, seconds=seconds),
        )
        return Service(
            name,
            metadata=manifest["metadata"],
            spec=manifest["spec"],
            opts=pulumi.ResourceOptions(
                parent=self,
                depends_on=args.requires,
                # The time of an update is a limit of its own, and 10 minutes if unset.
                custom_timeouts=pulumi.CustomTimeouts(create=limit, update=limit),
                hooks=wait.hooks,
            ),
        )


def first_address(status: Any) -> str:
    """Return the IP or the host name (AWS) of a Service's status.

    Where it has none, raises `RunError`; but in a preview it warns and returns a name that leads nowhere, since the
    `up` that follows is what brings an address back.
    """
    ingress = (status.load_balancer.ingress if status and status.load_balancer else None) or []
    for entry in ingress:
        if entry.ip or entry.hostname:
            return str(entry.ip or entry.hostname)
    if pulumi.runtime.is_dry_run():
        pulumi.log.warn("a LoadBalancer Service has no external address now; pulumi up will wait for one")
        return _NOWHERE
    raise pulumi.RunError("a LoadBalancer Service lost its external address; run `pulumi refresh`, then `pulumi up`")


def in_url(address: str) -> str:
    """Return an address as it stands in a URL: IPv6 in brackets."""
    return f"[{address}]" if ":" in address else address

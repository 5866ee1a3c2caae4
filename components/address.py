"""Address: where browsers reach the hub and the binder, known before the release is installed.

LoadBalancer Services of our own select the pods that the chart will make. Their addresses are there before the first
install, so `hub_url` is in it, and they survive a reinstall. (Facts: binderhub-chart.md 3.4 option C, pulumi.md 11.2.)
"""

from collections.abc import Mapping
from typing import Any, Final

import pulumi

from components.objects import KubernetesObject
from components.progress import Explained
from config.settings import Settings
from kube.manifests import OWN_LABELS

# Where each Service leads: the labels of the pods that the chart makes, and their port. The chart makes Services
# `proxy-public` and `binder` itself, so ours have names of their own.
_TARGETS: Final[dict[str, tuple[dict[str, str], int | str]]] = {
    "proxy-public-external": ({"app": "jupyterhub", "component": "proxy"}, "http"),
    "binder-external": ({"app": "binder", "component": "binder"}, 8585),
}
_HINT: Final = (
    "No load balancer gave {name} an external address within {seconds} s.\n"
    "  minikube: run `minikube tunnel` in another window and leave it open\n"
    "  kind:     run cloud-provider-kind\n"
    "  a cloud:  look at the events: kubectl -n {namespace} describe service {name}\n"
    "Then run `pulumi up` again: what exists is kept. A slow cloud needs `pulumi config set addressTimeout 900`."
)


def manifests(namespace: str, release: str, keep_visitors: bool = False) -> list[dict[str, Any]]:
    """Return the two Services, the hub's first, as the API takes them.

    With `keep_visitors`, binder's sends all requests of one address to one pod.
    """
    affinity = {"binder-external": {"sessionAffinity": "ClientIP"}} if keep_visitors else {}
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
                **affinity.get(name, {}),
            },
        }
        for name, (selector, target) in _TARGETS.items()
    ]


class Address(pulumi.ComponentResource):
    """Two LoadBalancer Services, made after what the component depends on.

    Outputs: `hub`, the external IP or host name of the hub's proxy; `hub_url` and `binder_url`, absolute, no slash at
    the end. `made` are both Services.
    """

    def __init__(self, name: str, args: Settings, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("binderhub:components:Address", name, None, opts)
        self.made: list[KubernetesObject] = []
        # Each binder signs logins with a secret of its own, which cannot be set: at another one they end with a 403.
        several = args.login is not None and args.options["replicas"] > 1
        limit = f"{args.address_timeout}s"

        def address(manifest: Mapping[str, Any]) -> pulumi.Output[str]:
            service = manifest["metadata"]["name"]
            hint = _HINT.format(name=service, namespace=args.namespace, seconds=args.address_timeout)
            wait = Explained(f"{service}-wait", f"waiting for an external address of service {service}", hint)
            made = KubernetesObject(
                service,
                manifest,
                pulumi.ResourceOptions(
                    parent=self,
                    depends_on=opts.depends_on if opts else None,  # the engine hands it on to no child
                    # The time of an update is a limit of its own, and 10 minutes if unset.
                    custom_timeouts=pulumi.CustomTimeouts(create=limit, update=limit),
                    hooks=wait.hooks,
                ),
            )
            self.made.append(made)
            return made.status.apply(first_address)

        self.hub, binder = map(address, manifests(args.namespace, args.release, keep_visitors=several))
        self.hub_url, self.binder_url = self.hub.apply(url), binder.apply(url)
        self.register_outputs({"hub": self.hub, "hub_url": self.hub_url, "binder_url": self.binder_url})


def first_address(status: Any) -> str:
    """Return the IP or the host name (AWS) of a Service's status.

    Where it has none, raises `RunError`; but in a preview it warns and returns a name that leads nowhere, since the
    `up` that follows is what brings an address back.
    """
    ingress = ((status or {}).get("loadBalancer") or {}).get("ingress") or []
    for entry in ingress:
        if found := entry.get("ip") or entry.get("hostname"):
            return str(found)
    if pulumi.runtime.is_dry_run():
        pulumi.log.warn("a LoadBalancer Service has no external address now; pulumi up will wait for one")
        return "no-address.invalid"
    raise pulumi.RunError("a LoadBalancer Service lost its external address; run `pulumi refresh`, then `pulumi up`")


def url(address: str) -> str:
    """Return the URL of an address; IPv6 stands in brackets there."""
    return f"http://[{address}]" if ":" in address else f"http://{address}"

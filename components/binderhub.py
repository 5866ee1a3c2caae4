"""BinderHub: the namespace and the Helm release in it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import pulumi
from pulumi_kubernetes import Provider
from pulumi_kubernetes.core.v1 import Namespace
from pulumi_kubernetes.helm.v3 import Release, RepositoryOptsArgs
from pulumi_kubernetes.helm.v3.outputs import ReleaseStatus

from components import labels, record
from components.chart import Chart
from components.waits import Explained, Look, nothing_to_see

_HINT: Final = (
    "Release {namespace}/{name} did not become ready; Helm took back what this run changed.\n"
    "  look at the pods:   kubectl -n {namespace} get pods,events\n"
    "  slow images:        pulumi config set timeout {longer}\n"
    "Then run `pulumi up` again: nothing needs to be cleaned up first."
)


@dataclass(frozen=True, kw_only=True)
class BinderHubArgs:
    """What a release is made of; with `adopt`, one that Pulumi does not know yet is taken over.

    `namespace` and `release` are names, `timeout` is in seconds for one Helm operation, `values` is a plain dict with
    outputs at its leaves. `installer` is the provider that installs, `requires` must exist before (and outlive it), and
    `look` shows what is not ready meanwhile.
    """

    namespace: str
    release: str
    chart: Chart
    values: dict[str, Any]
    timeout: int
    protect: bool
    installer: Provider
    adopt: bool = False
    requires: Sequence[pulumi.Resource] = ()
    look: Look = nothing_to_see


def make_namespace(name: str, protect: bool, provider: Provider) -> Namespace:
    """Make the hub's namespace. It comes before all else in it, the addresses too, hence not part of the component."""
    return Namespace(
        name,
        metadata=namespace_manifest(name)["metadata"],
        opts=pulumi.ResourceOptions(provider=provider, protect=protect),
    )


def namespace_manifest(name: str) -> dict[str, Any]:
    """Return the namespace as the API takes it: previews ask about it before it is made."""
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels.OWN}}


def own_description() -> str:
    """Return how Helm's record says whose release it is. It stands there from the first day: a change is a revision."""
    return f"pulumi {pulumi.get_project()}/{pulumi.get_stack()}"


class BinderHub(pulumi.ComponentResource):
    """The release. Outputs: `namespace`, `release` and `chart_version`, each known once the release is deployed.

    `installed` is its id, which a preview knows of a release that Pulumi made before, and of no other.
    """

    namespace: pulumi.Output[str]
    release: pulumi.Output[str]
    chart_version: pulumi.Output[str]
    installed: pulumi.Output[str]

    def __init__(self, name: str, args: BinderHubArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("binderhub:components:BinderHub", name, None, opts)
        release = Release(
            name,
            name=args.release,
            namespace=args.namespace,
            chart=args.chart.reference,
            version=args.chart.version,
            repository_opts=RepositoryOptsArgs(repo=args.chart.repository) if args.chart.repository else None,
            values=args.values,
            timeout=args.timeout,
            description=own_description(),
            # In every stack: a failed upgrade that is not taken back leaves fields that no later one removes.
            atomic=True,
            cleanup_on_fail=True,
            max_history=record.KEPT,
            opts=pulumi.ResourceOptions(
                parent=self,
                provider=args.installer,
                depends_on=args.requires,
                protect=args.protect,
                # The name is fixed, so a new release cannot be made beside the old one.
                delete_before_replace=True,
                # Imports and updates in one run; without effect on a release in the state (facts: pulumi.md 7).
                import_=f"{args.namespace}/{args.release}" if args.adopt else None,
                hooks=self._explained(name, args).hooks,
            ),
        )
        self.installed = release.id
        deployed = release.status.apply(require_deployed)
        self.namespace = deployed.apply(lambda status: str(status.namespace))
        self.release = deployed.apply(lambda status: str(status.name))
        self.chart_version = deployed.apply(lambda status: str(status.version))
        self.register_outputs(
            {"namespace": self.namespace, "release": self.release, "chart_version": self.chart_version}
        )

    @staticmethod
    def _explained(name: str, args: BinderHubArgs) -> Explained:
        names = {"namespace": args.namespace, "name": args.release, "longer": args.timeout * 2}
        return Explained(f"{name}-release-wait", "waiting for the pods", _HINT.format(**names), args.look)


def require_deployed(status: ReleaseStatus) -> ReleaseStatus:
    """Return the status of a release that is `deployed`; raise `RunError` for any other.

    A failed release can turn green in Pulumi after a refresh (facts: failures.md section 1.3); this keeps it red.
    """
    if status.status != "deployed":
        raise pulumi.RunError(
            f"release {status.namespace}/{status.name} is {status.status}, not deployed: "
            "its last operation did not finish\n"
            "      see README, 'When something went wrong'"
        )
    return status

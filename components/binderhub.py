"""BinderHub: the namespace and the Helm release in it."""

from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import pulumi
from pulumi_kubernetes import Provider
from pulumi_kubernetes.helm.v3 import Release, RepositoryOptsArgs
from pulumi_kubernetes.helm.v3.outputs import ReleaseStatus

from components.objects import KubernetesObject
from components.progress import Explained, unready_pods
from config.settings import Settings
from kube import helm_releases
from kube.api import Api
from kube.errors import KubeError
from kube.manifests import OWN_LABELS

_HINT: Final = (
    "Release {namespace}/{name} did not become ready; Helm rolled back what this run changed.\n"
    "  look at the pods:   kubectl -n {namespace} get pods,events\n"
    "  slow images:        pulumi config set timeout {longer}\n"
    "Then run `pulumi up` again: nothing needs to be cleaned up first."
)


@dataclass(frozen=True, kw_only=True)
class BinderHubArgs:
    """What a release is made of: the stack's settings, for its names, chart, times and protection, and its values.

    `values` is a plain dict with outputs at its leaves. `api` tells what is not ready meanwhile, None if it cannot be
    asked.
    """

    settings: Settings
    values: dict[str, Any]
    api: Api | None = None


def make_namespace(settings: Settings, provider: Provider) -> list[KubernetesObject]:
    """Make the hub's namespace and return it; nothing is made, and so nothing ever deleted, if it is another's.

    It comes before all else in it, the addresses too, hence not part of the component.
    """
    if settings.existing_namespace:
        return []
    about = {"name": settings.namespace, "labels": OWN_LABELS}
    manifest = {"apiVersion": "v1", "kind": "Namespace", "metadata": about}
    options = pulumi.ResourceOptions(provider=provider, protect=settings.protect)
    return [KubernetesObject(settings.namespace, manifest, options)]


class BinderHub(pulumi.ComponentResource):
    """The release, made after what the component depends on, and outlived by it.

    Outputs: `namespace`, `release` and `chart_version`, each known once the release is deployed. `description` is how
    Helm's record says whose release it is. `installed` is its id, which a preview knows of a release that Pulumi made
    before, and of no other.
    """

    def __init__(self, name: str, args: BinderHubArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("binderhub:components:BinderHub", name, None, opts)
        given, chart = args.settings, args.settings.chart
        # It stands there from the first day: a change is a revision.
        self.description = f"pulumi {pulumi.get_project()}/{pulumi.get_stack()}"
        hint = _HINT.format(namespace=given.namespace, name=given.release, longer=given.timeout * 2)
        collect = partial(unready_pods, args.api, given.namespace)
        release = Release(
            name,
            name=given.release,
            namespace=given.namespace,
            chart=chart.reference,
            version=chart.version,
            repository_opts=RepositoryOptsArgs(repo=chart.repository) if chart.repository else None,
            values=args.values,
            timeout=given.timeout,
            description=self.description,
            # In every stack: a failed upgrade that is not rolled back leaves fields that no later one removes.
            atomic=True,
            cleanup_on_fail=True,
            max_history=helm_releases.KEPT,
            opts=pulumi.ResourceOptions(
                parent=self,
                depends_on=opts.depends_on if opts else None,  # the engine hands it on to no child
                protect=given.protect,
                # The name is fixed, so a new release cannot be made beside the old one.
                delete_before_replace=True,
                # Imports and updates in one run; without effect on a release in the state (facts: pulumi.md 7).
                import_=f"{given.namespace}/{given.release}" if is_adopted(args) else None,
                hooks=Explained(f"{name}-release-wait", "waiting for the pods", hint, collect).hooks,
            ),
        )
        self.installed = release.id
        deployed = release.status.apply(require_deployed)
        self.namespace, self.release, self.chart_version = deployed.namespace, deployed.name, deployed.version
        self.register_outputs(
            {"namespace": self.namespace, "release": self.release, "chart_version": self.chart_version}
        )


def is_adopted(args: BinderHubArgs) -> bool:
    """Return whether a release is to be taken over: where there is none, a stack takes over what else is there.

    Where nobody can tell, it is taken to be there. Raises `RunError` if no answer comes.
    """
    given, api = args.settings, args.api
    if not given.adopt_release or api is None:
        return given.adopt_release
    try:
        found = api.list("v1", "Secret", given.namespace, labelSelector=helm_releases.selector(given.release))
    except KubeError as error:
        raise pulumi.RunError(str(error)) from None
    return bool(found.items) or not found.ok


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

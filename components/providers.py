"""How the program reaches the cluster: its API for questions, and the two identities that work on it.

Both providers are given the contents of a kubeconfig cut down to one context, never its path: a path that another
machine lacks is taken for contents and breaks every command (facts: pulumi.md section 3), and what is in the state
must lead to the same cluster whatever the current context is by then.
"""

import atexit
import contextlib
import inspect
from collections.abc import Iterator
from functools import cached_property
from typing import Any, Final

import pulumi
import pulumi_kubernetes as kubernetes

from config.settings import ClusterSettings
from kube import api, kubeconfig
from kube.api import Answer, Api
from kube.errors import KubeError, NoKubectlError

_HAS_UPSERT: Final = "upsert_existing_objects" in inspect.signature(kubernetes.ProviderArgs).parameters


class Cluster:
    """A cluster: its `kubeconfig`, cut down to one context, and its `api`, None where there is no kubectl to ask with.

    Raises `RunError` with the cause and the next command: no kubeconfig, no such context, no answer, no login.
    """

    def __init__(self, settings: ClusterSettings) -> None:
        self._identifier = settings.identifier
        self.api: Api | None = None
        with _without_traceback():
            self.kubeconfig = kubeconfig.find(settings.kubeconfig, settings.context)
            with contextlib.suppress(NoKubectlError):
                self.api = api.connect(self.kubeconfig, settings.login_timeout)
                atexit.register(self.api.close)

    def container_runtimes(self) -> set[str]:
        """Return the names of the nodes' container runtimes, such as docker and containerd; empty if nobody can tell.

        Raises `RunError` if no answer comes.
        """
        with _without_traceback():
            nodes = self.nodes().items
        versions = [str(node["status"]["nodeInfo"]["containerRuntimeVersion"]) for node in nodes]
        return {version.partition(":")[0] for version in versions}

    def nodes(self) -> Answer:
        """Return the nodes as they were when first asked for; a refusal where there is no kubectl."""
        return self._nodes

    @cached_property
    def _nodes(self) -> Answer:
        return self.api.list("v1", "Node") if self.api else Answer(0, {})

    def provider(self, name: str, account: str = "", take_over: bool = False) -> kubernetes.Provider:
        """Return a provider that works with the user's own rights or, if given, does everything as `account`.

        An account is a user's name, such as `system:serviceaccount:<namespace>:<name>`. The user must be allowed to
        impersonate it, which cluster administrators are. With `take_over` it takes over what exists already, whatever
        its version: before 4.29 each does, later ones by this option alone.
        """
        more: dict[str, Any] = {"upsert_existing_objects": True} if take_over and _HAS_UPSERT else {}
        return kubernetes.Provider(
            name,
            kubeconfig=pulumi.Output.secret(self.kubeconfig.text(account)),
            # On both providers from the first day: without it a moved API server or an edited kubeconfig replaces
            # every resource, the hub's database included (facts: failures.md section 9.3).
            cluster_identifier=self._identifier,
            enable_server_side_apply=True,
            **more,
        )


@contextlib.contextmanager
def _without_traceback() -> Iterator[None]:
    """Turn what `kube` raises into what Pulumi prints as it is."""
    try:
        yield
    except KubeError as error:
        raise pulumi.RunError(str(error)) from None

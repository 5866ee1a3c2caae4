"""How the program reaches the cluster: its API for questions, and the two identities that work on it.

Both providers are given the contents of a kubeconfig cut down to one context, never its path: a path that another
machine lacks is taken for contents and breaks every command (facts: pulumi.md section 3), and what is in the state
must lead to the same cluster whatever the current context is by then.
"""

import atexit
import contextlib
import sys
from collections.abc import Iterator
from dataclasses import dataclass

import pulumi
import pulumi_kubernetes as kubernetes

from config.settings import ClusterSettings
from kube import api, kubeconfig
from kube.api import Api
from kube.errors import KubeError, NoKubectlError
from kube.kubeconfig import Kubeconfig


@dataclass(frozen=True, kw_only=True)
class Cluster:
    """A cluster: its `kubeconfig`, cut down to one context, and its `api`, None where there is no kubectl."""

    settings: ClusterSettings
    kubeconfig: Kubeconfig
    api: Api | None

    def container_runtimes(self) -> set[str]:
        """Return the names of the nodes' container runtimes, such as docker and containerd; empty if nobody can tell.

        Raises `RunError` if no answer comes.
        """
        with _without_traceback():
            nodes = self.api.list("v1", "Node").items if self.api else []
        versions = [str(node["status"]["nodeInfo"]["containerRuntimeVersion"]) for node in nodes]
        return {version.partition(":")[0] for version in versions}

    def operator(self) -> kubernetes.Provider:
        """Return the provider that works with the user's own rights."""
        return self._provider("operator", self.kubeconfig.text())

    def as_account(self, account: str) -> kubernetes.Provider:
        """Return a provider that does everything as `account` (`system:serviceaccount:<namespace>:<name>`).

        The user must be allowed to impersonate it, which cluster administrators are.
        """
        return self._provider("tiller", self.kubeconfig.text(account))

    def _provider(self, name: str, content: str) -> kubernetes.Provider:
        return kubernetes.Provider(
            name,
            kubeconfig=pulumi.Output.secret(content),
            # On both providers from the first day: without it a moved API server or an edited kubeconfig replaces
            # every resource, the hub's database included (facts: failures.md section 9.3).
            cluster_identifier=self.settings.identifier,
            enable_server_side_apply=True,
        )


def connect(settings: ClusterSettings) -> Cluster:
    """Return the cluster, which has answered once if there is a kubectl to ask it with.

    Raises `RunError` with the cause and the next command: no kubeconfig, no such context, no answer, no login.
    """
    with _without_traceback():
        found = kubeconfig.find(settings.kubeconfig, settings.context)
        try:
            connected = api.connect(found, _say, settings.login_timeout)
        except NoKubectlError:
            return Cluster(settings=settings, kubeconfig=found, api=None)
    atexit.register(connected.close)
    return Cluster(settings=settings, kubeconfig=found, api=connected)


@contextlib.contextmanager
def _without_traceback() -> Iterator[None]:
    """Turn what `kube` raises into what Pulumi prints as it is."""
    try:
        yield
    except KubeError as error:
        raise pulumi.RunError(str(error)) from None


def _say(text: str) -> None:
    # The SDK's own log waits until the program gives way, which it does not while it waits for a login.
    print(text, file=sys.stderr, flush=True)

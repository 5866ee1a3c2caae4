"""The cluster of a stack, asked with the user's own rights."""

import contextlib
import functools
import sys
from collections.abc import Iterator

from kube import helm_releases, kubeconfig
from kube.api import Answer, Api, connect
from kube.errors import ClusterUnreachableError, KubeError
from kube.manifests import Object
from operations.errors import BlockedError, OperationError
from operations.pulumi_cli import Pulumi

_say = functools.partial(print, file=sys.stderr, flush=True)


@contextlib.contextmanager
def connected(engine: Pulumi) -> Iterator[Api]:
    """Give the API of the stack's own cluster to a `with` block; it is closed on every way out.

    Raises `OperationError` if there is no such cluster or no answer, at first or later in the block.
    """
    try:
        with connect(kubeconfig.find(*engine.cluster()), _say) as api:
            yield api
    except ClusterUnreachableError as error:
        raise BlockedError(  # its own text says that nothing was touched, which is not so in the midst of a recovery
            f"the cluster of context {error.context} cannot be asked: {error.cause}",
            "a running cluster that this machine can reach, and a login that it accepts",
            f"kubectl --context {error.context} version",
        ) from None
    except KubeError as error:
        raise OperationError(str(error)) from None


def records(api: Api, release: str) -> Answer:
    """Read Helm's records of a release, named by `namespace/name`."""
    namespace, _, name = release.rpartition("/")
    return api.list("v1", "Secret", namespace, labelSelector=helm_releases.selector(name))


def find(api: Api, one: Object) -> Answer:
    """Read the object of the cluster that has the type, name and namespace of `one`."""
    about = one["metadata"]
    return api.get(one["apiVersion"], one["kind"], about["name"], about.get("namespace") or "")

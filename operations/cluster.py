"""What both commands ask the cluster of a stack."""

from kube import helm_releases
from kube.api import Answer, Api
from kube.manifests import Object


def records(api: Api, release: str) -> Answer:
    """Read Helm's records of a release, named by `namespace/name`."""
    namespace, _, name = release.rpartition("/")
    return api.list("v1", "Secret", namespace, labelSelector=helm_releases.selector(name))


def find(api: Api, one: Object) -> Answer:
    """Read the object of the cluster that has the type, name and namespace of `one`."""
    about = one["metadata"]
    return api.get(one["apiVersion"], one["kind"], about["name"], about.get("namespace") or "")

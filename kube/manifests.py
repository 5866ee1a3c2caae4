"""Kubernetes objects as Helm charts give them: names, comparison, and what a change means for the pods.

Pure functions. An object is a dict as the API knows it.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple

Object = Mapping[str, Any]
# On every object that the program makes itself (Helm labels its own), so that `kubectl get -l` finds them. A name of
# Kubernetes itself ("Recommended Labels").
OWN_LABELS: Final = {"app.kubernetes.io/managed-by": "pulumi"}
# Helm's own marks on every object of a release: whose it is, and that label.
OF_RELEASE: Final = "meta.helm.sh/release-name"
OF_NAMESPACE: Final = "meta.helm.sh/release-namespace"
BY_HELM: Final = {"app.kubernetes.io/managed-by": "Helm"}
WORKLOADS: Final = ("DaemonSet", "Deployment", "StatefulSet")
_HOOK: Final = "helm.sh/hook"
_TESTS: Final = {"test", "test-success", "test-failure"}
# Kinds of charts that live outside any namespace.
CLUSTER_WIDE: Final = frozenset(
    {
        "APIService", "ClusterRole", "ClusterRoleBinding", "CSIDriver", "CustomResourceDefinition", "GatewayClass",
        "IngressClass", "MutatingWebhookConfiguration", "Namespace", "Node", "PersistentVolume", "PriorityClass",
        "RuntimeClass", "StorageClass", "ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding",
        "ValidatingWebhookConfiguration",
    }
)  # fmt: skip


class ObjectKey(NamedTuple):
    """Which object: kind, name, and its namespace if that is not the release's own."""

    kind: str
    name: str
    namespace: str = ""

    def __str__(self) -> str:
        return f"{self.kind}/{self.name}" + (f" in {self.namespace}" if self.namespace else "")


def by_key(found: Iterable[Object], namespace: str) -> dict[ObjectKey, dict[str, Any]]:
    """Return objects by their keys, for a release in `namespace`: none of them names that namespace any more.

    A manifest may leave it out and a rendered object has it. The same holds for a field that is null. Hooks for
    `helm test` are left out: no install runs them.
    """
    result = {}
    for one in map(without_nulls, found):
        if not hooks(one) or hooks(one) - _TESTS:
            about = {k: v for k, v in one["metadata"].items() if k != "namespace" or v != namespace}
            result[key_of(one, namespace)] = {**one, "metadata": about}
    return result


def without_nulls(value: Any) -> Any:
    """Return a value without the fields that are null: the API takes such a field for one that is not there."""
    if isinstance(value, Mapping):
        return {name: without_nulls(below) for name, below in value.items() if below is not None}
    return [without_nulls(below) for below in value] if isinstance(value, list) else value


def hooks(one: Object) -> set[str]:
    """Return the events of a Helm hook (`pre-upgrade`, ...); empty for an ordinary object."""
    events = (one["metadata"].get("annotations") or {}).get(_HOOK) or ""
    return {event.strip() for event in events.split(",") if event.strip()}


def key_of(one: Object, namespace: str) -> ObjectKey:
    """Return the key of an object for a release in `namespace`."""
    own = one["metadata"].get("namespace") or ""
    return ObjectKey(one["kind"], one["metadata"]["name"], "" if own == namespace else own)


def pod_template(workload: Object) -> dict[str, Any]:
    """Return the pods of a workload as it describes them."""
    return dict((workload.get("spec") or {}).get("template") or {})


def has_pods(one: Object) -> bool:
    """Return whether an object is a workload that is to have pods."""
    spec = one.get("spec")
    return one["kind"] in WORKLOADS and isinstance(spec, Mapping) and spec.get("replicas") != 0


def plural(kind: str) -> str:
    """Return the API's name of a kind: deployments, networkpolicies, ingresses."""
    low = kind.lower()
    if low == "endpoints":
        return low
    if low.endswith("y") and low[-2:-1] not in "aeiou":
        return f"{low[:-1]}ies"
    return f"{low}es" if low.endswith("s") else f"{low}s"

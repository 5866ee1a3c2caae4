"""What is asked about a change: every dry run of it, and what is read of the cluster. Pure functions."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from kube import helm_releases, manifests
from kube.api import Api
from kube.manifests import CLUSTER_WIDE, WORKLOADS, Object, ObjectKey
from preflight.diff import Change

# What a workload's pod, and whatever else cannot have its own name, is called while it is only asked about.
SUFFIX: Final = "-preview"
# A namespace that every cluster has, for questions about one that is still to be made.
_STAND_IN: Final = "default"
# Classes by the types that name them.
CLASSES_OF: Final = {"Ingress": "IngressClass", "PersistentVolumeClaim": "StorageClass"}


@dataclass(frozen=True, kw_only=True)
class Question:
    """A release as it is and as it would be.

    `user` asks with the user's own rights, `account` as whoever will install. `exists` tells whether the namespace
    does; `spawned` are templates of the pods that the hub makes later, by name. `own` are objects beside the release
    that Pulumi itself is about to make. With `empty_pools`, nodes may come when they are needed, and are not looked at.
    """

    user: Api
    account: Api
    release: str
    namespace: str
    exists: bool
    old: Mapping[ObjectKey, Object]
    new: Mapping[ObjectKey, Object]
    changes: Sequence[Change]
    next_revision: int
    own: Sequence[Object] = ()
    empty_pools: bool = False
    spawned: Mapping[str, Object] = field(default_factory=dict)

    @property
    def place(self) -> str:
        """The namespace that is asked about."""
        return self.namespace if self.exists else _STAND_IN

    def becoming(self, *what: str) -> list[ObjectKey]:
        """Return the objects that become one of these."""
        return [change.key for change in self.changes if change.what in what]


@dataclass(frozen=True, eq=False)  # told apart by what it is, not by what is in it
class Asked:
    """One dry run: `one` is the object as it is asked about, `role` what becomes of it.

    Roles are new, own (of Pulumi itself), record (Helm's), changed, deleted, pod (of a workload) and spawned. `key` is
    how the object is told of: a pod by its workload.
    """

    role: str
    key: ObjectKey
    one: Object

    @property
    def about(self) -> str:
        """How it is told of."""
        return f"{self.key} (its pods)" if self.role == "pod" else str(self.key)


def _as_asked(question: Question, role: str, key: ObjectKey, one: Object) -> Asked:
    """Return an object as it can be asked about.

    A hook is replaced each time, so one that exists is no obstacle: it is asked about by another name. So is all that
    belongs into a namespace which is still to be made.
    """
    elsewhere = not question.exists and key.kind not in CLUSTER_WIDE and not key.namespace
    name = key.name[:55] + SUFFIX if elsewhere or manifests.hooks(one) else key.name
    place = {} if key.kind in CLUSTER_WIDE else {"namespace": key.namespace or question.place}
    return Asked(role, key, {**one, "metadata": {**one["metadata"], "name": name, **place}})


def dry_runs(question: Question) -> list[Asked]:
    """Return all dry runs of a question."""
    return [part for ask in (_new, _own, _changed, _deleted, _pods) for part in ask(question)]


def _new(question: Question) -> Iterator[Asked]:
    for key in question.becoming("new"):
        yield _as_asked(question, "new", key, question.new[key])
    if question.next_revision <= helm_releases.KEPT:  # after that Helm takes an old one away first
        name = f"sh.helm.release.v1.{question.release}.v{question.next_revision}"
        one = {"apiVersion": "v1", "kind": "Secret", "type": "helm.sh/release.v1", "metadata": {"name": name}}
        yield _as_asked(question, "record", ObjectKey("Secret", name), one)


def _own(question: Question) -> Iterator[Asked]:
    for key, one in manifests.by_key(question.own, question.namespace).items():
        yield _as_asked(question, "own", key, one)


def _changed(question: Question) -> Iterator[Asked]:
    for key in question.becoming("changed", "pods restart"):
        if not manifests.hooks(question.new[key]):
            yield _as_asked(question, "changed", key, question.new[key])


def _deleted(question: Question) -> Iterator[Asked]:
    for key in question.becoming("deleted") if question.exists else ():
        if not manifests.hooks(question.old[key]):
            yield _as_asked(question, "deleted", key, question.old[key])


def _pods(question: Question) -> Iterator[Asked]:
    """Yield the pods of workloads and of the hub; the user asks: others will make them than who installs."""
    for key in question.becoming("new", "changed", "pods restart"):
        one = question.new[key]
        if key.kind in WORKLOADS and isinstance(one.get("spec"), Mapping) and manifests.has_pods(one):
            yield Asked("pod", key, _pod(question, key.name, one["spec"].get("template")))
    for name, template in question.spawned.items():
        yield Asked("spawned", ObjectKey("Pod", name), _pod(question, name, template))


def _pod(question: Question, name: str, template: Any) -> dict[str, Any]:
    """Return a pod, without what the release itself is about to make: that would be missed here."""
    template = template if isinstance(template, Mapping) else {}
    given, metadata = template.get("spec"), template.get("metadata")
    spec = {**given} if isinstance(given, Mapping) else {}
    spec |= {"serviceAccountName": "default"}
    spec.pop("serviceAccount", None)
    if spec.get("priorityClassName") in [key.name for key in question.becoming("new") if key.kind == "PriorityClass"]:
        del spec["priorityClassName"]
    known = metadata if isinstance(metadata, Mapping) else {}
    about = {**known, "name": name[:55] + SUFFIX, "namespace": question.place}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": about, "spec": {"restartPolicy": "Always", **spec}}


def reads(question: Question) -> list[tuple[str, str, str]]:
    """Return what to read of the cluster: (API version, type, namespace)."""
    found = [("v1", "Node", "")]
    if any(key.kind == "PersistentVolumeClaim" for key in question.becoming("new")):
        found += [("storage.k8s.io/v1", "StorageClass", ""), ("v1", "PersistentVolume", "")]
    if any(key.kind == "Ingress" for key in question.becoming("new", "changed")):
        found += [("networking.k8s.io/v1", "IngressClass", "")]
    return [*found, *([("v1", "ResourceQuota", question.namespace)] if question.exists else [])]

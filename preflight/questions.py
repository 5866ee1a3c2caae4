"""What is asked about a change: every dry run of it, and what is read of the cluster."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from kube import helm_releases, manifests
from kube.api import Answer, Api
from kube.manifests import CLUSTER_WIDE, WORKLOADS, Object, ObjectKey
from preflight.diff import Change

# What a workload's pod, and whatever else cannot have its own name, is called while it is only asked about.
SUFFIX: Final = "-preview"
# Fields in which a pod names an object that a server must have at once.
_CLASSES: Final = {"priorityClassName": "PriorityClass", "runtimeClassName": "RuntimeClass"}
_ROLES: Final = {"new": "new", "changed": "changed", "pods restart": "changed", "deleted": "deleted"}


@dataclass(frozen=True, kw_only=True)
class Question:
    """A release as it is and as it would be.

    `user` asks with the user's own rights, `account` as whoever will install; `nodes` reads the cluster's. `exists`
    tells whether the namespace does; `spawned` are templates of the pods that the hub makes later, by name. `own` are
    objects beside the release that Pulumi itself is about to make; with `adopt`, what exists is taken over. `record`
    packs about what Helm will keep, if that is asked about. With `empty_pools`, nodes may come when they are needed,
    and are not looked at.
    """

    user: Api
    account: Api
    nodes: Callable[[], Answer]
    release: str
    namespace: str
    exists: bool
    old: Mapping[ObjectKey, Object]
    new: Mapping[ObjectKey, Object]
    changes: Sequence[Change]
    next_revision: int
    record: Callable[[], str] = str
    own: Sequence[Object] = ()
    adopt: bool = False
    empty_pools: bool = False
    spawned: Mapping[str, Object] = field(default_factory=dict)

    @property
    def place(self) -> str:
        """The namespace that is asked about: in place of one that is still to be made, one that every cluster has."""
        return self.namespace if self.exists else "default"

    def becoming(self, *what: str) -> list[ObjectKey]:
        """Return the objects that become one of these."""
        return [change.key for change in self.changes if change.what in what]

    def brought(self, workload: Object) -> Mapping[ObjectKey, Object]:
        """Return the objects of the release that are there before the pods of one of its workloads.

        A hook before an install or an upgrade has what other hooks bring and what was there already.
        """
        early = any(event.startswith("pre-") for event in manifests.hooks(workload))
        return {key: one for key, one in self.new.items() if not early or manifests.hooks(one) or key in self.old}

    def has(self, one: Object) -> bool:
        """Return whether the cluster has an object, as it is asked about."""
        about = one["metadata"]
        return self.user.get(one["apiVersion"], one["kind"], about["name"], about.get("namespace") or "").ok

    def read(self, key: ObjectKey, api_version: str = "v1") -> Answer:
        """Read one object, as the user."""
        return self.user.get(api_version, key.kind, key.name, key.namespace or self.namespace)


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


def is_here(key: ObjectKey) -> bool:
    """Return whether an object belongs into the release's own namespace."""
    return key.kind not in CLUSTER_WIDE and not key.namespace


def dry_runs(question: Question) -> Iterator[Asked]:
    """Yield all dry runs of a question.

    A hook is replaced each time, so one that exists is no obstacle: only a new one is asked about.
    """
    objects = {**question.old, **question.new}
    for change in question.changes:
        role, one = _ROLES.get(change.what), objects[change.key]
        if role and (role == "new" or not manifests.hooks(one)):
            yield _as_asked(question, role, change.key, one)
    if question.next_revision <= helm_releases.KEPT:  # after that Helm takes an old one away first
        name = f"sh.helm.release.v1.{question.release}.v{question.next_revision}"
        about = {"apiVersion": "v1", "kind": "Secret", "type": "helm.sh/release.v1", "metadata": {"name": name}}
        yield _as_asked(
            question, "record", ObjectKey("Secret", name), {**about, "data": {"release": question.record()}}
        )
    for key, one in manifests.by_key(question.own, question.namespace).items():
        yield _as_asked(question, "own", key, one)
    # The user asks about pods: others will make them than who installs.
    for key in question.becoming("new", "changed", "pods restart"):
        one = question.new[key]
        if key.kind in WORKLOADS and isinstance(one.get("spec"), Mapping) and manifests.has_pods(one):
            yield Asked("pod", key, _pod(question, key.name, one["spec"].get("template"), question.brought(one)))
    for name, template in question.spawned.items():
        yield Asked("spawned", ObjectKey("Pod", name), _pod(question, name, template, question.new))


def _as_asked(question: Question, role: str, key: ObjectKey, one: Object) -> Asked:
    """Return an object as it can be asked about.

    A hook has another name there, and so has all that belongs into a namespace which is still to be made.
    """
    elsewhere = is_here(key) and not question.exists
    name = key.name[:55] + SUFFIX if elsewhere or manifests.hooks(one) else key.name
    place = {} if key.kind in CLUSTER_WIDE else {"namespace": key.namespace or question.place}
    return Asked(role, key, {**one, "metadata": {**one["metadata"], "name": name, **place}})


def _pod(question: Question, name: str, template: Any, brought: Collection[ObjectKey]) -> dict[str, Any]:
    """Return a pod, without the classes among `brought`, which the release itself makes: they would be missed here.

    A template of any form will do: the server tells what is wrong with it.
    """
    template = template if isinstance(template, Mapping) else {}
    given, known = (part if isinstance(part, Mapping) else {} for part in map(template.get, ("spec", "metadata")))
    spec = {"restartPolicy": "Always", **given, "serviceAccountName": "default"}
    spec.pop("serviceAccount", None)
    for place, kind in _CLASSES.items():
        if ObjectKey(kind, str(spec.get(place))) in brought:
            del spec[place]
    about = {**known, "name": name[:55] + SUFFIX, "namespace": question.place}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": about, "spec": spec}


def reads(question: Question) -> list[tuple[str, str, str]]:
    """Return what to list, beside nodes: (API version, kind, namespace)."""
    found = [("v1", "ResourceQuota", question.namespace)] if question.exists else []
    if question.exists and any(key.kind == "PersistentVolumeClaim" for key in question.new):
        found += [("v1", "PersistentVolumeClaim", question.namespace)]
    if any(key.kind == "PersistentVolumeClaim" for key in question.becoming("new")):
        found += [("storage.k8s.io/v1", "StorageClass", ""), ("v1", "PersistentVolume", "")]
    if any(key.kind == "Ingress" for key in question.becoming("new", "changed")):
        found += [("networking.k8s.io/v1", "IngressClass", "")]
    return found

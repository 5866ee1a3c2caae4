"""What the objects of a release need and the server does not check: classes, nodes, names that pods refer to.

Pure functions over rendered objects and what the cluster has, as the API gives it. Without these, Helm waits its whole
time limit and then says `context deadline exceeded`, or is content and the pod never starts.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from components import nodes
from components.objects import WORKLOADS, Key, Object
from components.refusals import Refusal

_DEFAULT_CLASS: Final = (
    "storageclass.kubernetes.io/is-default-class",
    "storageclass.beta.kubernetes.io/is-default-class",
)
# The DaemonSet controller adds these by itself.
_OF_DAEMON_SETS: Final = tuple(
    {"key": f"node.kubernetes.io/{name}", "operator": "Exists"}
    for name in ("not-ready", "unreachable", "disk-pressure", "memory-pressure", "pid-pressure", "unschedulable")
)
# Every namespace has these two.
_ALWAYS_THERE: Final = frozenset({Key("ServiceAccount", "default"), Key("ConfigMap", "kube-root-ca.crt")})


def classes(touched: Iterable[Object], there: Iterable[Object]) -> Iterator[Refusal]:
    """Yield what is missing of the classes that Ingresses and new volume claims name.

    `there` are the cluster's IngressClasses, StorageClasses and PersistentVolumes.
    """
    known: dict[str, list[Object]] = {}
    for one in there:
        known.setdefault(one["kind"], []).append(one)
    for one in touched:
        if one["kind"] == "Ingress" and (name := one["spec"].get("ingressClassName")):
            yield from _named(
                one, "ingress class", name, known.get("IngressClass", []), "ingressClassName in the values file"
            )
        if one["kind"] == "PersistentVolumeClaim":
            yield from _storage(one, known)


def _storage(claim: Object, known: Mapping[str, Sequence[Object]]) -> Iterator[Refusal]:
    found, name = known.get("StorageClass", []), claim["spec"].get("storageClassName")
    example = "pulumi config set hubStorageClass NAME, or hubDatabase memory"
    if name is None:
        notes = [c["metadata"].get("annotations") or {} for c in found]
        default = any(note.get(key) == "true" for note in notes for key in _DEFAULT_CLASS)
        # Without a default, the claim takes a volume that has no class either.
        if not default and all(v["spec"].get("storageClassName") for v in known.get("PersistentVolume", [])):
            yield Refusal(_about(claim), f"there is no default storage class ({_there(found)})", example)
    elif name and not any(v["spec"].get("storageClassName") == name for v in known.get("PersistentVolume", [])):
        yield from _named(claim, "storage class", name, found, example)


def _named(one: Object, what: str, name: str, there: Sequence[Object], advice: str) -> Iterator[Refusal]:
    if name not in (c["metadata"]["name"] for c in there):
        yield Refusal(_about(one), f"{what} {name} does not exist ({_there(there)})", advice)


def _there(found: Iterable[Object]) -> str:
    return f"there are: {', '.join(sorted(c['metadata']['name'] for c in found)) or 'none'}"


def _about(one: Object) -> str:
    return str(Key(one["kind"], one["metadata"]["name"]))


def rooms(touched: Iterable[Object], found: Sequence[Object]) -> Iterator[Refusal]:
    """Yield the workloads among `touched` whose pods no node can take. No nodes at all: nothing can be said."""
    for one, reason in _homeless(touched, found):
        if not _idles(one, reason):
            yield Refusal(_about(one), f"its pods cannot be scheduled: {reason}", _room_advice(reason))


def idle(touched: Iterable[Object], found: Sequence[Object]) -> Iterator[str]:
    """Yield which DaemonSets would have no pod at all. Helm is content with that."""
    for one, reason in _homeless(touched, found):
        if _idles(one, reason):
            yield f"{_about(one)} would have no pod: {reason}"


def _homeless(touched: Iterable[Object], found: Sequence[Object]) -> Iterator[tuple[Object, str]]:
    for one in touched:
        if found and one["kind"] in WORKLOADS and one["spec"].get("replicas") != 0:
            reason = nodes.why_none(_tolerant(one), found)
            if reason:
                yield one, reason


def _idles(workload: Object, reason: str) -> bool:
    """A DaemonSet makes pods for the nodes that fit, and it does not look at their size: then a pod waits."""
    return bool(workload["kind"] == "DaemonSet" and "large enough" not in reason)


def _tolerant(workload: Object) -> Object:
    """Return a workload's pod template with the tolerations that its controller adds."""
    template = workload["spec"]["template"]
    if workload["kind"] != "DaemonSet":
        return dict(template)
    spec = template.get("spec") or {}
    return {**template, "spec": {**spec, "tolerations": [*(spec.get("tolerations") or []), *_OF_DAEMON_SETS]}}


def later(templates: Mapping[str, Object], found: Sequence[Object]) -> Iterator[str]:
    """Yield which of the hub's own pods no node can take."""
    for name, template in templates.items():
        if found and (reason := nodes.why_none(template, found)):
            yield f"no {name} can be scheduled: {reason}"


def _room_advice(reason: str) -> str:
    if "labels" in reason:
        accept = 'pulumi config set --path acceptedRisks.emptyNodePool "why"'
        return f"kubectl get nodes --show-labels; then coreNodeSelector; for a pool that starts empty: {accept}"
    return "kubectl describe nodes; tolerations or resources in the values file"


def references(workload: Object) -> Iterator[tuple[Key, str]]:
    """Yield what the pods of a workload cannot start without, and what it is to them."""
    spec = workload["spec"]["template"]["spec"]
    yield from _keys("Secret", [one.get("name") for one in spec.get("imagePullSecrets") or []], "pull secret")
    yield from _keys("ServiceAccount", [spec.get("serviceAccountName")])
    for volume in spec.get("volumes") or []:
        for source in [volume, *((volume.get("projected") or {}).get("sources") or [])]:
            yield from _of_source(source)
    for container in [*(spec.get("initContainers") or []), *(spec.get("containers") or [])]:
        yield from _of_container(container)


def _of_source(source: Mapping[str, Any]) -> Iterator[tuple[Key, str]]:
    secret, config, claim = (source.get(k) or {} for k in ("secret", "configMap", "persistentVolumeClaim"))
    if not secret.get("optional"):
        yield from _keys("Secret", [secret.get("secretName") or secret.get("name")])
    if not config.get("optional"):
        yield from _keys("ConfigMap", [config.get("name")])
    yield from _keys("PersistentVolumeClaim", [claim.get("claimName")])


def _of_container(container: Mapping[str, Any]) -> Iterator[tuple[Key, str]]:
    wholes = container.get("envFrom") or []
    parts = [one.get("valueFrom") or {} for one in container.get("env") or []]
    for kind, names in (("Secret", ("secretRef", "secretKeyRef")), ("ConfigMap", ("configMapRef", "configMapKeyRef"))):
        for reference in [one.get(name) or {} for one in (*wholes, *parts) for name in names]:
            if not reference.get("optional"):
                yield from _keys(kind, [reference.get("name")])


def _keys(kind: str, names: Iterable[str | None], what: str = "") -> Iterator[tuple[Key, str]]:
    words = {"ConfigMap": "config map", "PersistentVolumeClaim": "volume claim", "ServiceAccount": "service account"}
    yield from ((Key(kind, name), what or words.get(kind, "secret")) for name in names if name)


@dataclass(frozen=True)
class Reference:
    """What a pod refers to and the release does not bring itself; `user` is its workload."""

    key: Key
    what: str
    user: str


def referred(touched: Iterable[Object], rendered: Collection[Key]) -> list[Reference]:
    """Return the references of touched workloads to what is not among the rendered objects."""
    found = [
        Reference(key, what, _about(one))
        for one in touched
        if one["kind"] in WORKLOADS and one["spec"].get("replicas") != 0
        for key, what in references(one)
        if key not in rendered and key not in _ALWAYS_THERE
    ]
    return list(dict.fromkeys(found))


def missing(wanted: Iterable[Reference], there: Collection[Key]) -> Iterator[Refusal]:
    """Yield what pods refer to and nobody has."""
    for one in wanted:
        if one.key not in there:
            advice = f"make it first, or take its name out of the values file; kubectl get {one.key.kind.lower()}s"
            yield Refusal(one.user, f"{one.what} {one.key.name} does not exist, and its pods need it", advice)

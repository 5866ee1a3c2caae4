"""What the objects of a release need and the server does not check: classes, volumes, images' names, nodes.

Pure functions over rendered objects and what the cluster has, as the API gives it. Without these, Helm waits its whole
time limit and then says `context deadline exceeded`, or is content and the pod never starts.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

from components import nodes
from components.objects import WORKLOADS, Key, Object, containers, has_pods
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
_COMPONENT: Final = r"[a-z0-9]+(?:(?:\.|__?|-+)[a-z0-9]+)*"
_HOST: Final = r"(?:[a-z0-9-]+(?:\.[a-z0-9-]+)*|\[[0-9a-f:]+\])(?::[0-9]+)?"
# As the registries' own grammar has it: host, path, tag, digest.
_IMAGE: Final = re.compile(
    rf"(?:(?i:{_HOST})/)?{_COMPONENT}(?:/{_COMPONENT})*(?::\w[\w.-]{{0,127}})?(?:@[\w+.-]+:[0-9a-fA-F]{{32,}})?",
    re.ASCII,
)
_NO_PROVISIONER: Final = "kubernetes.io/no-provisioner"


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
    volumes = known.get("PersistentVolume", [])
    example = "pulumi config set hubStorageClass NAME, or hubDatabase memory"
    if name is None:
        notes = [c["metadata"].get("annotations") or {} for c in found]
        default = any(note.get(key) == "true" for note in notes for key in _DEFAULT_CLASS)
        # Without a default, the claim takes a volume that has no class either.
        if not default and not any(_may_take(claim, v, "") for v in volumes):
            yield Refusal(_about(claim), f"there is no default storage class ({_there(found)})", example)
    elif name and not any(_may_take(claim, v, name) for v in volumes):
        yield from _named(claim, "storage class", name, found, example)
        if any(c["metadata"]["name"] == name and c.get("provisioner") == _NO_PROVISIONER for c in found):
            reason = f"storage class {name} makes no volumes by itself, and none of that class is free"
            yield Refusal(_about(claim), reason, f"a PersistentVolume of that class, or {example}")


def _may_take(claim: Object, volume: Object, name: str) -> bool:
    """Whether a claim can have a volume: one of that class, large enough, which nobody else claimed."""
    there, wanted = volume["spec"], claim["spec"]
    free = (there.get("claimRef") or {}).get("name") in (None, claim["metadata"]["name"])
    modes = {*(wanted.get("accessModes") or [])} <= {*(there.get("accessModes") or wanted.get("accessModes") or [])}
    asked = ((wanted.get("resources") or {}).get("requests") or {}).get("storage", 0)
    try:
        room = nodes.quantity(asked) <= nodes.quantity((there.get("capacity") or {}).get("storage", asked))
    except ValueError:
        room = True  # the server's own words about it are better
    return bool((there.get("storageClassName") or "") == name and free and modes and room)


def _named(one: Object, what: str, name: str, there: Sequence[Object], advice: str) -> Iterator[Refusal]:
    if name not in (c["metadata"]["name"] for c in there):
        yield Refusal(_about(one), f"{what} {name} does not exist ({_there(there)})", advice)


def _there(found: Iterable[Object]) -> str:
    return f"there are: {', '.join(sorted(c['metadata']['name'] for c in found)) or 'none'}"


def _about(one: Object) -> str:
    return str(Key(one["kind"], one["metadata"]["name"]))


def images(touched: Iterable[Object]) -> Iterator[Refusal]:
    """Yield the images among the pods of `touched` that no registry can have; the server takes any text."""
    for one in touched:
        if one["kind"] in WORKLOADS:
            for container in containers(one["spec"]["template"]):
                image = container.get("image") or ""
                if image and not _IMAGE.fullmatch(image):
                    reason = f'no image can be called "{image}": small letters, digits, single signs between them'
                    yield Refusal(_about(one), reason, "the image's name or tag in the values file")


def rooms(touched: Iterable[Object], found: Sequence[Object]) -> Iterator[Refusal]:
    """Yield the workloads among `touched` whose pods no node can take. No nodes at all: nothing can be said."""
    for one, reason in _homeless(touched, found):
        if not _idles(one, reason):
            yield Refusal(_about(one), f"its pods cannot be scheduled: {reason}", _room_advice(reason))


def idle(touched: Iterable[Object], found: Sequence[Object]) -> Iterator[str]:
    """Yield which DaemonSets would have no pod at all. Helm is content with that."""
    for one, reason in _homeless((one for one in touched if one["kind"] == "DaemonSet"), found):
        if _idles(one, reason):
            yield f"{_about(one)} would have no pod: {reason}"


def _homeless(touched: Iterable[Object], found: Sequence[Object]) -> Iterator[tuple[Object, str]]:
    for one in touched:
        if found and has_pods(one):
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


def waiting(touched: Iterable[Object], found: Sequence[Object]) -> Iterator[str]:
    """Yield, for all workloads together, which nodes they have to wait for: a passing state is no refusal."""
    by_nodes: dict[str, list[str]] = {}
    for one in touched:
        if found and has_pods(one) and (some := nodes.passing(_tolerant(one), found)):
            by_nodes.setdefault("; ".join(some), []).append(_about(one))
    for reason, names in by_nodes.items():
        yield f"pods of {', '.join(names)} must wait for a node: {reason}, which Kubernetes takes away by itself"


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

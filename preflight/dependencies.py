"""What the objects of a release need and the server does not check: classes, volumes, images' names, objects.

Pure functions over objects as a dry run returned them and what the cluster has. Without these, Helm waits its whole
time limit and then says `context deadline exceeded`, or is content and the pod never starts.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from kube import quantities
from kube.manifests import Object, ObjectKey, pod_template
from kube.pods import containers
from preflight.violations import Finding, Violation, about

_DEFAULT_CLASS: Final = (
    "storageclass.kubernetes.io/is-default-class",
    "storageclass.beta.kubernetes.io/is-default-class",
)
_COMPONENT: Final = r"[a-z0-9]+(?:(?:\.|__?|-+)[a-z0-9]+)*"
_HOST: Final = r"(?:[a-z0-9-]+(?:\.[a-z0-9-]+)*|\[[0-9a-f:]+\])(?::[0-9]+)?"
# As the registries' own grammar has it: host, path, tag, digest.
_IMAGE: Final = re.compile(
    rf"(?:(?i:{_HOST})/)?{_COMPONENT}(?:/{_COMPONENT})*(?::\w[\w.-]{{0,127}})?(?:@[\w+.-]+:[0-9a-fA-F]{{32,}})?",
    re.ASCII,
)
_VOLUME: Final = "pulumi config set hubStorageClass NAME, or hubDatabase memory"
CLAIM: Final = "PersistentVolumeClaim"
DATABASE: Final = ObjectKey(CLAIM, "hub-db-dir")
_KEEP: Final = (
    "copy what it holds first (kubectl cp); its volume outlives it after: "
    """kubectl patch pv NAME -p '{"spec": {"persistentVolumeReclaimPolicy": "Retain"}}'"""
)
_CLASS_AGAIN: Final = "take the change back: pulumi config set hubStorageClass {}"
# Every namespace has these two.
_ALWAYS_THERE: Final = frozenset({ObjectKey("ServiceAccount", "default"), ObjectKey("ConfigMap", "kube-root-ca.crt")})
# Fields in which a pod names an object: its kind, and what people call it.
_NAMING: Final = {
    "imagePullSecrets": ("Secret", "pull secret"),
    "persistentVolumeClaim": (CLAIM, "volume claim"),
    **dict.fromkeys(("secret", "secretRef", "secretKeyRef"), ("Secret", "secret")),
    **dict.fromkeys(("configMap", "configMapRef", "configMapKeyRef"), ("ConfigMap", "config map")),
}


# --- classes, volumes, images -------------------------------------------------------------------------------------


def classes(objects: Iterable[Object], there: Mapping[str, Sequence[Object]], namespace: str) -> Iterator[Violation]:
    """Yield what is missing of the classes that Ingresses and new volume claims name.

    `there` are the cluster's IngressClasses, StorageClasses and PersistentVolumes by kind, without those that nobody
    may read; the claims are `namespace`'s.
    """
    for one in objects:
        if one["kind"] == "Ingress" and (name := one["spec"].get("ingressClassName")) and "IngressClass" in there:
            yield from _named(one, "ingress class", name, there["IngressClass"], "ingressClassName in the values file")
        if one["kind"] == CLAIM and "StorageClass" in there:
            yield from _storage(one, there["StorageClass"], there.get("PersistentVolume", []), namespace)


def _storage(claim: Object, found: Sequence[Object], volumes: Iterable[Object], namespace: str) -> Iterator[Violation]:
    name = claim["spec"].get("storageClassName")
    # Without a default class, a claim that names none takes a volume that has none either.
    if name == "" or any(_may_take(claim, volume, name or "", namespace) for volume in volumes):
        return
    if name:
        yield from _named(claim, "storage class", name, found, _VOLUME)
        if any(c["metadata"]["name"] == name and c.get("provisioner") == "kubernetes.io/no-provisioner" for c in found):
            reason = f"storage class {name} makes no volumes by itself, and none of that class is free"
            yield Violation(about(claim), reason, f"a PersistentVolume of that class, or {_VOLUME}")
    elif not any((c["metadata"].get("annotations") or {}).get(key) == "true" for c in found for key in _DEFAULT_CLASS):
        yield Violation(about(claim), f"there is no default storage class ({_there(found)})", _VOLUME)


def _may_take(claim: Object, volume: Object, name: str, namespace: str) -> bool:
    """Whether a new claim can have a volume: one of that class, large enough, which no other claim has or had.

    One that is kept after its claim is never free again; one that is reserved names a claim without its uid.
    Source: kubernetes.io, "Persistent Volumes".
    """
    there, wanted = volume["spec"], claim["spec"]
    holder = there.get("claimRef") or {}
    reserved = {"namespace": namespace, "name": claim["metadata"]["name"]}
    free = not holder or (reserved.items() <= holder.items() and not holder.get("uid"))
    modes = {*(wanted.get("accessModes") or [])} <= {*(there.get("accessModes") or wanted.get("accessModes") or [])}
    asked = ((wanted.get("resources") or {}).get("requests") or {}).get("storage", 0)
    room = quantities.quantity(asked) <= quantities.quantity((there.get("capacity") or {}).get("storage", asked))
    return bool((there.get("storageClassName") or "") == name and free and modes and room)


def _named(one: Object, what: str, name: str, there: Sequence[Object], advice: str) -> Iterator[Violation]:
    if name not in (c["metadata"]["name"] for c in there):
        yield Violation(about(one), f"{what} {name} does not exist ({_there(there)})", advice)


def _there(found: Iterable[Object]) -> str:
    return f"there are: {', '.join(sorted(c['metadata']['name'] for c in found)) or 'none'}"


def held(claim: ObjectKey) -> str:
    """Return in words what a volume claim of a hub holds."""
    return "the hub's user database" if claim.name == DATABASE.name else f"all that {claim.name} holds"


def claims(
    old: Mapping[ObjectKey, Object],
    new: Mapping[ObjectKey, Object],
    restarting: Iterable[ObjectKey],
    there: Iterable[Object],
) -> Iterator[Finding]:
    """Yield what becomes of claims that the release keeps, and neither Helm nor a dry run says.

    `there` are the claims of the namespace, `restarting` the workloads whose pods end. A claim that is being deleted
    goes with the last pod that uses it.
    """
    live = {ObjectKey(CLAIM, one["metadata"]["name"]): one for one in there}
    ending = {one.key for key in restarting for one in references({str(key): pod_template(old[key])})}
    for key in sorted(key for key in new if key.kind == CLAIM):
        one = live.get(key, {})
        if one.get("metadata", {}).get("deletionTimestamp"):
            text = f"is being deleted, and {held(key)} with it, as soon as its pod ends"
            ends = Violation(str(key), f"it {text}: this change ends it", _KEEP)
            yield ends if key in ending else f"{key} {text}"
        elif key in old and not one:
            yield f"{key} is gone, and {held(key)} with it: Helm makes a new one, which is empty"
        elif key in old and _class(old[key]) and not _class(new[key]):
            # Helm would take the class away; an apply leaves it as it is, so the server has nothing to refuse.
            reason = f"a claim cannot leave its storage class {_class(old[key])}: spec is immutable after creation"
            yield Violation(str(key), reason, _CLASS_AGAIN.format(_class(old[key])))


def _class(claim: Object) -> str:
    return str((claim.get("spec") or {}).get("storageClassName") or "")


def images(pods: Mapping[str, Object]) -> Iterator[Violation]:
    """Yield the images in pod templates (by whose they are) that no registry can have; the server takes any text."""
    for user, template in pods.items():
        for image in filter(None, (container.get("image") for container in containers(template))):
            if not _IMAGE.fullmatch(image):
                reason = f'no image can be called "{image}": small letters, digits, single signs between them'
                yield Violation(user, reason, "the image's name or tag in the values file")


# --- what pods refer to by name -----------------------------------------------------------------------------------


class Reference(NamedTuple):
    """An object that pods of `user` cannot start without, as people call it (`what`), and one entry of its data.

    The entry is "" for no certain one.
    """

    user: str
    key: ObjectKey
    what: str
    entry: str


def references(pods: Mapping[str, Object]) -> list[Reference]:
    """Return what pods refer to, each once; `pods` are templates, by whose pods they are."""
    found = [one for user, template in pods.items() for one in _references(user, template.get("spec") or {})]
    return [one for one in dict.fromkeys(found) if one.key.name and one.key not in _ALWAYS_THERE]


def _references(user: str, spec: Mapping[str, Any]) -> Iterator[Reference]:
    account = ObjectKey("ServiceAccount", spec.get("serviceAccountName") or "")
    yield Reference(user, account, "service account", "")
    for field, one in _naming(spec):
        kind, what = _NAMING[field]
        name = next((one[place] for place in ("name", "secretName", "claimName") if one.get(place)), "")
        entries = [item.get("key") for item in one.get("items") or []] or [one.get("key")]
        for entry in [] if one.get("optional") else entries:
            yield Reference(user, ObjectKey(kind, name), what, entry or "")


def _naming(given: Any) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield each field below that names an object: the field's name, and what stands in it.

    Names that people choose, such as a label's, hold texts and so are none of them.
    """
    if isinstance(given, list):
        for one in given:
            yield from _naming(one)
    elif isinstance(given, Mapping):
        for field, below in given.items():
            if field in _NAMING:
                items = below if isinstance(below, list) else [below]
                yield from ((field, one) for one in items if isinstance(one, Mapping))
            else:
                yield from _naming(below)


def missing(wanted: Iterable[Reference], there: Mapping[ObjectKey, Object]) -> Iterator[Violation]:
    """Yield what pods refer to and nobody has. `there` is what the release brings or the cluster has, by key."""
    for one in wanted:
        kind, name = one.key.kind.lower(), one.key.name
        if one.key not in there:
            advice = f"make it first, or take its name out of the values file; kubectl get {kind}s"
            yield Violation(one.user, f"{one.what} {name} does not exist, and its pods need it", advice)
            continue
        parts = ("data", "stringData", "binaryData")
        entries = [entry for part in parts for entry in there[one.key].get(part) or {}]
        if one.entry and one.entry not in entries:
            has = f"it has: {', '.join(sorted(entries)) or 'none'}"
            advice = f"kubectl describe {kind} {name}; then its key in the values file"
            yield Violation(one.user, f"{one.what} {name} has no key {one.entry}, and its pods need it ({has})", advice)

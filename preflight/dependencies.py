"""What the objects of a release need and the server does not check: classes, volumes, images' names, objects.

Pure functions over objects as a dry run returned them and what the cluster has. Without these, Helm waits its whole
time limit and then says `context deadline exceeded`, or is content and the pod never starts.
"""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from kube import quantities
from kube.manifests import WORKLOADS, Object, ObjectKey, has_pods
from kube.pods import containers
from preflight.violations import Violation, about

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
_NO_PROVISIONER: Final = "kubernetes.io/no-provisioner"
# Every namespace has these two.
_ALWAYS_THERE: Final = frozenset({ObjectKey("ServiceAccount", "default"), ObjectKey("ConfigMap", "kube-root-ca.crt")})
_WORDS: Final = {
    "ConfigMap": "config map",
    "PersistentVolumeClaim": "volume claim",
    "Secret": "secret",
    "ServiceAccount": "service account",
}
_DATA: Final = ("data", "stringData", "binaryData")


# --- classes, volumes, images -------------------------------------------------------------------------------------


def classes(objects: Iterable[Object], there: Iterable[Object], namespace: str) -> Iterator[Violation]:
    """Yield what is missing of the classes that Ingresses and new volume claims name.

    `there` are the cluster's IngressClasses, StorageClasses and PersistentVolumes; the claims are `namespace`'s.
    """
    known: dict[str, list[Object]] = {}
    for one in there:
        known.setdefault(one["kind"], []).append(one)
    for one in objects:
        if one["kind"] == "Ingress" and (name := one["spec"].get("ingressClassName")):
            found, advice = known.get("IngressClass", []), "ingressClassName in the values file"
            yield from _named(one, "ingress class", name, found, advice)
        if one["kind"] == "PersistentVolumeClaim":
            yield from _storage(one, known, namespace)


def _storage(claim: Object, known: Mapping[str, Sequence[Object]], namespace: str) -> Iterator[Violation]:
    found, name = known.get("StorageClass", []), claim["spec"].get("storageClassName")
    volumes = known.get("PersistentVolume", [])
    example = "pulumi config set hubStorageClass NAME, or hubDatabase memory"
    if name is None:
        notes = [c["metadata"].get("annotations") or {} for c in found]
        default = any(note.get(key) == "true" for note in notes for key in _DEFAULT_CLASS)
        # Without a default, the claim takes a volume that has no class either.
        if not default and not any(_may_take(claim, v, "", namespace) for v in volumes):
            yield Violation(about(claim), f"there is no default storage class ({_there(found)})", example)
    elif name and not any(_may_take(claim, v, name, namespace) for v in volumes):
        yield from _named(claim, "storage class", name, found, example)
        if any(c["metadata"]["name"] == name and c.get("provisioner") == _NO_PROVISIONER for c in found):
            reason = f"storage class {name} makes no volumes by itself, and none of that class is free"
            yield Violation(about(claim), reason, f"a PersistentVolume of that class, or {example}")


def _may_take(claim: Object, volume: Object, name: str, namespace: str) -> bool:
    """Whether a new claim can have a volume: one of that class, large enough, which no other claim has or had.

    One that is kept after its claim is never free again; one that is reserved names a claim without its uid.
    Source: kubernetes.io, "Persistent Volumes".
    """
    there, wanted = volume["spec"], claim["spec"]
    holder = there.get("claimRef") or {}
    reserved = [holder.get(part) for part in ("namespace", "name", "uid")] == [
        namespace,
        claim["metadata"]["name"],
        None,
    ]
    free = not holder or reserved
    modes = {*(wanted.get("accessModes") or [])} <= {*(there.get("accessModes") or wanted.get("accessModes") or [])}
    asked = ((wanted.get("resources") or {}).get("requests") or {}).get("storage", 0)
    room = quantities.quantity(asked) <= quantities.quantity((there.get("capacity") or {}).get("storage", asked))
    return bool((there.get("storageClassName") or "") == name and free and modes and room)


def _named(one: Object, what: str, name: str, there: Sequence[Object], advice: str) -> Iterator[Violation]:
    if name not in (c["metadata"]["name"] for c in there):
        yield Violation(about(one), f"{what} {name} does not exist ({_there(there)})", advice)


def _there(found: Iterable[Object]) -> str:
    return f"there are: {', '.join(sorted(c['metadata']['name'] for c in found)) or 'none'}"


def images(objects: Iterable[Object]) -> Iterator[Violation]:
    """Yield the images among the pods of `objects` that no registry can have; the server takes any text."""
    for one in objects:
        for container in containers(one["spec"]["template"]) if one["kind"] in WORKLOADS else ():
            image = container.get("image") or ""
            if image and not _IMAGE.fullmatch(image):
                reason = f'no image can be called "{image}": small letters, digits, single signs between them'
                yield Violation(about(one), reason, "the image's name or tag in the values file")


# --- what pods refer to by name -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Reference:
    """An object that pods refer to, as people call it (`what`), and one entry of its data; "" for no certain one.

    `user` is whose pods they are.
    """

    key: ObjectKey
    what: str
    user: str
    entry: str = ""


def templates(objects: Iterable[Object]) -> dict[str, Object]:
    """Return the pod templates of workloads that have pods, by the names of the workloads (`Deployment/hub`)."""
    return {about(one): one["spec"]["template"] for one in objects if has_pods(one)}


def references(pods: Mapping[str, Object]) -> list[Reference]:
    """Return what pods refer to and cannot start without; `pods` are templates, by whose pods they are."""
    found = [
        Reference(ObjectKey(kind, name), what or _WORDS[kind], user, entry)
        for user, template in pods.items()
        for kind, name, entry, what in _of_template(template)
        if name and ObjectKey(kind, name) not in _ALWAYS_THERE
    ]
    return list(dict.fromkeys(found))


# Kind, name, entry, and a word of its own.
_Found = tuple[str, str, str, str]


def _of_template(template: Object) -> Iterator[_Found]:
    spec = template.get("spec") or {}
    for secret in spec.get("imagePullSecrets") or []:
        yield "Secret", secret.get("name") or "", "", "pull secret"
    yield "ServiceAccount", spec.get("serviceAccountName") or "", "", ""
    for volume in spec.get("volumes") or []:
        for source in [volume, *((volume.get("projected") or {}).get("sources") or [])]:
            yield from _of_source(source)
    for container in containers(template):
        yield from _of_container(container)


def _of_source(source: Mapping[str, Any]) -> Iterator[_Found]:
    secret, config, claim = (source.get(k) or {} for k in ("secret", "configMap", "persistentVolumeClaim"))
    for kind, one, name in (
        ("Secret", secret, secret.get("secretName") or secret.get("name")),
        ("ConfigMap", config, config.get("name")),
    ):
        entries = [item.get("key") or "" for item in one.get("items") or []] or [""]
        for entry in [] if one.get("optional") else entries:
            yield kind, name or "", entry, ""
    yield "PersistentVolumeClaim", claim.get("claimName") or "", "", ""


def _of_container(container: Mapping[str, Any]) -> Iterator[_Found]:
    wholes = container.get("envFrom") or []
    parts = [one.get("valueFrom") or {} for one in container.get("env") or []]
    for kind, names in (("Secret", ("secretRef", "secretKeyRef")), ("ConfigMap", ("configMapRef", "configMapKeyRef"))):
        for reference in [one.get(name) or {} for one in (*wholes, *parts) for name in names]:
            if not reference.get("optional"):
                yield kind, reference.get("name") or "", reference.get("key") or "", ""


def missing(wanted: Iterable[Reference], there: Mapping[ObjectKey, Object]) -> Iterator[Violation]:
    """Yield what pods refer to and nobody has. `there` is what the release brings or the cluster has, by key."""
    for one in wanted:
        kind, name = one.key.kind.lower(), one.key.name
        if one.key not in there:
            advice = f"make it first, or take its name out of the values file; kubectl get {kind}s"
            yield Violation(one.user, f"{one.what} {name} does not exist, and its pods need it", advice)
        elif one.entry and one.entry not in (entries := _entries(there[one.key])):
            has = f"it has: {', '.join(sorted(entries)) or 'none'}"
            advice = f"kubectl describe {kind} {name}; then its key in the values file"
            yield Violation(one.user, f"{one.what} {name} has no key {one.entry}, and its pods need it ({has})", advice)


def _entries(one: Object) -> Collection[str]:
    return [entry for part in _DATA for entry in one.get(part) or {}]

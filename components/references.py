"""What pods refer to by name and cannot start without: secrets, config maps, volume claims, service accounts.

Pure functions over pod templates and objects as the API gives them. The server takes a pod whose secret is missing; the
node then waits for it, and Helm its whole time limit.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from components.objects import Key, Object, containers, has_pods
from components.refusals import Refusal

# Every namespace has these two.
_ALWAYS_THERE: Final = frozenset({Key("ServiceAccount", "default"), Key("ConfigMap", "kube-root-ca.crt")})
_WORDS: Final = {
    "ConfigMap": "config map",
    "PersistentVolumeClaim": "volume claim",
    "Secret": "secret",
    "ServiceAccount": "service account",
}
_DATA: Final = ("data", "stringData", "binaryData")


@dataclass(frozen=True)
class Reference:
    """An object that pods refer to, as people call it (`what`), and one entry of its data; "" for no certain one.

    `user` is whose pods they are.
    """

    key: Key
    what: str
    user: str
    entry: str = ""


def templates(touched: Iterable[Object]) -> dict[str, Object]:
    """Return the pod templates of workloads that have pods, by the names of the workloads (`Deployment/hub`)."""
    return {str(Key(one["kind"], one["metadata"]["name"])): one["spec"]["template"] for one in touched if has_pods(one)}


def of_pods(pods: Mapping[str, Object]) -> list[Reference]:
    """Return what pods refer to; `pods` are templates, by whose pods they are."""
    found = [
        Reference(Key(kind, name), what or _WORDS[kind], user, entry)
        for user, template in pods.items()
        for kind, name, entry, what in _of_template(template)
        if name and Key(kind, name) not in _ALWAYS_THERE
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


def missing(wanted: Iterable[Reference], there: Mapping[Key, Object]) -> Iterator[Refusal]:
    """Yield what pods refer to and nobody has. `there` is what the release brings or the cluster has, by key."""
    for one in wanted:
        kind, name = one.key.kind.lower(), one.key.name
        if one.key not in there:
            advice = f"make it first, or take its name out of the values file; kubectl get {kind}s"
            yield Refusal(one.user, f"{one.what} {name} does not exist, and its pods need it", advice)
        elif one.entry and one.entry not in (entries := _entries(there[one.key])):
            has = f"it has: {', '.join(sorted(entries)) or 'none'}"
            advice = f"kubectl describe {kind} {name}; then its key in the values file"
            yield Refusal(one.user, f"{one.what} {name} has no key {one.entry}, and its pods need it ({has})", advice)


def _entries(one: Object) -> Collection[str]:
    return [entry for part in _DATA for entry in one.get(part) or {}]

"""What a release needs and the server does not check."""

from typing import Any

import pytest

from kube.manifests import ObjectKey
from preflight import dependencies
from preflight.dependencies import Reference
from preflight.violations import Violation


def thing(kind: str, name: str = "a", notes: dict[str, str] | None = None, **spec: Any) -> dict[str, Any]:
    return {"kind": kind, "metadata": {"name": name, "annotations": notes}, "spec": spec}


def missing_classes(one: dict[str, Any], there: list[Any]) -> list[Violation]:
    known = {kind: [c for c in there if c["kind"] == kind] for kind in ("IngressClass", "StorageClass")}
    volumes = [volume for volume in there if volume["kind"] == "PersistentVolume"]
    return list(dependencies.classes([one], {**known, "PersistentVolume": volumes}, "hub"))


def claim(**spec: Any) -> dict[str, Any]:
    return thing("PersistentVolumeClaim", "db", **spec)


def ingress(**spec: Any) -> dict[str, Any]:
    return thing("Ingress", "web", **spec)


def default(value: str = "true", stage: str = "") -> dict[str, Any]:
    return thing("StorageClass", "standard", {f"storageclass.{stage}kubernetes.io/is-default-class": value})


FAST, BY_HAND = thing("StorageClass", "fast"), thing("PersistentVolume", "by-hand")
NO_DEFAULT = "there is no default storage class (there are: "
STORAGE = "pulumi config set hubStorageClass NAME, or hubDatabase memory"
INGRESS = "ingressClassName in the values file"


@pytest.mark.parametrize(
    ("one", "there", "reason"),
    [
        (claim(), [], f"{NO_DEFAULT}none)"),
        (claim(), [FAST, default("false")], f"{NO_DEFAULT}fast, standard)"),
        (claim(), [default(), FAST], ""),
        (claim(), [default(stage="beta.")], ""),
        (claim(), [BY_HAND], ""),  # a claim without a class takes a volume without one
        (claim(), [thing("PersistentVolume", storageClassName="")], ""),
        (claim(), [thing("PersistentVolume", storageClassName="x")], f"{NO_DEFAULT}none)"),
        (claim(storageClassName=""), [], ""),  # volumes made by hand need no class
        (claim(storageClassName="nope"), [FAST, default()],
         "storage class nope does not exist (there are: fast, standard)"),
        (claim(storageClassName="fast"), [thing("IngressClass", "fast"), thing("PersistentVolume", "fast")],
         "storage class fast does not exist (there are: none)"),
        (claim(storageClassName="x"), [thing("PersistentVolume", storageClassName="x")], ""),  # a mere name
        (ingress(), [], ""),
        (ingress(ingressClassName="nope"), [], "ingress class nope does not exist (there are: none)"),
        (ingress(ingressClassName="nope"), [thing("IngressClass", "nope")], ""),
        (ingress(ingressClassName="fast"), [FAST, thing("IngressClass", "nginx")],
         "ingress class fast does not exist (there are: nginx)"),
        *((thing(kind, ingressClassName="nope", storageClassName="nope"), [], "") for kind in ("Secret", "Deployment")),
    ],
)  # fmt: skip
def test_classes(one: dict[str, Any], there: list[Any], reason: str) -> None:
    about, advice = ("Ingress/web", INGRESS) if one["kind"] == "Ingress" else ("PersistentVolumeClaim/db", STORAGE)
    assert missing_classes(one, there) == ([Violation(about, reason, advice)] if reason else [])
    assert list(dependencies.classes([one], {}, "hub")) == [], "nobody may read what there is"


def held(namespace: str = "hub", name: str = "db", **more: str) -> dict[str, Any]:
    return {"claimRef": {"namespace": namespace, "name": name, **more}}


@pytest.mark.parametrize(
    ("volume", "free"),
    [
        ({}, True), ({"storageClassName": "other"}, False),
        (held(), True),  # reserved
        (held("elsewhere"), False), (held(name="other"), False), (held(uid="of a claim that is gone"), False),
        ({"capacity": {"storage": "10Gi"}, "accessModes": ["ReadWriteOnce", "ReadOnlyMany"]}, True),
        ({"capacity": {"storage": "1Gi"}}, True), ({"capacity": {"storage": "999Mi"}}, False),
        ({"accessModes": ["ReadWriteMany"]}, False),
    ],
)  # fmt: skip
def test_a_class_that_makes_no_volumes_needs_one_that_is_free_and_fits(volume: dict[str, Any], free: bool) -> None:
    asked = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    one = claim(storageClassName="manual", **asked)
    manual = {**thing("StorageClass", "manual"), "provisioner": "kubernetes.io/no-provisioner"}
    taken = thing("PersistentVolume", storageClassName="manual", **held(name="other"))
    there = [taken, thing("PersistentVolume", **{"storageClassName": "manual", **volume})]
    found = missing_classes(one, [manual, *there])
    why = "storage class manual makes no volumes by itself, and none of that class is free"
    told = Violation("PersistentVolumeClaim/db", why, f"a PersistentVolume of that class, or {STORAGE}")
    assert found == ([] if free else [told])
    provisioned = [{**manual, "provisioner": "ebs.csi.aws.com"}, FAST | {"provisioner": manual["provisioner"]}]
    assert missing_classes(one, [*provisioned, *there]) == []


# --- pods -------------------------------------------------------------------------------------------------------------


GOOD = (
    "nginx", "nginx:1.2", "library/nginx", "quay.io/jupyterhub/k8s-hub:4.3.1-0.dev.git.1", "localhost:5000/a/b",
    "Registry.Example.org/a", "[::1]:5000/a", "a__b/c.d/e--f", "a@sha256:" + "0" * 64, "a:v1@sha256:" + "0" * 64,
    "europe-docker.pkg.dev/p-1/r/binder-dev-x:abc", "gcr.io/google_containers/pause:3.2", "",
)  # fmt: skip
BAD = "My Image", "quay.io/Foo/bar", "a:b:c", "a/", "/a", "a//b", "a:-x", "https://a/b", "a@sha256:12", "a___b", "ä"


@pytest.mark.parametrize("kind", ["containers", "initContainers"])
def test_names_that_images_cannot_have(kind: str) -> None:
    some = [{}, *({"image": image} for image in (*GOOD, *BAD))]
    found = list(dependencies.images({"Deployment/hub": {"spec": {kind: some}}}))
    assert [v.reason.partition(": small")[0] for v in found] == [f'no image can be called "{image}"' for image in BAD]
    advice = "the image's name or tag in the values file"
    assert {(v.about, v.advice) for v in found} == {("Deployment/hub", advice)}


def referred(*specs: dict[str, Any]) -> list[Reference]:
    """Return what pods refer to, each spec as one of a user of its own."""
    return dependencies.references({f"user {n}": {"spec": spec} for n, spec in enumerate(specs)})


def volumes(*some: dict[str, Any]) -> dict[str, Any]:
    return {"volumes": list(some)}


def projected(*sources: dict[str, Any]) -> dict[str, Any]:
    return volumes({"projected": {"sources": list(sources)}})


def env(**reference: Any) -> dict[str, Any]:
    return {"containers": [{"env": [{"name": "A", "valueFrom": reference}]}]}


def env_from(**reference: Any) -> dict[str, Any]:
    return {"containers": [{"envFrom": [reference]}]}


X, PERHAPS, ENTRY = {"name": "x"}, {"name": "x", "optional": True}, {"name": "x", "key": "k"}
WORDS = {
    "secret": "Secret", "pull secret": "Secret", "config map": "ConfigMap", "service account": "ServiceAccount",
    "volume claim": "PersistentVolumeClaim",
}  # fmt: skip


@pytest.mark.parametrize(
    ("spec", "found"),
    [
        ({"imagePullSecrets": [{}, {"name": ""}, X, {"name": "y"}]}, ["pull secret x", "pull secret y"]),
        ({"serviceAccountName": "x"}, ["service account x"]),
        ({"serviceAccountName": "default"}, []),
        (volumes({"secret": {"secretName": "x"}}, {"configMap": {"name": "y"}}), ["secret x", "config map y"]),
        (volumes({"secret": {"secretName": "x", "optional": True}}, {"configMap": PERHAPS}), []),
        (volumes({"persistentVolumeClaim": {"claimName": "x"}}), ["volume claim x"]),
        (volumes({"configMap": {"name": "kube-root-ca.crt"}}, {"emptyDir": {}}, {"hostPath": {"path": "/x"}}), []),
        (volumes({"secret": {"secretName": "kube-root-ca.crt"}}), ["secret kube-root-ca.crt"]),
        (projected({"secret": X}, {"configMap": {"name": "y"}}), ["secret x", "config map y"]),
        (projected({"secret": PERHAPS}, {"configMap": PERHAPS}, {"serviceAccountToken": {"path": "token"}}), []),
        (env_from(secretRef=X), ["secret x"]),
        (env_from(configMapRef=X), ["config map x"]),
        (env_from(secretRef=PERHAPS), []),
        (env(secretKeyRef=ENTRY), ["secret x"]),
        (env(configMapKeyRef=ENTRY), ["config map x"]),
        (env(configMapKeyRef={**PERHAPS, "key": "k"}), []),
        (env(fieldRef={"fieldPath": "metadata.name"}), []),
        ({"nodeSelector": {"secret": "x"}, "imagePullSecrets": None, "volumes": None}, []),
        (volumes({"cephfs": {"secretRef": X}}), ["secret x"]),
        ({"initContainers": env_from(secretRef=X)["containers"]}, ["secret x"]),
    ],
)  # fmt: skip
def test_what_pods_cannot_start_without(spec: dict[str, Any], found: list[str]) -> None:
    wanted = referred(spec)
    assert [(f"{one.what} {one.key.name}", one.key.kind) for one in wanted] == [
        (text, WORDS[text.rpartition(" ")[0]]) for text in found
    ]
    missing = list(dependencies.missing(wanted, {ObjectKey("Service", "x"): {}, ObjectKey("Secret", "z"): {}}))
    assert [v.reason for v in missing] == [f"{text} does not exist, and its pods need it" for text in found]
    assert [(v.about, v.advice.rpartition("; ")[2]) for v in missing] == [
        ("user 0", f"kubectl get {one.key.kind.lower()}s") for one in wanted
    ]
    assert list(dependencies.missing(wanted, {one.key: {"data": {"k": ""}} for one in wanted})) == []


def test_each_user_misses_a_thing_once() -> None:
    twice = {"imagePullSecrets": [X, X], **volumes({"secret": {"secretName": "x"}})}
    assert [(one.user, one.what) for one in referred(twice, twice)] == [
        (user, what) for user in ("user 0", "user 1") for what in ("pull secret", "secret")
    ]


@pytest.mark.parametrize(
    ("spec", "kind"),
    [
        (env(secretKeyRef=ENTRY), "Secret"),
        (env(configMapKeyRef=ENTRY), "ConfigMap"),
        (volumes({"secret": {"secretName": "x", "items": [{"key": "k", "path": "p"}]}}), "Secret"),
        (projected({"configMap": {**X, "items": [{"key": "k"}]}}), "ConfigMap"),
    ],
)
def test_an_object_without_the_entry_that_pods_ask_for(spec: dict[str, Any], kind: str) -> None:
    def told(**content: Any) -> list[tuple[str, str]]:
        missing = dependencies.missing(referred(spec), {ObjectKey(kind, "x"): content})
        return [(v.reason, v.advice) for v in missing]

    why = f"{ {'Secret': 'secret', 'ConfigMap': 'config map'}[kind] } x has no key k, and its pods need it"
    advice = f"kubectl describe {kind.lower()} x; then its key in the values file"
    assert told(data={"c": "t0p", "a": "t0p"}) == [(f"{why} (it has: a, c)", advice)]
    assert told(data=None) == told() == [(f"{why} (it has: none)", advice)]
    assert told(data={"k": ""}) == told(stringData={"k": ""}) == told(binaryData={"k": ""}) == []


def test_of_several_entries_each_is_looked_for() -> None:
    several = volumes({"secret": {"secretName": "x", "items": [{"key": "a"}, {"key": "b"}]}})
    missing = dependencies.missing(referred(several), {ObjectKey("Secret", "x"): {}})
    assert [v.reason.split(",")[0] for v in missing] == ["secret x has no key a", "secret x has no key b"]

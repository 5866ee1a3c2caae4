"""What a release counts on and the server does not check."""

from typing import Any

import pytest

from components import needs
from components.objects import Key


def thing(kind: str, name: str = "a", notes: dict[str, str] | None = None, **spec: Any) -> dict[str, Any]:
    return {"kind": kind, "metadata": {"name": name, "annotations": notes or {}}, "spec": spec}


def told(touched: dict[str, Any], *there: dict[str, Any]) -> list[str]:
    return [f"{r.about}: {r.reason}" for r in needs.classes([touched], there)]


DEFAULT = thing("StorageClass", "standard", {"storageclass.kubernetes.io/is-default-class": "true"})
OTHER = thing("StorageClass", "fast")


def test_storage_classes() -> None:
    claim = thing("PersistentVolumeClaim", "db", storageClassName="nope")
    assert told(claim, DEFAULT, OTHER) == [
        "PersistentVolumeClaim/db: storage class nope does not exist (there are: fast, standard)"
    ]
    assert told(thing("PersistentVolumeClaim", storageClassName="fast"), OTHER) == []
    assert told(thing("PersistentVolumeClaim"), DEFAULT) == []
    assert told(thing("PersistentVolumeClaim"), OTHER) == [
        "PersistentVolumeClaim/a: there is no default storage class (there are: fast)"
    ]
    assert told(thing("PersistentVolumeClaim", storageClassName="")) == [], "volumes made by hand need no class"
    volume = thing("PersistentVolume", storageClassName="nope")
    assert told(claim, volume) == [], "a class may be no more than a name that volumes carry"


def test_ingress_classes() -> None:
    ingress = thing("Ingress", ingressClassName="nope")
    assert told(ingress) == ["Ingress/a: ingress class nope does not exist (there are: none)"]
    assert told(ingress, thing("IngressClass", "nope")) == []
    assert told(thing("Ingress")) == []


def workload(spec: dict[str, Any], kind: str = "Deployment", **more: Any) -> dict[str, Any]:
    return thing(kind, "hub", template={"spec": {"containers": [], **spec}}, **more)


@pytest.mark.parametrize(
    ("spec", "found"),
    [
        ({"imagePullSecrets": [{"name": "x"}]}, ["pull secret x"]),
        ({"serviceAccountName": "x"}, ["service account x"]),
        ({"serviceAccountName": "default"}, []),
        ({"volumes": [{"secret": {"secretName": "x"}}]}, ["secret x"]),
        ({"volumes": [{"secret": {"secretName": "x", "optional": True}}]}, []),
        ({"volumes": [{"configMap": {"name": "x"}}]}, ["config map x"]),
        ({"volumes": [{"persistentVolumeClaim": {"claimName": "x"}}]}, ["volume claim x"]),
        ({"volumes": [{"projected": {"sources": [{"secret": {"name": "x"}}, {"configMap": {"name": "y"}}]}}]},
         ["secret x", "config map y"]),
        ({"volumes": [{"emptyDir": {}}]}, []),
        ({"containers": [{"envFrom": [{"secretRef": {"name": "x"}}]}]}, ["secret x"]),
        ({"containers": [{"env": [{"name": "A", "valueFrom": {"configMapKeyRef": {"name": "x"}}}]}]}, ["config map x"]),
        ({"initContainers": [{"env": [{"valueFrom": {"secretKeyRef": {"name": "x"}}}]}]}, ["secret x"]),
        ({"containers": [{"env": [{"valueFrom": {"secretKeyRef": {"name": "x", "optional": True}}}]}]}, []),
        ({"containers": [{"env": [{"name": "A", "value": "b"}]}]}, []),
    ],
)  # fmt: skip
def test_what_pods_cannot_start_without(spec: dict[str, Any], found: list[str]) -> None:
    wanted = needs.referred([workload(spec)], [])
    assert [f"{one.what} {one.key.name}" for one in wanted] == found
    assert [r.reason for r in needs.missing(wanted, [])] == [f"{f} does not exist, and its pods need it" for f in found]
    assert list(needs.missing(wanted, [one.key for one in wanted])) == []


def test_what_the_release_brings_itself_is_not_missing() -> None:
    spec = {"serviceAccountName": "hub", "imagePullSecrets": [{"name": "x"}]}
    rendered = [Key("ServiceAccount", "hub")]
    assert [one.key for one in needs.referred([workload(spec)], rendered)] == [Key("Secret", "x")]
    assert needs.referred([workload(spec, replicas=0)], []) == []
    assert needs.referred([thing("ConfigMap")], []) == []


def test_nodes() -> None:
    node = {"metadata": {"labels": {}}, "spec": {}, "status": {}}
    picky = workload({"nodeSelector": {"a": "b"}})
    (found,) = needs.rooms([picky, thing("ConfigMap")], [node])
    assert found.reason == "its pods cannot be scheduled: no node has the labels {'a': 'b'}"
    assert "acceptedRisks.emptyNodePool" in found.advice
    assert list(needs.rooms([picky], [])) == [], "who may see no nodes can say nothing of them"
    assert list(needs.rooms([workload({"nodeSelector": {"a": "b"}}, replicas=0)], [node])) == []
    assert list(needs.later({"build": picky["spec"]["template"]}, [node])) == [
        "no build can be scheduled: no node has the labels {'a': 'b'}"
    ]

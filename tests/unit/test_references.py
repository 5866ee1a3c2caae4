"""What pods refer to by name and cannot start without."""

from typing import Any

import pytest

from components import references
from components.objects import Key
from components.references import Reference


def workload(spec: dict[str, Any], kind: str = "Deployment", **more: Any) -> dict[str, Any]:
    pod = {"template": {"spec": {"containers": [], **spec}}, **more}
    return {"kind": kind, "metadata": {"name": "hub"}, "spec": pod}


def referred(*touched: dict[str, Any]) -> list[Reference]:
    return references.of_pods(references.templates(touched))


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
    wanted = referred(workload(spec))
    assert [f"{one.what} {one.key.name}" for one in wanted] == found
    assert [r.reason for r in references.missing(wanted, {})] == [
        f"{f} does not exist, and its pods need it" for f in found
    ]
    assert list(references.missing(wanted, {one.key: {} for one in wanted})) == []


def test_workloads_without_pods_and_other_objects_refer_to_nothing() -> None:
    spec = {"serviceAccountName": "hub", "imagePullSecrets": [{"name": "x"}]}
    assert [one.key for one in referred(workload(spec))] == [Key("Secret", "x"), Key("ServiceAccount", "hub")]
    assert referred(workload(spec, replicas=0)) == []
    assert referred({"kind": "ConfigMap", "metadata": {"name": "a"}}) == []


@pytest.mark.parametrize(
    ("spec", "found"),
    [
        ({"volumes": [{"configMap": {"name": "x", "optional": True}}]}, []),
        ({"volumes": [{"configMap": {"name": "x", "optional": False}}]}, ["config map x"]),
        ({"volumes": [{"configMap": {"name": "kube-root-ca.crt"}}]}, []),
        ({"volumes": [{"secret": {"secretName": "kube-root-ca.crt"}}]}, ["secret kube-root-ca.crt"]),
        ({"volumes": [{"projected": {"sources": [
            {"serviceAccountToken": {"path": "token"}}, {"downwardAPI": {"items": []}},
            {"secret": {"name": "x", "optional": True}}, {"configMap": {"name": "y", "optional": True}},
        ]}}]}, []),
        ({"volumes": [{"projected": {"sources": None}}, {"secret": None}, {"hostPath": {"path": "/x"}}]}, []),
        ({"containers": [{"envFrom": [{"configMapRef": {"name": "x"}}]}]}, ["config map x"]),
        ({"containers": [{"envFrom": [{"configMapRef": {"name": "x", "optional": True}}]}]}, []),
        ({"containers": [{"envFrom": [{"secretRef": {"name": "x", "optional": True}, "prefix": "A_"}]}]}, []),
        ({"containers": [{"env": [{"valueFrom": {"configMapKeyRef": {"name": "x", "optional": True}}}]}]}, []),
        ({"containers": [{"env": [{"valueFrom": {"secretKeyRef": {"name": "x", "key": "k"}}}]}]}, ["secret x"]),
        ({"containers": [{"env": [{"valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}, {"valueFrom": None}]}]},
         []),
        ({"initContainers": [{"envFrom": [{"secretRef": {"name": "x"}}]}]}, ["secret x"]),
        ({"containers": [{"env": None, "envFrom": None}], "initContainers": None, "volumes": None}, []),
        ({"containers": None, "imagePullSecrets": None, "serviceAccountName": None}, []),
        ({"imagePullSecrets": [{}, {"name": ""}, {"name": "x"}, {"name": "y"}]}, ["pull secret x", "pull secret y"]),
    ],
)  # fmt: skip
def test_rarer_ways_to_refer_to_what_is_elsewhere(spec: dict[str, Any], found: list[str]) -> None:
    assert [f"{one.what} {one.key.name}" for one in referred(workload(spec))] == found


@pytest.mark.parametrize(
    ("spec", "kind", "plural"),
    [
        ({"imagePullSecrets": [{"name": "x"}]}, "Secret", "secrets"),
        ({"serviceAccountName": "x"}, "ServiceAccount", "serviceaccounts"),
        ({"volumes": [{"secret": {"secretName": "x"}}]}, "Secret", "secrets"),
        ({"volumes": [{"projected": {"sources": [{"secret": {"name": "x"}}]}}]}, "Secret", "secrets"),
        ({"volumes": [{"configMap": {"name": "x"}}]}, "ConfigMap", "configmaps"),
        ({"volumes": [{"persistentVolumeClaim": {"claimName": "x"}}]}, "PersistentVolumeClaim",
         "persistentvolumeclaims"),
        ({"containers": [{"envFrom": [{"secretRef": {"name": "x"}}]}]}, "Secret", "secrets"),
        ({"containers": [{"env": [{"valueFrom": {"configMapKeyRef": {"name": "x"}}}]}]}, "ConfigMap", "configmaps"),
    ],
)  # fmt: skip
def test_who_misses_what_and_what_to_do(spec: dict[str, Any], kind: str, plural: str) -> None:
    wanted = referred(workload(spec))
    assert [(one.key, one.user) for one in wanted] == [(Key(kind, "x"), "Deployment/hub")]
    (refusal,) = references.missing(wanted, {Key(kind, "y"): {}, Key("Service", "x"): {}})
    assert refusal.about == "Deployment/hub"
    assert refusal.advice == f"make it first, or take its name out of the values file; kubectl get {plural}"


def test_each_user_misses_a_thing_once() -> None:
    twice = {"imagePullSecrets": [{"name": "x"}, {"name": "x"}], "volumes": [{"secret": {"secretName": "x"}}]}
    wanted = referred(workload(twice), workload(twice, kind="DaemonSet"))
    assert [(one.user, one.what) for one in wanted] == [
        ("Deployment/hub", "pull secret"),
        ("Deployment/hub", "secret"),
        ("DaemonSet/hub", "pull secret"),
        ("DaemonSet/hub", "secret"),
    ]


@pytest.mark.parametrize(
    ("spec", "kind"),
    [
        ({"containers": [{"env": [{"valueFrom": {"secretKeyRef": {"name": "x", "key": "b"}}}]}]}, "Secret"),
        ({"initContainers": [{"env": [{"valueFrom": {"configMapKeyRef": {"name": "x", "key": "b"}}}]}]}, "ConfigMap"),
        ({"volumes": [{"secret": {"secretName": "x", "items": [{"key": "b", "path": "p"}]}}]}, "Secret"),
        (
            {"volumes": [{"projected": {"sources": [{"configMap": {"name": "x", "items": [{"key": "b"}]}}]}}]},
            "ConfigMap",
        ),
    ],
)
def test_an_object_without_the_entry_that_pods_ask_for(spec: dict[str, Any], kind: str) -> None:
    def told(**content: Any) -> list[str]:
        return [r.reason for r in references.missing(referred(workload(spec)), {Key(kind, "x"): content})]

    word = {"Secret": "secret", "ConfigMap": "config map"}[kind]
    why = f"{word} x has no key b, and its pods need it"
    assert told(data={"a": "t0p", "c": "t0p"}) == [f"{why} (it has: a, c)"]
    assert told(data=None) == told() == [f"{why} (it has: none)"]
    assert told(data={"b": ""}) == told(stringData={"b": ""}) == told(binaryData={"b": ""}) == []


def test_of_several_entries_each_is_looked_for_and_none_that_may_be_missing() -> None:
    items = {"secretName": "x", "items": [{"key": "a"}, {"key": "b"}]}
    there = {Key("Secret", "x"): {"data": {"c": ""}}}
    wanted = referred(workload({"volumes": [{"secret": items}]}))
    assert [r.reason.split(",")[0] for r in references.missing(wanted, there)] == [
        "secret x has no key a",
        "secret x has no key b",
    ]
    assert referred(workload({"volumes": [{"secret": {**items, "optional": True}}]})) == []

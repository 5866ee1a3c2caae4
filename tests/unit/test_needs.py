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


def test_a_class_of_the_other_sort_is_none() -> None:
    assert told(thing("Ingress", ingressClassName="fast"), OTHER) == [
        "Ingress/a: ingress class fast does not exist (there are: none)"
    ]
    claim = thing("PersistentVolumeClaim", storageClassName="fast")
    assert told(claim, thing("IngressClass", "fast"), thing("PersistentVolume", "fast")) == [
        "PersistentVolumeClaim/a: storage class fast does not exist (there are: none)"
    ]


@pytest.mark.parametrize("kind", ["ConfigMap", "Deployment", "StatefulSet"])
def test_other_kinds_name_no_class(kind: str) -> None:
    assert told(thing(kind, ingressClassName="nope", storageClassName="nope")) == []


@pytest.mark.parametrize("note", ["false", "", "True"])
def test_a_default_class_says_so_by_the_word_true(note: str) -> None:
    key = "storageclass.kubernetes.io/is-default-class"
    assert told(thing("PersistentVolumeClaim"), thing("StorageClass", "x", {key: note})) == [
        "PersistentVolumeClaim/a: there is no default storage class (there are: x)"
    ]
    assert told(thing("PersistentVolumeClaim"), thing("StorageClass", "x", {key: note}), DEFAULT) == []


def test_a_class_may_have_no_annotations_at_all() -> None:
    plain = {"kind": "StorageClass", "metadata": {"name": "x", "annotations": None}}
    assert told(thing("PersistentVolumeClaim"), plain) == [
        "PersistentVolumeClaim/a: there is no default storage class (there are: x)"
    ]
    assert told(thing("PersistentVolumeClaim")) == [
        "PersistentVolumeClaim/a: there is no default storage class (there are: none)"
    ]


def test_what_to_do_about_classes() -> None:
    touched = [
        thing("Ingress", ingressClassName="nope"),
        thing("PersistentVolumeClaim"),
        thing("PersistentVolumeClaim", storageClassName="nope"),
    ]
    storage = "pulumi config set hubStorageClass NAME, or hubDatabase memory"
    advice = [r.advice for r in needs.classes(touched, [])]
    assert advice == ["ingressClassName in the values file", storage, storage]


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
    assert [f"{one.what} {one.key.name}" for one in needs.referred([workload(spec)], [])] == found


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
    wanted = needs.referred([workload(spec)], [])
    assert [(one.key, one.user) for one in wanted] == [(Key(kind, "x"), "Deployment/hub")]
    (refusal,) = needs.missing(wanted, [Key(kind, "y"), Key("Service", "x")])
    assert refusal.about == "Deployment/hub"
    assert refusal.advice == f"make it first, or take its name out of the values file; kubectl get {plural}"


def test_each_user_misses_a_thing_once() -> None:
    twice = {"imagePullSecrets": [{"name": "x"}, {"name": "x"}], "volumes": [{"secret": {"secretName": "x"}}]}
    wanted = needs.referred([workload(twice), workload(twice, kind="DaemonSet")], [])
    assert [(one.user, one.what) for one in wanted] == [
        ("Deployment/hub", "pull secret"),
        ("Deployment/hub", "secret"),
        ("DaemonSet/hub", "pull secret"),
        ("DaemonSet/hub", "secret"),
    ]


@pytest.mark.parametrize("kind", ["Job", "CronJob", "Pod", "ReplicaSet"])
def test_only_workloads_that_stay_are_looked_at(kind: str) -> None:
    one = workload({"serviceAccountName": "x", "nodeSelector": {"a": "b"}}, kind=kind)
    assert needs.referred([one], []) == []
    assert list(needs.rooms([one], [NODE])) == []


NODE: dict[str, Any] = {
    "metadata": {"labels": {"labels": "none"}},
    "spec": {"taints": [{"key": "core", "effect": "NoSchedule"}]},
    "status": {"allocatable": {"cpu": "4"}},
}
ANYWHERE = [{"operator": "Exists"}]


@pytest.mark.parametrize(
    ("spec", "reason", "advice"),
    [
        (
            {"nodeSelector": {"a": "b"}},
            "no node has the labels {'a': 'b'}",
            "kubectl get nodes --show-labels; then coreNodeSelector; for a pool that starts empty: "
            'pulumi config set --path acceptedRisks.emptyNodePool "why"',
        ),
        (
            {},
            "every node that fits keeps it out: taint core:NoSchedule",
            "kubectl describe nodes; tolerations or resources in the values file",
        ),
        (
            {"tolerations": ANYWHERE, "containers": [{"resources": {"requests": {"cpu": 5}}}]},
            "no node is large enough: a pod asks for 5 cpu, the largest node has 4",
            "kubectl describe nodes; tolerations or resources in the values file",
        ),
    ],
)
def test_what_to_do_about_nodes(spec: dict[str, Any], reason: str, advice: str) -> None:
    (found,) = needs.rooms([workload(spec, kind="StatefulSet")], [NODE])
    assert (found.about, found.reason) == ("StatefulSet/hub", f"its pods cannot be scheduled: {reason}")
    assert found.advice == advice
    assert list(needs.later({"build": {"spec": spec}}, [NODE])) == [f"no build can be scheduled: {reason}"]


def test_who_finds_a_node_is_not_told() -> None:
    fine = workload({"tolerations": ANYWHERE})
    assert list(needs.rooms([fine], [NODE])) == []
    assert list(needs.later({"build": fine["spec"]["template"]}, [NODE])) == []
    assert list(needs.later({"build": {"spec": {"nodeSelector": {"a": "b"}}}}, [])) == []


def test_the_older_annotation_of_a_default_class_holds() -> None:
    note = {"storageclass.beta.kubernetes.io/is-default-class": "true"}
    assert told(thing("PersistentVolumeClaim"), thing("StorageClass", "x", note)) == []


@pytest.mark.parametrize("spec", [{}, {"storageClassName": ""}])
def test_a_volume_made_by_hand_serves_a_claim_without_a_class(spec: dict[str, str]) -> None:
    assert told(thing("PersistentVolumeClaim"), thing("PersistentVolume", "by-hand", **spec)) == []


@pytest.mark.parametrize(
    "taint",
    [
        {"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"},
        {"key": "node.kubernetes.io/not-ready", "effect": "NoExecute"},
        {"key": "node.kubernetes.io/memory-pressure", "effect": "NoSchedule"},
    ],
)
def test_pods_of_a_daemon_set_go_to_nodes_that_are_cordoned_or_not_well(taint: dict[str, str]) -> None:
    ill = {"metadata": {}, "spec": {"taints": [taint]}, "status": {}}
    assert list(needs.rooms([workload({}, kind="DaemonSet")], [ill])) == []

"""What a release counts on and the server does not check."""

from typing import Any

import pytest

from components import needs, references


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


@pytest.mark.parametrize("kind", ["Job", "CronJob", "Pod", "ReplicaSet"])
def test_only_workloads_that_stay_are_looked_at(kind: str) -> None:
    one = workload({"serviceAccountName": "x", "nodeSelector": {"a": "b"}}, kind=kind)
    assert references.templates([one]) == {}
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


def _node(name: str, *taints: str, **labels: str) -> dict[str, Any]:
    keys = [{"key": key, "effect": "NoSchedule"} for key in taints]
    return {"metadata": {"name": name, "labels": labels}, "spec": {"taints": keys}, "status": {}}


_NOT_READY, _PRESSURE = "node.kubernetes.io/not-ready", "node.kubernetes.io/disk-pressure"


@pytest.mark.parametrize(
    ("found", "waits"),
    [
        ([_node("a", _NOT_READY), _node("b", _NOT_READY, "core")], f"node a has taint {_NOT_READY}:NoSchedule"),
        ([_node("a", _NOT_READY, _PRESSURE), _node("b", _PRESSURE)], f"node b has taint {_PRESSURE}:NoSchedule"),
        ([_node("a", _NOT_READY), _node("b")], ""),
        ([_node("a", "core")], ""),
    ],
)
def test_a_passing_state_of_nodes_is_a_warning_with_their_names(found: list[dict[str, Any]], waits: str) -> None:
    one = workload({})
    told = list(needs.waiting([one], found))
    assert [waits in text and "pods of Deployment/hub must wait" in text for text in told] == ([True] if waits else [])
    assert bool(list(needs.rooms([one], found))) == (found[0]["spec"]["taints"][0]["key"] == "core")


def test_who_waits_is_told_once_for_all_and_only_if_it_has_pods() -> None:
    ill = [_node("a", _NOT_READY)]
    two = [workload({}), workload({}, kind="StatefulSet"), workload({}, replicas=0)]
    (told,) = needs.waiting(two, ill)
    assert told.startswith("pods of Deployment/hub, StatefulSet/hub must wait for a node: node a")


def by_hand(claimed_by: str = "") -> dict[str, Any]:
    claim = {"claimRef": {"name": claimed_by}} if claimed_by else {}
    return thing("PersistentVolume", "by-hand", storageClassName="manual", **claim)


@pytest.mark.parametrize(
    ("volumes", "free"),
    [
        ([], False),
        ([by_hand()], True),
        ([by_hand("db")], True),
        ([by_hand("other")], False),
        ([by_hand("other"), by_hand()], True),
    ],
)
def test_a_class_that_makes_no_volumes_needs_one_that_is_free(volumes: list[dict[str, Any]], free: bool) -> None:
    claim = thing("PersistentVolumeClaim", "db", storageClassName="manual")
    manual = {**thing("StorageClass", "manual"), "provisioner": "kubernetes.io/no-provisioner"}
    why = "storage class manual makes no volumes by itself, and none of that class is free"
    assert told(claim, manual, *volumes) == ([] if free else [f"PersistentVolumeClaim/db: {why}"])
    assert told(claim, {**manual, "provisioner": "ebs.csi.aws.com"}, *volumes) == []


@pytest.mark.parametrize(
    ("volume", "fits"),
    [
        ({"capacity": {"storage": "10Gi"}, "accessModes": ["ReadWriteOnce", "ReadOnlyMany"]}, True),
        ({"capacity": {"storage": "1Gi"}}, True),
        ({"capacity": {"storage": "999Mi"}}, False),
        ({"capacity": {"storage": "lots"}}, True),
        ({"accessModes": ["ReadWriteMany"]}, False),
    ],
)
def test_a_volume_must_be_large_enough_and_let_itself_be_used_so(volume: dict[str, Any], fits: bool) -> None:
    asked = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    claim = thing("PersistentVolumeClaim", "db", storageClassName="manual", **asked)
    manual = {**thing("StorageClass", "manual"), "provisioner": "kubernetes.io/no-provisioner"}
    one = thing("PersistentVolume", storageClassName="manual", **volume)
    assert (told(claim, manual, one) == []) is fits


@pytest.mark.parametrize(
    "image",
    [
        "nginx", "nginx:1.2", "library/nginx", "quay.io/jupyterhub/k8s-hub:4.3.1-0.dev.git.1", "localhost:5000/a/b",
        "Registry.Example.org/a", "[::1]:5000/a", "a__b/c.d/e--f", "a@sha256:" + "0" * 64, "a:v1@sha256:" + "0" * 64,
        "europe-docker.pkg.dev/p-1/r/binder-dev-x:abc", "gcr.io/google_containers/pause:3.2", "",
    ],
)  # fmt: skip
def test_names_of_images(image: str) -> None:
    assert list(needs.images([workload({"containers": [{"image": image}]})])) == []


@pytest.mark.parametrize(
    "image",
    ["My Image", "quay.io/Foo/bar", "a:b:c", "a/", "/a", "a//b", "a:-x", "https://a/b", "a@sha256:12", "a___b", "ä"],
)
def test_what_no_image_can_be_called(image: str) -> None:
    for kind in ("containers", "initContainers"):
        (found,) = needs.images([workload({kind: [{"image": image}]}), thing("ConfigMap")])
        assert found.about == "Deployment/hub"
        assert found.reason.startswith(f'no image can be called "{image}": ')

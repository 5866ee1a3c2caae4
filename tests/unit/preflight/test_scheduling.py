"""Whether a pod finds a node."""

from typing import Any

import pytest

from preflight import scheduling
from preflight.scheduling import explain_unschedulable


def container(**requests: Any) -> dict[str, Any]:
    return {"resources": {"requests": {name.replace("_", "-"): amount for name, amount in requests.items()}}}


def pod(*containers: dict[str, Any], **spec: Any) -> dict[str, Any]:
    return {"spec": {"containers": list(containers), **spec}}


def node(labels: dict[str, str] | None = None, taints: Any = (), name: str = "n1", **room: str) -> dict[str, Any]:
    return {
        "metadata": {"name": name, "labels": labels or {}},
        "spec": {"taints": list(taints)},
        "status": {"allocatable": {name.replace("_", "-"): amount for name, amount in room.items()}},
    }


def taint(key: str, effect: str = "NoSchedule", **more: Any) -> dict[str, Any]:
    return {"key": key, "effect": effect, **more}


def workload(template: dict[str, Any], kind: str = "Deployment", **spec: Any) -> dict[str, Any]:
    return {"kind": kind, "metadata": {"name": "hub"}, "spec": {"template": template, **spec}}


CORE, USERS = {"pool": "core"}, {"pool": "users"}
DEDICATED = taint("dedicated", value="core")
BIG = pod(container(memory="16Gi"))
BARE: list[dict[str, Any]] = [
    {"metadata": {}, "spec": {}, "status": {}},
    {"metadata": {"labels": None}, "spec": {"taints": None}, "status": {"allocatable": None}},
]


@pytest.mark.parametrize("bare", BARE)
@pytest.mark.parametrize(
    ("wanted", "why"),
    [
        (pod(), ""),
        (pod(nodeSelector=None, tolerations=None, affinity=None), ""),
        (pod(affinity={"podAffinity": {}}), ""),
        (pod(affinity={"nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [{"weight": 1}]}}), ""),
        (BIG, ""),
        (pod(nodeSelector=CORE), "no node has the labels {'pool': 'core'}"),
    ],
)
def test_a_node_that_says_nothing_has_no_labels_and_any_size(bare: Any, wanted: Any, why: str) -> None:
    assert explain_unschedulable(wanted, [bare]) == why


@pytest.mark.parametrize(
    ("labels", "fits"),
    [(USERS, False), (CORE, False), ({**CORE, "zone": "b"}, False), ({**CORE, "zone": "a", "x": "y"}, True)],
)
def test_all_labels_must_be_there_with_their_values(labels: dict[str, str], fits: bool) -> None:
    wanted = pod(nodeSelector={"pool": "core", "zone": "a"})
    why = explain_unschedulable(wanted, [node({"zone": "a"}), node(labels)])
    assert why == ("" if fits else "no node has the labels {'pool': 'core', 'zone': 'a'}")


EVICTING = taint("a", "NoExecute")


@pytest.mark.parametrize(
    ("of_node", "toleration", "tolerated"),
    [
        *((DEDICATED, toleration, True) for toleration in (
            {"key": "dedicated", "operator": "Equal", "value": "core", "effect": "NoSchedule"},
            {"key": "dedicated", "value": "core"}, {"key": "dedicated", "operator": "Exists"},
            {"operator": "Exists"}, {"key": "", "operator": "Exists", "effect": ""},
        )),
        *((DEDICATED, toleration, False) for toleration in (
            {"key": "dedicated"}, {"key": "dedicated", "value": "users"}, {"key": "other", "value": "core"}, {},
            {"key": "other", "operator": "Exists"}, {"key": "dedicated", "operator": "Exists", "effect": "NoExecute"},
        )),
        (EVICTING, {"key": "a"}, True),
        ({**EVICTING, "value": ""}, {"key": "a"}, True),
        (EVICTING, {"key": "a", "operator": "Equal", "value": "", "effect": None}, True),
        (EVICTING, {"key": "a", "value": "x"}, False),
        (EVICTING, {"operator": "Exists", "effect": "NoExecute"}, True),
        (EVICTING, {"operator": "Exists", "effect": "NoSchedule"}, False),
    ],
)  # fmt: skip
def test_taints_and_tolerations(of_node: dict[str, Any], toleration: dict[str, Any], tolerated: bool) -> None:
    why = explain_unschedulable(pod(tolerations=[toleration]), [node(taints=[of_node])])
    told = "dedicated=core:NoSchedule" if of_node is DEDICATED else "a:NoExecute"
    assert why == ("" if tolerated else f"every node that fits keeps it out: taint {told}")


CORDON = taint("node.kubernetes.io/unschedulable")
TWO = [taint("b"), taint("a", "NoExecute", value="x")]


@pytest.mark.parametrize(
    ("tolerated", "nodes", "taints"),
    [
        ("", [node(taints=TWO), node(taints=TWO[:1])], "taint a=x:NoExecute, taint b:NoSchedule"),
        ("a", [node(taints=TWO)], "taint b:NoSchedule"),
        ("ab", [node(taints=TWO)], ""),
        ("", [node(taints=TWO), node()], ""),
        ("", [node(taints=[taint("a", "PreferNoSchedule")])], ""),
        ("", [node(taints=[taint("node.kubernetes.io/not-ready"), taint("a")])], "taint a:NoSchedule"),
        ("", [node(taints=[CORDON])], "taint node.kubernetes.io/unschedulable:NoSchedule"),
    ],
)  # fmt: skip
def test_every_taint_of_a_node_must_be_tolerated_or_passing(tolerated: str, nodes: list[Any], taints: str) -> None:
    why = explain_unschedulable(pod(tolerations=[{"operator": "Exists", "key": key} for key in tolerated]), nodes)
    assert why == (f"every node that fits keeps it out: {taints}" if taints else "")


def test_only_nodes_with_the_labels_are_looked_at_and_only_the_size_of_those_that_let_the_pod_in() -> None:
    away = node(USERS, [DEDICATED], memory="64Gi")
    assert explain_unschedulable(pod(nodeSelector=CORE), [away, node(CORE)]) == ""
    assert "dedicated=core" in explain_unschedulable(pod(nodeSelector=USERS), [away, node(CORE)])
    assert explain_unschedulable(BIG, [away, node(memory="8Gi")]).endswith("16Gi memory, the largest node has 8Gi")


@pytest.mark.parametrize(
    ("asked", "nodes", "why"),
    [
        ({"memory": "16Gi"}, [{"memory": "8Gi"}, {"memory": "12Gi"}], "16Gi memory, the largest node has 12Gi"),
        ({"memory": "16Gi"}, [{"memory": "8Gi"}, {"memory": "16Gi"}], ""),
        ({"cpu": "4", "memory": "16Gi"}, [{"cpu": "4", "memory": "8Gi"}], "16Gi memory, the largest node has 8Gi"),
        ({"cpu": "4"}, [{"cpu": "3920m"}], "4 cpu, the largest node has 3.92"),
        ({"ephemeral_storage": "8Gi"}, [{"ephemeral_storage": "8150Mi"}],
         "8192Mi ephemeral-storage, the largest node has 8150Mi"),
        ({"nvidia.com/gpu": 1}, [{"cpu": "4", "memory": "8Gi"}], "1 nvidia.com/gpu, the largest node has 0"),
        ({"cpu": "5"}, [{"cpu": "4"}, {}], ""),
    ],
)  # fmt: skip
def test_size(asked: dict[str, Any], nodes: list[dict[str, str]], why: str) -> None:
    found = explain_unschedulable(pod(container(**asked)), [node(**room) for room in nodes])
    assert found == (f"no node is large enough: a pod asks for {why}" if why else "")


def test_a_node_must_be_large_enough_for_all_together() -> None:
    apart = [node(cpu="4", memory="1Gi"), node(cpu="1", memory="4Gi")]
    why = explain_unschedulable(pod(container(cpu="3", memory="3Gi")), apart)
    assert why == "no node is large enough for all that a pod asks for together"


def held_to(*terms: dict[str, Any], **more: Any) -> dict[str, Any]:
    required = {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": list(terms)}}
    return pod(affinity={"nodeAffinity": required}, **more)


def expression(key: str, operator: str, *values: str) -> dict[str, Any]:
    return {"matchExpressions": [{"key": key, "operator": operator, **({"values": list(values)} if values else {})}]}


def called(*names: str) -> dict[str, Any]:
    return {"matchFields": [{"key": "metadata.name", "operator": "In", "values": list(names)}]}


SSD = expression("disk", "In", "ssd", "nvme")


@pytest.mark.parametrize(
    ("terms", "fits"),
    [
        ([SSD, expression("disk", "NotIn", "hdd"), expression("other", "NotIn", "hdd"), expression("disk", "Exists"),
          expression("other", "DoesNotExist"), expression("size", "Gt", "4"), expression("size", "Lt", "9"),
          called("n1")], True),
        ([expression("disk", "In", "hdd"), expression("other", "In", "ssd"), expression("disk", "NotIn", "ssd"),
          expression("other", "Exists"), expression("disk", "DoesNotExist"), expression("size", "Gt", "8"),
          expression("size", "Lt", "8"), expression("disk", "Gt", "4"), expression("other", "Lt", "4"),
          called("n2"), {**SSD, **called()}, {}], False),
    ],
)  # fmt: skip
def test_required_node_affinity(terms: list[dict[str, Any]], fits: bool) -> None:
    one, other = node({"disk": "ssd", "size": "8"}), node({"x": "y"}, [DEDICATED], "n3")
    assert [explain_unschedulable(held_to(term), [one]) == "" for term in terms] == [fits] * len(terms)
    assert explain_unschedulable(held_to(*terms, SSD), [one]) == "", "one term is enough"
    assert explain_unschedulable(held_to(SSD), [other, one]) == ""


@pytest.mark.parametrize(
    ("terms", "words"),
    [
        ([SSD, {}], "disk In ssd, nvme or an empty term"),
        ([{**expression("disk", "Exists"), **called("n2")}], "disk Exists and metadata.name In n2"),
        ([], ""),
    ],
)
def test_affinity_and_selector_must_both_hold(terms: list[dict[str, Any]], words: str) -> None:
    apart = [node({"disk": "ssd"}), node(CORE)]
    why = explain_unschedulable(held_to(*terms, nodeSelector=CORE), apart)
    assert why == f"no node has the labels that its affinity requires: {words}"


# --- what is told of workloads and of spawned pods --------------------------------------------------------------------

GUARDED = node(taints=[taint("core")], cpu="4")
PICKY, SHUT_OUT = pod(nodeSelector=CORE), pod()
HUGE = pod(container(cpu="5"), tolerations=[{"operator": "Exists"}])


@pytest.mark.parametrize("kind", ["Deployment", "StatefulSet", "DaemonSet"])
@pytest.mark.parametrize(
    ("template", "reason", "advice"),
    [
        (PICKY, "no node has the labels {'pool': 'core'}", "acceptedRisks.emptyNodePool"),
        (SHUT_OUT, "every node that fits keeps it out: taint core:NoSchedule", "kubectl describe nodes;"),
        (HUGE, "no node is large enough: a pod asks for 5 cpu, the largest node has 4", "kubectl describe nodes;"),
    ],
)
def test_who_finds_no_node(kind: str, template: dict[str, Any], reason: str, advice: str) -> None:
    one = workload(template, kind)
    found = [(v.about, v.reason, advice in v.advice) for v in scheduling.unschedulable([one], [GUARDED])]
    idle = list(scheduling.idle([one], [GUARDED]))
    if kind == "DaemonSet" and template is not HUGE:
        assert (found, idle) == ([], [f"DaemonSet/hub would have no pod: {reason}"])
    else:
        assert (found, idle) == ([(f"{kind}/hub", f"its pods cannot be scheduled: {reason}", True)], [])
    assert list(scheduling.spawned({"build": template}, [GUARDED])) == [f"no build can be scheduled: {reason}"]


NOT_READY, PRESSURE = taint("node.kubernetes.io/not-ready"), taint("node.kubernetes.io/disk-pressure")


@pytest.mark.parametrize(
    ("one", "nodes"),
    [
        (workload(pod(tolerations=[{"operator": "Exists"}])), [GUARDED]),
        (workload(PICKY), []),
        (workload(PICKY, replicas=0), [node(taints=[NOT_READY])]),
        (workload(PICKY, "Job"), [node(taints=[NOT_READY])]),
        ({"kind": "ConfigMap", "metadata": {"name": "a"}}, [node(taints=[NOT_READY])]),
        (workload(pod(tolerations=[{"key": "core"}]), "DaemonSet"), [node(taints=[taint("core"), CORDON])]),
        *(
            (workload(pod(), "DaemonSet"), [node(taints=[taint(f"node.kubernetes.io/{what}", "NoExecute", value="x")])])
            for what in ("not-ready", "unreachable", "unschedulable",
                         "disk-pressure", "memory-pressure", "pid-pressure")
        ),
    ],
)  # fmt: skip
def test_of_whom_nothing_is_told(one: dict[str, Any], nodes: list[Any]) -> None:
    assert list(scheduling.unschedulable([one], nodes)) == list(scheduling.idle([one], nodes)) == []
    assert list(scheduling.waiting([one], nodes)) == []
    some = [PICKY, []], [pod(), [node(taints=[NOT_READY])]]
    assert [list(scheduling.spawned({"build": template}, there)) for template, there in some] == [[], []]


@pytest.mark.parametrize(
    ("nodes", "waits"),
    [
        ([node(taints=[NOT_READY], name="a"), node(taints=[NOT_READY, taint("core")], name="b")],
         "node a has taint node.kubernetes.io/not-ready:NoSchedule"),
        ([node(taints=[taint("x", "PreferNoSchedule"), NOT_READY, PRESSURE], name="a"),
          node(taints=[PRESSURE], name="b")],
         "node a has taint node.kubernetes.io/not-ready:NoSchedule, taint node.kubernetes.io/disk-pressure:NoSchedule; "
         "node b has taint node.kubernetes.io/disk-pressure:NoSchedule"),
        ([node(taints=[NOT_READY]), node()], ""),
        ([GUARDED], ""),
    ],
)  # fmt: skip
def test_a_passing_state_of_nodes_is_a_warning_with_their_names(nodes: list[Any], waits: str) -> None:
    told = f"pods of Deployment/hub must wait for a node: {waits}, which Kubernetes takes away by itself"
    assert list(scheduling.waiting([workload(pod())], nodes)) == ([told] if waits else [])
    assert bool(list(scheduling.unschedulable([workload(pod())], nodes))) == (nodes == [GUARDED])


@pytest.mark.parametrize(
    "key",
    [
        *(f"node.kubernetes.io/{name}-pressure" for name in ("memory", "disk", "pid")),
        *(f"node.kubernetes.io/{name}" for name in ("not-ready", "unreachable", "network-unavailable")),
        "node.cloudprovider.kubernetes.io/uninitialized",
    ],
)
def test_taints_that_kubernetes_takes_away_by_itself(key: str) -> None:
    nodes = [node(taints=[taint(key)])]
    assert explain_unschedulable(pod(), nodes) == ""
    assert key in "".join(scheduling.waiting([workload(pod())], nodes))


def test_who_waits_for_the_same_nodes_is_told_once() -> None:
    nodes = [node(USERS, [NOT_READY], "a"), node(CORE, [PRESSURE], "b")]
    some = [workload(pod(nodeSelector=labels), kind) for labels, kind in
            ((CORE, "Deployment"), (USERS, "Deployment"), (CORE, "StatefulSet"))]  # fmt: skip
    assert [text.partition(" has")[0] for text in scheduling.waiting(some, nodes)] == [
        "pods of Deployment/hub, StatefulSet/hub must wait for a node: node b",
        "pods of Deployment/hub must wait for a node: node a",
    ]

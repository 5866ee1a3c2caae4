"""Whether a pod finds a node."""

from typing import Any

import pytest

from preflight import scheduling
from preflight.violations import Finding, Violation


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


def why(template: dict[str, Any], nodes: list[dict[str, Any]]) -> str:
    """Return why no node can take a pod."""
    obstacle = scheduling.explain_unschedulable(template, nodes)
    return obstacle.reason if obstacle else ""


def check(one: dict[str, Any], nodes: list[dict[str, Any]]) -> list[Finding]:
    return list(scheduling.check([one], {}, nodes))


def held_to(*terms: dict[str, Any], **more: Any) -> dict[str, Any]:
    required = {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": list(terms)}}
    return pod(affinity={"nodeAffinity": required}, **more)


def expression(key: str, operator: str, *values: str) -> dict[str, Any]:
    return {"matchExpressions": [{"key": key, "operator": operator, **({"values": list(values)} if values else {})}]}


def called(*names: str) -> dict[str, Any]:
    return {"matchFields": [{"key": "metadata.name", "operator": "In", "values": list(names)}]}


CORE, USERS, ZONE = {"pool": "core"}, {"pool": "users"}, {"pool": "core", "zone": "a"}
DEDICATED, NOT_READY = taint("dedicated", value="core"), taint("node.kubernetes.io/not-ready")
CORDON, PRESSURE = taint("node.kubernetes.io/unschedulable"), taint("node.kubernetes.io/disk-pressure")
SSD = expression("disk", "In", "ssd", "nvme")
BIG = pod(container(memory="16Gi"))
BARE = {"metadata": {}, "spec": {}, "status": {}}
EMPTY = {"metadata": {"labels": None}, "spec": {"taints": None}, "status": {"allocatable": None}}
TWO = [taint("b"), taint("a", "NoExecute", value="x")]
NO_LABELS = "no node has the labels {'pool': 'core'}"
AFFINITY, OUT = "no node has the labels that its affinity requires: ", "every node that fits keeps it out: taint "
PREFERRED = {"nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [{"weight": 1}]}}
SMALL = "no node is large enough: a pod asks for "


@pytest.mark.parametrize(
    ("wanted", "nodes", "told"),
    [
        # A node that says nothing has no labels and any size.
        *((wanted, [bare], "") for bare in (BARE, EMPTY) for wanted in (
            pod(), pod(nodeSelector=None, tolerations=None, affinity=None), pod(affinity={"podAffinity": {}}),
            pod(affinity=PREFERRED), BIG,
        )),
        *((pod(nodeSelector=CORE), [bare], NO_LABELS) for bare in (BARE, EMPTY)),
        # All labels must be there, with their values.
        (pod(nodeSelector=CORE), [node(USERS)], NO_LABELS), (pod(nodeSelector=CORE), [node(), node(ZONE)], ""),
        (pod(nodeSelector=ZONE), [node(CORE), node({"zone": "a"})], f"no node has the labels {ZONE}"),
        # Selector and affinity must both hold.
        (held_to(SSD, {}, nodeSelector=CORE), [node({"disk": "ssd"}), node(CORE)],
         f"{AFFINITY}disk In ssd, nvme or an empty term"),
        (held_to({**expression("disk", "Exists"), **called("n2")}), [node({"disk": "ssd"})],
         f"{AFFINITY}disk Exists and metadata.name In n2"),
        # Every taint must be tolerated, or pass by itself.
        (pod(), [node(taints=TWO), node(taints=TWO[:1])], f"{OUT}a=x:NoExecute, taint b:NoSchedule"),
        (pod(tolerations=[{"operator": "Exists", "key": "a"}]), [node(taints=TWO)], f"{OUT}b:NoSchedule"),
        (pod(), [node(taints=TWO), node()], ""), (pod(), [node(taints=[taint("a", "PreferNoSchedule")])], ""),
        (pod(), [node(taints=[NOT_READY, taint("a")])], f"{OUT}a:NoSchedule"), (pod(), [node(taints=[NOT_READY])], ""),
        (pod(), [node(taints=[CORDON])], f"{OUT}node.kubernetes.io/unschedulable:NoSchedule"),
        # Only nodes with the labels are looked at, and only the size of those that let the pod in.
        (pod(nodeSelector=CORE), [node(USERS, [DEDICATED]), node(CORE)], ""),
        (pod(nodeSelector=USERS), [node(USERS, [DEDICATED]), node(CORE)], f"{OUT}dedicated=core:NoSchedule"),
        (BIG, [node(taints=[DEDICATED], memory="64Gi"), node(memory="8Gi")],
         f"{SMALL}16Gi memory, the largest node has 8Gi"),
        # Size.
        (BIG, [node(memory="8Gi"), node(memory="12Gi")], f"{SMALL}16Gi memory, the largest node has 12Gi"),
        (BIG, [node(memory="8Gi"), node(memory="16Gi")], ""),
        (pod(container(cpu="4", memory="16Gi")), [node(cpu="4", memory="8Gi")],
         f"{SMALL}16Gi memory, the largest node has 8Gi"),
        (pod(container(cpu="4")), [node(cpu="3920m")], f"{SMALL}4 cpu, the largest node has 3.92"),
        (pod(container(**{"nvidia.com/gpu": 1})), [node(cpu="4")], f"{SMALL}1 nvidia.com/gpu, the largest node has 0"),
        (pod(container(cpu="5")), [node(cpu="4"), node()], ""),
        (pod(container(cpu="3", memory="3Gi")), [node(cpu="4", memory="1Gi"), node(cpu="1", memory="4Gi")],
         "no node is large enough for all that a pod asks for together"),
    ],
)  # fmt: skip
def test_why_no_node_takes_a_pod(wanted: Any, nodes: list[Any], told: str) -> None:
    assert why(wanted, nodes) == told


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
        (EVICTING, {"key": "a"}, True), ({**EVICTING, "value": ""}, {"key": "a"}, True),
        (EVICTING, {"key": "a", "operator": "Equal", "value": "", "effect": None}, True),
        (EVICTING, {"key": "a", "value": "x"}, False), (EVICTING, {"operator": "Exists", "effect": "NoExecute"}, True),
        (EVICTING, {"operator": "Exists", "effect": "NoSchedule"}, False),
    ],
)  # fmt: skip
def test_taints_and_tolerations(of_node: dict[str, Any], toleration: dict[str, Any], tolerated: bool) -> None:
    assert (why(pod(tolerations=[toleration]), [node(taints=[of_node])]) == "") is tolerated


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
    assert [why(held_to(term), [one]) == "" for term in terms] == [fits] * len(terms)
    assert why(held_to(*terms, SSD), [one]) == "", "one term is enough"
    assert why(held_to(SSD), [other, one]) == ""


# --- what is told of workloads and of spawned pods --------------------------------------------------------------------

GUARDED = node(taints=[taint("core")], cpu="4")
PICKY, SHUT_OUT = pod(nodeSelector=CORE), pod()
HUGE = pod(container(cpu="5"), tolerations=[{"operator": "Exists"}])


@pytest.mark.parametrize(
    ("taints", "advice"),
    [
        ([[CORDON]], "kubectl uncordon"), ([[CORDON], [CORDON, taint("core")]], "kubectl uncordon"),
        # Where a cordon is not all that is in the way, it alone is no help.
        ([[CORDON, taint("core")]], "kubectl describe nodes"),
    ],
)  # fmt: skip
def test_nodes_that_are_all_cordoned(taints: list[list[dict[str, str]]], advice: str) -> None:
    (found,) = check(workload(pod()), [node(taints=some) for some in taints])
    assert isinstance(found, Violation)
    assert found.advice.startswith(advice)


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
    (found,) = check(workload(template, kind), [GUARDED])
    if kind == "DaemonSet" and template is not HUGE:
        assert found == f"DaemonSet/hub would have no pod: {reason}"
    else:
        assert isinstance(found, Violation)
        assert (found.about, found.reason) == (f"{kind}/hub", f"its pods cannot be scheduled: {reason}")
        assert advice in found.advice
    spawned = scheduling.check([], {"build": template}, [GUARDED])
    assert list(spawned) == [f"no build can be scheduled: {reason}"]


@pytest.mark.parametrize(
    ("one", "nodes"),
    [
        (workload(pod(tolerations=[{"operator": "Exists"}])), [GUARDED]),
        (workload(PICKY), []),
        (workload(PICKY, replicas=0), [GUARDED]),
        (workload(PICKY, "Job"), [GUARDED]),
        (workload(pod(tolerations=[{"key": "core"}]), "DaemonSet"), [node(taints=[taint("core"), CORDON])]),
        (workload(pod(), "DaemonSet"), [node(taints=[NOT_READY])]),
    ],
)
def test_of_whom_nothing_is_told(one: dict[str, Any], nodes: list[Any]) -> None:
    assert check(one, nodes) == []
    assert list(scheduling.check([], {"build": PICKY}, [])) == []


@pytest.mark.parametrize(
    ("nodes", "states"),
    [
        ([node(taints=[NOT_READY], name="a"), node(taints=[NOT_READY, taint("core")], name="b")],
         "node a has taint node.kubernetes.io/not-ready:NoSchedule"),
        ([node(taints=[taint("x", "PreferNoSchedule"), NOT_READY, PRESSURE], name="a"),
          node(taints=[PRESSURE], name="b")],
         "node a has taint node.kubernetes.io/not-ready:NoSchedule, taint node.kubernetes.io/disk-pressure:NoSchedule; "
         "node b has taint node.kubernetes.io/disk-pressure:NoSchedule"),
        *(([node(taints=[taint(key)])], f"node n1 has taint {key}:NoSchedule") for key in (
            *(f"node.kubernetes.io/{name}-pressure" for name in ("memory", "disk", "pid")),
            *(f"node.kubernetes.io/{name}" for name in ("not-ready", "unreachable", "network-unavailable")),
            "node.cloudprovider.kubernetes.io/uninitialized",
        )),
        ([node(taints=[NOT_READY]), node()], ""),
    ],
)  # fmt: skip
def test_a_passing_state_of_nodes_is_a_warning_with_their_names(nodes: list[Any], states: str) -> None:
    told = f"pods of Deployment/hub must wait for a node: {states}, which Kubernetes takes away by itself"
    assert check(workload(pod()), nodes) == ([told] if states else [])


def test_who_waits_for_the_same_nodes_is_told_once() -> None:
    nodes = [node(USERS, [NOT_READY], "a"), node(CORE, [PRESSURE], "b")]
    some = [workload(pod(nodeSelector=labels), kind) for labels, kind in
            ((CORE, "Deployment"), (USERS, "Deployment"), (CORE, "StatefulSet"))]  # fmt: skip
    assert [str(text).partition(" has")[0] for text in scheduling.check(some, {}, nodes)] == [
        "pods of Deployment/hub, StatefulSet/hub must wait for a node: node b",
        "pods of Deployment/hub must wait for a node: node a",
    ]

"""Quotas over a change as a whole."""

from decimal import Decimal
from typing import Any

import pytest

from components import quotas
from components.refusals import Refusal


def quota(hard: dict[str, str], used: dict[str, str] | None = None, **spec: Any) -> dict[str, Any]:
    return {"metadata": {"name": "q"}, "spec": {"hard": hard, **spec}, "status": {"used": used or {}}}


def thing(kind: str, version: str = "v1", **spec: Any) -> dict[str, Any]:
    return {"apiVersion": version, "kind": kind, "metadata": {"name": "a"}, "spec": spec}


def deployment(replicas: int = 1, memory: str = "1Gi", kind: str = "Deployment", **spec: Any) -> dict[str, Any]:
    pod = {"spec": {"containers": [{"resources": {"requests": {"memory": memory}}}]}}
    return thing(kind, "apps/v1", replicas=replicas, template=pod, **spec)


def told(hard: dict[str, str], more: dict[str, Any], used: dict[str, str] | None = None, **spec: Any) -> list[str]:
    amounts = {name: Decimal(amount) for name, amount in more.items()}
    return [r.reason for r in quotas.refusals([quota(hard, used, **spec)], amounts)]


def test_what_does_not_fit() -> None:
    hard = {"count/deployments.apps": "2"}
    assert told(hard, {"count/deployments.apps": 3}) == ["3 new deployments.apps do not fit: 2 allowed, 0 in use"]
    assert told(hard, {"count/deployments.apps": 1}, {"count/deployments.apps": "1"}) == []
    assert told(hard, {"count/deployments.apps": 0}, {"count/deployments.apps": "5"}) == []
    assert told(hard, {"services": 9}) == []


@pytest.mark.parametrize("scope", [{"scopes": ["BestEffort"]}, {"scopeSelector": {"matchExpressions": []}}])
def test_quotas_for_a_part_of_the_pods_are_the_servers_matter(scope: dict[str, Any]) -> None:
    assert told({"pods": "0"}, {"pods": 1}, **scope) == []


def test_what_the_server_said_is_not_said_again() -> None:
    more = {"services": Decimal(1), "secrets": Decimal(1)}
    said = [Refusal("", "exceeded quota: q, requested: services=1, used: services=0, limited: services=0")]
    found = quotas.refusals([quota({"services": "0", "secrets": "0"})], more, said)
    assert [r.reason.split(" do")[0] for r in found] == ["1 new secrets"]


def test_objects_count_by_the_names_that_quotas_use() -> None:
    claim = thing("PersistentVolumeClaim", resources={"requests": {"storage": "2Gi"}})
    balancer = thing("Service", type="LoadBalancer", ports=[{"port": 80}])
    got = quotas.of_objects([balancer, thing("Service"), thing("Ingress", "networking.k8s.io/v1"), claim])
    assert {name: int(amount) for name, amount in got.items() if amount} == {
        "count/services": 2,
        "services": 2,
        "services.loadbalancers": 1,
        "services.nodeports": 1,
        "count/ingresses.networking.k8s.io": 1,
        "count/persistentvolumeclaims": 1,
        "persistentvolumeclaims": 1,
        "requests.storage": 2 * 2**30,
    }


@pytest.mark.parametrize(
    ("old", "new", "pods", "gib"),
    [
        (None, deployment(2), 2, 2),
        (deployment(1), deployment(3), 2, 2),
        (deployment(2), deployment(2, memory="4Gi"), 0, 6),  # that there is room for a pod more, the server is asked
        (deployment(1), deployment(1, memory="4Gi", strategy={"type": "Recreate"}), 0, 3),
        (deployment(2, kind="StatefulSet"), deployment(2, memory="2Gi", kind="StatefulSet"), 0, 2),
        (None, deployment(3, kind="DaemonSet"), 0, 0),
    ],
)
def test_pods_count_beyond_those_that_give_way(old: Any, new: Any, pods: int, gib: int) -> None:
    got = quotas.of_pods([(old, new)])
    assert got.get("pods", 0) == got.get("count/pods", 0) == pods
    assert got.get("requests.memory", 0) == got.get("memory", 0) == gib * 2**30


def limit_range(**limit: Any) -> dict[str, Any]:
    return thing("LimitRange", limits=[{"type": "Container", **limit}])


def test_a_pod_counts_with_what_limit_ranges_add() -> None:
    limits = [limit_range(default={"cpu": "500m", "memory": "9Gi"}, defaultRequest={"cpu": "250m", "memory": "9Gi"})]
    got = quotas.of_pods([(None, deployment(2))], limits)
    assert (got["limits.cpu"], got["requests.cpu"]) == (1, Decimal("0.5"))
    assert (got["limits.memory"], got["requests.memory"]) == (18 * 2**30, 2 * 2**30)


@pytest.mark.parametrize(
    ("ranges", "limit", "request_"),
    [
        ([], 0, 0),
        ([limit_range()], 0, 0),
        ([limit_range(default=None, defaultRequest=None, max={"cpu": "4"})], 0, 0),
        ([{**limit_range(), "spec": {"limits": [{"type": "Pod", "default": {"cpu": "1"}}]}}], 0, 0),
        ([{**limit_range(), "spec": {"limits": None}}], 0, 0),
        ([limit_range(defaultRequest={"cpu": "1"})], 0, 1),
        ([limit_range(default={"cpu": "2"}), limit_range(default={"cpu": "9"}, defaultRequest={"cpu": "1"})], 2, 1),
    ],
)
def test_limit_ranges(ranges: list[Any], limit: int, request_: int) -> None:
    got = quotas.of_pods([(None, deployment())], ranges)
    assert (got["limits.cpu"], got["requests.cpu"]) == (limit, request_)


def test_a_limit_of_its_own_is_a_request_before_any_default() -> None:
    one = deployment()
    one["spec"]["template"]["spec"]["containers"] = [{"resources": {"limits": {"cpu": "2"}}}]
    got = quotas.of_pods([(None, one)], [limit_range(defaultRequest={"cpu": "1"})])
    assert (got["limits.cpu"], got["requests.cpu"]) == (2, 2)


def test_what_is_no_quantity_is_left_to_the_server() -> None:
    assert quotas.of_pods([(None, deployment(memory="lots"))])["pods"] == 1


def test_what_is_in_use_counts_and_what_just_fits_fits() -> None:
    assert told({"pods": "4"}, {"pods": 2}, {"pods": "3"}) == ["2 new pods do not fit: 4 allowed, 3 in use"]
    assert told({"pods": "4"}, {"pods": 2}, {"pods": "2"}) == []
    assert told({"pods": "0"}, {}) == told({"pods": "0"}, {}, {"pods": "9"}) == []
    assert told({"pods": "4"}, {"pods": -1}, {"pods": "9"}) == [], "nobody may be kept from taking pods away"
    assert told({"requests.memory": "4Gi"}, {"requests.memory": 2**31}, {"requests.memory": "2Gi"}) == []


@pytest.mark.parametrize("status", [{}, {"status": None}, {"status": {}}, {"status": {"used": None}}])
def test_a_quota_that_nobody_has_counted_yet_has_nothing_in_use(status: dict[str, Any]) -> None:
    quota = {"metadata": {"name": "q"}, "spec": {"hard": {"pods": "2"}}, **status}
    assert quotas.refusals([quota], {"pods": Decimal(2)}) == []
    (refusal,) = quotas.refusals([quota], {"pods": Decimal(3)})
    assert refusal == Refusal("ResourceQuota/q", "3 new pods do not fit: 2 allowed, 0 in use")


def test_a_quota_may_limit_nothing() -> None:
    assert quotas.refusals([{"metadata": {"name": "q"}, "spec": {"hard": None}}], {"pods": Decimal(3)}) == []
    assert quotas.refusals([{"metadata": {"name": "q"}, "spec": {}}], {"pods": Decimal(3)}) == []


def test_quotas_are_told_apart_by_their_names() -> None:
    both = [{**quota({"services": "0"}), "metadata": {"name": name}} for name in ("q", "qq")]
    said = [Refusal("", "exceeded quota: q, requested: services=1, used: services=0, limited: services=0")]
    assert [r.about for r in quotas.refusals(both, {"services": Decimal(1)}, said)] == ["ResourceQuota/qq"]
    words = Refusal("", "failed quota: q: must specify requests.memory")
    assert [r.about for r in quotas.refusals(both, {"services": Decimal(1)}, [words])] == [
        "ResourceQuota/q",
        "ResourceQuota/qq",
    ]


@pytest.mark.parametrize(
    ("kind", "short"),
    [
        ("ConfigMap", "configmaps"), ("PersistentVolumeClaim", "persistentvolumeclaims"), ("Secret", "secrets"),
        ("ReplicationController", "replicationcontrollers"), ("Service", "services"),
    ],
)  # fmt: skip
def test_some_kinds_have_two_names(kind: str, short: str) -> None:
    got = quotas.of_objects([thing(kind, resources={"requests": {"storage": "1Gi"}})])
    assert (got[short], got[f"count/{short}"]) == (1, 1)


def test_other_kinds_have_one_name_with_their_group() -> None:
    got = quotas.of_objects(
        [deployment(), {"apiVersion": "v1", "kind": "ServiceAccount"}, {**deployment(), "spec": None}]
    )
    assert got == {"count/deployments.apps": 2, "count/serviceaccounts": 1}


@pytest.mark.parametrize(
    ("kind", "balancers", "ports"),
    [(None, 0, 0), ("ClusterIP", 0, 0), ("ExternalName", 0, 0), ("NodePort", 0, 1), ("LoadBalancer", 1, 1)],
)
def test_services_by_their_type(kind: str | None, balancers: int, ports: int) -> None:
    service = thing("Service", ports=[{"port": 80}], **({"type": kind} if kind else {}))
    got = quotas.of_objects([service])
    assert (got["services.loadbalancers"], got["services.nodeports"]) == (balancers, ports)


def test_claims_add_up_and_one_that_is_no_quantity_is_left_to_the_server() -> None:
    sizes = ("1Gi", "512Mi", "lots")
    got = quotas.of_objects([thing("PersistentVolumeClaim", resources={"requests": {"storage": s}}) for s in sizes])
    assert (got["requests.storage"], got["persistentvolumeclaims"]) == (3 * 2**29, 3)


@pytest.mark.parametrize(
    ("workload", "first"),
    [
        (deployment(), False),
        (deployment(strategy=None), False),
        (deployment(strategy={"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 0}}), False),
        (deployment(strategy={"type": "Recreate"}), True),
        (deployment(kind="StatefulSet"), True),
        (deployment(kind="DaemonSet"), True),
        (thing("Job", "batch/v1"), False),
        (thing("ConfigMap"), False),
    ],
)
def test_who_ends_its_old_pods_first(workload: dict[str, Any], first: bool) -> None:
    assert quotas.takes_away_first(workload) is first


@pytest.mark.parametrize(
    ("old", "new", "pods", "gib"),
    [
        (deployment(3), deployment(1), -2, -2),
        (deployment(2), deployment(0), -2, -2),
        (deployment(2, memory="1Gi"), deployment(3, memory="4Gi"), 1, 10),
        (
            deployment(2, strategy={"type": "Recreate"}),
            deployment(1, memory="4Gi", strategy={"type": "Recreate"}),
            -1,
            2,
        ),
        (deployment(1), deployment(1, memory="3Gi", strategy={"type": "Recreate"}), 0, 2),
        (deployment(3, kind="StatefulSet"), deployment(1, kind="StatefulSet"), -2, -2),
        (deployment(1, kind="DaemonSet"), deployment(1, memory="9Gi", kind="DaemonSet"), 0, 0),
    ],
)
def test_pods_that_become_fewer_or_larger(old: Any, new: Any, pods: int, gib: int) -> None:
    got = quotas.of_pods([(old, new)])
    assert (got.get("pods", 0), got.get("requests.memory", 0)) == (pods, gib * 2**30)


def test_workloads_add_up_and_one_pod_is_what_nobody_counted() -> None:
    alone = deployment()
    del alone["spec"]["replicas"]
    got = quotas.of_pods([(None, alone), (None, deployment(2)), (deployment(1), deployment(0))])
    assert (got["pods"], got["memory"]) == (2, 2 * 2**30)


def test_what_is_asked_for_counts_by_all_the_names_that_quotas_use() -> None:
    asked = {"requests": {"cpu": "100m", "ephemeral-storage": "1Gi"}, "limits": {"cpu": "1", "memory": "1Gi"}}
    one = deployment(2)
    one["spec"]["template"]["spec"]["containers"] = [{"resources": asked}, {"resources": {"requests": {"cpu": "400m"}}}]
    got = {name: amount for name, amount in quotas.of_pods([(None, one)]).items() if amount}
    assert got == {
        "pods": 2, "count/pods": 2,
        "cpu": 1, "requests.cpu": 1, "limits.cpu": 2,
        "memory": 2**31, "requests.memory": 2**31, "limits.memory": 2**31,
        "ephemeral-storage": 2**31, "requests.ephemeral-storage": 2**31,
    }  # fmt: skip


@pytest.mark.parametrize(
    "pod",
    [
        {"spec": None}, {"spec": {"containers": None}}, {"spec": {"containers": [{}]}},
        {"spec": {"containers": [{"resources": None}]}},
        {"spec": {"containers": [{"resources": {"limits": None, "requests": None}}]}},
    ],
)  # fmt: skip
def test_a_pod_that_asks_for_nothing_is_a_pod_all_the_same(pod: dict[str, Any]) -> None:
    got = quotas.of_pods([(None, thing("Deployment", "apps/v1", replicas=3, template=pod))])
    assert {name: amount for name, amount in got.items() if amount} == {"pods": 3, "count/pods": 3}


RECREATED = deployment(1, strategy={"type": "Recreate"})


def test_the_pod_that_gives_way_had_what_a_limit_range_adds_too() -> None:
    old, new = ({**RECREATED, "spec": {**RECREATED["spec"], "template": {"spec": {"containers": [{"image": image}]}}}}
                for image in "ab")  # fmt: skip
    more = quotas.of_pods([(old, new)], [limit_range(default={"memory": "1Gi"})])
    assert quotas.refusals([quota({"limits.memory": "1Gi"}, {"limits.memory": "1Gi"})], more) == []


def test_what_comes_first_counts_where_it_asks_for_more() -> None:
    one = deployment(1, memory="1Gi")
    one["spec"]["template"]["spec"]["initContainers"] = [{"resources": {"requests": {"memory": "2Gi"}}}]
    assert quotas.of_pods([(None, one)])["requests.memory"] == 2**31


def test_each_port_of_a_service_is_a_node_port() -> None:
    service = thing("Service", type="NodePort", ports=[{"port": 80}, {"port": 443}])
    assert quotas.of_objects([service])["services.nodeports"] == 2
    service = thing("Service", type="LoadBalancer", ports=[{"port": 80}], allocateNodePorts=False)
    assert quotas.of_objects([service])["services.nodeports"] == 0


def test_a_name_that_ends_like_another_was_not_heard() -> None:
    said = [
        Refusal("", "exceeded quota: q, requested: limits.memory=2, used: limits.memory=0, limited: limits.memory=1")
    ]
    found = quotas.refusals([quota({"memory": "1"})], {"memory": Decimal(2)}, said)
    assert [r.about for r in found] == ["ResourceQuota/q"]


def test_replicas_that_are_null_are_one() -> None:
    assert quotas.of_pods([(None, thing("Deployment", "apps/v1", replicas=None, template={}))])["pods"] == 1


def test_a_claim_without_a_size_is_left_to_the_server() -> None:
    assert quotas.of_objects([thing("PersistentVolumeClaim")])["persistentvolumeclaims"] == 1

"""Quotas over a change as a whole."""

from decimal import Decimal
from typing import Any

import pytest

from preflight import quota
from preflight.violations import Violation

GIB = 2**30


def limited(hard: Any, used: Any = None, name: str = "q", **spec: Any) -> dict[str, Any]:
    return {"metadata": {"name": name, "namespace": "x"}, "spec": {"hard": hard, **spec}, "status": {"used": used}}


def thing(kind: str, version: str = "v1", **spec: Any) -> dict[str, Any]:
    return {"apiVersion": version, "kind": kind, "metadata": {"name": "a"}, "spec": spec}


def service(**spec: Any) -> dict[str, Any]:
    return thing("Service", **{"ports": [{"port": 80}, {"port": 443}], **spec})


def claim(size: str) -> dict[str, Any]:
    return thing("PersistentVolumeClaim", resources={"requests": {"storage": size}})


def pod(memory: str = "1Gi", phase: str = "Running", **labels: str) -> dict[str, Any]:
    container = {"resources": {"requests": {"memory": memory}}}
    return {"metadata": {"labels": labels}, "spec": {"containers": [container]}, "status": {"phase": phase}}


@pytest.mark.parametrize(
    ("hard", "used", "more", "text"),
    [
        ({"pods": "2"}, {}, {"pods": 3}, "3 new pods do not fit: 2 allowed, 0 in use"),
        ({"pods": "4"}, {"pods": "3"}, {"pods": 2}, "2 new pods do not fit: 4 allowed, 3 in use"),
        ({"pods": "4"}, {"pods": "2"}, {"pods": 2}, ""),
        ({"pods": "2"}, {}, {"pods": 2}, ""),
        ({"pods": "4"}, {"pods": "9"}, {"pods": 0}, ""),
        ({"pods": "4"}, {"pods": "9"}, {"pods": -1}, ""),  # nobody may be kept from taking pods away
        ({"pods": "4"}, {"pods": "9"}, {"services": 9}, ""),
        ({"count/deployments.apps": "0"}, None, {"count/deployments.apps": 1},
         "1 new deployments.apps do not fit: 0 allowed, 0 in use"),
        ({"requests.memory": "4Gi"}, {"requests.memory": "2Gi"}, {"requests.memory": 2 * GIB}, ""),
        ({"requests.memory": "4Gi"}, {"requests.memory": "3Gi"}, {"requests.memory": 2 * GIB},
         "2Gi new requests.memory do not fit: 4Gi allowed, 3Gi in use"),
        (None, None, {"pods": 3}, ""),
    ],
)  # fmt: skip
def test_what_does_not_fit(hard: Any, used: Any, more: dict[str, int], text: str) -> None:
    amounts = {name: Decimal(amount) for name, amount in more.items()}
    advice = "kubectl -n x describe resourcequota; have it raised, or ask for less"
    told = [Violation("ResourceQuota/q", text, advice)] if text else []
    assert list(quota.exceeded([limited(hard, used)], amounts)) == told
    if not used:
        assert list(quota.exceeded([{**limited(hard), "status": None}], amounts)) == told, "nobody has counted yet"


def test_quotas_for_a_part_of_the_pods_are_the_servers_matter_and_others_are_not() -> None:
    parts = [limited({"pods": "0"}, **scope) for scope in ({"scopes": ["Terminating"]}, {"scopeSelector": {"a": "b"}})]
    found = quota.exceeded([*parts, limited({"pods": "0"}, name="all")], {"pods": Decimal(1)})
    assert [violation.about for violation in found] == ["ResourceQuota/all"]


@pytest.mark.parametrize(
    ("objects", "amounts"),
    [
        ([thing("ServiceAccount"), *[thing("Deployment", "apps/v1")] * 2, thing("Ingress", "networking.k8s.io/v1")],
         {"count/serviceaccounts": 1, "count/deployments.apps": 2, "count/ingresses.networking.k8s.io": 1}),
        *(([thing(kind)], {f"count/{kind.lower()}s": 1, f"{kind.lower()}s": 1})
          for kind in ("ConfigMap", "PersistentVolumeClaim", "ReplicationController", "Secret", "Service")),
        ([claim("1Gi"), claim("512Mi")],
         {"count/persistentvolumeclaims": 2, "persistentvolumeclaims": 2, "requests.storage": 3 * 2**29}),
        *(([service(**spec)], {"count/services": 1, "services": 1, **more}) for spec, more in (
            ({"type": "ClusterIP"}, {}), ({"type": "NodePort", "ports": None}, {}),
            ({"type": "NodePort"}, {"services.nodeports": 2}),
            ({"type": "LoadBalancer"}, {"services.loadbalancers": 1, "services.nodeports": 2}),
            ({"type": "LoadBalancer", "allocateNodePorts": False}, {"services.loadbalancers": 1}),
        )),
    ],
)  # fmt: skip
def test_objects_count_by_the_names_that_quotas_use(objects: list[Any], amounts: dict[str, int]) -> None:
    assert {name: amount for name, amount in quota.of_objects(objects).items() if amount} == amounts


def test_what_a_pod_asks_for_counts_by_all_the_names_that_quotas_use() -> None:
    asked = {"requests": {"cpu": "100m", "ephemeral-storage": "1Gi"}, "limits": {"cpu": "1", "memory": "1Gi"}}
    assert quota.of_pod({"spec": {"containers": [{"resources": asked}, {"resources": {"requests": {"cpu": 1}}}]}}) == {
        "pods": 1, "count/pods": 1,
        "cpu": Decimal("1.1"), "requests.cpu": Decimal("1.1"), "limits.cpu": 1,
        "memory": GIB, "requests.memory": GIB, "limits.memory": GIB,
        "ephemeral-storage": GIB, "requests.ephemeral-storage": GIB, "limits.ephemeral-storage": 0,
    }  # fmt: skip


MINE, OTHER = pod(app="hub", x="y"), pod(app="proxy")


@pytest.mark.parametrize("kind", ["Deployment", "StatefulSet"])
@pytest.mark.parametrize(
    ("replicas", "memory", "running", "pods", "gib"),
    [
        (2, "1Gi", [], 2, 2),
        (None, "1Gi", [], 1, 1),
        (3, "1Gi", [MINE], 2, 2),
        (2, "4Gi", [MINE, MINE], 0, 6),
        (1, "1Gi", [MINE, MINE, MINE], -2, -2),
        (0, "1Gi", [MINE], -1, -1),
        (1, "1Gi", [OTHER, {**MINE, "metadata": {}}, pod(x="y")], 1, 1),
        (1, "1Gi", [pod(app="hub", phase="Succeeded"), pod(app="hub", phase="Failed")], 1, 1),
        (1, "1Gi", [pod(app="hub", phase="Pending"), {**MINE, "status": None}], -1, -1),
    ],
)
def test_a_workload_counts_beyond_its_pods_that_run(
    kind: str, replicas: int | None, memory: str, running: list[Any], pods: int, gib: int
) -> None:
    count = {} if replicas is None else {"replicas": replicas}
    one = thing(kind, "apps/v1", selector={"matchLabels": {"app": "hub"}}, **count)
    got = quota.of_workload(one, pod(memory), running)
    assert got["pods"] == got["count/pods"] == pods
    assert got["requests.memory"] == got["memory"] == gib * GIB


@pytest.mark.parametrize("selector", [{}, {"selector": None}, {"selector": {"matchExpressions": []}}])
def test_without_labels_to_select_by_no_pod_is_a_workloads_own(selector: dict[str, Any]) -> None:
    assert quota.of_workload(thing("Deployment", replicas=1, **selector), pod(), [MINE])["pods"] == 1
    assert quota.of_workload(thing("DaemonSet"), pod(), []) == {}, "how many pods it has is the nodes' matter"


@pytest.mark.parametrize(
    ("kind", "strategy", "first"),
    [
        ("Deployment", None, False), ("Deployment", "RollingUpdate", False), ("Deployment", "Recreate", True),
        ("StatefulSet", None, True), ("DaemonSet", None, True),
    ],
)  # fmt: skip
def test_who_ends_its_old_pods_first(kind: str, strategy: str | None, first: bool) -> None:
    given = {"type": strategy} if strategy else None
    assert quota.takes_away_first(thing(kind, "apps/v1", strategy=given)) is first


def container(kind: str = "requests", **more: Any) -> dict[str, Any]:
    return {"resources": {kind: {"memory": "1Gi"}, **more}}


@pytest.mark.parametrize(
    ("containers", "default", "exceeded"),
    [
        ([container()], {"memory": "512Mi"}, True), ([container()], {"memory": "1Gi"}, False),
        ([container()], {"cpu": "1m"}, False), ([container()], None, False),
        ([container(limits={"memory": "900Mi"})], {"memory": "512Mi"}, False),  # a limit of its own
        ([container(limits={"cpu": "1"})], {"memory": "512Mi"}, True),
        ([container("limits")], {"memory": "512Mi"}, False), ([{}, {"resources": None}], {"memory": "1"}, False),
        ([{}, container()], {"memory": "512Mi"}, True),
    ],
)  # fmt: skip
def test_a_default_limit_that_is_less_than_what_is_asked_for(containers: Any, default: Any, exceeded: bool) -> None:
    limits = [{"type": "Pod", "default": {"memory": "1"}}, {"type": "Container", "default": default}]
    assert quota.exceeds_default({"spec": {"containers": containers}}, {"spec": {"limits": limits}}) is exceeded

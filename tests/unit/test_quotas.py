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
    got = quotas.of_objects(
        [thing("Service", type="LoadBalancer"), thing("Service"), thing("Ingress", "networking.k8s.io/v1"), claim]
    )
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
        (deployment(2), deployment(2, memory="4Gi"), 0, 0),  # the one pod more is asked about by itself
        (deployment(1), deployment(1, memory="4Gi", strategy={"type": "Recreate"}), 0, 3),
        (deployment(2, kind="StatefulSet"), deployment(2, memory="2Gi", kind="StatefulSet"), 0, 2),
        (None, deployment(3, kind="DaemonSet"), 0, 0),
    ],
)
def test_pods_count_beyond_those_that_give_way(old: Any, new: Any, pods: int, gib: int) -> None:
    got = quotas.of_pods([(old, new)], {})
    assert got.get("pods", 0) == got.get("count/pods", 0) == pods
    assert got.get("requests.memory", 0) == got.get("memory", 0) == gib * 2**30


def test_a_pod_counts_as_the_server_would_store_it() -> None:
    admitted = {"a": {"spec": {"containers": [{"resources": {"limits": {"cpu": "500m"}}}]}}}
    got = quotas.of_pods([(None, deployment(2))], admitted)
    assert (got["limits.cpu"], got["requests.cpu"]) == (1, 1), "a limit is a request where no other is given"


def test_what_is_no_quantity_is_left_to_the_server() -> None:
    assert quotas.of_pods([(None, deployment(memory="lots"))], {})["pods"] == 1

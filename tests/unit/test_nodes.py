"""Whether a pod finds a node."""

from decimal import Decimal
from typing import Any

import pytest

from components import nodes


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("2", "2"), (2, "2"), (0.5, "0.5"), ("200m", "0.2"), ("1Ki", "1024"), ("1k", "1000"), ("1.5Gi", "1610612736"),
        ("2M", "2000000"), ("1e3", "1000"), ("5u", "0.000005"), ("1Ei", str(2**60)), ("1E", str(10**18)),
    ],
)  # fmt: skip
def test_quantities(text: object, number: str) -> None:
    assert nodes.quantity(text) == Decimal(number)


@pytest.mark.parametrize("text", ["lots", "", "1 Gi", "Gi", "1X", "1KiB"])
def test_what_is_no_quantity(text: str) -> None:
    with pytest.raises(ValueError, match=f"^{text.strip()}$"):
        nodes.quantity(text)


def container(**resources: Any) -> dict[str, Any]:
    return {"name": "a", "resources": resources}


def pod(*containers: dict[str, Any], **spec: Any) -> dict[str, Any]:
    return {"spec": {"containers": list(containers), **spec}}


def node(labels: dict[str, str] | None = None, taints: Any = (), **allocatable: str) -> dict[str, Any]:
    return {
        "metadata": {"labels": labels or {}},
        "spec": {"taints": list(taints)},
        "status": {"allocatable": allocatable or {"cpu": "4", "memory": "8Gi"}},
    }


def test_a_pod_asks_for_the_sum_of_its_containers_or_the_most_of_those_that_come_first() -> None:
    two = [container(requests={"cpu": "1"}), container(limits={"cpu": "2", "memory": "1Gi"}, requests={"cpu": "500m"})]
    assert nodes.requests(pod(*two)) == {"cpu": Decimal("1.5"), "memory": Decimal(2**30)}
    first = [container(requests={"cpu": "5"})]
    assert nodes.requests(pod(*two, initContainers=first))["cpu"] == Decimal(5)


def test_labels() -> None:
    wanted = pod(nodeSelector={"pool": "core"})
    assert nodes.why_none(wanted, [node({"pool": "users"})]) == "no node has the labels {'pool': 'core'}"
    assert nodes.why_none(wanted, [node({"pool": "users"}), node({"pool": "core", "a": "b"})]) == ""


NOBODY = {"key": "dedicated", "value": "core", "effect": "NoSchedule"}


@pytest.mark.parametrize(
    ("toleration", "in_"),
    [
        ({"key": "dedicated", "operator": "Equal", "value": "core", "effect": "NoSchedule"}, True),
        ({"key": "dedicated", "value": "core"}, True),
        ({"key": "dedicated", "operator": "Exists"}, True),
        ({"operator": "Exists"}, True),
        ({"key": "dedicated", "value": "users"}, False),
        ({"key": "other", "operator": "Exists"}, False),
        ({"key": "dedicated", "operator": "Exists", "effect": "NoExecute"}, False),
    ],
)
def test_taints_and_tolerations(toleration: dict[str, str], in_: bool) -> None:
    why = nodes.why_none(pod(tolerations=[toleration]), [node(taints=[NOBODY])])
    assert why == ("" if in_ else "every node that fits keeps it out: taint dedicated=core:NoSchedule")


def test_a_taint_that_only_prefers_keeps_nobody_out() -> None:
    assert nodes.why_none(pod(), [node(taints=[{**NOBODY, "effect": "PreferNoSchedule"}])]) == ""


def test_size() -> None:
    big = pod(container(requests={"memory": "16Gi"}))
    assert nodes.why_none(big, [node(), node(memory="12Gi")]) == (
        "no node is large enough: a pod asks for 16Gi memory, the largest node has 12Gi"
    )
    assert nodes.why_none(big, [node(), node(memory="16Gi")]) == ""
    both = pod(container(requests={"cpu": "3", "memory": "3Gi"}))
    apart = [node(cpu="4", memory="1Gi"), node(cpu="1", memory="4Gi")]
    assert nodes.why_none(both, apart) == "no node is large enough for all that a pod asks for together"
    assert nodes.why_none(pod(container(requests={"memory": "lots"})), [node()]) == ""

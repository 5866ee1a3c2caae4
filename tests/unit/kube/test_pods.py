"""What a pod is made of and asks for."""

from decimal import Decimal
from typing import Any

import pytest

from kube import pods

GIB = 2**30


def asking(**more: Any) -> dict[str, Any]:
    """Return a container that asks for resources."""
    return {"resources": {"requests": more}}


def sidecar(cpu: str) -> dict[str, Any]:
    return {**asking(cpu=cpu), "restartPolicy": "Always"}


BOTH = {"resources": {"limits": {"cpu": "2", "memory": "1Gi"}, "requests": {"cpu": "500m"}}}


@pytest.mark.parametrize(
    ("first", "beside", "asked"),
    [
        ([], [asking(cpu="1"), asking(cpu="500m")], {"cpu": Decimal("1.5")}),
        ([], [asking(cpu="1"), BOTH], {"cpu": Decimal("1.5"), "memory": GIB}),  # a limit counts where no request is
        ([asking(cpu="5")], [asking(cpu="1"), asking(memory="1Gi")], {"cpu": 5, "memory": GIB}),
        ([asking(cpu="3"), asking(cpu="5", memory="1Gi")], [asking(cpu="4")], {"cpu": 5, "memory": GIB}),
        ([asking(cpu="300m")], [], {"cpu": Decimal("0.3")}),
        ([sidecar("2")], [asking(cpu="3")], {"cpu": 5}),
        ([asking(cpu="5"), sidecar("2")], [], {"cpu": 5}),
        ([sidecar("2"), asking(cpu="5")], [], {"cpu": 7}),
        ([sidecar("2"), sidecar("2")], [], {"cpu": 4}),
    ],
)
def test_requests(first: list[Any], beside: list[Any], asked: dict[str, Any]) -> None:
    assert pods.requests({"spec": {"initContainers": first, "containers": beside}}) == asked


def test_limits_are_reckoned_by_themselves() -> None:
    assert pods.limits({"spec": {"containers": [BOTH, asking(memory="1Gi")]}}) == {"cpu": 2, "memory": GIB}


@pytest.mark.parametrize("container", [{}, {"resources": None}, {"resources": {"limits": None, "requests": None}}])
def test_a_pod_may_ask_for_nothing(container: dict[str, Any]) -> None:
    for pod in ({}, {"spec": None}, {"spec": {"containers": None, "initContainers": [container]}}):
        assert pods.requests(pod) == pods.limits(pod) == {}

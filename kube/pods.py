"""What a pod is made of and asks for. Pure functions over pods and pod templates as the API gives them."""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

from kube.manifests import Object
from kube.quantities import quantity, summed

Amounts = Mapping[str, Decimal]


def containers(pod: Object) -> list[Mapping[str, Any]]:
    """Return the containers of a pod, those first that initialize it."""
    spec = pod.get("spec") or {}
    return [*(spec.get("initContainers") or []), *(spec.get("containers") or [])]


def requests(pod: Object) -> dict[str, Decimal]:
    """Return what a pod asks for: resource (`cpu`, `memory`, ...) -> amount; limits count where no request is.

    Raises ValueError for what is no quantity.
    """
    return _of_pod(pod, ("limits", "requests"))


def limits(pod: Object) -> dict[str, Decimal]:
    """Return the limits of a pod: resource -> amount. Raises ValueError for what is no quantity."""
    return _of_pod(pod, ("limits",))


def _of_pod(pod: Object, parts: Iterable[str]) -> dict[str, Decimal]:
    """Containers run side by side. What initializes runs before them, one after another; a sidecar goes on running."""
    spec = pod.get("spec") or {}
    beside: Amounts = {}
    first: Amounts = {}
    for container in spec.get("initContainers") or []:
        now = summed([beside, _asked(container, parts)])
        if container.get("restartPolicy") == "Always":
            beside = now
        first = _most(first, now)
    together = summed([beside, *(_asked(container, parts) for container in spec.get("containers") or [])])
    return _most(together, first)


def _asked(container: Mapping[str, Any], parts: Iterable[str]) -> dict[str, Decimal]:
    resources = container.get("resources") or {}
    return {name: quantity(amount) for part in parts for name, amount in (resources.get(part) or {}).items()}


def _most(one: Amounts, other: Amounts) -> dict[str, Decimal]:
    return {name: max(one.get(name, Decimal(0)), other.get(name, Decimal(0))) for name in {**one, **other}}

"""Whether a namespace's quotas have room for a change as a whole: the server looks at each object alone.

Pure functions over ResourceQuotas, objects and pod templates as the API gives them.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

from components.nodes import quantity
from components.objects import WORKLOADS, Object
from components.refusals import Refusal, plural

# What a quota calls the kinds that it counts by a short name.
_SHORT: Final = ("ConfigMap", "PersistentVolumeClaim", "ReplicationController", "Secret", "Service")
_COMPUTE: Final = ("cpu", "memory", "ephemeral-storage")


def refusals(quotas: Iterable[Object], more: Mapping[str, Decimal], said: Iterable[Refusal] = ()) -> list[Refusal]:
    """Return what does not fit.

    `more` is what the change adds, by the names that quotas use; `said` is what the server said already, which is not
    said twice. Quotas for a part of the pods (scopes) are the server's own matter.
    """
    heard = [refusal.reason for refusal in said]
    found = []
    for quota in quotas:
        name, spec = quota["metadata"]["name"], quota["spec"]
        if spec.get("scopes") or spec.get("scopeSelector"):
            continue
        used = (quota.get("status") or {}).get("used") or {}
        for resource, hard in (spec.get("hard") or {}).items():
            wanted, have, limit = more.get(resource, Decimal(0)), quantity(used.get(resource, 0)), quantity(hard)
            if wanted > 0 and have + wanted > limit and not _heard(heard, name, resource):
                what = resource.removeprefix("count/")
                text = f"{wanted.normalize():f} new {what} do not fit: {hard} allowed, {used.get(resource, 0)} in use"
                found.append(Refusal(f"ResourceQuota/{name}", text))
    return found


def _heard(said: Iterable[str], quota: str, resource: str) -> bool:
    return any(f"quota: {quota}," in text and f"{resource}=" in text for text in said)


def of_objects(new: Iterable[Object]) -> dict[str, Decimal]:
    """Return what new objects themselves add to quotas."""
    total: Counter[str] = Counter()
    storage: dict[str, Decimal] = {}
    for one in new:
        group = one["apiVersion"].rpartition("/")[0]
        name = plural(one["kind"])
        total[f"count/{name}" + (f".{group}" if group else "")] += 1
        if one["kind"] in _SHORT:
            total[name] += 1
        if one["kind"] == "Service":
            kind = one["spec"].get("type", "ClusterIP")
            total["services.loadbalancers"] += kind == "LoadBalancer"
            total["services.nodeports"] += kind in ("LoadBalancer", "NodePort")
        if one["kind"] == "PersistentVolumeClaim":
            _add(storage, "requests.storage", one["spec"]["resources"]["requests"]["storage"], 1)
    return {name: Decimal(count) for name, count in total.items()} | storage


def of_pods(changed: Sequence[tuple[Object | None, Object]], admitted: Mapping[str, Object]) -> dict[str, Decimal]:
    """Return what the pods of changed workloads add to quotas, beyond those that run now.

    `changed` are workloads as (old or None, new). `admitted` are pods as the server would store them, by the names of
    their workloads: with what a LimitRange adds. DaemonSets are left out: how many pods they have is the nodes' matter.
    """
    more: dict[str, Decimal] = {}
    for old, new in changed:
        if new["kind"] == "DaemonSet":
            continue
        pod = admitted.get(new["metadata"]["name"]) or new["spec"]["template"]
        if old is None:
            _add_pods(more, pod, _replicas(new))
        elif takes_away_first(new):
            _add_pods(more, pod, _replicas(new))
            _add_pods(more, old["spec"]["template"], -_replicas(old))
        else:  # a rolling update's one pod more was asked about by itself
            _add_pods(more, pod, _replicas(new) - _replicas(old))
    return more


def takes_away_first(workload: Object) -> bool:
    """Return whether a workload ends its old pods before it makes new ones."""
    strategy = workload["spec"].get("strategy") or {}
    return bool(
        workload["kind"] in WORKLOADS and (workload["kind"] != "Deployment" or strategy.get("type") == "Recreate")
    )


def _replicas(workload: Object) -> int:
    return int(workload["spec"].get("replicas", 1))


def _add_pods(more: dict[str, Decimal], pod: Object, count: int) -> None:
    for name in ("pods", "count/pods"):
        _add(more, name, 1, count)
    for container in (pod.get("spec") or {}).get("containers") or []:
        limits = (container.get("resources") or {}).get("limits") or {}
        asked = {**limits, **((container.get("resources") or {}).get("requests") or {})}
        for name in _COMPUTE:
            for counted in (name, f"requests.{name}"):
                _add(more, counted, asked.get(name, 0), count)
            _add(more, f"limits.{name}", limits.get(name, 0), count)


def _add(more: dict[str, Decimal], name: str, amount: Any, count: int) -> None:
    try:
        more[name] = more.get(name, Decimal(0)) + quantity(amount) * count
    except ValueError:
        return  # the server's own words about it are better

"""Whether a namespace's quotas have room for a change as a whole: the server looks at each object alone.

Pure functions over ResourceQuotas, objects and pods as the API gives them: what a LimitRange adds is in them already.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from typing import Final

from kube import quantities
from kube.manifests import Object, plural
from kube.pods import containers, limits, requests
from preflight.violations import MORE_ROOM, Violation

# What a quota calls the kinds that it counts by a short name.
_SHORT: Final = ("ConfigMap", "PersistentVolumeClaim", "ReplicationController", "Secret", "Service")


def exceeded(quotas: Iterable[Object], more: Mapping[str, Decimal]) -> Iterator[Violation]:
    """Yield what does not fit; `more` is what the change adds, by the names that quotas use.

    Quotas for a part of the pods (scopes) are the server's own matter.
    """
    for quota in quotas:
        metadata, spec, used = quota["metadata"], quota["spec"], (quota.get("status") or {}).get("used") or {}
        if spec.get("scopes") or spec.get("scopeSelector"):
            continue
        for resource, hard in (spec.get("hard") or {}).items():
            wanted, have = more.get(resource, Decimal(0)), used.get(resource, 0)
            if wanted > 0 and quantities.quantity(have) + wanted > quantities.quantity(hard):
                (amount,) = quantities.told(wanted)
                what = f"{amount} new {resource.removeprefix('count/')}"
                text = f"{what} do not fit: {hard} allowed, {have} in use"
                advice = MORE_ROOM.format(namespace=metadata["namespace"])
                yield Violation(f"ResourceQuota/{metadata['name']}", text, advice)


def of_objects(new: Iterable[Object]) -> dict[str, Decimal]:
    """Return what new objects themselves add to quotas."""
    total: defaultdict[str, Decimal] = defaultdict(Decimal)
    for one in new:
        kind, name, spec = one["kind"], plural(one["kind"]), one.get("spec") or {}
        total[f"count/{name}.{one['apiVersion'].rpartition('/')[0]}".rstrip(".")] += 1
        total[name] += kind in _SHORT
        if kind == "Service":
            balancer = spec.get("type") == "LoadBalancer"
            total["services.loadbalancers"] += balancer
            if spec.get("type") == "NodePort" or (balancer and spec.get("allocateNodePorts", True)):
                total["services.nodeports"] += len(spec.get("ports") or [])
        if kind == "PersistentVolumeClaim":
            asked = (spec.get("resources") or {}).get("requests") or {}
            total["requests.storage"] += quantities.quantity(asked.get("storage", 0))
    return total


def of_workload(workload: Object, pod: Object, running: Iterable[Object]) -> dict[str, Decimal]:
    """Return what a changed workload adds to quotas, beyond its pods that run now.

    `pod` is one of its pods as it would be, `running` are the pods of the namespace. An update's end is reckoned: that
    a rolling one has room for a pod more, the server is asked. Of DaemonSets nothing: how many pods they have is the
    nodes' matter.
    """
    if workload["kind"] == "DaemonSet":
        return {}
    count = workload["spec"].get("replicas", 1)
    wanted = {name: amount * count for name, amount in of_pod(pod).items()}
    mine = (workload["spec"].get("selector") or {}).get("matchLabels")
    there = [one for one in running if mine and mine.items() <= (one["metadata"].get("labels") or {}).items()]
    counted = [one for one in there if (one.get("status") or {}).get("phase") not in ("Succeeded", "Failed")]
    return quantities.summed([wanted, *({n: -amount for n, amount in of_pod(one).items()} for one in counted)])


def of_pod(pod: Object) -> dict[str, Decimal]:
    """Return what one pod counts for, by the names that quotas use."""
    asked, most = requests(pod), limits(pod)
    one = {"pods": Decimal(1), "count/pods": Decimal(1)}
    for name in ("cpu", "memory", "ephemeral-storage"):
        one[name] = one[f"requests.{name}"] = asked.get(name, Decimal(0))
        one[f"limits.{name}"] = most.get(name, Decimal(0))
    return one


def takes_away_first(workload: Object) -> bool:
    """Return whether a workload ends its old pods before it makes new ones."""
    strategy = workload["spec"].get("strategy") or {}
    return bool(workload["kind"] != "Deployment" or strategy.get("type") == "Recreate")


def exceeds_default(pod: Object, limit_range: Object) -> bool:
    """Return whether a container asks for more than a LimitRange gives it as a limit, since it names none itself."""
    defaults = [one.get("default") or {} for one in limit_range["spec"]["limits"] if one.get("type") == "Container"]
    return any(
        name not in (container["resources"].get("limits") or {}) and quantities.quantity(amount) > limit
        for container in containers(pod)
        for name, amount in ((container.get("resources") or {}).get("requests") or {}).items()
        for limit in (quantities.quantity(default[name]) for default in defaults if name in default)
    )

"""Whether a namespace's quotas have room for a change as a whole: the server looks at each object alone.

Pure functions over ResourceQuotas, objects and pods as the API gives them: what a LimitRange adds is in them already.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Final

from kube import quantities
from kube.manifests import Object, plural
from kube.pods import limits, requests
from preflight.violations import Violation

# What a quota calls the kinds that it counts by a short name.
_SHORT: Final = ("ConfigMap", "PersistentVolumeClaim", "ReplicationController", "Secret", "Service")
_COMPUTE: Final = ("cpu", "memory", "ephemeral-storage")
_OVER: Final = ("Succeeded", "Failed")
Amounts = Mapping[str, Decimal]


def exceeded(quotas: Iterable[Object], more: Amounts, said: Iterable[Violation] = ()) -> list[Violation]:
    """Return what does not fit.

    `more` is what the change adds, by the names that quotas use; `said` is what the server said already, which is not
    said twice. Quotas for a part of the pods (scopes) are the server's own matter.
    """
    heard = [one.reason for one in said]
    found = []
    for quota in quotas:
        name, spec = quota["metadata"]["name"], quota["spec"]
        if spec.get("scopes") or spec.get("scopeSelector"):
            continue
        used = (quota.get("status") or {}).get("used") or {}
        for resource, hard in (spec.get("hard") or {}).items():
            wanted, limit = more.get(resource, Decimal(0)), quantities.quantity(hard)
            have = quantities.quantity(used.get(resource, 0))
            if wanted > 0 and have + wanted > limit and not _heard(heard, name, resource):
                what = resource.removeprefix("count/")
                (more_of_it,) = quantities.told(wanted)
                text = f"{more_of_it} new {what} do not fit: {hard} allowed, {used.get(resource, 0)} in use"
                found.append(Violation(f"ResourceQuota/{name}", text))
    return found


def _heard(said: Iterable[str], quota: str, resource: str) -> bool:
    whole_name = re.compile(rf"(?<![\w./-]){re.escape(resource)}=")
    return any(f"quota: {quota}," in text and whole_name.search(text) for text in said)


def of_objects(new: Iterable[Object]) -> dict[str, Decimal]:
    """Return what new objects themselves add to quotas."""
    total: Counter[str] = Counter()
    storage = Decimal(0)
    for one in new:
        group = one["apiVersion"].rpartition("/")[0]
        name = plural(one["kind"])
        total[f"count/{name}" + (f".{group}" if group else "")] += 1
        if one["kind"] in _SHORT:
            total[name] += 1
        if one["kind"] == "Service":
            kind = one["spec"].get("type", "ClusterIP")
            total["services.loadbalancers"] += kind == "LoadBalancer"
            on_nodes = kind == "NodePort" or (kind == "LoadBalancer" and one["spec"].get("allocateNodePorts", True))
            total["services.nodeports"] += len(one["spec"].get("ports") or []) if on_nodes else 0
        if one["kind"] == "PersistentVolumeClaim":
            asked = (one["spec"].get("resources") or {}).get("requests") or {}
            storage += quantities.quantity(asked.get("storage", 0))
    return {name: Decimal(count) for name, count in total.items()} | ({"requests.storage": storage} if storage else {})


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
    counted = [one for one in there if (one.get("status") or {}).get("phase") not in _OVER]
    return quantities.summed([wanted, *({n: -amount for n, amount in of_pod(one).items()} for one in counted)])


def of_pod(pod: Object) -> dict[str, Decimal]:
    """Return what one pod counts for, by the names that quotas use."""
    asked, most = requests(pod), limits(pod)
    one = {"pods": Decimal(1), "count/pods": Decimal(1)}
    for name in _COMPUTE:
        one[name] = one[f"requests.{name}"] = asked.get(name, Decimal(0))
        one[f"limits.{name}"] = most.get(name, Decimal(0))
    return one


def takes_away_first(workload: Object) -> bool:
    """Return whether a workload ends its old pods before it makes new ones."""
    strategy = workload["spec"].get("strategy") or {}
    return bool(workload["kind"] != "Deployment" or strategy.get("type") == "Recreate")

"""Whether a namespace's quotas have room for a change as a whole: the server looks at each object alone.

Pure functions over ResourceQuotas, objects and pod templates as the API gives them.
"""

import contextlib
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any, Final

from components import nodes
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
            wanted, limit = more.get(resource, Decimal(0)), nodes.quantity(hard)
            have = nodes.quantity(used.get(resource, 0))
            if wanted > 0 and have + wanted > limit and not _heard(heard, name, resource):
                what = resource.removeprefix("count/")
                (more_of_it,) = nodes.told(wanted)
                text = f"{more_of_it} new {what} do not fit: {hard} allowed, {used.get(resource, 0)} in use"
                found.append(Refusal(f"ResourceQuota/{name}", text))
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
            with contextlib.suppress(ValueError):  # the server's own words about it are better
                storage += nodes.quantity(asked.get("storage", 0))
    return {name: Decimal(count) for name, count in total.items()} | ({"requests.storage": storage} if storage else {})


def of_pods(changed: Iterable[tuple[Object | None, Object]], limit_ranges: Iterable[Object] = ()) -> dict[str, Decimal]:
    """Return what the pods of changed workloads add to quotas, beyond those that run now.

    `changed` are workloads as (old or None, new); `limit_ranges` the namespace's LimitRanges, which give containers
    what they do not ask for themselves. An update's end is reckoned: that a rolling one has room for a pod more, the
    server is asked. DaemonSets are left out: how many pods they have is the nodes' matter.
    """
    given = _defaults(limit_ranges)
    more = []
    for old, new in changed:
        if new["kind"] != "DaemonSet":
            more.append(_of_workload(new, given))
            if old is not None:
                more.append({name: -amount for name, amount in _of_workload(old, given).items()})
    return nodes.summed(more)


def _of_workload(workload: Object, given: Mapping[str, Mapping[str, Any]]) -> dict[str, Decimal]:
    """Return what all pods of a workload count for, by the names that quotas use."""
    pod = _admitted(workload, given)
    try:
        asked, limits = nodes.requests(pod), nodes.limits(pod)
    except ValueError:
        asked, limits = {}, {}  # the server's own words about it are better
    one = {"pods": Decimal(1), "count/pods": Decimal(1)}
    for name in _COMPUTE:
        one[name] = one[f"requests.{name}"] = asked.get(name, Decimal(0))
        one[f"limits.{name}"] = limits.get(name, Decimal(0))
    count = workload["spec"].get("replicas")
    return {name: amount * (1 if count is None else int(count)) for name, amount in one.items()}


def _defaults(limit_ranges: Iterable[Object]) -> dict[str, dict[str, Any]]:
    """Return what LimitRanges give a container, as `limits` and `requests`. The API has completed them already."""
    found: dict[str, dict[str, Any]] = {"limits": {}, "requests": {}}
    for limit in [one for limits in limit_ranges for one in limits["spec"].get("limits") or []]:
        if limit["type"] == "Container":
            found["limits"] = {**(limit.get("default") or {}), **found["limits"]}
            found["requests"] = {**(limit.get("defaultRequest") or {}), **found["requests"]}
    return found


def _admitted(workload: Object, given: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Return a workload's pod with what the server adds to its containers; a limit of its own is a request as well."""
    spec = workload["spec"]["template"].get("spec") or {}
    filled: dict[str, list[Any]] = {}
    for name in ("initContainers", "containers"):
        filled[name] = []
        for container in spec.get(name) or []:
            own = container.get("resources") or {}
            limits, asked = own.get("limits") or {}, own.get("requests") or {}
            resources = {"limits": {**given["limits"], **limits}, "requests": {**given["requests"], **limits, **asked}}
            filled[name].append({**container, "resources": resources})
    return {"spec": {**spec, **filled}}


def takes_away_first(workload: Object) -> bool:
    """Return whether a workload ends its old pods before it makes new ones."""
    strategy = workload["spec"].get("strategy") or {}
    return bool(
        workload["kind"] in WORKLOADS and (workload["kind"] != "Deployment" or strategy.get("type") == "Recreate")
    )

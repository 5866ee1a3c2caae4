"""Whether pods find a node: labels, taints and size, as the scheduler would look at them.

Pure functions over nodes and pod templates as the API gives them. What other pods use is not looked at: they come and
go. Affinities between pods and spread constraints are the scheduler's own matter; a rehearsal shows them.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

from kube import quantities
from kube.manifests import Object, has_pods
from kube.pods import requests
from preflight.violations import Violation, about

_EFFECTS: Final = ("NoSchedule", "NoExecute")
# Taints that Kubernetes sets and takes away by itself; not `unschedulable`, which is a user's cordon.
# Source: kubernetes.io, "Taints and Tolerations"; the last one is the cloud controllers'.
_PASSING: Final = frozenset(
    f"node.kubernetes.io/{name}"
    for name in ("not-ready", "unreachable", "memory-pressure", "disk-pressure", "pid-pressure", "network-unavailable")
) | {"node.cloudprovider.kubernetes.io/uninitialized"}
# The DaemonSet controller adds these by itself.
_OF_DAEMON_SETS: Final = tuple(
    {"key": f"node.kubernetes.io/{name}", "operator": "Exists"}
    for name in ("not-ready", "unreachable", "disk-pressure", "memory-pressure", "pid-pressure", "unschedulable")
)


def unschedulable(workloads: Iterable[Object], nodes: Sequence[Object]) -> Iterator[Violation]:
    """Yield the workloads whose pods no node can take. No nodes at all: nothing can be said."""
    for one, reason in _homeless(workloads, nodes):
        if not _idles(one, reason):
            yield Violation(about(one), f"its pods cannot be scheduled: {reason}", _advice(reason))


def idle(workloads: Iterable[Object], nodes: Sequence[Object]) -> Iterator[str]:
    """Yield which DaemonSets would have no pod at all. Helm is content with that."""
    for one, reason in _homeless(workloads, nodes):
        if _idles(one, reason):
            yield f"{about(one)} would have no pod: {reason}"


def waiting(workloads: Iterable[Object], nodes: Sequence[Object]) -> Iterator[str]:
    """Yield, for all workloads together, which nodes they have to wait for: a passing state is no violation."""
    by_nodes: dict[str, list[str]] = {}
    for one in workloads:
        if has_pods(one) and (some := _passing(_template(one), nodes)):
            by_nodes.setdefault("; ".join(some), []).append(about(one))
    for reason, names in by_nodes.items():
        yield f"pods of {', '.join(names)} must wait for a node: {reason}, which Kubernetes takes away by itself"


def spawned(pods: Mapping[str, Object], nodes: Sequence[Object]) -> Iterator[str]:
    """Yield which of the pods that the hub makes later no node can take."""
    for name, pod in pods.items():
        if nodes and (reason := explain_unschedulable(pod, nodes)):
            yield f"no {name} can be scheduled: {reason}"


def _homeless(workloads: Iterable[Object], nodes: Sequence[Object]) -> Iterator[tuple[Object, str]]:
    for one in workloads:
        if nodes and has_pods(one) and (reason := explain_unschedulable(_template(one), nodes)):
            yield one, reason


def _idles(workload: Object, reason: str) -> bool:
    """A DaemonSet makes pods for the nodes that fit, and it does not look at their size: then a pod waits."""
    return bool(workload["kind"] == "DaemonSet" and "large enough" not in reason)


def _template(workload: Object) -> Object:
    """Return a workload's pod template with the tolerations that its controller adds."""
    template: Object = workload["spec"]["template"]
    if workload["kind"] != "DaemonSet":
        return template
    spec = template["spec"]
    return {**template, "spec": {**spec, "tolerations": [*(spec.get("tolerations") or []), *_OF_DAEMON_SETS]}}


def _advice(reason: str) -> str:
    if "labels" in reason:
        accept = 'pulumi config set --path acceptedRisks.emptyNodePool "why"'
        return f"kubectl get nodes --show-labels; then coreNodeSelector; for a pool that starts empty: {accept}"
    return "kubectl describe nodes; tolerations or resources in the values file"


def explain_unschedulable(pod: Object, nodes: Sequence[Object]) -> str:
    """Return why no node can take a pod; "" if one can. Taints that come and go by themselves keep no pod away."""
    return _explain(pod, nodes, _PASSING)


def _passing(pod: Object, nodes: Sequence[Object]) -> list[str]:
    """Return the nodes that would take a pod as soon as a passing state of theirs is over, each with its taints.

    Empty if a node can take it now, or if none ever can.
    """
    fitting = [node for node in nodes if not _explain(pod, [node], _PASSING)]
    if any(not _explain(pod, [node]) for node in fitting):
        return []
    taints = {n["metadata"]["name"]: [t for t in n["spec"]["taints"] if t["key"] in _PASSING] for n in fitting}
    return [f"node {name} has {', '.join(map(_taint, some))}" for name, some in taints.items()]


def _explain(pod: Object, nodes: Sequence[Object], ignored: frozenset[str] = frozenset()) -> str:
    spec = pod["spec"]
    wanted = spec.get("nodeSelector") or {}
    labelled = [n for n in nodes if wanted.items() <= (n["metadata"].get("labels") or {}).items()]
    if not labelled:
        return f"no node has the labels {dict(wanted)}"
    terms = _required(spec)
    labelled = [n for n in labelled if terms is None or any(_matches(n, term) for term in terms)]
    if not labelled:
        return f"no node has the labels that its affinity requires: {' or '.join(map(_term, terms or []))}"
    in_the_way = [_in_the_way(node, spec.get("tolerations") or [], ignored) for node in labelled]
    if all(in_the_way):
        taints = sorted({_taint(taint) for some in in_the_way for taint in some})
        return f"every node that fits keeps it out: {', '.join(taints)}"
    return _too_small(pod, [node for node, taints in zip(labelled, in_the_way, strict=True) if not taints])


def _required(spec: Mapping[str, Any]) -> list[Mapping[str, Any]] | None:
    """Return the terms of the required node affinity, of which one must hold; None if there is no such affinity."""
    affinity = (spec.get("affinity") or {}).get("nodeAffinity") or {}
    terms: list[Mapping[str, Any]] | None
    terms = (affinity.get("requiredDuringSchedulingIgnoredDuringExecution") or {}).get("nodeSelectorTerms")
    return terms


def _matches(node: Object, term: Mapping[str, Any]) -> bool:
    """Whether a node meets all of a term. An empty term is met by no node."""
    labels, fields = node["metadata"].get("labels") or {}, {"metadata.name": node["metadata"].get("name")}
    asked = [(labels, one) for one in term.get("matchExpressions") or []]
    asked += [(fields, one) for one in term.get("matchFields") or []]
    return bool(asked) and all(_meets(there.get(one["key"]), one) for there, one in asked)


def _meets(there: str | None, wanted: Mapping[str, Any]) -> bool:
    match wanted["operator"]:
        case "In":
            return there in wanted["values"]
        case "NotIn":
            return there not in wanted["values"]
        case "Exists":
            return there is not None
        case "DoesNotExist":
            return there is None
        case sign:  # Gt or Lt, of numbers in both
            try:
                have, limit = int(there or ""), int(wanted["values"][0])
            except ValueError:
                return False
            return have > limit if sign == "Gt" else have < limit


def _term(term: Mapping[str, Any]) -> str:
    asked = [*(term.get("matchExpressions") or []), *(term.get("matchFields") or [])]
    texts = [(one["key"], one["operator"], ", ".join(one.get("values") or [])) for one in asked]
    return " and ".join(" ".join(filter(None, parts)) for parts in texts) or "an empty term"


def _in_the_way(node: Object, tolerations: Sequence[Mapping[str, Any]], ignored: frozenset[str]) -> list[Any]:
    return [
        taint
        for taint in node["spec"].get("taints") or []
        if taint["effect"] in _EFFECTS
        and taint["key"] not in ignored
        and not any(_tolerates(one, taint) for one in tolerations)
    ]


def _taint(taint: Mapping[str, Any]) -> str:
    value = f"={taint['value']}" if taint.get("value") else ""
    return f"taint {taint['key']}{value}:{taint['effect']}"


def _tolerates(toleration: Mapping[str, Any], taint: Mapping[str, Any]) -> bool:
    if toleration.get("effect") not in (None, "", taint["effect"]):
        return False
    if toleration.get("operator") == "Exists":
        return toleration.get("key") in (None, "", taint["key"])
    return toleration.get("key") == taint["key"] and (toleration.get("value") or "") == (taint.get("value") or "")


def _too_small(pod: Object, nodes: Sequence[Object]) -> str:
    asked = requests(pod)
    rooms = [_room(node) for node in nodes]
    # A node that does not say what it has is not judged. One that does has nothing else: no GPU, say.
    if any(not room or all(amount <= room.get(name, 0) for name, amount in asked.items()) for room in rooms):
        return ""
    for name, amount in asked.items():
        most = max(room.get(name, Decimal(0)) for room in rooms)
        if amount > most:
            wanted, there = quantities.told(amount, most)
            return f"no node is large enough: a pod asks for {wanted} {name}, the largest node has {there}"
    return "no node is large enough for all that a pod asks for together"


def _room(node: Object) -> dict[str, Decimal]:
    return {name: quantities.quantity(amount) for name, amount in (node["status"].get("allocatable") or {}).items()}

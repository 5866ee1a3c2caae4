"""Whether pods find a node: labels, taints and size, as the scheduler would look at them.

Pure functions over nodes and pod templates as the API gives them. What other pods use is not looked at: they come and
go. Affinities between pods and spread constraints are the scheduler's own matter; a rehearsal shows them.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any, Final, NamedTuple

from kube import quantities
from kube.manifests import Object, has_pods
from kube.pods import requests
from preflight.violations import Finding, Violation, about

_EFFECTS: Final = ("NoSchedule", "NoExecute")
# Taints that Kubernetes sets and takes away by itself; not `unschedulable`, which is a user's cordon.
# Source: kubernetes.io, "Taints and Tolerations"; the last one is the cloud controllers'.
_PASSING: Final = frozenset(
    f"node.kubernetes.io/{name}"
    for name in ("not-ready", "unreachable", "memory-pressure", "disk-pressure", "pid-pressure", "network-unavailable")
) | {"node.cloudprovider.kubernetes.io/uninitialized"}
# Pods of DaemonSets tolerate a cordon, too: their controller sees to it.
_CORDON: Final = "node.kubernetes.io/unschedulable"
_OF_DAEMON_SETS: Final = _PASSING | {_CORDON}
_LABELS, _TAINTS, _CORDONED, _SIZE = "labels", "taints", "cordoned", "size"
_ADVICE: Final = {
    _LABELS: "kubectl get nodes --show-labels; then coreNodeSelector; for a pool that starts empty: "
    'pulumi config set --path acceptedRisks.emptyNodePool "why"',
    _TAINTS: "kubectl describe nodes; tolerations or resources in the values file",
    _CORDONED: "kubectl uncordon NODE, as soon as it may have pods again; kubectl get nodes shows them",
    _SIZE: "kubectl describe nodes; tolerations or resources in the values file",
}


class Obstacle(NamedTuple):
    """What keeps a pod from every node (labels, taints, a cordon or size), and the reason in words."""

    what: str
    reason: str


def check(workloads: Iterable[Object], spawned: Mapping[str, Object], nodes: Sequence[Object]) -> Iterator[Finding]:
    """Yield what finds no node: workloads as violations, and as warnings what Helm does not wait for.

    `spawned` are the pods that the hub makes later, by name. No nodes at all: nothing can be said.
    """
    if not nodes:
        return
    waiting: dict[str, list[str]] = {}
    for one in filter(has_pods, workloads):
        pod, of_daemons = one["spec"]["template"], one["kind"] == "DaemonSet"
        obstacle = explain_unschedulable(pod, nodes, _OF_DAEMON_SETS if of_daemons else _PASSING)
        if not obstacle:
            if not of_daemons and explain_unschedulable(pod, nodes, ()):
                waiting.setdefault(_passing_states(pod, nodes), []).append(about(one))
        # A DaemonSet makes pods for the nodes that fit, if any; their size it does not look at, so a pod would wait.
        elif of_daemons and obstacle.what != _SIZE:
            yield f"{about(one)} would have no pod: {obstacle.reason}"
        else:
            yield Violation(about(one), f"its pods cannot be scheduled: {obstacle.reason}", _ADVICE[obstacle.what])
    for states, names in waiting.items():
        yield f"pods of {', '.join(names)} must wait for a node: {states}, which Kubernetes takes away by itself"
    for name, pod in spawned.items():
        if obstacle := explain_unschedulable(pod, nodes):
            yield f"no {name} can be scheduled: {obstacle.reason}"


def _passing_states(pod: Object, nodes: Iterable[Object]) -> str:
    """Tell of the nodes that would take a pod as soon as a passing state of theirs is over."""
    fitting = [node for node in nodes if not explain_unschedulable(pod, [node])]
    taints = {n["metadata"]["name"]: [t for t in n["spec"]["taints"] if t["key"] in _PASSING] for n in fitting}
    return "; ".join(f"node {name} has {', '.join(map(_taint, some))}" for name, some in taints.items())


def explain_unschedulable(pod: Object, nodes: Sequence[Object], ignored: Collection[str] = _PASSING) -> Obstacle | None:
    """Return why no node can take a pod; None if one can. Taints with the keys `ignored` keep no pod away."""
    spec = pod["spec"]
    wanted = spec.get("nodeSelector") or {}
    labelled = [n for n in nodes if wanted.items() <= (n["metadata"].get("labels") or {}).items()]
    if not labelled:
        return Obstacle(_LABELS, f"no node has the labels {dict(wanted)}")
    affinity = (spec.get("affinity") or {}).get("nodeAffinity") or {}
    # Of these terms one must hold.
    terms = (affinity.get("requiredDuringSchedulingIgnoredDuringExecution") or {}).get("nodeSelectorTerms") or []
    labelled = [n for n in labelled if not terms or any(_matches(n, term) for term in terms)]
    if not labelled:
        told = " or ".join(map(_term, terms))
        return Obstacle(_LABELS, f"no node has the labels that its affinity requires: {told}")
    in_the_way = [_in_the_way(node, spec.get("tolerations") or [], ignored) for node in labelled]
    if all(in_the_way):
        taints = sorted({_taint(taint) for some in in_the_way for taint in some})
        only_cordoned = any({taint["key"] for taint in some} == {_CORDON} for some in in_the_way)
        what = _CORDONED if only_cordoned else _TAINTS
        return Obstacle(what, f"every node that fits keeps it out: {', '.join(taints)}")
    return _too_small(pod, [node for node, taints in zip(labelled, in_the_way, strict=True) if not taints])


def _matches(node: Object, term: Mapping[str, Any]) -> bool:
    """Whether a node meets all of a term. An empty term is met by no node."""
    asked, about_it = _parts(term), node["metadata"]
    there = {**(about_it.get("labels") or {}), "metadata.name": about_it.get("name")}
    return bool(asked) and all(_meets(there.get(one["key"]), one) for one in asked)


def _parts(term: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return what a term asks of labels and of fields; of these there is one, the node's name."""
    return [*(term.get("matchExpressions") or []), *(term.get("matchFields") or [])]


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
    texts = [(one["key"], one["operator"], ", ".join(one.get("values") or [])) for one in _parts(term)]
    return " and ".join(" ".join(filter(None, parts)) for parts in texts) or "an empty term"


def _in_the_way(node: Object, tolerations: Sequence[Mapping[str, Any]], ignored: Collection[str]) -> list[Any]:
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


def _too_small(pod: Object, nodes: Sequence[Object]) -> Obstacle | None:
    asked = requests(pod)
    has = [node["status"].get("allocatable") or {} for node in nodes]
    rooms = [{name: quantities.quantity(amount) for name, amount in one.items()} for one in has]
    # A node that does not say what it has is not judged. One that does has nothing else: no GPU, say.
    if any(not room or all(amount <= room.get(name, 0) for name, amount in asked.items()) for room in rooms):
        return None
    for name, amount in asked.items():
        most = max(room.get(name, Decimal(0)) for room in rooms)
        if amount > most:
            wanted, there = quantities.told(amount, most)
            text = f"no node is large enough: a pod asks for {wanted} {name}, the largest node has {there}"
            return Obstacle(_SIZE, text)
    return Obstacle(_SIZE, "no node is large enough for all that a pod asks for together")

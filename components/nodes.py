"""Whether a pod finds a node: labels, taints and size, as the scheduler would look at them.

Pure functions over nodes and pod templates as the API gives them. What other pods use is not looked at: they come and
go. Affinities between pods and spread constraints are the scheduler's own matter; a rehearsal shows them.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

_NUMBER: Final = re.compile(r"[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)")
_POWER: Final = re.compile(r"[eE][-+]?[0-9]+")
_EFFECTS: Final = ("NoSchedule", "NoExecute")
# Taints that Kubernetes sets and takes away by itself; not `unschedulable`, which is a person's cordon.
# Source: kubernetes.io, "Taints and Tolerations"; the last one is the cloud controllers'.
_PASSING: Final = frozenset(
    f"node.kubernetes.io/{name}"
    for name in ("not-ready", "unreachable", "memory-pressure", "disk-pressure", "pid-pressure", "network-unavailable")
) | {"node.cloudprovider.kubernetes.io/uninitialized"}
_SUFFIXES: Final = {
    "n": Decimal("1e-9"), "u": Decimal("1e-6"), "m": Decimal("0.001"), "": Decimal(1),
    **{sign: Decimal(10 ** (3 * power)) for power, sign in enumerate("kMGTPE", 1)},
    **{f"{sign}i": Decimal(2 ** (10 * power)) for power, sign in enumerate("KMGTPE", 1)},
}  # fmt: skip


def quantity(text: Any) -> Decimal:
    """Return a quantity of Kubernetes (`200m`, `1.5Gi`, `1e3`, 2) as a number. Raises ValueError if it is none."""
    whole = str(text)
    number = _NUMBER.match(whole)
    suffix = whole[number.end() :] if number else ""
    if number and _POWER.fullmatch(suffix):
        return Decimal(whole)
    if not number or suffix not in _SUFFIXES:
        raise ValueError(whole)
    return Decimal(number[0]) * _SUFFIXES[suffix]


def requests(template: Mapping[str, Any]) -> dict[str, Decimal]:
    """Return what one pod asks for: resource (`cpu`, `memory`, ...) -> amount; limits count where no request is.

    Raises ValueError for what is no quantity.
    """
    return _of_pod(template, ("limits", "requests"))


def limits(template: Mapping[str, Any]) -> dict[str, Decimal]:
    """Return the limits of one pod: resource -> amount. Raises ValueError for what is no quantity."""
    return _of_pod(template, ("limits",))


def _of_pod(template: Mapping[str, Any], parts: Sequence[str]) -> dict[str, Decimal]:
    """Containers run side by side. What initializes runs before them, one after another; a sidecar goes on running."""
    spec = template.get("spec") or {}
    beside: dict[str, Decimal] = {}
    first: dict[str, Decimal] = {}
    for container in spec.get("initContainers") or []:
        now = summed([beside, _asked(container, parts)])
        if container.get("restartPolicy") == "Always":
            beside = now
        first = _most(first, now)
    return _most(summed([beside, *(_asked(container, parts) for container in spec.get("containers") or [])]), first)


def _asked(container: Mapping[str, Any], parts: Iterable[str]) -> dict[str, Decimal]:
    resources = container.get("resources") or {}
    return {name: quantity(amount) for part in parts for name, amount in (resources.get(part) or {}).items()}


def _most(one: Mapping[str, Decimal], other: Mapping[str, Decimal]) -> dict[str, Decimal]:
    return {name: max(one.get(name, Decimal(0)), other.get(name, Decimal(0))) for name in {**one, **other}}


def summed(amounts: Iterable[Mapping[str, Decimal]]) -> dict[str, Decimal]:
    """Return the sum of amounts by name."""
    total: dict[str, Decimal] = {}
    for one in amounts:
        for name, amount in one.items():
            total[name] = total.get(name, Decimal(0)) + amount
    return total


def why_none(template: Mapping[str, Any], nodes: Sequence[Mapping[str, Any]]) -> str:
    """Return why no node can take a pod of this template; "" if one can, or if a quantity cannot be read.

    Taints that come and go by themselves keep no pod away: see `without_passing` and `passing`.
    """
    return _why_none(template, [without_passing(node) for node in nodes])


def without_passing(node: Mapping[str, Any]) -> dict[str, Any]:
    """Return a node as it is when the taints are gone that Kubernetes takes away by itself."""
    kept = [taint for taint in node["spec"].get("taints") or [] if taint["key"] not in _PASSING]
    return {**node, "spec": {**node["spec"], "taints": kept}}


def passing(template: Mapping[str, Any], nodes: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the nodes that would take a pod of this template as soon as a passing state of theirs is over.

    Each as `node NAME has taint ...`; empty if a node can take it now, or if none ever can.
    """
    fitting = [node for node in nodes if not why_none(template, [node])]
    if any(not _why_none(template, [node]) for node in fitting):
        return []
    taints = {n["metadata"]["name"]: [t for t in n["spec"]["taints"] if t["key"] in _PASSING] for n in fitting}
    return [f"node {name} has {', '.join(map(_taint, some))}" for name, some in taints.items()]


def _why_none(template: Mapping[str, Any], nodes: Sequence[Mapping[str, Any]]) -> str:
    spec = template.get("spec") or {}
    wanted = spec.get("nodeSelector") or {}
    labelled = [n for n in nodes if wanted.items() <= (n["metadata"].get("labels") or {}).items()]
    if not labelled:
        return f"no node has the labels {dict(wanted)}"
    terms = _required(spec)
    labelled = [n for n in labelled if terms is None or any(_matches(n, term) for term in terms)]
    if not labelled:
        return f"no node has the labels that its affinity requires: {' or '.join(map(_term, terms or []))}"
    in_the_way = [list(_in_the_way(node, spec.get("tolerations") or [])) for node in labelled]
    if all(in_the_way):
        return (
            f"every node that fits keeps it out: {', '.join(sorted({_taint(t) for some in in_the_way for t in some}))}"
        )
    return _too_small(template, [n for n, taints in zip(labelled, in_the_way, strict=True) if not taints])


def _required(spec: Mapping[str, Any]) -> list[Mapping[str, Any]] | None:
    """Return the terms of the required node affinity, of which one must hold; None if there is no such affinity."""
    affinity = (spec.get("affinity") or {}).get("nodeAffinity") or {}
    required = affinity.get("requiredDuringSchedulingIgnoredDuringExecution")
    return None if required is None else list(required.get("nodeSelectorTerms") or [])


def _matches(node: Mapping[str, Any], term: Mapping[str, Any]) -> bool:
    """Whether a node meets all of a term. An empty term is met by no node."""
    labels, fields = node["metadata"].get("labels") or {}, {"metadata.name": node["metadata"].get("name")}
    asked = [(labels, one) for one in term.get("matchExpressions") or []]
    asked += [(fields, one) for one in term.get("matchFields") or []]
    return bool(asked) and all(_meets(there.get(str(one.get("key"))), one) for there, one in asked)


def _meets(there: str | None, wanted: Mapping[str, Any]) -> bool:
    sign, values = str(wanted.get("operator")), wanted.get("values") or []
    if sign in ("Gt", "Lt"):
        try:
            have, limit = int(there or ""), int(values[0])
        except (IndexError, TypeError, ValueError):
            return False
        return have > limit if sign == "Gt" else have < limit
    return {
        "In": there in values,
        "NotIn": there not in values,
        "Exists": there is not None,
        "DoesNotExist": there is None,
    }.get(sign, True)  # the server refuses any other


def _term(term: Mapping[str, Any]) -> str:
    asked = [*(term.get("matchExpressions") or []), *(term.get("matchFields") or [])]
    texts = [(one.get("key"), one.get("operator"), ", ".join(map(str, one.get("values") or []))) for one in asked]
    return " and ".join(" ".join(filter(None, parts)) for parts in texts) or "an empty term"


def _in_the_way(node: Mapping[str, Any], tolerations: Sequence[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    for taint in node["spec"].get("taints") or []:
        if taint["effect"] in _EFFECTS and not any(_tolerates(one, taint) for one in tolerations):
            yield taint


def _taint(taint: Mapping[str, Any]) -> str:
    value = f"={taint['value']}" if taint.get("value") else ""
    return f"taint {taint['key']}{value}:{taint['effect']}"


def _tolerates(toleration: Mapping[str, Any], taint: Mapping[str, Any]) -> bool:
    if toleration.get("effect") not in (None, "", taint["effect"]):
        return False
    if toleration.get("operator") == "Exists":
        return toleration.get("key") in (None, "", taint["key"])
    return toleration.get("key") == taint["key"] and (toleration.get("value") or "") == (taint.get("value") or "")


def _too_small(template: Mapping[str, Any], nodes: Sequence[Mapping[str, Any]]) -> str:
    try:
        asked = requests(template)
        rooms = [{k: quantity(v) for k, v in (n["status"].get("allocatable") or {}).items()} for n in nodes]
    except ValueError:
        return ""  # the server's own words about it are better
    # A node that does not say what it has is not judged. One that does has nothing else: no GPU, say.
    if any(not room or all(amount <= room.get(name, 0) for name, amount in asked.items()) for room in rooms):
        return ""
    for name, amount in asked.items():
        most = max(room.get(name, Decimal(0)) for room in rooms)
        if amount > most:
            wanted, there = told(amount, most)
            return f"no node is large enough: a pod asks for {wanted} {name}, the largest node has {there}"
    return "no node is large enough for all that a pod asks for together"


def told(*amounts: Decimal) -> list[str]:
    """Return amounts as people write them (`1.5Gi`, `3`), as exactly as it takes to tell them apart."""
    for units in (("Gi", "Mi"), ("Mi",), ("Ki",)):
        texts = [_rounded(amount, units) for amount in amounts]
        if len({*texts}) == len({*amounts}):
            return texts
    return [_rounded(amount, ()) for amount in amounts]


def _rounded(amount: Decimal, units: Iterable[str]) -> str:
    """Return an amount in the first of these units that is not larger; as it is, if it is small."""
    for unit in units:
        if amount >= max(_SUFFIXES[unit], _SUFFIXES["Mi"]):
            return f"{(amount / _SUFFIXES[unit]).quantize(Decimal('0.1')).normalize():f}{unit}"
    return f"{amount.normalize():f}"

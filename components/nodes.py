"""Whether a pod finds a node: labels, taints and size, as the scheduler would look at them.

Pure functions over nodes and pod templates as the API gives them. What other pods use is not looked at: they come and
go. Affinities and spread constraints are the scheduler's own matter; a rehearsal shows them.
"""

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

_EFFECTS: Final = ("NoSchedule", "NoExecute")
_SUFFIXES: Final = {
    "n": Decimal("1e-9"), "u": Decimal("1e-6"), "m": Decimal("0.001"), "": Decimal(1),
    **{sign: Decimal(10 ** (3 * power)) for power, sign in enumerate("kMGTPE", 1)},
    **{f"{sign}i": Decimal(2 ** (10 * power)) for power, sign in enumerate("KMGTPE", 1)},
}  # fmt: skip


def quantity(text: Any) -> Decimal:
    """Return a quantity of Kubernetes (`200m`, `1.5Gi`, `1e3`, 2) as a number. Raises ValueError if it is none."""
    whole = str(text).strip()
    number = whole.rstrip("numkKMGTPEi")
    if not number[-1:].isdigit() and number[-1:] != ".":
        raise ValueError(whole)
    try:
        return Decimal(number) * _SUFFIXES[whole[len(number) :]]
    except (ArithmeticError, KeyError):
        raise ValueError(whole) from None


def requests(template: Mapping[str, Any]) -> dict[str, Decimal]:
    """Return what one pod asks for: resource (`cpu`, `memory`, ...) -> amount; limits count where no request is."""
    spec = template.get("spec") or {}
    running = _sum(_asked(container) for container in spec.get("containers") or [])
    for container in spec.get("initContainers") or []:
        for name, amount in _asked(container).items():
            running[name] = max(running.get(name, Decimal(0)), amount)
    return running


def _asked(container: Mapping[str, Any]) -> dict[str, Decimal]:
    resources = container.get("resources") or {}
    return {k: quantity(v) for k, v in {**(resources.get("limits") or {}), **(resources.get("requests") or {})}.items()}


def _sum(amounts: Iterable[Mapping[str, Decimal]]) -> dict[str, Decimal]:
    total: dict[str, Decimal] = {}
    for one in amounts:
        for name, amount in one.items():
            total[name] = total.get(name, Decimal(0)) + amount
    return total


def why_none(template: Mapping[str, Any], nodes: Sequence[Mapping[str, Any]]) -> str:
    """Return why no node can take a pod of this template; "" if one can, or if a quantity cannot be read."""
    spec = template.get("spec") or {}
    wanted = spec.get("nodeSelector") or {}
    labelled = [n for n in nodes if wanted.items() <= (n["metadata"].get("labels") or {}).items()]
    if not labelled:
        return f"no node has the labels {dict(wanted)}"
    open_ = [n for n in labelled if not _kept_out(n, spec.get("tolerations") or [])]
    if not open_:
        return (
            f"every node that fits keeps it out: {', '.join(sorted({_taint(t) for n in labelled for t in _taints(n)}))}"
        )
    return _too_small(template, open_)


def _taints(node: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [t for t in node["spec"].get("taints") or [] if t["effect"] in _EFFECTS]


def _taint(taint: Mapping[str, Any]) -> str:
    value = f"={taint['value']}" if taint.get("value") else ""
    return f"taint {taint['key']}{value}:{taint['effect']}"


def _kept_out(node: Mapping[str, Any], tolerations: Sequence[Mapping[str, Any]]) -> bool:
    return not all(any(_tolerates(one, taint) for one in tolerations) for taint in _taints(node))


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
    if any(all(amount <= room.get(name, amount) for name, amount in asked.items()) for room in rooms):
        return ""
    for name, amount in asked.items():
        most = max(room.get(name, amount) for room in rooms)
        if amount > most:
            return (
                f"no node is large enough: a pod asks for {_plain(amount)} {name}, the largest node has {_plain(most)}"
            )
    return "no node is large enough for all that a pod asks for together"


def _plain(amount: Decimal) -> str:
    for suffix in ("Gi", "Mi"):
        if amount >= _SUFFIXES[suffix]:
            return f"{(amount / _SUFFIXES[suffix]).quantize(Decimal('0.1')).normalize():f}{suffix}"
    return f"{amount.normalize():f}"

"""What a server or a chart would refuse: one `Violation` for each thing, and one error for all of them.

The server's own sentence is kept: it is what people search for.

    pulumi.RunError
    `-- ViolationsError   what a preview ends with: everything that would be refused
    RenderingError        the chart refuses its values, or cannot be had; told as violations, too
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import pulumi

from config import keys, values_file
from kube import quantities
from kube.manifests import Object, ObjectKey
from kube.nested import leaves

_NAMED: Final = 4


@dataclass(frozen=True)
class Violation:
    """One thing refused: `about` is the object ("" if none is named), `reason` says why, `advice` what to change."""

    about: str
    reason: str
    advice: str = ""


# A violation, or the text of a warning about what stops nobody.
Finding = Violation | str


class ViolationsError(pulumi.RunError):
    """Everything that would be refused, in one error below a `head`; Pulumi prints it without a traceback."""

    def __init__(self, head: str, violations: Sequence[Violation]) -> None:
        lines = "\n".join(f"  {number}. {text}" for number, text in enumerate(folded(violations), 1))
        super().__init__(f"{head}; nothing was touched\n{lines}")


class RenderingError(Exception):
    """The chart refuses its values (`head` is ""), or cannot be had (`head` says so); `violations` says all of it."""

    def __init__(self, violations: list[Violation], head: str = "") -> None:
        super().__init__(violations)
        self.violations, self.head = violations, head


def about(one: Object) -> str:
    """Return how an object is named in a violation: `Deployment/hub`."""
    return str(ObjectKey(one["kind"], one["metadata"]["name"]))


def folded(violations: Sequence[Violation]) -> list[str]:
    """Return each reason once, with the objects that it holds for. What names no object stands for itself."""
    groups: dict[str, list[Violation]] = {}
    for one in dict.fromkeys(violations):
        groups.setdefault(_shape(one.reason) if one.about else one.reason, []).append(one)
    return [_shown(group) for group in groups.values()]


def _shape(reason: str) -> str:
    """What is the same in the violations of several objects for one cause."""
    text = re.sub(r'"[^"]*"', '""', reason)
    return re.sub(r'\d+|^\S+ "" |in API group "" ', "", text)


def _shown(group: Sequence[Violation]) -> str:
    first, others = group[0], [one.about for one in group[1:] if one.about]
    lines = [f"{first.about}: {first.reason}" if first.about else first.reason]
    if others:
        lines.append(f"and {len(others)} more like it: {listed(others)}")
    if advices := list(dict.fromkeys(one.advice for one in group if one.advice)):
        lines.append(f"what to do: {'; '.join(advices)}")
    return "\n      ".join(lines)


def listed(names: Sequence[str]) -> str:
    """Return the first few names, and how many more there are."""
    return ", ".join(names[:_NAMED]) + (f", and {len(names) - _NAMED} more" if len(names) > _NAMED else "")


# --- what to change --------------------------------------------------------------------------------------------------

RIGHT_TO_ACT: Final = "the right to act as tiller, which cluster administrators have"
MORE_ROOM: Final = "kubectl -n {namespace} describe resourcequota; have it raised, or ask for less"
_PRIVILEGED: Final = "pod-security.kubernetes.io/enforce=privileged --overwrite"
# Tiller is a service account of the cluster; people seldom are.
_TILLER: Final = '[Uu]ser "system:serviceaccount:[^"]*"'
_BEYOND: Final = r"(cannot \w+ resource|attempting to grant RBAC permissions)"
# What helps, by what the server says; of several the first counts.
_ADVICE: Final = {
    "cannot impersonate": RIGHT_TO_ACT,
    rf"{_TILLER} .*{_BEYOND}": "the rights of tiller: pulumi config set --path tiller.role cluster-admin",
    _BEYOND: "rights of your own: kubectl auth can-i --list -n {namespace}",
    "exceeded quota|failed quota": MORE_ROOM,
    "violates PodSecurity": f"builds need privileged pods: kubectl label namespace {{namespace}} {_PRIVILEGED}",
    r"(maximum|minimum) \w+ usage per|limit to request ratio": "kubectl -n {namespace} describe limitrange",
    "being terminated": "wait until the namespace is gone: kubectl get namespace {namespace} --watch",
    "provided port is already allocated|valid ports is": "another nodePort in the values file, or none",
    r"field is immutable|updates to .* are forbidden|immutable after creation": (
        "take the change back; this object would have to be deleted first, with all that it holds"
    ),
    "can not be less than": "a volume cannot shrink: take the change back",
    "no PriorityClass": "a class that `kubectl get priorityclasses` shows",
    "Request entity too large|may not be more than": (
        "large files belong into an image or a volume: Helm keeps all values and objects in one Secret, 1 MiB at most"
    ),
    "no matches for kind|could not find the requested resource": (
        "install what brings this kind of object, or switch it off in the values file"
    ),
    "failed calling webhook": "the service behind this webhook must answer, in whatever namespace it runs",
    "denied the request|denied request": "a policy of this cluster: ask who made it",
    r'namespaces "[^"]*" not found': "make it first, or pulumi config set --path tiller.namespace kube-system",
}
# Where values hold quantities of Kubernetes.
_AMOUNT: Final = re.compile(r"(^|\.)(resources\..*|storage|memory\.\w+|cpu\.\w+)$")
_QUOTED: Final = re.compile(r'Invalid value: "([^"]+)"')


def advised(violation: Violation, namespace: str, values: Mapping[str, Any]) -> Violation:
    """Add what to change: the place in the values where a refused value stands, else what helps in such a case."""
    if violation.advice:
        return violation
    reason, quoted = violation.reason, _QUOTED.search(violation.reason)
    if "quantities must match" in reason:  # the server does not say which
        places = [path for path, value in leaves(values) if _AMOUNT.search(path) and _is_no_quantity(value)]
    else:
        places = [path for path, value in leaves(values) if quoted and _same(value, quoted[1])]
    fitting = (text.format(namespace=namespace) for pattern, text in _ADVICE.items() if re.search(pattern, reason))
    return replace(violation, advice=", ".join(map(place_advice, places[:2])) or next(fitting, ""))


def _is_no_quantity(value: Any) -> bool:
    """Whether a value was meant for a quantity and is none; what is empty was not."""
    try:
        quantities.quantity("0" if value in (None, [], {}) else value)
    except ValueError:
        return True
    return False


def _same(value: Any, quoted: str) -> bool:
    return isinstance(value, str | int | float) and not isinstance(value, bool) and str(value) == quoted


def place_advice(path: str) -> str:
    """Return the setting that decides a place of the Helm values, or the place in the user's own file."""
    owner = values_file.owner_of(path)
    return f"the setting {keys.PROJECT}:{owner} ({path})" if owner else f"{path} in the values file"

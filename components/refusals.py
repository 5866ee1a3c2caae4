"""What a server or a chart refuses: its words, sorted by object, folded, without secrets, with the setting to change.

Pure functions over the text that kubectl prints. The server's own sentence is kept: it is what people search for.
"""

import base64
import json
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import pulumi

from components import keys, valuesfile
from components.nodes import quantity
from components.objects import WORKLOADS, Key
from components.tree import leaves

# What a workload's pod is called while it is only asked about.
POD_SUFFIX: Final = "-preview"
_LONGEST: Final = 600
_NAMED: Final = 4
_HIDDEN: Final = "[secret]"
# Of letters: anything as short stands in every text.
_SHORTEST: Final = 2
# A line of a secret this short ("}", "else:") tells nothing by itself.
_SHORTEST_LINE: Final = 4

_BEGINS: Final = re.compile(r"Error from server|Warning: |error: |[Uu]nable to |resource mapping not found|The ")
_PREFIX: Final = re.compile(
    r'(?:Error from server(?: \(\w+\))?: |error: )?(?:error when \w+ "[^"]*": )?(?:unable to recognize )?'
)
# The ways in which a sentence names its object: 'services "hub" is ...', '(namespace/hub; v1, Kind=Service)'.
_NAMES: Final = (
    re.compile(r'(?P<kind>[A-Za-z]+)(?:\.[\w.-]+)? "(?P<name>[^"]+)"(?: is |: | already exists| not found)'),
    re.compile(r"\((?:[^/()]*/)?(?P<name>[^;()]+); [^,]+, Kind=(?P<kind>\w+)\)"),
)
_NAMELESS: Final = re.compile(r'(?P<kind>\w+) in version "[^"]*" cannot be handled as a ')
_MISSING_KIND: Final = re.compile(r'no matches for kind "(?P<kind>\w+)"')


@dataclass(frozen=True)
class Refusal:
    """One thing refused: `about` is the object ("" if none is named), `reason` says why, `advice` what to change."""

    about: str
    reason: str
    advice: str = ""


class RefusedError(pulumi.RunError):
    """Everything that would be refused, in one error; Pulumi prints it without a traceback."""

    def __init__(self, release: str, refusals: Sequence[Refusal]) -> None:
        self.refusals = tuple(refusals)
        lines = "\n".join(f"  {number}. {text}" for number, text in enumerate(folded(refusals), 1))
        super().__init__(f"the cluster would refuse {release}; nothing was touched\n{lines}")


def sentences(printed: str) -> list[str]:
    """Split what kubectl printed as errors into one sentence for each refusal; warnings are left out."""
    found: list[list[str]] = []
    for line in filter(None, map(str.strip, printed.splitlines())):
        if _BEGINS.match(line) or not found:
            found.append([line])
        else:
            found[-1].append(line)
    return [_one_form(lines) for lines in found if not lines[0].startswith("Warning: ")]


def _one_form(lines: Sequence[str]) -> str:
    """kubectl lists several causes in two ways: as `[a, b]` and, for create, as `* a`, `* b` in lines of their own."""
    head = _PREFIX.sub("", lines[0], count=1).removeprefix("The ")
    if not (head.endswith(" is invalid:") and lines[1:] and lines[1].startswith("* ")):
        return " ".join([head, *lines[1:]])
    causes: list[str] = []
    for line in lines[1:]:
        if line.startswith("* "):
            causes.append(line.removeprefix("* "))
        else:
            causes[-1] += f" {line}"
    return f"{head} [{', '.join(causes)}]"


def named(sentence: str, asked: Collection[Key]) -> Key | None:
    """Return which of the objects that were asked about a sentence speaks of; None if it names none of them."""
    for pattern in _NAMES:
        for match in pattern.finditer(sentence):
            for key in asked:
                if key.name == match["name"] and _is_kind(match["kind"], key.kind):
                    return key
    missing = _MISSING_KIND.search(sentence)
    return next((key for key in asked if missing and key.kind == missing["kind"]), None)


def nameless(sentence: str) -> str:
    """Return the kind of object that a sentence speaks of without naming it; "" for any other sentence."""
    found = _NAMELESS.match(sentence)
    return found["kind"] if found else ""


def _is_kind(word: str, kind: str) -> bool:
    """The server says Deployment as well as deployments."""
    return word.lower() in (kind.lower(), plural(kind))


def plural(kind: str) -> str:
    """Return the API's name of a kind: deployments, networkpolicies, ingresses."""
    low = kind.lower()
    if low == "endpoints":
        return low
    if low.endswith("y") and low[-2:-1] not in "aeiou":
        return f"{low[:-1]}ies"
    return f"{low}es" if low.endswith("s") else f"{low}s"


def without_echoes(refusals: Iterable[Refusal]) -> list[Refusal]:
    """Leave out what a pod says when its workload says the same."""
    found = list(dict.fromkeys(refusals))
    spoken: dict[str, str] = {}
    for one in found:
        spoken[one.about] = f"{spoken.get(one.about, '')}\n{one.reason.replace('spec.template.', '')}"
    return [r for r in found if not any(_detail(r.reason) in spoken.get(w, "") for w in _workloads(r.about))]


def _workloads(about: str) -> list[str]:
    name = about.removeprefix("Pod/").removesuffix(POD_SUFFIX)
    return [f"{kind}/{name}" for kind in WORKLOADS] if about.startswith("Pod/") else []


def _detail(reason: str) -> str:
    """What is refused, without whose it is; several causes without their brackets, since a workload may have more."""
    causes = reason.partition(" is invalid: ")[2]
    if causes.startswith("[") and causes.endswith("]"):
        causes = causes[1:-1]
    return causes or _NAMELESS.sub("", reason).partition(": ")[2] or reason


def folded(refusals: Sequence[Refusal]) -> list[str]:
    """Return each reason once, with the objects that it holds for. What names no object stands for itself."""
    groups: dict[tuple[bool, str], list[Refusal]] = {}
    for refusal in refusals:
        whose = bool(refusal.about)
        groups.setdefault((whose, _shape(refusal.reason) if whose else refusal.reason), []).append(refusal)
    return [_shown(group) for group in groups.values()]


def _shape(reason: str) -> str:
    """What is the same in the refusals of several objects for one cause."""
    text = re.sub(r'"[^"]*"', '""', reason)
    text = re.sub(r"^\S+ \"\" ", "", text)
    text = re.sub(r'in API group "" ', "", text)
    return re.sub(r"\d+", "0", text)


def _shown(group: Sequence[Refusal]) -> str:
    first, others = group[0], [r.about for r in group[1:] if r.about]
    lines = [f"{first.about}: {first.reason}" if first.about else first.reason]
    if others:
        rest = f", and {len(others) - _NAMED} more" if len(others) > _NAMED else ""
        lines.append(f"and {len(others)} more like it: {', '.join(others[:_NAMED])}{rest}")
    if advices := list(dict.fromkeys(r.advice for r in group if r.advice)):
        lines.append(f"what to do: {'; '.join(advices)}")
    return "\n      ".join(lines)


class Mask:
    """Takes secrets out of texts: as they are, in base64 and as JSON writes them, in whatever the server quotes.

    Of a secret with several lines each line is one, since texts are taken apart by lines and put together again.
    """

    def __init__(self, secrets: Iterable[str]) -> None:
        forms = {form for secret in secrets for form in _forms(secret) if len(form) > _SHORTEST}
        # The longest first: one secret may be a part of another.
        self._pattern = re.compile("|".join(map(re.escape, sorted(forms, key=len, reverse=True)))) if forms else None

    def __call__(self, text: str) -> str:
        """Return the text with every secret replaced, cut where a whole object was quoted."""
        shown = self._pattern.sub(_HIDDEN, text) if self._pattern else text
        return shown if len(shown) <= _LONGEST else f"{shown[: _LONGEST // 2]} ... {shown[-_LONGEST // 2 :]}"

    def all(self, refusals: Iterable[Refusal]) -> list[Refusal]:
        """Return refusals without secrets."""
        return [replace(r, reason=self(r.reason), advice=self(r.advice)) for r in refusals]


def _forms(secret: str) -> Iterator[str]:
    yield base64.b64encode(secret.encode()).decode()
    lines = [line.strip() for line in secret.splitlines()]
    for text in (secret, " ".join(filter(None, lines)), *(one for one in lines if len(one) > _SHORTEST_LINE)):
        yield text
        for ascii_only in (False, True):
            written = json.dumps(text, ensure_ascii=ascii_only)[1:-1]
            yield written
            # As Go writes it.
            yield re.sub("[<>&]", lambda found: f"\\u{ord(found[0]):04x}", written)


# --- what to change -----------------------------------------------------------------------------------------------

_ROLE: Final = "the rights of tiller: pulumi config set --path tiller.role cluster-admin"
_PRIVILEGED: Final = "pod-security.kubernetes.io/enforce=privileged --overwrite"
# Tiller is a service account of the cluster; people seldom are.
_TILLER: Final = '[Uu]ser "system:serviceaccount:[^"]*"'
_BEYOND: Final = r"(cannot \w+ resource|attempting to grant RBAC permissions)"
_ADVICE: Final = {
    "cannot impersonate": "the right to act as tiller, which cluster administrators have",
    rf"{_TILLER} .*{_BEYOND}": _ROLE,
    _BEYOND: "rights of your own: kubectl auth can-i --list -n {namespace}",
    "exceeded quota|failed quota|do not fit": (
        "kubectl -n {namespace} describe resourcequota; have it raised, or ask for less"
    ),
    "violates PodSecurity": f"builds need privileged pods: kubectl label namespace {{namespace}} {_PRIVILEGED}",
    r"(maximum|minimum) \w+ usage per|limit to request ratio": "kubectl -n {namespace} describe limitrange",
    "being terminated": "wait until the namespace is gone: kubectl get namespace {namespace} --watch",
    "provided port is already allocated|valid ports is": "another nodePort in the values file, or none",
    r"field is immutable|updates to .* are forbidden|immutable after creation": (
        "take the change back; this object would have to be deleted first, with all that it holds"
    ),
    "can not be less than": "a volume cannot shrink: take the change back",
    "no PriorityClass": "a class that `kubectl get priorityclasses` shows",
    "no matches for kind|resource mapping not found": (
        "install what brings this kind of object, or switch it off in the values file"
    ),
    "failed calling webhook": "the service behind this webhook must answer, in whatever namespace it runs",
    "denied the request|denied request": "a policy of this cluster: ask who made it",
    r'namespaces "[^"]*" not found': "make it first, or pulumi config set --path tiller.namespace kube-system",
    "exists already, and is not like": "rename what is there, or delete it",
    "exists already and belongs to": "another setting release, or another namespace",
}
# Where values hold quantities of Kubernetes.
_AMOUNT: Final = re.compile(r"(^|\.)(resources\..*|storage|memory\.\w+|cpu\.\w+)$")
_QUOTED: Final = re.compile(r'Invalid value: "([^"]+)"')


def advised(refusal: Refusal, namespace: str, values: Mapping[str, Any]) -> Refusal:
    """Add what to change: the place in the values where a refused value stands, else what helps in such a case."""
    if refusal.advice:
        return refusal
    quoted = _QUOTED.search(refusal.reason)
    places = [path for path, value in leaves(values) if quoted and _same(value, quoted[1])]
    if "quantities must match" in refusal.reason:
        places = [path for path, value in leaves(values) if _AMOUNT.search(path) and _is_no_quantity(value)]
    if places:
        return replace(refusal, advice=", ".join(map(place_advice, places[:2])))
    fitting = [advice for pattern, advice in _ADVICE.items() if re.search(pattern, refusal.reason)]
    return replace(refusal, advice=fitting[0].format(namespace=namespace) if fitting else "")


def _is_no_quantity(value: Any) -> bool:
    """Whether a value was meant for a quantity and is none; what is empty was not."""
    try:
        quantity("0" if value in (None, [], {}) else value)
    except ValueError:
        return True
    return False


def _same(value: Any, quoted: str) -> bool:
    return not isinstance(value, bool) and value is not None and str(value) == quoted


def place_advice(path: str) -> str:
    """Return the setting that decides a place of the Helm values, or the place in the person's own file."""
    owner = valuesfile.owner_of(path)
    return f"the setting {keys.PROJECT}:{owner} ({path})" if owner else f"{path} in the values file"

"""What the API server says of a change that is not made yet: dry runs, which store nothing, and a few reads.

All of them are plain requests that block; they are sent side by side, in two or three rounds.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from functools import partial
from typing import Final

from kube import helm_releases, quantities
from kube.api import Answer, Api, side_by_side
from kube.errors import UnknownTypeError
from kube.manifests import CLUSTER_WIDE, Object, ObjectKey
from preflight import dependencies, quota, rbac, scheduling
from preflight.questions import CLASSES_OF, Asked, Question, dry_runs, reads
from preflight.violations import Violation, listed

# What such a question would answer for that namespace alone.
_OF_STAND_IN: Final = ("exceeded quota", "failed quota", "violates PodSecurity", "usage per", "limit to request ratio")
_OWNER: Final = ("meta.helm.sh/release-name", "meta.helm.sh/release-namespace")
_NO_DRY_RUN: Final = "does not support dry run"
# Another manager's fields are not Pulumi's to change; its own managers' names differ, but their values do not.
_PULUMI: Final = "pulumi-kubernetes"
# How a server says that an object has not the form of its type; an apply of one has no reason at all.
_NO_FORM: Final = ("Invalid", "BadRequest", "")


@dataclass
class Findings:
    """What came of the questions: violations, and warnings about what stops nobody or could not be asked."""

    violations: list[Violation] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def read_history(user: Api, account: Api, release: str, namespace: str) -> helm_releases.History | Answer:
    """Read Helm's records of a release, as the user or, where that is refused, as whoever installs.

    Returns the refusal where neither may.
    """
    options = {"labelSelector": helm_releases.selector(release)}
    got = user.list("v1", "Secret", namespace, **options)
    if not got.ok and account is not user:
        as_account = account.list("v1", "Secret", namespace, **options)
        got = as_account if as_account.ok else got
    return helm_releases.history(got.items, namespace) if got.ok else got


def namespace_exists(user: Api, namespace: str) -> bool:
    """Return whether a namespace exists; also where nobody may tell."""
    return user.get("v1", "Namespace", namespace).reason != "NotFound"


def ask(question: Question) -> Findings:
    """Ask everything about what would change."""
    return _Asking(question).run()


class _Asking:
    """The rounds of questions, and what is known after each."""

    def __init__(self, question: Question) -> None:
        self.question = question
        self.findings = Findings()
        # As the server would store them: with defaults, and with what policies change.
        self.accepted: dict[ObjectKey, Object] = {}
        self.beside: list[Object] = []
        self.pods: dict[ObjectKey, Object] = {}
        self.spawned: dict[str, Object] = {}
        # What may not be read, in the server's words.
        self.unread: list[str] = []

    def run(self) -> Findings:
        question = self.question
        asked, read = dry_runs(question), reads(question)
        jobs = [*(partial(self._send, one) for one in asked), *(partial(_list, question, *one) for one in read)]
        answers = side_by_side(lambda job: job(), jobs)
        told = dict(zip(asked, self._retried(asked, answers), strict=True))
        self._sort(told)
        self._check(dict(zip(read, answers[len(asked) :], strict=True)))
        unread = [f"not looked at: {'; '.join(dict.fromkeys(self.unread))}"] if self.unread else []
        self.findings.warnings = list(dict.fromkeys([*self.findings.warnings, *unread]))
        return self.findings

    # --- dry runs -------------------------------------------------------------------------------------------------

    def _send(self, asked: Asked, again: bool = False) -> Answer:
        own = asked.role in ("own", "pod", "spawned")
        api = self.question.user if own else self.question.account
        try:
            if asked.role == "own" and again:
                return api.apply(asked.one, _PULUMI, dry_run=True)
            if asked.role == "changed":
                if again:
                    return api.replace(asked.one, dry_run=True)
                return api.apply(asked.one, "helm", dry_run=True, force=True)
            if asked.role == "deleted":
                return api.delete(asked.one, dry_run=True)
            return api.create(asked.one, dry_run=True)
        except UnknownTypeError as error:
            return Answer(404, {"reason": "NoMatch", "message": str(error)})

    def _retried(self, asked: Sequence[Asked], answers: Sequence[Answer]) -> list[Answer]:
        """Ask some things once more, in another way, and return the answers that count.

        A server-side apply keeps what other managers wrote, so it refuses some exchanges that Helm's own patch can do
        (one type of volume for another): what is refused is asked about as a whole object. What Pulumi makes beside the
        release and exists already is taken over, as far as nobody else set its fields to other values.
        """
        found = list(answers[: len(asked)])
        doubtful = [
            index
            for index, (one, answer) in enumerate(zip(asked, found, strict=True))
            if (one.role == "changed" and not answer.ok and answer.reason != "Forbidden")
            or (one.role == "own" and answer.reason == "AlreadyExists")
        ]
        for index, again in zip(doubtful, side_by_side(lambda i: self._send(asked[i], True), doubtful), strict=True):
            # Of an object without its form, an apply names no type.
            if again.ok or asked[index].role == "own" or not found[index].reason:
                found[index] = again
        return found

    def _sort(self, told: Mapping[Asked, Answer]) -> None:
        may_make_pods, may_act = self._rights(told)
        if not may_act:
            self.findings.violations.append(rbac.no_acting(self.question.account.account))
        self.findings.warnings += _server_warnings(told)
        no_form = {one.key for one, answer in told.items() if one.role != "pod" and _has_no_form(answer)}
        taken = []
        for one, answer in told.items():
            if one.role == "pod":
                self.pods[one.key] = answer.body if answer.ok else one.one
            if answer.ok:
                self._accept(one, answer)
            elif _NO_DRY_RUN in answer.message:
                self.findings.warnings.append(f"a policy could not be asked: {answer.message}")
            elif one.role in ("pod", "spawned"):
                # A workload tells what is wrong with its pods' form.
                echo = one.role == "pod" and one.key in no_form and _has_no_form(answer)
                known = may_make_pods or answer.reason != "Forbidden"
                if known and not echo and not self._of_stand_in(one, answer):
                    self._refuse_pod(one, answer)
            elif one.role == "new" and answer.reason == "AlreadyExists":
                taken.append(one.key)
            elif may_act or one.role == "own" or answer.reason != "Forbidden":
                self._refuse(one, answer)
        self.findings.violations += self._owners(taken)

    def _rights(self, told: Mapping[Asked, Answer]) -> tuple[bool, bool]:
        """Return whether the user may make pods, and may act as whoever installs; looked up only where it matters."""
        question = self.question
        refused = {one.role for one, answer in told.items() if answer.reason == "Forbidden"}
        pods = not refused & {"pod", "spawned"} or question.user.may("create", "", "pods", question.place)
        acting = not refused & {"new", "changed", "record", "deleted"} or rbac.may_act(question.user, question.account)
        return pods, acting

    def _accept(self, asked: Asked, answer: Answer) -> None:
        match asked.role:
            case "new" | "changed":
                original = {**answer.body["metadata"], "name": asked.key.name}
                self.accepted[asked.key] = {**answer.body, "metadata": original}
            case "own" | "record":
                # Of what exists, an apply was asked: a new object has no uid that is known.
                if answer.code == 201 and asked.key.kind not in CLUSTER_WIDE and not asked.key.namespace:
                    self.beside.append(answer.body)
            case "spawned":
                # The account was left out of the question, since the release itself may make it.
                named = self.question.spawned[asked.key.name]["spec"].get("serviceAccountName")
                account = {"serviceAccountName": named} if named else {}
                self.spawned[asked.key.name] = {**answer.body, "spec": {**answer.body["spec"], **account}}

    def _refuse(self, asked: Asked, answer: Answer) -> None:
        if asked.role == "deleted":
            if answer.reason != "NotFound":  # Helm goes on where it cannot delete
                self.findings.warnings.append(f"{asked.about} would be left behind: {answer.message}")
        elif asked.role == "own" and answer.reason == "Conflict":
            text = f"{asked.key} exists already, and is not like this stack's: {answer.message}"
            self.findings.violations.append(Violation(asked.about, text))
        elif not self._of_stand_in(asked, answer):
            self.findings.violations.append(Violation(asked.about, answer.message))

    def _refuse_pod(self, asked: Asked, answer: Answer) -> None:
        if asked.role == "spawned":  # the release can be installed all the same
            self.findings.warnings.append(f"every {asked.key.name} would be refused: {answer.message}")
        elif asked.key not in self.question.becoming("changed") and not self._has_room_later(asked, answer):
            self.findings.violations.append(Violation(asked.about, answer.message))

    def _has_room_later(self, asked: Asked, answer: Answer) -> bool:
        """A quota that is full of the very pods which give way first has room; arithmetic over it decides instead."""
        gives_way = asked.key in self.question.old and quota.takes_away_first(self.question.new[asked.key])
        return gives_way and "exceeded quota" in answer.message

    def _of_stand_in(self, asked: Asked, answer: Answer) -> bool:
        """Whether a refusal holds for the namespace that was asked in place of the one still to be made."""
        here = asked.key.kind not in CLUSTER_WIDE and not asked.key.namespace
        return not self.question.exists and here and any(words in answer.message for words in _OF_STAND_IN)

    def _owners(self, taken: Sequence[ObjectKey]) -> Iterator[Violation]:
        """Yield a violation for each object that exists and is not this release's; Helm takes over what is."""
        question = self.question
        read = partial(_get, question)
        for key, found in zip(taken, side_by_side(read, [(question.new[key], key) for key in taken]), strict=True):
            about = found.body.get("metadata") or {}
            notes, marks = about.get("annotations") or {}, about.get("labels") or {}
            owner = [notes.get(name, "?") for name in _OWNER]
            if owner != [question.release, question.namespace] or marks.get("app.kubernetes.io/managed-by") != "Helm":
                whose = "somebody else (no release of Helm)" if owner == ["?", "?"] else f"{owner[1]}/{owner[0]}"
                words = "Helm would say: invalid ownership metadata"
                yield Violation(str(key), f"{key} exists already and belongs to {whose}; {words}")

    # --- local checks, on objects that the server accepted ----------------------------------------------------------

    def _check(self, seen: Mapping[tuple[str, str, str], Answer]) -> None:
        question, findings = self.question, self.findings
        self.unread += [got.message for got in seen.values() if not got.ok]
        there = [one for got in seen.values() for one in got.items]
        kinds = {look[1] for look, got in seen.items() if got.ok}
        touched = list(self.accepted.values())
        new = {*question.becoming("new")}
        findings.violations += dependencies.images(touched)
        # An old claim has its volume, whatever became of its class.
        claims = [one for key, one in self.accepted.items() if key.kind != "PersistentVolumeClaim" or key in new]
        named = [one for one in claims if CLASSES_OF.get(one["kind"]) in kinds]
        findings.violations += dependencies.classes(named, there, question.namespace)
        nodes = [one for one in there if one["kind"] == "Node"]
        if not question.empty_pools:
            findings.violations += scheduling.unschedulable(touched, nodes)
            findings.warnings += scheduling.idle(touched, nodes)
            findings.warnings += scheduling.waiting(touched, nodes)
            findings.warnings += scheduling.spawned(self.spawned, nodes)
        self._references(touched)
        quotas = [one for one in there if one["kind"] == "ResourceQuota"]
        if quotas:
            findings.violations += quota.exceeded(quotas, self._more(), findings.violations)

    def _references(self, touched: Iterable[Object]) -> None:
        question, findings = self.question, self.findings
        wanted = dependencies.references(dependencies.templates(touched))
        later = dependencies.references({f"every {name}": pod for name, pod in self.spawned.items()})
        asked = sorted({one.key for one in (*wanted, *later)} - question.new.keys())
        typed: list[tuple[Object, ObjectKey]] = [({"apiVersion": "v1", "kind": key.kind}, key) for key in asked]
        got = dict(zip(asked, side_by_side(partial(_get, question), typed), strict=True))
        unread = {key: answer for key, answer in got.items() if not answer.ok and answer.reason != "NotFound"}
        self.unread += [answer.message for answer in unread.values()]
        known = {**question.new, **{key: answer.body for key, answer in got.items() if answer.ok}}
        missing, waits = (
            list(dependencies.missing([one for one in some if one.key not in unread], known))
            for some in (wanted, later)
        )
        # Nobody can make a secret in a namespace that is not there; its pods wait for it.
        findings.violations += missing if question.exists else []
        waits += [] if question.exists else missing
        findings.warnings += [f"{one.about}: {one.reason}" for one in waits]

    def _more(self) -> dict[str, Decimal]:
        """Return all that the change adds to quotas."""
        running = self.question.user.list("v1", "Pod", self.question.place).items
        new = [self.accepted[key] for key in self.question.becoming("new") if key in self.accepted]
        pods = [
            quota.of_workload(self.accepted[key], pod, running)
            for key, pod in self.pods.items()
            if key in self.accepted
        ]
        return quantities.summed([quota.of_objects([*new, *self.beside]), *pods])


def _server_warnings(told: Mapping[Asked, Answer]) -> list[str]:
    """Return what the server warns of, each once, with the objects that it holds for; a pod is told by its workload."""
    about: dict[str, dict[str, None]] = {}
    for one, answer in told.items():
        for text in answer.warnings if one.role != "deleted" else ():
            about.setdefault(text, {})[str(one.key)] = None
    return [f"{listed([*names])}: {text}" for text, names in about.items()]


def _list(question: Question, api_version: str, kind: str, namespace: str) -> Answer:
    return question.user.list(api_version, kind, namespace)


def _get(question: Question, wanted: tuple[Object, ObjectKey]) -> Answer:
    """Read one object: its type is that of the first, its name and place are the second's."""
    one, key = wanted
    return question.user.get(one["apiVersion"], key.kind, key.name, key.namespace or question.namespace)


def _has_no_form(answer: Answer) -> bool:
    return not answer.ok and answer.reason in _NO_FORM

"""What the API server says of a change that is not made yet: dry runs, which store nothing, and a few reads.

All of them are plain requests that block; they are sent side by side, in two rounds.
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from decimal import Decimal
from functools import partial
from typing import Final

from kube import helm_releases, quantities
from kube.api import Answer, Api, side_by_side
from kube.errors import UnknownTypeError
from kube.manifests import BY_HELM, OF_NAMESPACE, OF_RELEASE, WORKLOADS, Object, ObjectKey, has_pods
from preflight import dependencies, diff, quota, rbac, report, scheduling
from preflight.questions import Asked, Question, dry_runs, is_here, reads
from preflight.violations import Finding, Violation, about, listed

_FULL: Final = "exceeded quota"
# What a question asked in place of a namespace still to be made would answer for that other one alone.
_OF_STAND_IN: Final = (_FULL, "failed quota", "violates PodSecurity", "usage per", "limit to request ratio")
_NO_DRY_RUN: Final = "does not support dry run"
# Another manager's fields are not Pulumi's to change; its own managers' names differ, but their values do not.
_PULUMI: Final = "pulumi-kubernetes"
# How a server says that an object has not the form of its type; an apply of one has no reason at all.
_NO_FORM: Final = ("Invalid", "BadRequest", "")
_EXISTS: Final = Answer(409, {"reason": "AlreadyExists"})
_OF_PODS: Final = {"pod", "spawned"}
_BY_ACCOUNT: Final = {"new", "changed", "record", "deleted"}


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


def read_replaced(user: Api, owner: str) -> list[diff.Change]:
    """Return what goes with the releases that belong to `owner`, as Helm's records describe it, wherever they are.

    Who may not read the records of a whole cluster learns nothing.
    """
    found = []
    for record in user.list("v1", "Secret", "", labelSelector=helm_releases.DEPLOYED).items:
        place = str(record["metadata"].get("namespace") or "")
        release = helm_releases.history([record], place)
        if release.owner == owner:
            gone = diff.changes(release.objects, {})
            found += [
                diff.Change(change.key._replace(namespace=change.key.namespace or place), change.what)
                for change in gone
            ]
    return found


def ask(question: Question) -> list[Finding]:
    """Ask everything about what would change; return violations, and warnings about what stops nobody."""
    return list(dict.fromkeys(_Asking(question).run()))


class _Asking:
    """The rounds of questions, and what is known after each."""

    def __init__(self, question: Question) -> None:
        self.question = question
        # As the server would store them: with defaults, and with what policies change.
        self.accepted: dict[ObjectKey, Object] = {}
        self.beside: list[Object] = []
        self.pods: dict[ObjectKey, Object] = {}
        self.spawned: dict[str, Object] = {}
        # What exists already, by the namespace and the release that it belongs to ("?" for none).
        self.taken: dict[tuple[str, str], list[ObjectKey]] = {}
        # What may not be read, in the server's words.
        self.unread: list[str] = []

    def run(self) -> Iterator[Finding]:
        question = self.question
        asked, read = list(dry_runs(question)), reads(question)
        jobs: list[Callable[[], Answer]] = [partial(_send, question, one) for one in asked]
        jobs += [*(partial(question.user.list, *one) for one in read), question.nodes]
        answers = iter(side_by_side(lambda job: job(), jobs))
        yield from self._sort({one: next(answers) for one in asked})
        yield from self._check({**{kind: next(answers) for _, kind, _ in read}, "Node": next(answers)})
        if self.unread:
            yield f"not looked at: {'; '.join(dict.fromkeys(self.unread))}"

    # --- dry runs -------------------------------------------------------------------------------------------------

    def _sort(self, told: Mapping[Asked, Answer]) -> Iterator[Finding]:
        question = self.question
        # Rights are looked up only where it matters.
        forbidden = {one.role for one, answer in told.items() if answer.reason == "Forbidden"}
        may_make_pods = not forbidden & _OF_PODS or question.user.may("create", "", "pods", question.place)
        barred = rbac.no_acting(question.user, question.account) if forbidden & _BY_ACCOUNT else None
        if barred:
            yield barred
        yield from _server_warnings(told)
        formless = {one.key for one, answer in told.items() if one.role != "pod" and _has_no_form(answer)}
        for one, answer in told.items():
            if one.role == "pod":
                self.pods[one.key] = answer.body if answer.ok else one.one
            may = may_make_pods if one.role in _OF_PODS else not barred or one.role not in _BY_ACCOUNT
            if answer.ok:
                self._accept(one, answer)
            elif _NO_DRY_RUN in answer.message:
                yield f"a policy could not be asked: {answer.message}"
            elif (may or answer.reason != "Forbidden") and not self._is_of_stand_in(one, answer):
                yield from self._refuse(one, answer, formless)
        yield from self._owners()

    def _accept(self, asked: Asked, answer: Answer) -> None:
        match asked.role:
            case "new" | "changed":
                original = {**answer.body["metadata"], "name": asked.key.name}
                self.accepted[asked.key] = {**answer.body, "metadata": original}
            # Of what exists, an apply was asked: a new object has no uid that is known.
            case "own" | "record" if answer.code == 201 and is_here(asked.key):
                self.beside.append(answer.body)
            case "spawned":
                self.spawned[asked.key.name] = answer.body

    def _refuse(self, asked: Asked, answer: Answer, formless: Collection[ObjectKey]) -> Iterator[Finding]:
        match asked.role, answer.reason:
            case "deleted", reason:
                if reason != "NotFound":  # Helm goes on where it cannot delete
                    yield f"{asked.about} would be left behind: {answer.message}"
            case "spawned", _:  # the release can be installed all the same
                yield f"every {asked.key.name} would be refused: {answer.message}{self._by_default(asked, answer)}"
            case "pod", _ if self._is_no_obstacle(asked, answer, formless):
                pass
            # The Services of a hub beside this one, told already.
            case "own", "AlreadyExists" | "Conflict" if any(self._is_neighbour(*owner) for owner in self.taken):
                pass
            case "own", "AlreadyExists":
                yield report.not_ours(self.question, asked)
            case "own", "Conflict":
                text = f"{asked.key} exists already, and is not like this stack's: {answer.message}"
                yield Violation(asked.about, text, "rename what is there, or delete it")
            case "new", "AlreadyExists":
                self._note_owner(asked.key)
            case "pod", _ if by_default := self._by_default(asked, answer):
                advice = f"resources.limits of its own; kubectl -n {self.question.namespace} describe limitrange"
                yield Violation(asked.about, f"{answer.message}{by_default}", advice)
            case _:
                yield Violation(asked.about, answer.message)

    def _by_default(self, asked: Asked, answer: Answer) -> str:
        """Return in words that a limit which is in a pod's way is none of its own, but a LimitRange's default."""
        if not any(str(cause.get("field")).endswith("resources.requests") for cause in answer.causes):
            return ""
        for one in self.question.user.list("v1", "LimitRange", self.question.place).items:
            if quota.exceeds_default(asked.one, one):
                return f" (it gives no limit: this one is the default of {about(one)})"
        return ""

    def _is_no_obstacle(self, asked: Asked, answer: Answer, formless: Collection[ObjectKey]) -> bool:
        """Whether a refused pod of a workload does not matter, or is told otherwise."""
        key, question = asked.key, self.question
        # A workload tells itself what is wrong with its pods' form.
        echo = key in formless and _has_no_form(answer)
        # A quota that is full of the very pods which give way first has room; arithmetic over it decides instead.
        gives_way = key in question.old and quota.takes_away_first(question.new[key])
        return echo or key in question.becoming("changed") or (gives_way and _FULL in answer.message)

    def _is_of_stand_in(self, asked: Asked, answer: Answer) -> bool:
        """Whether a refusal holds for the namespace that was asked in place of the one still to be made."""
        asked_there = not self.question.exists and is_here(asked.key)
        return asked_there and any(words in answer.message for words in _OF_STAND_IN)

    def _note_owner(self, key: ObjectKey) -> None:
        """Note whose an object is that exists, if it is not this release's; Helm takes over what is."""
        question = self.question
        found = question.read(key, question.new[key]["apiVersion"]).body.get("metadata") or {}
        notes, marks = found.get("annotations") or {}, found.get("labels") or {}
        place, release = (notes.get(name, "?") for name in (OF_NAMESPACE, OF_RELEASE))
        is_own = (place, release) == (question.namespace, question.release)
        if not is_own or not BY_HELM.items() <= marks.items():
            self.taken.setdefault((place, release), []).append(key)

    def _owners(self) -> Iterator[Violation]:
        """Yield whose the objects are that exist already; what lives in this namespace is told in one sentence."""
        for (place, release), keys in self.taken.items():
            names = [*map(str, keys)]
            if self._is_neighbour(place, release):
                text = f"release {release} is in namespace {place} already, with objects of the same names"
                yield Violation(
                    "", f"{text}: {listed(names)}", "a namespace for each hub: pulumi config set namespace NAME"
                )
                continue
            whose = "somebody else (no release of Helm)" if release == "?" else f"{place}/{release}"
            for name in names:
                text = f"exists already and belongs to {whose}; Helm would say: invalid ownership metadata"
                yield Violation(name, text, "another setting release, or another namespace")

    def _is_neighbour(self, place: str, release: str) -> bool:
        return place == self.question.namespace and release != self.question.release

    # --- local checks, on objects that the server accepted ----------------------------------------------------------

    def _check(self, seen: Mapping[str, Answer]) -> Iterator[Finding]:
        question = self.question
        self.unread += [_unread(kind, got) for kind, got in seen.items() if not got.ok]
        there = {kind: got.items for kind, got in seen.items() if got.ok}
        touched = list(self.accepted.values())
        pods = {about(one): one["spec"]["template"] for one in touched if has_pods(one)}
        yield from dependencies.images(pods)
        if (claimed := there.get(dependencies.CLAIM)) is not None:
            restarting = [key for key in question.becoming("pods restart", "deleted") if key.kind in WORKLOADS]
            yield from dependencies.claims(question.old, question.new, restarting, claimed)
        # An old claim has its volume, whatever became of its class.
        new = question.becoming("new")
        claims = [one for key, one in self.accepted.items() if key.kind != dependencies.CLAIM or key in new]
        yield from dependencies.classes(claims, there, question.namespace)
        if not question.empty_pools:
            yield from scheduling.check(touched, self.spawned, there.get("Node", []))
        yield from self._references(pods)
        if quotas := there.get("ResourceQuota"):
            yield from quota.exceeded(quotas, self._more())

    def _references(self, pods: Mapping[str, Object]) -> Iterator[Finding]:
        question, wanted = self.question, dependencies.references(pods)
        # As they were given: of the pods that were asked about, the account was left out.
        later = dependencies.references({f"every {name}": question.spawned[name] for name in self.spawned})
        asked = sorted({one.key for one in (*wanted, *later)} - question.new.keys())
        got = dict(zip(asked, side_by_side(question.read, asked), strict=True))
        unread = {key: answer for key, answer in got.items() if not answer.ok and answer.reason != "NotFound"}
        self.unread += [_unread(str(key), answer) for key, answer in unread.items()]
        known = {**question.new, **{key: answer.body for key, answer in got.items() if answer.ok}}
        # Nobody can make a secret in a namespace that is not there; its pods wait for it.
        for some, stops in ((wanted, question.exists), (later, False)):
            for lack in dependencies.missing([one for one in some if one.key not in unread], known):
                yield lack if stops else f"{lack.about}: {lack.reason}"

    def _more(self) -> dict[str, Decimal]:
        """Return all that the change adds to quotas."""
        accepted, running = self.accepted, self.question.user.list("v1", "Pod", self.question.place).items
        new = [accepted[key] for key in self.question.becoming("new") if key in accepted]
        pods = [quota.of_workload(accepted[key], pod, running) for key, pod in self.pods.items() if key in accepted]
        return quantities.summed([quota.of_objects([*new, *self.beside]), *pods])


def _send(question: Question, asked: Asked) -> Answer:
    """Ask about one object, and where that settles nothing once more, in another way."""
    api, one = question.account if asked.role in _BY_ACCOUNT else question.user, asked.one
    try:
        match asked.role:
            case "deleted":
                return api.delete(one, dry_run=True)
            case "changed":
                applied = api.apply(one, "helm", dry_run=True, force=True)
                if applied.ok or applied.reason == "Forbidden":
                    return applied
                # An apply keeps what other managers wrote, so it refuses some exchanges that Helm's own patch can do
                # (one type of volume for another); and of an object without its form, it names no type.
                replaced = api.replace(one, dry_run=True)
                return replaced if replaced.ok or not applied.reason else applied
            case role:
                made = api.create(one, dry_run=True)
                # A full quota refuses also what exists, and would not be asked again about it.
                if role in ("new", "own") and _FULL in made.message and question.has(one):
                    made = _EXISTS
                # What exists is taken over on purpose alone, as far as nobody else set its fields to other values.
                again = role == "own" and made.reason == "AlreadyExists" and question.adopt
                return api.apply(one, _PULUMI, dry_run=True) if again else made
    except UnknownTypeError as error:
        return Answer(404, {"reason": "NoMatch", "message": str(error)})


def _server_warnings(told: Mapping[Asked, Answer]) -> Iterator[str]:
    """Yield what the server warns of, each once, with the objects that it holds for; a pod is told by its workload."""
    names: dict[str, dict[str, None]] = {}
    for one, answer in told.items():
        for text in answer.warnings if one.role != "deleted" else ():
            names.setdefault(text, {})[str(one.key)] = None
    yield from (f"{listed([*some])}: {text}" for text, some in names.items())


def _unread(what: str, answer: Answer) -> str:
    """Tell what was not read. Who lacks a right is told of it in a sentence that names it already."""
    return answer.message if answer.reason == "Forbidden" else f"{what}: {answer.message}"


def _has_no_form(answer: Answer) -> bool:
    return not answer.ok and answer.reason in _NO_FORM

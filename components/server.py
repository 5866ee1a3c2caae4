"""What the API server says of objects that are not there yet: dry runs, which store nothing, and a few reads."""

import asyncio
import json
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any, Final

from components import needs, nodes, objects, quotas, record, references, refusals, rights, shapes
from components.kubectl import Answer, Kubectl
from components.objects import CLUSTER_WIDE, WORKLOADS, Change, Key, Object
from components.refusals import POD_SUFFIX, Refusal
from components.settings import TillerSettings

# A namespace that every cluster has, for questions about one that is still to be made.
_STAND_IN: Final = "default"
# What such a question would answer for that namespace alone.
_OF_STAND_IN: Final = ("exceeded quota", "failed quota", "violates PodSecurity", "usage per", "limit to request ratio")
_OWNER: Final = ("meta.helm.sh/release-name", "meta.helm.sh/release-namespace")
_EXISTS: Final = "already exists"
_NO_DRY_RUN: Final = "does not support dry run"
# The person may not make pods: then nothing is known, which is no refusal.
_MAY_NOT_ASK: Final = re.compile(rf'pods( "[^"]*{POD_SUFFIX}")? is forbidden: User')
_FORBIDDEN: Final = "is forbidden: User"
# Another manager's fields are not Pulumi's to change; its own managers' names differ, but their values do not.
_PULUMI: Final = "pulumi-kubernetes"


# What becomes of objects that would be made or changed.
_TOUCHED: Final = ("new", "changed", "pods restart")


class LookError(Exception):
    """Why Helm's records could not be read, in the server's words."""


@dataclass
class Findings:
    """What came of the questions: refusals, and warnings about what could not be asked.

    `quotas` and `limit_ranges` are the namespace's; `beside` is what else would be made there: by Pulumi itself, and
    Helm's next record.
    """

    refusals: list[Refusal] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    quotas: list[Object] = field(default_factory=list)
    limit_ranges: list[Object] = field(default_factory=list)
    beside: list[Object] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class Question:
    """A release as it is and as it would be.

    `person` asks with the person's own rights, `installer` as whoever will install. `made` tells whether the namespace
    exists; `launched` are templates of the pods that the hub makes later, by name.
    `own` are objects beside the release that Pulumi itself is about to make.
    With `empty_pools`, nodes may come when they are needed, and are not looked at.
    """

    person: Kubectl
    installer: Kubectl
    release: str
    namespace: str
    made: bool
    old: Mapping[Key, Object]
    new: Mapping[Key, Object]
    changes: Sequence[Change]
    next_record: int
    own: Sequence[Object] = ()
    empty_pools: bool = False
    launched: Mapping[str, Object] = field(default_factory=dict)

    def with_what(self, *what: str) -> dict[Key, Object]:
        """Return the objects of `new` with one of these sorts of change."""
        return {c.key: self.new[c.key] for c in self.changes if c.what in what}

    def sound(self, *what: str) -> dict[Key, Object]:
        """Return those of them that have their form, so that they can be looked into."""
        return {key: one for key, one in self.with_what(*what).items() if shapes.fits(one)}

    @property
    def fresh(self) -> dict[Key, Object]:
        """The objects that would be made."""
        return self.with_what("new")

    @property
    def touched(self) -> dict[Key, Object]:
        """The objects that would be made or changed."""
        return self.with_what(*_TOUCHED)


async def history(person: Kubectl, installer: Kubectl, release: str, namespace: str) -> record.History:
    """Read Helm's records of a release, as the person or, where that is forbidden, as the installer.

    Raises `LookError`.
    """
    question = ("get", "secrets", "-n", namespace, "-o", "json", "-l", record.selector(release))
    got = await person(*question)
    if got.status and installer != person:
        got = await installer(*question)
    if got.status:
        raise LookError((got.err.strip().splitlines() or ["kubectl said nothing"])[-1])
    return record.read(json.loads(got.out)["items"], namespace)


async def namespace_exists(person: Kubectl, namespace: str) -> bool:
    """Return whether a namespace exists; also where nobody may tell."""
    got = await person("get", "namespace", namespace, "--ignore-not-found", "-o", "name")
    return bool(got.status or got.out.strip())


async def ask(question: Question) -> Findings:
    """Ask everything about what would change, all at once."""
    asking = (_new, _own, _changed, _gone, _pods, _needs)
    parts = await asyncio.gather(*(part(question) for part in asking))
    findings = Findings()
    for part in parts:
        findings.refusals += part.refusals
        findings.warnings += part.warnings
        findings.quotas += part.quotas
        findings.limit_ranges += part.limit_ranges
        findings.beside += part.beside
    own = {f"Pod/{k.name}{POD_SUFFIX}": f"{k} (its pods)" for k in question.touched if k.kind in WORKLOADS}
    findings.refusals = [
        replace(r, about=own.get(r.about, r.about)) for r in refusals.without_echoes(findings.refusals)
    ]
    findings.refusals += quotas.refusals(findings.quotas, _more(question, findings), findings.refusals)
    findings.warnings = list(dict.fromkeys(findings.warnings))
    return findings


def _more(question: Question, findings: Findings) -> dict[str, Decimal]:
    """Return all that a change adds to quotas."""
    of_objects = quotas.of_objects([*question.sound("new").values(), *findings.beside])
    pairs = [(question.old.get(k), one) for k, one in question.sound(*_TOUCHED).items() if k.kind in WORKLOADS]
    return nodes.summed([of_objects, quotas.of_pods(pairs, findings.limit_ranges)])


def _sorted(question: Question, answer: Answer, asked: Mapping[Key, Key]) -> Findings:
    """Sort what kubectl printed; `asked` maps the keys of the question to those of the release."""
    findings = Findings()
    for text in refusals.sentences(answer.err):
        key = refusals.named(text, asked)
        if _NO_DRY_RUN in text:
            findings.warnings.append(f"a policy could not be asked: {text}")
        elif not (_MAY_NOT_ASK.match(text) or _EXISTS in text or _of_stand_in(question, key, text)):
            findings.refusals.append(Refusal(str(asked[key]) if key else "", text))
    return findings


def _of_stand_in(question: Question, asked: Key | None, text: str) -> bool:
    """Whether a refusal holds for the namespace that was asked in place of the one still to be made."""
    here = asked is not None and asked.kind not in CLUSTER_WIDE
    return not question.made and here and any(words in text for words in _OF_STAND_IN)


def _as_asked(question: Question, found: Mapping[Key, Object]) -> tuple[dict[Key, Key], list[Object]]:
    """Return objects as they can be asked about, and how they are called then.

    A hook is made anew each time, so a hook that exists is no obstacle: it is asked about by another name. So is all
    that belongs into a namespace which is still to be made.
    """
    keys: dict[Key, Key] = {}
    asked: list[Object] = []
    for key, one in found.items():
        elsewhere = not question.made and key.kind not in CLUSTER_WIDE and not key.namespace
        name = key.name[:55] + POD_SUFFIX if elsewhere or objects.hooks(one) else key.name
        place = {} if key.kind in CLUSTER_WIDE else {"namespace": key.namespace or _place(question)}
        keys[Key(key.kind, name)] = key
        asked.append({**one, "metadata": {**one["metadata"], "name": name, **place}})
    return keys, asked


def _place(question: Question) -> str:
    return question.namespace if question.made else _STAND_IN


async def _dry(kubectl: Kubectl, verb: str, asked: Sequence[Object], *more: str) -> Answer:
    if not asked:
        return await _nothing()
    body = json.dumps({"apiVersion": "v1", "kind": "List", "items": asked})
    # The check on this side would stop at the first fault of all; `delete` has none.
    unchecked = () if verb == "delete" else ("--validate=false",)
    return await kubectl(verb, "--dry-run=server", *unchecked, *more, "-f", "-", stdin=body)


async def _told(
    question: Question, kubectl: Kubectl, keys: Mapping[Key, Key], asked: Sequence[Object]
) -> tuple[Findings, list[Key]]:
    """Ask whether objects could be made; return also which of them exist already, by their keys in the question.

    Of some faults the server does not say whose they are. Then each object of that kind is asked about by itself.
    """
    got = await _dry(kubectl, "create", asked, "-o", "name")
    findings = _sorted(question, got, keys)
    for one in [r for r in findings.refusals if not r.about]:
        kind = refusals.nameless(one.reason)
        alone = {k: o for k, o in zip(keys, asked, strict=True) if k.kind == kind}
        answers = await asyncio.gather(*(_dry(kubectl, "create", [o], "-o", "name") for o in alone.values()))
        told = [
            Refusal(str(keys[k]), text)
            for k, answer in zip(alone, answers, strict=True)
            for text in refusals.sentences(answer.err)
            if refusals.nameless(text)
        ]
        findings.refusals = [*(r for r in findings.refusals if r != one or not told), *told]
    findings.refusals = list(dict.fromkeys(findings.refusals))
    exist = [refusals.named(text, keys) for text in refusals.sentences(got.err) if _EXISTS in text]
    return findings, [key for key in exist if key]


async def _new(question: Question) -> Findings:
    """Ask whether new objects could be made; those that exist already must belong to this release."""
    keys, asked = _as_asked(question, question.fresh)
    helms: list[Object] = []
    if question.next_record <= record.KEPT:  # after that Helm takes an old one away first
        name = f"sh.helm.release.v1.{question.release}.v{question.next_record}"
        about = {"name": name, "namespace": _place(question)}
        helms = [{"apiVersion": "v1", "kind": "Secret", "type": "helm.sh/release.v1", "metadata": about}]
        keys[Key("Secret", name)] = Key("Secret", name)
        asked += helms
    findings, taken = await _told(question, question.installer, keys, asked)
    findings.refusals += await _owners(question, [keys[key] for key in taken])
    findings.beside = helms
    return findings


async def _own(question: Question) -> Findings:
    """Ask, as the person, about what Pulumi makes beside the release.

    What exists already is taken over, as far as nobody else set its fields to other values.
    """
    keys, asked = _as_asked(question, objects.by_key(question.own, question.namespace))
    findings, there = await _told(question, question.person, keys, asked)
    taken_over = {k: one for k, one in zip(keys, asked, strict=True) if k in there}
    told = await asyncio.gather(*(_taken_over(question.person, keys[k], one) for k, one in taken_over.items()))
    findings.refusals += [refusal for some in told for refusal in some]
    in_namespace = [k for k in keys if k not in there and k.kind not in CLUSTER_WIDE and not k.namespace]
    findings.beside = [one for k, one in zip(keys, asked, strict=True) if k in in_namespace]
    return findings


async def _taken_over(person: Kubectl, key: Key, one: Object) -> list[Refusal]:
    """Return what keeps Pulumi from taking over an object that exists; kubectl does not say whose conflict it is."""
    got = await _dry(person, "apply", [one], "--server-side", f"--field-manager={_PULUMI}")
    texts = [text.partition("Please review")[0].strip() for text in refusals.sentences(got.err)]
    return [Refusal(str(key), f"{key} exists already, and is not like this stack's: {text}") for text in texts]


async def _owners(question: Question, taken: Sequence[Key]) -> list[Refusal]:
    """Return a refusal for each object that exists and is not this release's; Helm takes over what is."""
    found = []
    for key in taken:
        where = () if key.kind in CLUSTER_WIDE else ("-n", key.namespace or question.namespace)
        got = await question.person(*where, "get", key.kind, key.name, "-o", "json", "--ignore-not-found")
        about = json.loads(got.out)["metadata"] if got.out.strip() else {}
        notes, marks = about.get("annotations") or {}, about.get("labels") or {}
        owner = [notes.get(name, "?") for name in _OWNER]
        if owner != [question.release, question.namespace] or marks.get("app.kubernetes.io/managed-by") != "Helm":
            whose = "somebody else (no release of Helm)" if owner == ["?", "?"] else f"{owner[1]}/{owner[0]}"
            words = "Helm would say: invalid ownership metadata"
            found.append(Refusal(str(key), f"{key} exists already and belongs to {whose}; {words}"))
    return found


async def _changed(question: Question) -> Findings:
    """Ask whether objects could be changed.

    A server-side apply keeps what other managers wrote, so it refuses some exchanges that Helm's own patch can do (one
    sort of volume for another). Whatever is refused is therefore asked once more, as a whole new object.
    """
    changed = {k: one for k, one in question.with_what("changed", "pods restart").items() if not objects.hooks(one)}
    if not changed:
        return Findings()
    keys, asked = _as_asked(question, changed)
    options = ("--server-side", "--force-conflicts", "--field-manager=helm", "-o", "name")
    findings = _sorted(question, await _dry(question.installer, "apply", asked, *options), keys)
    doubtful = {r.about for r in findings.refusals if _FORBIDDEN not in r.reason}
    again = [one for key, one in zip(changed, asked, strict=True) if str(key) in doubtful]
    if again:
        got = await _dry(question.installer, "replace", again, "-o", "name")
        fine = set(got.out.split())
        findings.refusals = [r for r in findings.refusals if not _among(r.about, fine)]
    return findings


async def _gone(question: Question) -> Findings:
    """Ask whether objects can be deleted. Helm goes on where they cannot, and leaves them."""
    gone = {c.key: question.old[c.key] for c in question.changes if c.what == "deleted"}
    gone = {key: one for key, one in gone.items() if question.made and not objects.hooks(one)}
    keys, asked = _as_asked(question, gone)
    stays = _sorted(question, await _dry(question.installer, "delete", asked, "--ignore-not-found"), keys).refusals
    return Findings(warnings=[f"{one.about or 'something'} would be left behind: {one.reason}" for one in stays])


def _among(about: str, names: Collection[str]) -> bool:
    """Names are as kubectl prints them: deployment.apps/hub."""
    kind, _, name = about.partition("/")
    return any(n.partition("/")[2] == name and n.partition(".")[0].partition("/")[0] == kind.lower() for n in names)


async def _pods(question: Question) -> Findings:
    """Ask about the pods of workloads and of the hub, as the person: others will make them than who installs."""
    workloads = filter(objects.has_pods, question.sound("new", "pods restart").values())
    later = [{"metadata": {"name": name}, "spec": {"template": pod}} for name, pod in question.launched.items()]
    asked = [_pod(question, one) for one in [*workloads, *later]]
    keys = {key: key for key in (Key("Pod", pod["metadata"]["name"]) for pod in asked)}
    (findings, _), found = await asyncio.gather(
        _told(question, question.person, keys, asked),
        question.person("-n", question.namespace, "get", "resourcequotas,limitranges", "-o", "json")
        if question.made
        else _nothing(),
    )
    findings.refusals = [r for r in findings.refusals if not _has_room_later(question, r)]
    own = {f"Pod/{name}{POD_SUFFIX}": name for name in question.launched}
    # The release can be installed all the same.
    findings.warnings += [
        f"every {own[r.about]} would be refused: {r.reason}" for r in findings.refusals if r.about in own
    ]
    findings.refusals = [r for r in findings.refusals if r.about not in own]
    limiting = _items(found.out)
    findings.quotas = [one for one in limiting if one["kind"] == "ResourceQuota"]
    findings.limit_ranges = [one for one in limiting if one["kind"] == "LimitRange"]
    return findings


async def _nothing() -> Answer:
    return Answer(0, "", "")


def _pod(question: Question, workload: Object) -> dict[str, Any]:
    """Return the pod of a workload, without what the release itself is about to make: that would be missed here."""
    template = objects.pod_template(workload)
    spec = {k: v for k, v in template["spec"].items() if k != "serviceAccount"} | {"serviceAccountName": "default"}
    if Key("PriorityClass", spec.get("priorityClassName") or "") in question.fresh:
        del spec["priorityClassName"]
    name = workload["metadata"]["name"] + POD_SUFFIX
    about = {**template.get("metadata", {}), "name": name, "namespace": _place(question)}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": about, "spec": {"restartPolicy": "Always", **spec}}


def _has_room_later(question: Question, refusal: Refusal) -> bool:
    """A quota that is full of the very pods which give way first has room; arithmetic over it decides instead."""
    name = refusal.about.removeprefix("Pod/").removesuffix(POD_SUFFIX)
    own = [one for k, one in question.touched.items() if k.name == name and k in question.old]
    return "exceeded quota" in refusal.reason and any(map(quotas.takes_away_first, own))


async def _needs(question: Question) -> Findings:
    """Look for classes, nodes and named objects that the release counts on."""
    touched = list(question.sound(*_TOUCHED).values())
    launched = {name: pod for name, pod in question.launched.items() if shapes.fits_pod(pod)}
    kinds = ["nodes"]
    if any(key.kind == "PersistentVolumeClaim" for key in question.fresh):
        kinds += ["storageclasses", "persistentvolumes"]
    if any(one["kind"] == "Ingress" for one in touched):
        kinds += ["ingressclasses"]
    wanted = references.of_pods(references.templates(touched))
    later = references.of_pods({f"every {name}": pod for name, pod in launched.items()})
    asked = {one.key for one in (*wanted, *later)} - question.new.keys()
    names = sorted(f"{key.kind.lower()}/{key.name}" for key in asked)
    there, named = await asyncio.gather(
        question.person("get", ",".join(kinds), "-o", "json"),
        question.person("-n", question.namespace, "get", *names, "-o", "json", "--ignore-not-found")
        if names
        else _nothing(),
    )
    findings = Findings(warnings=[f"not looked at: {text}" for text in refusals.sentences(there.err + named.err)])
    findings.refusals += needs.images(touched)
    items = _items(there.out)
    if not there.status:
        fresh_claims = [
            one for one in touched if one["kind"] != "PersistentVolumeClaim" or one in question.fresh.values()
        ]
        findings.refusals += needs.classes(fresh_claims, items)
        there_are = [one for one in items if one["kind"] == "Node"]
        if not question.empty_pools:
            findings.refusals += needs.rooms(touched, there_are)
            findings.warnings += [
                *needs.idle(touched, there_are), *needs.waiting(touched, there_are), *needs.later(launched, there_are)
            ]  # fmt: skip
    if not named.status:
        known = {**question.new, **objects.by_key(_items(named.out), question.namespace)}
        missing, waits = (list(references.missing(some, known)) for some in (wanted, later))
        # Nobody can make a secret in a namespace that is not there; its pods wait for it.
        findings.refusals += missing if question.made else []
        waits += [] if question.made else missing
        findings.warnings += [f"{r.about}: {r.reason}" for r in waits]
    return findings


def _items(printed: str) -> list[dict[str, Any]]:
    """Read what kubectl prints as JSON: nothing, a bare object for exactly one, else a list."""
    found = json.loads(printed) if printed.strip() else {"items": []}
    return list(found["items"]) if "items" in found else [found]


async def of_role(person: Kubectl, tiller: TillerSettings, new: Iterable[Object]) -> list[Refusal]:
    """Return what stands in tiller's way while its role is still to be bound: it cannot be asked as tiller yet.

    Where tiller has other bindings than ours, what it may do is not ours to reckon.
    """
    account = f"serviceaccounts/{tiller.name}"
    role, others, acting = await asyncio.gather(
        person("get", "clusterrole", tiller.role, "-o", "json"),
        person("get", "clusterrolebindings,rolebindings", "--all-namespaces", "-o", "json"),
        person("auth", "can-i", "impersonate", account, "-n", tiller.namespace),
    )
    found = [] if acting.out.strip() != "no" else [rights.no_acting(account)]
    if "not found" in role.err:
        return [*found, rights.no_role(tiller.role)]
    if role.status or others.status or rights.bound_elsewhere(json.loads(others.out)["items"], tiller):
        return found
    given, wanted = json.loads(role.out), list(filter(shapes.fits, new))
    lacking = rights.lacking(given, rights.needed(wanted))
    return [*found, *rights.refusals(tiller.role, lacking), *rights.withheld(tiller.role, given, wanted)]

"""The check that is part of every preview: which objects change, which pods restart, what would be refused.

Pulumi compares a Release's inputs with its state and nothing more (facts: preview.md section 0). So this reads Helm's
record of the live release, renders the chart with the real values, compares, and asks the server about what is new or
changed, by dry runs. It is silent when nothing changes, says one line when something does, and raises one error that
lists every violation. It changes nothing, and outside of previews it does nothing.
"""

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final

import pulumi
from pulumi.output import Unknown

from config.settings import Settings
from kube.api import Answer, Api, side_by_side
from kube.errors import KubeError
from kube.helm_releases import KEPT, History, packed
from kube.manifests import Object, ObjectKey
from kube.nested import leaves, mapped, merged
from kube.redaction import LONGEST, Mask
from preflight import diff, dry_run, rbac, render, report, spawned_pods
from preflight.diff import Change
from preflight.questions import Question
from preflight.violations import RenderingError, Violation, ViolationsError, advised

# Stands for a value that is known only later; as long as a token, so that it differs from the live one.
_PLACEHOLDER: Final = "x" * 64
_LONGEST_OF_CHARTS: Final = 6000
_Objects = Mapping[ObjectKey, Object]


@dataclass(frozen=True, kw_only=True)
class Subject:
    """What is checked.

    `values` may have outputs at their leaves. `api` is None where nobody can be asked; `nodes` returns the nodes;
    `provider` renders, with the user's own rights. `account` is the user name that installs, `description` how Helm's
    record says whose release it is, and `beside` are the objects that Pulumi itself makes. `bound` is the id of the
    binding that gives the account its rights, `installed` the id of the release, and `made` are the ids of `beside`, in
    that order: each unknown until it is made.
    """

    settings: Settings
    values: Mapping[str, Any]
    api: Api | None
    nodes: Callable[[], Answer]
    provider: pulumi.ProviderResource
    account: str
    description: str
    beside: Sequence[Object]
    bound: pulumi.Output[str]
    installed: pulumi.Output[str]
    made: Sequence[pulumi.Output[str]]


def check(subject: Subject) -> None:
    """Check a release, in previews only. Raises `ViolationsError` within the engine's run, which ends the preview."""
    if not pulumi.runtime.is_dry_run() or subject.settings.skip_server_checks:
        return
    secrets = [leaf for _, leaf in leaves(subject.values) if isinstance(leaf, pulumi.Output)]

    async def run(known: list[Any]) -> None:
        values, *ids = known
        mask = Mask([text for leaf in secrets for text in await _secret_texts(leaf)])
        bound, installed, *made = (not isinstance(one, Unknown) for one in ids)
        making = [one for one, is_made in zip(subject.beside, made, strict=True) if not is_made]
        await _Check(subject, _filled(values), mask, bound, installed, making).run()

    known = pulumi.Output.all(dict(subject.values), subject.bound, subject.installed, *subject.made)
    known.apply(run, run_with_unknowns=True)  # type: ignore[arg-type]


async def _secret_texts(leaf: pulumi.Output[Any]) -> list[str]:
    """Return the texts of a leaf, if it is a secret."""
    if not await leaf.is_secret():
        return []
    value = await leaf.future(with_unknowns=True)
    return [text for _, text in leaves({"secret": value}) if isinstance(text, str)]


def _filled(value: Any) -> Any:
    """Return values with something in place of what is not known yet."""
    return mapped(lambda leaf: _PLACEHOLDER if isinstance(leaf, Unknown) else leaf, value)


@dataclass(frozen=True)
class _Check:
    """One check, with everything known that can be. `making` are the objects beside that Pulumi makes in this run."""

    subject: Subject
    values: Mapping[str, Any]
    mask: Mask
    bound: bool
    installed: bool
    making: Sequence[Object] = ()

    @property
    def name(self) -> str:
        """The release, as `namespace/release`."""
        return f"{self.given.namespace}/{self.given.release}"

    @property
    def given(self) -> Settings:
        """The settings."""
        return self.subject.settings

    async def run(self) -> None:
        """Collect, compare, ask, say. Raises `RunError`, among them `ViolationsError`."""
        try:
            await self._run()
        except KubeError as error:  # the server went away meanwhile, or a record cannot be read
            raise pulumi.RunError(str(error)) from None

    async def _run(self) -> None:
        subject, user = self.subject, self.subject.api
        if user is None:
            pulumi.log.warn("server checks skipped: there is no kubectl on PATH; the chart alone was checked")
            await self._render()
            return
        account = user.acting_as(subject.account) if self.bound else user
        history, new = await self._collect(user, account)
        # Where there are records, there is all the rest, as far as Helm and Pulumi know.
        known = isinstance(history, History) and bool(history.status)
        beside = [] if known else await asyncio.to_thread(self._beside, user)
        lost = [one for one, answer in beside if answer.reason == "NotFound"]
        exists = all(one["kind"] != "Namespace" for one in lost)
        if isinstance(history, Answer):  # told with all that `up` would lack
            unread = Violation("", f"Helm's records of {self.name} cannot be read: {history.message}")
            none = History(newest=KEPT)
            raise self._error([unread, *await asyncio.to_thread(self._ask, user, user, none, new, [], exists)])
        if found := report.at_odds(history, self.given, self.installed, lost):
            raise self._error(found, f"pulumi up cannot go on with {self.name}")
        old = history.objects
        changes = await self._changes(old, new)
        # Another name or namespace is another release for Pulumi, which uninstalls the one before it.
        is_another = self.bound and not self.installed and not history.status
        replaced = await asyncio.to_thread(dry_run.read_replaced, user, subject.description) if is_another else []
        lost_claims, barred = report.deleted_claims([*changes, *replaced], self.given.protect)
        for text in lost_claims:
            pulumi.log.warn(f"{self.given.release}: {text}")
        if changes:
            pulumi.log.info(report.line(self.given.release, changes, old, new))
        if changes and history.status == "failed":
            pulumi.log.warn(f"{self.given.release}: its last operation failed, so more may change than is listed here")
        migrated = report.migration(old, new)
        if migrated and isinstance(migrated, str):
            pulumi.log.warn(f"{self.given.release}: {migrated}")
        found = report.ownership(history, self.name, subject.description, self.installed, self.given.adopt_release)
        if isinstance(migrated, Violation) and report.OLDER_HUB not in self.given.accepted_risks:
            found.append(migrated)
        found = [*barred, *found, *await asyncio.to_thread(self._ask, user, account, history, new, changes, exists)]
        if found:
            raise self._error(found)

    def _beside(self, user: Api) -> list[tuple[Object, Answer]]:
        """Read what Pulumi makes beside the release: each as it would be made, and the answer."""
        made = [(one, one["metadata"]) for one in self.subject.beside]
        asked = [(one["apiVersion"], one["kind"], about["name"], about.get("namespace") or "") for one, about in made]
        return [*zip(self.subject.beside, side_by_side(lambda one: user.get(*one), asked), strict=True)]

    def _error(self, found: Sequence[Violation], head: str = "", longest: int = LONGEST) -> ViolationsError:
        told = [advised(one, self.given.namespace, self.values) for one in found]
        hidden = [replace(one, reason=self.mask(one.reason, longest), advice=self.mask(one.advice)) for one in told]
        return ViolationsError(head or f"the cluster would refuse {self.name}", hidden)

    async def _collect(self, user: Api, account: Api) -> tuple[History | Answer, dict[ObjectKey, Any]]:
        """Read Helm's releases and render, side by side; a refused reading is returned as it is."""
        read = asyncio.to_thread(dry_run.read_history, user, account, self.given.release, self.given.namespace)
        # Both to their end: whichever fails first must not leave the other behind.
        history, new = await asyncio.gather(read, self._render(), return_exceptions=True)
        for got in (history, new):
            if isinstance(got, BaseException):
                raise got
        return history, new

    async def _render(self) -> dict[ObjectKey, dict[str, Any]]:
        given = self.given
        try:
            return await render.render(given.chart, given.release, given.namespace, self.values, self.subject.provider)
        except RenderingError as error:
            # A chart's own advice is told to its end.
            raise self._error(error.violations, error.head, _LONGEST_OF_CHARTS) from None

    async def _changes(self, old: _Objects, new: dict[ObjectKey, dict[str, Any]]) -> list[Change]:
        """Compare. What is random in the chart (a second rendering tells) counts as it is now."""
        changes = diff.changes(old, new)
        if not changes or not old:
            return changes
        new.update(diff.without_random(old, new, await self._render()))
        return diff.changes(old, new)

    def _record(self, history: History, new: _Objects) -> str:
        """Return about what Helm will keep: values, objects and chart, whose own values Helm merges with ours."""
        own = history.chart.get("values") or {}
        chart = {**history.chart, "values": merged(own, self.values)}
        return packed({"chart": chart, "config": self.values, "manifest": "\n".join(map(json.dumps, new.values()))})

    def _ask(
        self, user: Api, account: Api, history: History, new: _Objects, changes: list[Change], exists: bool
    ) -> list[Violation]:
        """Ask the server about a change, show its warnings, and return the violations.

        Where the user is to ask in tiller's place, tiller's role tells what tiller may do.
        """
        given, subject, old = self.given, self.subject, history.objects
        found = list(rbac.of_role(user, given.tiller, new.values())) if account is user else []
        if given.existing_namespace:
            found += report.existing_namespace(user, given.namespace)
        if old and not changes and not self.making:
            return found
        question = Question(
            user=user,
            account=account,
            nodes=subject.nodes,
            release=given.release,
            namespace=given.namespace,
            exists=exists,
            old=old,
            new=new,
            changes=changes,
            next_revision=history.newest + 1,
            record=partial(self._record, history, new),
            own=self.making,
            adopt=given.adopt_release,
            empty_pools="emptyNodePool" in given.accepted_risks,
            spawned=spawned_pods.pods(self.values, given.release),
        )
        for one in dry_run.ask(question):
            if isinstance(one, Violation):
                found.append(one)
            else:
                pulumi.log.warn(self.mask(one))
        return found

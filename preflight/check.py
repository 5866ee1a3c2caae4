"""The check that is part of every preview: which objects change, which pods restart, what would be refused.

Pulumi compares a Release's inputs with its state and nothing more (facts: preview.md section 0). So this reads Helm's
record of the live release, renders the chart with the real values, compares, and asks the server about what is new or
changed, by dry runs. It is silent when nothing changes, says one line when something does, and raises one error that
lists every violation. It changes nothing, and outside of previews it does nothing.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import pulumi
from pulumi.output import Unknown

from config.settings import Settings
from kube.api import Answer, Api
from kube.errors import KubeError
from kube.helm_releases import KEPT, History
from kube.manifests import Object, ObjectKey
from kube.nested import leaves
from kube.redaction import Mask
from preflight import diff, dry_run, rbac, render, report, spawned_pods
from preflight.diff import Change
from preflight.questions import Question
from preflight.violations import RenderingError, Violation, ViolationsError, advised

# Stands for a value that is known only later; as long as a token, so that it differs from the live one.
_PLACEHOLDER: Final = "x" * 64
_Objects = Mapping[ObjectKey, Object]


@dataclass(frozen=True, kw_only=True)
class Subject:
    """What is checked.

    `values` may have outputs at their leaves. `api` is None where nobody can be asked; `nodes` returns the nodes;
    `provider` renders, with the user's own rights. `account` is the user name that installs, `description` how Helm's
    record says whose release it is, and `beside` are the objects that Pulumi itself makes. `bound` is the id of the
    binding that gives the account its rights, and `installed` the id of the release: each unknown until it is made.
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


def check(subject: Subject) -> None:
    """Check a release, in previews only. Raises `ViolationsError` within the engine's run, which ends the preview."""
    if not pulumi.runtime.is_dry_run() or subject.settings.skip_server_checks:
        return
    secrets = [leaf for _, leaf in leaves(subject.values) if isinstance(leaf, pulumi.Output)]

    async def run(known: list[Any]) -> None:
        values, *ids = known
        mask = Mask([text for leaf in secrets for text in await _secret_texts(leaf)])
        await _Check(subject, _filled(values), mask, *(not isinstance(one, Unknown) for one in ids)).run()

    known = pulumi.Output.all(dict(subject.values), subject.bound, subject.installed)
    known.apply(run, run_with_unknowns=True)  # type: ignore[arg-type]


async def _secret_texts(leaf: pulumi.Output[Any]) -> list[str]:
    """Return the texts of a leaf, if it is a secret."""
    if not await leaf.is_secret():
        return []
    value = await leaf.future(with_unknowns=True)
    return [text for _, text in leaves({"secret": value}) if isinstance(text, str)]


def _filled(value: Any) -> Any:
    """Return values with something in place of what is not known yet."""
    if isinstance(value, Unknown):
        return _PLACEHOLDER
    if isinstance(value, Mapping):
        return {key: _filled(below) for key, below in value.items()}
    return [_filled(below) for below in value] if isinstance(value, list) else value


@dataclass(frozen=True)
class _Check:
    """One check, with everything known that can be."""

    subject: Subject
    values: Mapping[str, Any]
    mask: Mask
    bound: bool
    installed: bool

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
        if isinstance(history, Answer):  # told with all that `up` would lack
            unread = Violation("", f"Helm's records of {self.name} cannot be read: {history.message}")
            raise self._error([unread, *await asyncio.to_thread(self._ask, user, user, KEPT + 1, {}, new, [])])
        if history.unfinished:
            raise self._error([report.unfinished(history, self.name)])
        old = history.objects
        changes = await self._changes(old, new)
        if changes:
            pulumi.log.info(report.line(self.given.release, changes, old, new))
        if changes and history.status == "failed":
            pulumi.log.warn(f"{self.given.release}: its last operation failed, so more may change than is listed here")
        found = report.ownership(history, self.name, subject.description, self.installed, self.given.adopt_release)
        found += await asyncio.to_thread(self._ask, user, account, history.newest + 1, old, new, changes)
        if found:
            raise self._error(found)

    def _error(self, found: Sequence[Violation]) -> ViolationsError:
        told = [advised(one, self.given.namespace, self.values) for one in found]
        hidden = [replace(one, reason=self.mask(one.reason), advice=self.mask(one.advice)) for one in told]
        return ViolationsError(self.name, hidden)

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
            raise self._error(error.violations) from None

    async def _changes(self, old: _Objects, new: dict[ObjectKey, dict[str, Any]]) -> list[Change]:
        """Compare. What is random in the chart (a second rendering tells) counts as it is now."""
        changes = diff.changes(old, new)
        if not changes or not old:
            return changes
        new.update(diff.without_random(old, new, await self._render()))
        return diff.changes(old, new)

    def _ask(
        self, user: Api, account: Api, revision: int, old: _Objects, new: _Objects, changes: list[Change]
    ) -> list[Violation]:
        """Ask the server about a change, show its warnings, and return the violations.

        Where the user is to ask in tiller's place, tiller's role tells what tiller may do.
        """
        given, subject = self.given, self.subject
        found = list(rbac.of_role(user, given.tiller, new.values())) if account is user else []
        if old and not changes:
            return found
        question = Question(
            user=user,
            account=account,
            nodes=subject.nodes,
            release=given.release,
            namespace=given.namespace,
            # Where nobody may tell, it is taken to be there.
            exists=bool(old) or user.get("v1", "Namespace", given.namespace).reason != "NotFound",
            old=old,
            new=new,
            changes=changes,
            next_revision=revision,
            own=[] if old and self.bound else subject.beside,
            empty_pools="emptyNodePool" in given.accepted_risks,
            spawned=spawned_pods.pods(self.values),
        )
        for one in dry_run.ask(question):
            if isinstance(one, Violation):
                found.append(one)
            else:
                pulumi.log.warn(self.mask(one))
        return found

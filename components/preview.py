"""The check that is part of every preview: which objects change, which pods restart, what would be refused.

Pulumi compares a Release's inputs with its state and nothing more (facts: preview.md section 0). So this reads Helm's
record of the live release, renders the chart with the real values, compares, and asks the server about what is new or
changed, by dry runs. It is silent when nothing changes, says one line when something does, and raises one error that
lists every refusal. It changes nothing, and outside of previews it does nothing.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import pulumi
from pulumi.output import Unknown

from components import address, kubectl, launches, objects, refusals, rendering, server, story, tiller
from components.binderhub import namespace_manifest, own_description
from components.cluster import Kubeconfig
from components.kubectl import Kubectl
from components.objects import Change, Key, Object
from components.record import History
from components.refusals import Mask, Refusal, RefusedError
from components.settings import Settings
from components.tiller import TillerArgs
from components.tree import leaves

# Stands for a value that is known only later; as long as a token, so that it differs from the live one.
_PLACEHOLDER: Final = "x" * 64


@dataclass(frozen=True)
class Subject:
    """What is checked. `values` may have outputs at its leaves; `provider` renders, with the person's own rights."""

    settings: Settings
    values: Mapping[str, Any]
    kubeconfig: Kubeconfig
    provider: pulumi.ProviderResource


def check(subject: Subject, account: str, bound: pulumi.Output[str], installed: pulumi.Output[str]) -> None:
    """Check a release, in previews only.

    `account` is the user that installs; `bound` is the id of the binding that gives it its rights, and `installed` the
    id of the release: each unknown until it is made. Raises `RefusedError` within the engine's run, which ends the
    preview with it.
    """
    if not pulumi.runtime.is_dry_run() or subject.settings.skip_server_checks:
        return
    secrets = [leaf for _, leaf in leaves(subject.values) if isinstance(leaf, pulumi.Output)]

    async def run(known: list[Any]) -> None:
        values, *ids = known
        mask = Mask([text for leaf in secrets for text in await _hidden(leaf)])
        await _Check(subject, account, _filled(values), mask, *map(_is_known, ids)).run()

    pulumi.Output.all(dict(subject.values), bound, installed).apply(run, run_with_unknowns=True)  # type: ignore[arg-type]


async def _hidden(leaf: pulumi.Output[Any]) -> list[str]:
    """Return the texts of a leaf, if it is a secret."""
    if not await leaf.is_secret():
        return []
    value = await leaf.future(with_unknowns=True)
    return [text for _, text in leaves({"secret": value}) if isinstance(text, str)]


def _is_known(value: Any) -> bool:
    return not isinstance(value, Unknown)


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
    account: str
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
        """Look, compare, ask, say."""
        person = kubectl.find(self.subject.kubeconfig)
        if person is None:
            pulumi.log.warn("server checks skipped: there is no kubectl on PATH; the chart alone was checked")
            await self._render()
            return
        installer = person.acting_as(self.account) if self.bound else person
        history, new = await self._look(person, installer)
        if history is None:
            return
        if history.unfinished:
            raise RefusedError(self.name, [story.unfinished(history, self.name)])
        old = history.deployed.objects if history.deployed else {}
        changes = await self._changes(old, new)
        if changes:
            pulumi.log.info(story.line(self.given.release, changes, old, new))
        found = [*self._ownership(history), *(await self._asked(person, installer, history, old, new, changes))]
        if found:
            advised = [refusals.advised(r, self.given.namespace, self.values) for r in found]
            raise RefusedError(self.name, self.mask.all(advised))

    async def _look(self, person: Kubectl, installer: Kubectl) -> tuple[History | None, dict[Key, Any]]:
        """Read the records and render, side by side; None stands for records that cannot be read."""
        asked = server.history(person, installer, self.given.release, self.given.namespace)
        history, new = await asyncio.gather(asked, self._render(), return_exceptions=True)
        if isinstance(history, server.LookError):
            pulumi.log.warn(f"server checks skipped: the records of {self.name} cannot be read: {history}")
            history = None
        if isinstance(history, BaseException):
            raise history
        if isinstance(new, BaseException):
            raise new
        return history, new

    async def _render(self) -> dict[Key, dict[str, Any]]:
        given = self.given
        try:
            return await rendering.render(
                given.chart, given.release, given.namespace, self.values, self.subject.provider
            )
        except rendering.RenderingError as error:
            raise RefusedError(self.name, self.mask.all(error.refusals)) from None

    async def _changes(self, old: Mapping[Key, Object], new: dict[Key, dict[str, Any]]) -> list[Change]:
        """Compare. What the chart draws by lot (a second rendering tells) counts as it is now."""
        changes = objects.changes(old, new)
        if not changes or not old:
            return changes
        again = await self._render()
        settled = objects.settled(old, new, again)
        new.update(settled)
        return objects.changes(old, new)

    def _ownership(self, history: History) -> list[Refusal]:
        return story.ownership(history, self.name, own_description(), self.installed, self.given.adopt_release)

    async def _asked(
        self,
        person: Kubectl,
        installer: Kubectl,
        history: History,
        old: Mapping[Key, Object],
        new: Mapping[Key, Object],
        changes: list[Change],
    ) -> list[Refusal]:
        found = [] if self.bound else await server.of_role(person, self.given.tiller, new.values())
        if not changes:
            return found
        if history.status == "failed":
            pulumi.log.warn(f"{self.given.release}: its last operation failed, so more may change than is listed here")
        made = bool(old) or await server.namespace_exists(person, self.given.namespace)
        question = server.Question(
            person=person, installer=installer, release=self.given.release, namespace=self.given.namespace, made=made,
            old=old, new=new, changes=changes, next_record=history.newest + 1, launched=launches.pods(self.values),
            own=[] if old and self.bound else self._own(),
            empty_pools="emptyNodePool" in self.given.accepted_risks,
        )  # fmt: skip
        findings = await server.ask(question)
        for warning in findings.warnings:
            pulumi.log.warn(self.mask(warning))
        return [*found, *findings.refusals]

    def _own(self) -> list[dict[str, Any]]:
        """Return what Pulumi itself makes beside a release."""
        given = self.given
        account = tiller.manifests(TillerArgs(**vars(given.tiller)))
        return [namespace_manifest(given.namespace), *account, *address.manifests(given.namespace, given.release)]

"""The check in previews: when it speaks, what it says, and that no secret is among it."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pulumi
import pytest
from test_server import Kubectl, deployment, plain

from components import kubectl, preview, rendering, server, settings
from components import record as records
from components.objects import Key, by_key
from components.refusals import Mask, Refusal, RefusedError

HIDDEN = "t0p-secret-token"
BASICS = {
    "binderhub:imagePrefix": "examplelab/binder-x-",
    "binderhub:registryUsername": "me",
    "binderhub:registryPassword": HIDDEN,
}
OWN = "pulumi binderhub/dev"
LIVE = [plain("Secret", "hub"), deployment("hub"), deployment("proxy")]


class World:
    """A pretended cluster: what the records say, what the chart renders to, what the server refuses."""

    def __init__(self) -> None:
        self.history: Any = records.History(self.revision(LIVE), "deployed", 3, OWN)
        self.rendered: list[Any] = [LIVE]
        self.findings = server.Findings()
        self.said: list[str] = []
        self.person: Any = Kubectl()
        self.bound = self.installed = True

    @staticmethod
    def revision(found: list[Any]) -> records.Revision:
        return records.Revision(3, by_key(found, "binderhub"))

    def run(self, **more: str) -> None:
        given = settings.read(
            {**BASICS, **{f"binderhub:{k}": v for k, v in more.items()}}, ["binderhub:registryPassword"], "dev", Path()
        )
        subject = preview.Subject(given, {}, None, None)  # type: ignore[arg-type]
        checked = preview._Check(subject, "tiller", {"a": "b"}, Mask([HIDDEN]), self.bound, self.installed)
        asyncio.run(checked.run())

    def refusal(self, **more: str) -> str:
        with pytest.raises(RefusedError) as caught:
            self.run(**more)
        return str(caught.value)


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    world = World()

    async def history(*_: object) -> Any:
        if isinstance(world.history, Exception):
            raise world.history
        return world.history

    async def render(*_: object) -> Any:
        found = world.rendered[0] if len(world.rendered) == 1 else world.rendered.pop(0)
        if isinstance(found, Exception):
            raise found
        return by_key(found, "binderhub")

    async def ask(_: object) -> server.Findings:
        return world.findings

    def say(sort: str) -> Callable[[str], None]:
        return lambda text: world.said.append(f"{sort}: {text}")

    world.person.acting_as = lambda _: world.person
    monkeypatch.setattr(kubectl, "find", lambda _: world.person)
    monkeypatch.setattr(server, "history", history)
    monkeypatch.setattr(server, "ask", ask)
    monkeypatch.setattr(rendering, "render", render)
    monkeypatch.setattr(pulumi.log, "info", say("info"))
    monkeypatch.setattr(pulumi.log, "warn", say("warning"))
    monkeypatch.setattr(pulumi, "get_project", lambda: "binderhub")
    monkeypatch.setattr(pulumi, "get_stack", lambda: "dev")
    return world


def changed() -> list[Any]:
    return [plain("Secret", "hub", labels={"a": "b"}), *LIVE[1:]]


def test_nothing_changes_and_not_a_word_is_said(world: World) -> None:
    world.findings.refusals.append(Refusal("", "nobody may ask this"))
    world.run()
    assert world.said == []


def test_one_line_for_a_change(world: World) -> None:
    world.rendered = [changed()]
    world.run()
    assert world.said == ["info: binderhub: 1 of 3 objects change: Secret/hub"]


def test_a_first_install_is_told_as_such(world: World) -> None:
    world.history = records.History()
    world.run()
    assert world.said == ["info: binderhub: first install, 3 objects"]


def test_what_the_chart_draws_by_lot_is_no_change(world: World) -> None:
    def drawn(token: str) -> list[Any]:
        return [plain("Secret", "hub") | {"data": {"token": token}}, *LIVE[1:]]

    world.history = records.History(world.revision(drawn("kept")), "deployed", 3, OWN)
    world.rendered = [drawn("one"), drawn("other")]
    world.run()
    assert world.said == []


@pytest.mark.parametrize(
    ("value", "texts"), [("t0p", ["t0p"]), ({"a": "t0p", "b": [1, "s3cret"]}, ["t0p", "s3cret"]), (1, []), ("", [""])]
)
def test_the_texts_of_a_secret_output_are_what_is_hidden(value: Any, texts: list[str]) -> None:
    async def hidden(wrapped: Callable[[Any], pulumi.Output[Any]]) -> list[str]:
        return await preview._hidden(wrapped(value))

    assert asyncio.run(hidden(pulumi.Output.secret)) == texts
    assert asyncio.run(hidden(pulumi.Output.from_input)) == []


def test_all_refusals_come_in_one_error_and_without_secrets(world: World) -> None:
    world.rendered = [changed()]
    world.findings.refusals = [Refusal("Secret/hub", f"found {HIDDEN}"), Refusal("Service/hub", "also bad")]
    text = world.refusal()
    assert text.startswith("the cluster would refuse binderhub/binderhub; nothing was touched\n  1. Secret/hub: found")
    assert "  2. Service/hub: also bad" in text
    assert HIDDEN not in text


def test_warnings_are_shown_without_secrets(world: World) -> None:
    world.rendered = [changed()]
    world.findings.warnings = [f"not asked: {HIDDEN}"]
    world.run()
    assert world.said[1:] == ["warning: not asked: [secret]"]


def test_what_the_chart_refuses_is_told_without_secrets(world: World) -> None:
    world.rendered = [rendering.RenderingError([Refusal("the chart", f"bad {HIDDEN}")])]
    assert "1. the chart: bad [secret]" in world.refusal()


def test_without_kubectl_the_chart_alone_is_checked_and_a_warning_says_so(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kubectl, "find", lambda _: None)
    world.run()
    assert [text[:50] for text in world.said] == ["warning: server checks skipped: there is no kubect"]
    world.rendered = [rendering.RenderingError([Refusal("the chart", "bad")])]
    assert "the chart: bad" in world.refusal()


def test_records_that_may_not_be_read_are_a_warning_and_the_chart_is_still_checked(world: World) -> None:
    world.history = server.LookError("secrets is forbidden")
    world.run()
    (text,) = world.said
    assert text == (
        "warning: server checks skipped: the records of binderhub/binderhub cannot be read: secrets is forbidden"
    )
    world.rendered = [rendering.RenderingError([Refusal("the chart", "bad")])]
    assert "the chart: bad" in world.refusal()


@pytest.mark.parametrize("status", ["pending-install", "pending-upgrade", "pending-rollback", "uninstalling"])
def test_a_release_in_the_middle_of_an_operation_is_refused_with_the_way_out(world: World, status: str) -> None:
    world.history = records.History(None, status, 3, OWN)
    text = world.refusal()
    assert f"release binderhub/binderhub is {status}" in text
    assert "python -m recovery" in text
    assert world.said == []


def test_a_release_of_somebody_else_is_refused_also_when_nothing_changes(world: World) -> None:
    world.history = records.History(world.revision(LIVE), "deployed", 3, "pulumi binderhub/lab")
    assert "exists already and belongs to pulumi binderhub/lab" in world.refusal()
    world.run(adoptRelease="true")


def test_after_a_failed_run_it_is_said_that_more_may_change(world: World) -> None:
    world.history = records.History(world.revision(LIVE), "failed", 4, OWN)
    world.rendered = [changed()]
    world.run()
    assert world.said[1].startswith("warning: binderhub: its last operation failed")


def test_a_role_is_looked_at_only_while_it_is_not_bound(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    async def of_role(*_: object) -> list[Refusal]:
        return [Refusal("", "too small")]

    monkeypatch.setattr(server, "of_role", of_role)
    world.run()
    world.bound = False
    assert "too small" in world.refusal(), "also when the release does not change: its next change would fail"


def test_the_cluster_is_asked_whether_the_namespace_exists_only_for_a_first_install(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = []

    async def ask(question: server.Question) -> server.Findings:
        made.append(question.made)
        return server.Findings()

    monkeypatch.setattr(server, "ask", ask)
    world.rendered = [changed()]
    world.run()
    assert world.person.asked == []
    world.history = records.History()
    world.run()
    assert [args[:3] for args, _ in world.person.asked] == [("get", "namespace", "binderhub")]
    assert made == [True, False]


def test_what_pulumi_makes_itself_is_asked_about_before_a_first_install(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = []

    async def ask(question: server.Question) -> server.Findings:
        own.append([f"{o['kind']}/{o['metadata']['name']}" for o in question.own])
        return server.Findings()

    monkeypatch.setattr(server, "ask", ask)
    world.rendered = [changed()]
    world.run()
    world.history = records.History()
    world.run()
    account = ["Namespace/binderhub", "ServiceAccount/tiller", "ClusterRoleBinding/tiller"]
    assert own == [[], [*account, "Service/proxy-public-external", "Service/binder-external"]]


def test_keys_are_named_as_kubectl_names_them() -> None:
    assert str(Key("Deployment", "hub")) == "Deployment/hub"

"""The check in previews: when it speaks, what it says, and that no secret is among it."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pulumi
import pytest
import yaml
from pulumi.output import Unknown

from config import settings
from kube import helm_releases
from kube.errors import ClusterUnreachableError
from kube.manifests import by_key
from kube.redaction import Mask
from preflight import check, render
from preflight.violations import RenderingError, Violation, ViolationsError
from tests.unit.fake_api import Asked, FakeApi, may_not, refused
from tests.unit.kube.test_helm_releases import secret
from tests.unit.preflight.test_dry_run import IMPERSONATE, NODE, TILLER, deployment, labelled, plain

HIDDEN = "t0p-secret-token"
BASICS = {"imagePrefix": "examplelab/binder-x-", "registryUsername": "me", "registryPassword": HIDDEN}
OWN = "pulumi binderhub/dev"
LIVE = [plain("Secret", "hub"), deployment("hub"), deployment("proxy")]
CHANGED = [labelled(LIVE[0]), *LIVE[1:]]
BESIDE = [
    plain("ServiceAccount", "tiller", namespace="kube-system"), plain("Service", "external"),
    plain("Namespace", "binderhub"),
]  # fmt: skip
RECORDS = ("GET", "Secret", "*")
ANYTHING = [{name: ["*"] for name in ("apiGroups", "resources", "verbs")}]
DATABASE = plain("PersistentVolumeClaim", "hub-db-dir")


def record(status: str = "deployed", owner: str = OWN, live: list[Any] = LIVE) -> dict[str, Any]:
    return secret(3, status, owner, manifest=yaml.safe_dump_all(live))


class World:
    """A cluster that answers from a table, and what the chart renders to, each time."""

    def __init__(self) -> None:
        self.api: FakeApi | None = FakeApi({RECORDS: [record()]})
        self.rendered: list[Any] = [LIVE]
        self.said: list[str] = []
        self.renderings = 0
        self.bound = self.installed = True
        self.making: list[Any] = []

    def nodes(self) -> Any:
        assert self.api
        return self.api.list("v1", "Node")

    async def render(self, *_: object) -> Any:
        self.renderings += 1
        found = self.rendered[0] if len(self.rendered) == 1 else self.rendered.pop(0)
        if isinstance(found, Exception):
            raise found
        return by_key(found, "binderhub")

    def run(self, rows: dict[Any, Any] | None = None, **more: str) -> list[str]:
        """Check, and return what was said."""
        self.said.clear()
        if self.api:
            self.api.answers |= rows or {}
        config = {f"binderhub:{key}": value for key, value in {**BASICS, **more}.items()}
        given = settings.read(config, ["binderhub:registryPassword"], "dev", Path())
        unused: Any = None
        subject = check.Subject(
            settings=given, values={}, api=self.api, nodes=self.nodes, provider=unused, account=TILLER,
            description=OWN, beside=BESIDE, bound=unused, installed=unused, made=unused,
        )  # fmt: skip
        known = self.bound, self.installed, self.making
        asyncio.run(check._Check(subject, {"a": "b"}, Mask([HIDDEN]), *known).run())
        return self.said

    def error(self, rows: dict[Any, Any] | None = None, **more: str) -> str:
        with pytest.raises(ViolationsError) as caught:
            self.run(rows, **more)
        return str(caught.value)

    def asked(self, *kinds: str) -> list[Asked]:
        assert self.api
        return [one for one in self.api.asked if one.kind in kinds]


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    world = World()

    def say(level: str) -> Callable[[str], None]:
        return lambda text: world.said.append(f"{level}: {text}")

    monkeypatch.setattr(render, "render", world.render)
    monkeypatch.setattr(pulumi.log, "info", say("info"))
    monkeypatch.setattr(pulumi.log, "warn", say("warning"))
    return world


def test_nothing_changes_and_not_a_word_is_said_nor_a_dry_run_asked(world: World) -> None:
    assert world.run() == []
    assert [(one.kind, one.account) for one in world.asked("Secret", "Node", "ClusterRole")] == [("Secret", "")]


def test_one_line_for_a_change_which_tiller_asks_about_and_warnings_without_secrets(world: World) -> None:
    world.rendered = [CHANGED]
    assert world.run({("GET", "Node", "*"): refused("Forbidden", f"no {HIDDEN}")}) == [
        "info: binderhub: 1 of 3 objects change: Secret/hub", "warning: not looked at: no [secret]",
    ]  # fmt: skip
    assert [one.account for one in world.asked("Secret") if one.method == "PATCH"] == [TILLER]
    assert world.asked("Service", "ServiceAccount", "Namespace") == [], "all of them are there"


def test_helms_record_is_asked_about_with_all_that_it_will_hold(world: World) -> None:
    """Helm keeps the chart too, and merges the values into the chart's own."""
    chart = {"templates": [{"name": "a"}], "values": {"a": 1, "c": 2}}
    body = yaml.safe_dump_all(LIVE)
    world.rendered = [CHANGED]
    world.run({RECORDS: [secret(3, "deployed", OWN, manifest=body, chart=chart)]})
    (asked,) = [one.body for one in world.asked("Secret") if one.method == "POST"]
    kept = helm_releases.contents(asked)
    assert (kept["config"], kept["chart"]) == ({"a": "b"}, {"templates": [{"name": "a"}], "values": {"a": "b", "c": 2}})
    assert [json.loads(line) for line in kept["manifest"].splitlines()] == CHANGED


def test_a_first_install_is_told_as_such_and_what_pulumi_makes_is_asked_about(world: World) -> None:
    world.bound = world.installed = False
    world.making = BESIDE
    said = world.run({RECORDS: [], ("GET", "ClusterRole", "cluster-admin"): {"rules": ANYTHING}})
    assert said == ["info: binderhub: first install, 3 objects"]
    assert world.renderings == 1, "nothing is there to compare with"
    own = [one for one in world.asked("Namespace", "Service", "ServiceAccount") if one.method == "POST"]
    asked = [(one.kind, one.name, one.namespace) for one in own]
    assert sorted(asked) == [  # side by side
        ("Namespace", "binderhub", ""),
        ("Service", "external-preview", "default"),  # the namespace is not there
        ("ServiceAccount", "tiller", "kube-system"),
    ]  # fmt: skip
    assert {one.account for one in world.asked("Deployment")} == {""}, "tiller has no rights yet"


def test_a_release_that_moves_leaves_its_database_behind(world: World) -> None:
    """For Pulumi another name or namespace is another release: it uninstalls the one before it."""
    moved = record(live=[*LIVE, DATABASE])
    moved["metadata"]["namespace"] = "old"
    theirs = record(owner="pulumi binderhub/lab", live=[plain("PersistentVolumeClaim", "other")])

    def records(asked: Asked) -> list[Any]:
        return [] if asked.namespace else [theirs, moved]

    world.installed = False
    said = world.run({RECORDS: records})
    told = "the hub's user database is deleted: PersistentVolumeClaim/hub-db-dir in old, and its volume with it"
    assert said == [f"warning: binderhub: {told}", "info: binderhub: first install, 3 objects"]
    assert "would be deleted, and this stack is protected" in world.error(protect="true", launchQuota="10")
    assert {
        one.query["labelSelector"] for one in world.asked("Secret") if one.method == "GET" and not one.namespace
    } == {"owner=helm,status=deployed"}
    world.bound = False  # a first install, and nothing was there before
    assert world.run({("GET", "ClusterRole", "*"): {"rules": ANYTHING}})[0].startswith("info: binderhub: first install")


def test_what_is_random_in_the_chart_is_no_change(world: World) -> None:
    def rendered(token: str) -> list[Any]:
        return [plain("Secret", "hub") | {"data": {"token": token}}, *LIVE[1:]]

    world.rendered = [rendered("one"), rendered("other")]
    assert world.run({RECORDS: [record(live=rendered("kept"))]}) == []


@pytest.mark.parametrize(
    ("value", "texts"), [("t0p", ["t0p"]), ({"a": "t0p", "b": [1, "s3cret"]}, ["t0p", "s3cret"]), (1, []), ("", [""])]
)
def test_the_texts_of_a_secret_output_are_what_is_hidden(value: Any, texts: list[str]) -> None:
    async def hidden(wrapped: Callable[[Any], pulumi.Output[Any]]) -> list[str]:
        return await check._secret_texts(wrapped(value))

    assert asyncio.run(hidden(pulumi.Output.secret)) == texts
    assert asyncio.run(hidden(pulumi.Output.from_input)) == []


def test_what_is_not_known_yet_differs_from_any_live_token() -> None:
    assert check._filled({"a": [Unknown(), 1], "b": {"c": Unknown()}}) == {"a": ["x" * 64, 1], "b": {"c": "x" * 64}}


def test_all_violations_come_in_one_error_with_advice_and_without_secrets(world: World) -> None:
    world.rendered = [[*CHANGED, plain("Service", "hub") | {"spec": {}}]]
    rows = {("PATCH", "Secret", "hub"): refused("Forbidden", f"found {HIDDEN}"),
            ("POST", "Service", "hub"): refused("Forbidden", "exceeded quota: q")}  # fmt: skip
    assert world.error(rows) == (
        "the cluster would refuse binderhub/binderhub; nothing was touched\n"
        "  1. Secret/hub: found [secret]\n"
        "  2. Service/hub: exceeded quota: q\n"
        "      what to do: kubectl -n binderhub describe resourcequota; have it raised, or ask for less"
    )


def test_what_the_chart_refuses_is_told_without_secrets_and_with_no_kubectl_too(world: World) -> None:
    world.rendered = [RenderingError([Violation("the chart", f"bad {HIDDEN}")])]
    assert "1. the chart: bad [secret]" in world.error()
    world.api = None
    assert "1. the chart: bad [secret]" in world.error()
    world.rendered = [LIVE]
    assert world.run() == ["warning: server checks skipped: there is no kubectl on PATH; the chart alone was checked"]


@pytest.mark.parametrize("bound", [True, False])
def test_who_may_only_read_is_told_which_rights_are_lacking(world: World, bound: bool) -> None:
    def answer(asked: Asked) -> Any:
        return refused("Forbidden", f"{asked.account or 'you'} cannot {asked.method} {asked.kind}")

    world.bound, world.making = bound, BESIDE
    rows = {RECORDS: answer, ("POST", "*", "*"): answer, ("GET", "ClusterRole", "*"): answer, IMPERSONATE: may_not}
    text = world.error(rows)
    assert [line.split(". ", 1)[1] for line in text.splitlines() if line.startswith("  ") and ". " in line] == [
        "Helm's records of binderhub/binderhub cannot be read: you cannot GET Secret",
        f"you cannot impersonate {TILLER}, and the release is installed as tiller",
        "ServiceAccount/tiller in kube-system: you cannot POST ServiceAccount",
        "Service/external: you cannot POST Service",
        "Namespace/binderhub: you cannot POST Namespace",
    ]
    assert world.said == []


def test_what_a_chart_says_is_told_to_its_end(world: World) -> None:
    world.rendered = [RenderingError([Violation("the chart", "a" * 1000)])]
    assert "a" * 1000 in world.error()
    world.rendered = [RenderingError([Violation("", "no such host")], "the chart cannot be had")]
    assert world.error() == "the chart cannot be had; nothing was touched\n  1. no such host"


def test_a_server_that_goes_away_is_told_without_a_traceback(world: World) -> None:
    world.rendered = [CHANGED]
    with pytest.raises(pulumi.RunError, match="cannot be asked: gone; nothing was touched"):
        world.run({("PATCH", "*", "*"): ClusterUnreachableError("minikube", "gone")})
    world.rendered = [RenderingError([Violation("the chart", "as old as Kubernetes 1.20")])]  # what Helm makes of it
    with pytest.raises(pulumi.RunError, match="cannot be asked: away; nothing was touched"):
        world.run({RECORDS: ClusterUnreachableError("minikube", "away")})


def test_pools_that_may_be_empty_are_a_risk_that_one_accepts(world: World) -> None:
    world.rendered = [[*LIVE, deployment("new", nodeSelector={"pool": "core"})]]
    assert "its pods cannot be scheduled" in world.error({("GET", "Node", "*"): [NODE]})
    assert len(world.run(acceptedRisks='{"emptyNodePool": "it grows from zero nodes"}')) == 1


def test_a_release_in_the_middle_of_an_operation_is_refused(world: World) -> None:
    world.rendered = [CHANGED]
    assert "release binderhub/binderhub is pending-upgrade" in world.error({RECORDS: [record("pending-upgrade")]})
    assert world.said == []


def test_a_hub_that_is_gone_is_no_first_install(world: World) -> None:
    """Pulumi knows it still: `up` would do nothing where nothing changes, and fail at any change."""
    rows = {("GET", "ServiceAccount", "tiller"): BESIDE[0], ("GET", "Service", "external"): BESIDE[1]}
    text = world.error({RECORDS: [], **rows})
    assert text.startswith("pulumi up cannot go on with binderhub/binderhub; nothing was touched\n")
    assert "release binderhub/binderhub is gone, and with it Namespace/binderhub; Pulumi does not know" in text
    assert "pulumi up --refresh" in text
    assert world.said == []
    world.installed = False
    assert world.run() == ["info: binderhub: first install, 3 objects"]


def test_a_deleted_claim_is_said_first_alone_and_refused_in_a_protected_stack(world: World) -> None:
    rows = {RECORDS: [record(live=[*LIVE, DATABASE])]}
    first, second = world.run(rows)
    told = "the hub's user database is deleted: PersistentVolumeClaim/hub-db-dir, and its volume with it"
    assert first == f"warning: binderhub: {told}"
    assert second == "info: binderhub: 1 of 4 objects change: PersistentVolumeClaim/hub-db-dir (deleted)"
    assert (
        "1. PersistentVolumeClaim/hub-db-dir: the hub's user database would be deleted, and this stack is protected"
        in (world.error(protect="true", launchQuota="10"))
    )


def test_a_release_of_somebody_else_is_refused_also_when_nothing_changes(world: World) -> None:
    rows = {RECORDS: [record(owner="pulumi binderhub/lab")]}
    assert "belongs to pulumi binderhub/lab; pulumi up would overwrite it" in world.error(rows)
    world.installed = False
    assert "pulumi up would fail" in world.error(rows)
    assert world.run(adoptRelease="true") == []


def test_what_is_no_work_of_this_stack_is_refused_also_when_nothing_changes(world: World) -> None:
    """Such as a tiller of another name, which is another's."""
    world.making = BESIDE[:1]
    rows = {("POST", "ServiceAccount", "tiller"): refused("AlreadyExists")}
    assert "ServiceAccount/tiller in kube-system: exists already, and this stack did not make it" in world.error(rows)
    assert world.run(adoptRelease="true") == []
    world.making = []
    assert world.run() == []


def test_a_namespace_of_others_is_looked_at_in_every_preview(world: World) -> None:
    assert "Namespace/binderhub: does not exist" in world.error(existingNamespace="true")
    there = {("GET", "Namespace", "binderhub"): plain("Namespace", "binderhub")}
    assert world.run(there, existingNamespace="true") == []
    assert world.run({("GET", "Namespace", "binderhub"): refused("NotFound")}) == []


def test_after_a_failed_run_it_is_said_that_more_may_change(world: World) -> None:
    world.rendered = [CHANGED]
    said = world.run({RECORDS: [record(), secret(4, "failed", OWN)]})
    assert said[1].startswith("warning: binderhub: its last operation failed")


def test_a_role_is_looked_at_only_while_it_is_not_bound(world: World) -> None:
    rows = {IMPERSONATE: may_not}
    assert world.run(rows) == []
    world.bound = False
    assert f"you cannot impersonate {TILLER}" in world.error(rows), "its next change would fail"

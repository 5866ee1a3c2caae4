"""The components, under mocks: what they register, and what they hand on."""

from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pulumi
import pytest
from pulumi_kubernetes import Provider

from components.address import Address, first_address, url
from components.binderhub import BinderHub, BinderHubArgs, is_adopted, make_namespace
from components.objects import manifests
from components.tiller import Tiller
from components.tokens import Tokens
from config import settings
from config.chart import Chart, published
from config.settings import TOKEN_KEYS, Secret, TillerSettings, TokenSettings
from kube.errors import ClusterUnreachableError
from kube.manifests import OWN_LABELS
from tests.unit.conftest import HEX, Engine
from tests.unit.fake_api import FakeApi, refused

HUB, BINDER = "proxy-public-external", "binder-external"
CONFIG = {"binderhub:imagePrefix": "registry.lan:5000/p/binder-", "binderhub:registry": "local"}
GIVEN = replace(
    settings.read(CONFIG, [], "dev", Path()), namespace="ns", release="rel", address_timeout=321, timeout=77
)


def children(engine: Engine, component: str) -> dict[str, str]:
    """Names and types of what a component made itself."""
    found = [r for r in engine.registered if r.request.parent.endswith(f"::{component}") and r.request.custom]
    return {r.name: r.type for r in found}


# --- Tiller -------------------------------------------------------------------------------------------------------


# Another role is another binding, since a binding's role can never change.
@pytest.mark.parametrize(("role", "binding"), [("cluster-admin", "tiller-b"), ("deployer", "tiller-b-deployer")])
@pulumi.runtime.test
def test_tiller(engine: Engine, role: str, binding: str) -> pulumi.Output[None]:
    tiller = Tiller("t", TillerSettings(namespace="kube-system", name="tiller", binding="tiller-b", role=role))
    assert tiller.account == "system:serviceaccount:kube-system:tiller"

    def check(bound: str) -> None:
        account, rights = [r for r in engine.registered if r.request.custom]
        assert account.type == "kubernetes:core/v1:ServiceAccount"
        assert account.inputs["metadata"] == {"name": "tiller", "namespace": "kube-system", "labels": OWN_LABELS}
        assert rights.type == "kubernetes:rbac.authorization.k8s.io/v1:ClusterRoleBinding"
        assert rights.inputs["metadata"] == {"name": binding, "labels": OWN_LABELS}
        reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role}
        assert rights.inputs["roleRef"] == reference
        assert rights.inputs["subjects"] == [{"kind": "ServiceAccount", "name": "tiller", "namespace": "kube-system"}]
        assert rights.request.deleteBeforeReplace
        assert [urn.split("::")[-1] for urn in rights.request.dependencies] == ["t"]
        assert bound == "t-id"

    return tiller.bound.apply(check)


# --- Tokens -------------------------------------------------------------------------------------------------------

NAMES = ("api", "proxy", "cookie", "crypt", "build")
RANDOM = {
    "length": 64, "special": True, "overrideSpecial": "0123456789abcdef", "upper": False, "lower": False,
    "numeric": False, "keepers": {"rotation": "7"},
}  # fmt: skip


@pytest.mark.parametrize("given", [{}, {key: Secret(HEX) for key in TOKEN_KEYS[1:]}], ids=["random", "given"])
@pulumi.runtime.test
def test_tokens_are_random_and_secret_and_a_given_one_wins(
    engine: Engine, given: dict[str, Secret]
) -> pulumi.Output[None]:
    tokens = Tokens("tokens", TokenSettings(rotation=7, given=given)).values
    values = [getattr(tokens, name) for name in NAMES]

    def check(got: list[Any]) -> None:
        texts = [f"tokens-{name}".encode().hex().ljust(64, "0") for name in NAMES]
        assert got == [*(texts[:1] + [HEX] * 4 if given else texts), *[True] * 5]

    def each_is_made() -> None:
        assert [engine[f"tokens-{name}"].inputs for name in NAMES] == [RANDOM] * 5

    checked = pulumi.Output.all(*values, *(pulumi.Output.from_input(one.is_secret()) for one in values)).apply(check)
    return pulumi.Output.all(checked, engine.then(each_is_made)).apply(lambda _: None)


# --- Address ------------------------------------------------------------------------------------------------------


@pulumi.runtime.test
def test_address_makes_two_services(engine: Engine) -> pulumi.Output[None]:
    before = make_namespace(GIVEN, Provider("p"))
    address = Address("address", GIVEN, pulumi.ResourceOptions(depends_on=before))

    def check(urls: list[str]) -> None:
        assert urls == ["http://203.0.113.7"] * 2
        assert children(engine, "address") == dict.fromkeys((HUB, BINDER), "kubernetes:core/v1:Service")
        for name, selector, target in (
            (HUB, {"app": "jupyterhub", "component": "proxy", "release": "rel"}, "http"),
            (BINDER, {"app": "binder", "component": "binder", "release": "rel"}, 8585),
        ):
            inputs, request = engine[name].inputs, engine[name].request
            wait = {"pulumi.com/waitFor": "jsonpath={.status.loadBalancer.ingress}"}
            about = {"name": name, "namespace": "ns", "labels": OWN_LABELS, "annotations": wait}
            ports = [{"name": "http", "port": 80, "targetPort": target}]
            spec = {"type": "LoadBalancer", "selector": selector, "ports": ports}
            assert (inputs["metadata"], inputs["spec"]) == (about, spec)
            assert (request.customTimeouts.create, request.customTimeouts.update) == ("321s", "321s")
            assert [urn.split("::")[-1] for urn in request.dependencies] == ["ns"]
            assert list(request.hooks.on_error) == [f"{name}-wait-explain"]

    return pulumi.Output.all(address.hub_url, address.binder_url).apply(check)


@pytest.mark.parametrize(("replicas", "login", "kept"), [(1, True, False), (2, False, False), (2, True, True)])
@pulumi.runtime.test
def test_several_binders_keep_the_visitors_who_log_in(
    engine: Engine, replicas: int, login: bool, kept: bool
) -> pulumi.Output[None]:
    """One of them would not take a login that another has signed."""
    options = {**GIVEN.options, "replicas": replicas}
    address = Address("address", replace(GIVEN, options=options, login=Mock() if login else None))

    def check(_: list[str]) -> None:
        found = [engine[name].inputs["spec"].get("sessionAffinity") for name in (HUB, BINDER)]
        assert found == [None, "ClientIP" if kept else None]

    return pulumi.Output.all(address.hub_url, address.binder_url).apply(check)


def status(*ingress: dict[str, str]) -> dict[str, Any]:
    return {"loadBalancer": {"ingress": list(ingress) or None}}


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ({"ip": "203.0.113.8"}, "http://203.0.113.8"),
        ({"hostname": "a1.elb.example"}, "http://a1.elb.example"),
        ({"ip": "2001:db8::7"}, "http://[2001:db8::7]"),
    ],
)
def test_an_address_is_what_the_load_balancer_gave(given: dict[str, str], shown: str) -> None:
    assert url(first_address(status({}, given))) == shown


@pytest.mark.parametrize("without", [None, {}, {"loadBalancer": {}}, status(), status({})])
def test_without_an_address_up_fails_and_a_preview_goes_on(without: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(pulumi.RunError, match="`pulumi refresh`"):
        first_address(without)
    warn = Mock()
    monkeypatch.setattr(pulumi.runtime, "is_dry_run", lambda: True)
    monkeypatch.setattr(pulumi.log, "warn", warn)
    assert first_address(without) == "no-address.invalid"
    assert "no external address" in warn.call_args.args[0]


# --- the namespace ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("others", [False, True])
@pulumi.runtime.test
def test_a_namespace_of_others_is_never_ours_to_delete(engine: Engine, others: bool) -> pulumi.Output[None]:
    made = make_namespace(replace(GIVEN, existing_namespace=others, protect=True), Provider("p"))

    def check() -> None:
        found = [r for r in engine.registered if r.type == "kubernetes:core/v1:Namespace"]
        assert [(r.name, r.request.protect) for r in found] == ([] if others else [("ns", True)])
        assert [one["metadata"]["name"] for one in manifests(made)] == ([] if others else ["ns"])

    return engine.then(check)


# --- BinderHub ----------------------------------------------------------------------------------------------------

LOCAL = Chart(reference="./charts/binderhub", version="9.9", repository="", digest="d")


def make_hub(*requires: pulumi.Resource, **more: Any) -> BinderHub:
    values = {"registry": {"password": pulumi.Output.secret("p")}, "keys": [pulumi.Output.secret("k")], "plain": "v"}
    args = BinderHubArgs(settings=replace(GIVEN, **{"chart": LOCAL, **more}), values=values)
    return BinderHub("hub", args, pulumi.ResourceOptions(providers=[Provider("as-tiller")], depends_on=requires))


@pytest.mark.parametrize("chart", [published(), LOCAL], ids=["published", "local"])
@pulumi.runtime.test
def test_binderhub_registers_one_release(engine: Engine, chart: Chart) -> pulumi.Output[None]:
    tiller = Tiller("t", TillerSettings(namespace="kube-system", name="tiller", binding="tiller", role="view"))
    adopt = chart is LOCAL
    hub = make_hub(tiller, chart=chart, protect=True, adopt_release=adopt)

    def check(got: list[str]) -> None:
        assert got == ["ns", "rel", chart.version]
        assert children(engine, "hub") == {"hub": "kubernetes:helm.sh/v3:Release"}
        release = engine["hub"]
        expected = {
            "name": "rel", "namespace": "ns", "chart": chart.reference, "version": chart.version, "timeout": 77,
            "description": "pulumi binderhub/dev", "atomic": True, "cleanupOnFail": True, "maxHistory": 10,
            "values": {"registry": {"password": "p"}, "keys": ["k"], "plain": "v"},
        }  # fmt: skip
        assert expected.items() <= release.inputs.items()
        assert release.inputs.get("repositoryOpts") == ({"repo": chart.repository} if chart.repository else None)
        request = release.request
        assert "pulumi:providers:kubernetes::as-tiller::" in request.provider
        assert (request.protect, request.deleteBeforeReplace) == (True, True)
        assert request.importId == ("ns/rel" if adopt else "")
        assert {urn.split("::")[-1] for urn in request.dependencies} >= {"t"}
        assert list(request.hooks.on_error) == ["hub-release-wait-explain"]

    return pulumi.Output.all(hub.namespace, hub.release, hub.chart_version).apply(check)


GONE = ClusterUnreachableError("minikube", "gone")
RECORDS = ("GET", "Secret", "*")


@pytest.mark.parametrize(
    ("adopt", "api", "adopted"),
    [
        (False, FakeApi({RECORDS: [{"metadata": {}}]}), False),
        (True, FakeApi({RECORDS: [{"metadata": {}}]}), True),
        (True, FakeApi({RECORDS: []}), False),  # an import of what is not there would fail
        (True, FakeApi({RECORDS: refused("Forbidden")}), True),
        (True, None, True),
    ],
)
def test_a_release_is_taken_over_if_there_is_one(adopt: bool, api: FakeApi | None, adopted: bool) -> None:
    args = BinderHubArgs(settings=replace(GIVEN, adopt_release=adopt), values={}, api=api)
    assert is_adopted(args) is adopted
    if api and adopt:
        assert [one.query for one in api.asked] == [{"labelSelector": "owner=helm,name=rel"}]


def test_a_server_that_does_not_answer_is_told_without_a_traceback() -> None:
    args = BinderHubArgs(settings=replace(GIVEN, adopt_release=True), values={}, api=FakeApi({RECORDS: GONE}))
    with pytest.raises(pulumi.RunError, match="gone"):
        is_adopted(args)


@pytest.mark.parametrize("status", ["failed", "pending-install", "uninstalling", ""])
def test_a_release_that_is_not_deployed_fails_the_program(engine: Engine, status: str) -> None:
    engine.answers.status = status

    @pulumi.runtime.test
    def program() -> pulumi.Output[str]:
        return make_hub().chart_version

    with pytest.raises(pulumi.RunError, match=f"release ns/rel is {status}, not deployed"):
        program()

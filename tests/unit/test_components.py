"""The components, under mocks: what they register, and what they hand on."""

from types import SimpleNamespace
from typing import Any

import pulumi
import pytest
from conftest import HEX, Engine
from pulumi_kubernetes import Provider

from components import labels
from components.address import Address, AddressArgs, first_address, in_url
from components.binderhub import BinderHub, BinderHubArgs, make_namespace, require_deployed
from components.chart import Chart, published
from components.settings import Secret, TokenSettings
from components.tiller import Tiller, TillerArgs, binding_name
from components.tokens import Tokens

HUB, BINDER = "proxy-public-external", "binder-external"


def children(engine: Engine, component: str) -> dict[str, str]:
    """Names and types of what a component made itself."""
    found = [r for r in engine.registered if r.request.parent.endswith(f"::{component}") and r.request.custom]
    return {r.name: r.type for r in found}


# --- Tiller -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("role", "binding"), [("cluster-admin", "tiller-b"), ("deployer", "tiller-b-deployer")])
@pulumi.runtime.test
def test_tiller(engine: Engine, role: str, binding: str) -> pulumi.Output[None]:
    tiller = Tiller("t", TillerArgs(namespace="kube-system", name="tiller", binding="tiller-b", role=role))
    assert tiller.account == "system:serviceaccount:kube-system:tiller"

    def check(bound: str) -> None:
        account, rights = [r for r in engine.registered if r.request.custom]
        assert account.type == "kubernetes:core/v1:ServiceAccount"
        assert account.inputs["metadata"] == {"name": "tiller", "namespace": "kube-system", "labels": labels.OWN}
        assert rights.type == "kubernetes:rbac.authorization.k8s.io/v1:ClusterRoleBinding"
        assert rights.inputs["metadata"] == {"name": binding, "labels": labels.OWN}
        assert rights.inputs["roleRef"] == {
            "apiGroup": "rbac.authorization.k8s.io",
            "kind": "ClusterRole",
            "name": role,
        }
        assert rights.inputs["subjects"] == [{"kind": "ServiceAccount", "name": "tiller", "namespace": "kube-system"}]
        assert rights.request.deleteBeforeReplace
        assert [urn.split("::")[-1] for urn in rights.request.dependencies] == ["t"]
        assert bound == "t-id"

    return tiller.bound.apply(check)


@pytest.mark.parametrize(
    ("role", "name"), [("cluster-admin", "tiller"), ("view", "tiller-view"), ("deployer", "tiller-deployer")]
)
def test_another_role_is_another_binding(role: str, name: str) -> None:
    assert binding_name("tiller", role) == name


# --- Tokens -------------------------------------------------------------------------------------------------------

NAMES = ("api", "proxy", "cookie", "crypt", "build")


@pulumi.runtime.test
def test_tokens_are_five_random_hexadecimal_texts(engine: Engine) -> pulumi.Output[None]:
    tokens = Tokens("tokens", TokenSettings(rotation=7, given={}))
    values = [getattr(tokens.values, name) for name in NAMES]

    def check(got: list[Any]) -> None:
        *texts, secret = got
        assert children(engine, "tokens") == {
            f"tokens-{name}": "random:index/randomPassword:RandomPassword" for name in NAMES
        }
        for name in NAMES:
            assert engine[f"tokens-{name}"].inputs == {
                "length": 64,
                "special": True,
                "overrideSpecial": "0123456789abcdef",
                "upper": False,
                "lower": False,
                "numeric": False,
                "keepers": {"rotation": "7"},
            }
        assert texts == [f"tokens-{name}".encode().hex().ljust(64, "0") for name in NAMES]
        assert secret == [True] * 5

    secrecy = [pulumi.Output.from_input(value.is_secret()) for value in values]
    return pulumi.Output.all(*values, pulumi.Output.all(*secrecy)).apply(check)


@pulumi.runtime.test
def test_a_given_token_wins_and_stays_secret(engine: Engine) -> pulumi.Output[None]:
    given = {"proxyToken": Secret("aa" * 32), "buildTokenSecret": Secret("bb" * 32)}
    values = Tokens("tokens", TokenSettings(rotation=1, given=given)).values

    def check(got: list[Any]) -> None:
        assert got[:3] == ["aa" * 32, "bb" * 32, b"tokens-api".hex().ljust(64, "0")]
        assert got[3:] == [True, True]

    secrecy = [pulumi.Output.from_input(v.is_secret()) for v in (values.proxy, values.build)]
    return pulumi.Output.all(values.proxy, values.build, values.api, *secrecy).apply(check)


@pulumi.runtime.test
def test_giving_a_token_removes_no_random_one(engine: Engine) -> pulumi.Output[None]:
    keys = ("apiToken", "proxyToken", "cookieSecret", "cryptKey", "buildTokenSecret")
    Tokens("tokens", TokenSettings(rotation=1, given={key: Secret(HEX) for key in keys}))

    def check() -> None:
        assert len(children(engine, "tokens")) == 5
        assert HEX not in str([r.inputs for r in engine.registered])

    return engine.then(check)


# --- Address ------------------------------------------------------------------------------------------------------


def make_address(requires: tuple[pulumi.Resource, ...] = ()) -> Address:
    return Address("address", AddressArgs(namespace="ns", release="rel", timeout=321, requires=requires))


@pulumi.runtime.test
def test_address_makes_two_services(engine: Engine) -> pulumi.Output[None]:
    before = make_namespace("ns", False, Provider("p"))
    address = make_address((before,))

    def check(_: object) -> None:
        assert children(engine, "address") == dict.fromkeys((HUB, BINDER), "kubernetes:core/v1:Service")
        for name, selector, target in (
            (HUB, {"app": "jupyterhub", "component": "proxy", "release": "rel"}, "http"),
            (BINDER, {"app": "binder", "component": "binder", "release": "rel"}, 8585),
        ):
            service = engine[name]
            assert service.inputs["metadata"] == {
                "name": name,
                "namespace": "ns",
                "labels": labels.OWN,
                "annotations": {"pulumi.com/waitFor": "jsonpath={.status.loadBalancer.ingress}"},
            }
            assert service.inputs["spec"] == {
                "type": "LoadBalancer",
                "selector": selector,
                "ports": [{"name": "http", "port": 80, "targetPort": target}],
            }
            assert (service.request.customTimeouts.create, service.request.customTimeouts.update) == ("321s", "321s")
            assert [urn.split("::")[-1] for urn in service.request.dependencies] == ["ns"]
            assert list(service.request.hooks.on_error) == [f"{name}-wait-explain"]
            assert list(service.request.hooks.before_create) == [f"{name}-wait-start"]

    return pulumi.Output.all(address.hub_url, address.binder_url).apply(check)


@pytest.mark.parametrize(
    ("ingress", "hub", "url"),
    [
        ([{"ip": "203.0.113.7"}], "203.0.113.7", "http://203.0.113.7"),
        ([{"hostname": "a1.elb.example"}], "a1.elb.example", "http://a1.elb.example"),
        ([{"ip": "2001:db8::7"}], "2001:db8::7", "http://[2001:db8::7]"),
        ([{}, {"ip": "203.0.113.8"}], "203.0.113.8", "http://203.0.113.8"),
    ],
)
@pulumi.runtime.test
def test_address_is_what_the_load_balancer_gave(
    engine: Engine, ingress: list[dict[str, str]], hub: str, url: str
) -> pulumi.Output[None]:
    engine.answers.ingress = ingress
    address = make_address()

    def check(got: list[str]) -> None:
        assert got == [hub, url, url]

    return pulumi.Output.all(address.hub, address.hub_url, address.binder_url).apply(check)


@pytest.mark.parametrize(
    "status",
    [
        None,
        SimpleNamespace(load_balancer=None),
        SimpleNamespace(load_balancer=SimpleNamespace(ingress=None)),
        SimpleNamespace(load_balancer=SimpleNamespace(ingress=[])),
        SimpleNamespace(load_balancer=SimpleNamespace(ingress=[SimpleNamespace(ip=None, hostname=None)])),
    ],
)
def test_a_service_without_an_address_is_an_error(status: Any) -> None:
    with pytest.raises(pulumi.RunError, match="lost its external address; run `pulumi refresh`, then `pulumi up`"):
        first_address(status)


def test_a_preview_goes_on_without_an_address(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    monkeypatch.setattr(pulumi.runtime, "is_dry_run", lambda: True)
    monkeypatch.setattr(pulumi.log, "warn", said.append)
    assert first_address(None) == "no-address.invalid"
    assert said == ["a LoadBalancer Service has no external address now; pulumi up will wait for one"]


@pytest.mark.parametrize(("address", "text"), [("203.0.113.7", "203.0.113.7"), ("::1", "[::1]"), ("a.b", "a.b")])
def test_address_in_a_url(address: str, text: str) -> None:
    assert in_url(address) == text


# --- BinderHub ----------------------------------------------------------------------------------------------------

LOCAL = Chart(reference="./charts/binderhub", version="9.9", repository="", digest="d")


def make_hub(chart: Chart, requires: tuple[pulumi.Resource, ...] = (), protect: bool = False) -> BinderHub:
    values = {"registry": {"password": pulumi.Output.secret("p")}, "keys": [pulumi.Output.secret("k")], "plain": "v"}
    args = BinderHubArgs(
        namespace="ns",
        release="rel",
        chart=chart,
        values=values,
        timeout=77,
        protect=protect,
        installer=Provider("as-tiller"),
        requires=requires,
    )
    return BinderHub("hub", args)


@pytest.mark.parametrize("chart", [published(), published("1.2.3"), LOCAL], ids=["pin", "other", "local"])
@pulumi.runtime.test
def test_binderhub_registers_one_release(engine: Engine, chart: Chart) -> pulumi.Output[None]:
    tiller = Tiller("t", TillerArgs(namespace="kube-system", name="tiller", binding="tiller", role="view"))
    hub = make_hub(chart, (tiller,), protect=True)

    def check(got: list[str]) -> None:
        assert got == ["ns", "rel", chart.version]
        assert children(engine, "hub") == {"hub": "kubernetes:helm.sh/v3:Release"}
        release = engine["hub"]
        expected = {
            "name": "rel",
            "namespace": "ns",
            "chart": chart.reference,
            "version": chart.version,
            "timeout": 77,
            "atomic": True,
            "cleanupOnFail": True,
            "maxHistory": 10,
            "values": {"registry": {"password": "p"}, "keys": ["k"], "plain": "v"},
        }
        assert expected.items() <= release.inputs.items()
        assert release.inputs.get("repositoryOpts") == ({"repo": chart.repository} if chart.repository else None)
        request = release.request
        assert "pulumi:providers:kubernetes::as-tiller::" in request.provider
        assert (request.protect, request.deleteBeforeReplace) == (True, True)
        assert {urn.split("::")[-1] for urn in request.dependencies} >= {"t"}
        assert list(request.hooks.on_error) == ["hub-release-wait-explain"]

    return pulumi.Output.all(hub.namespace, hub.release, hub.chart_version).apply(check)


@pytest.mark.parametrize("protect", [True, False])
@pulumi.runtime.test
def test_namespace(engine: Engine, protect: bool) -> pulumi.Output[None]:
    made = make_namespace("hub-ns", protect, Provider("operator"))

    def check(_: object) -> None:
        assert engine["hub-ns"].type == "kubernetes:core/v1:Namespace"
        assert engine["hub-ns"].inputs["metadata"] == {"name": "hub-ns", "labels": labels.OWN}
        assert engine["hub-ns"].request.protect is protect
        assert "::operator::" in engine["hub-ns"].request.provider

    return made.id.apply(check)


def release_status(status: str) -> Any:
    return SimpleNamespace(status=status, namespace="ns", name="rel", version="1")


@pytest.mark.parametrize("status", ["failed", "pending-install", "pending-upgrade", "uninstalling", ""])
def test_a_release_that_is_not_deployed_is_an_error(status: str) -> None:
    with pytest.raises(pulumi.RunError, match=f"release ns/rel is {status}, not deployed"):
        require_deployed(release_status(status))


def test_a_deployed_release_passes() -> None:
    status = release_status("deployed")
    assert require_deployed(status) is status


def test_a_failed_release_fails_the_program(engine: Engine) -> None:
    engine.answers.status = "failed"

    @pulumi.runtime.test
    def program() -> pulumi.Output[str]:
        return make_hub(LOCAL).chart_version

    with pytest.raises(pulumi.RunError, match="release ns/rel is failed"):
        program()


@pytest.mark.parametrize(
    ("component", "outputs"),
    [
        ("t", {"account": "system:serviceaccount:kube-system:tiller", "bound": "t-id"}),
        ("address", {"hub": "203.0.113.7", "hub_url": "http://203.0.113.7", "binder_url": "http://203.0.113.7"}),
        ("hub", {"namespace": "ns", "release": "rel", "chart_version": "9.9"}),
        ("tokens", {}),
    ],
)
def test_outputs_of_a_component(engine: Engine, component: str, outputs: dict[str, str]) -> None:
    @pulumi.runtime.test
    def program() -> None:
        Tiller("t", TillerArgs(namespace="kube-system", name="tiller", binding="tiller", role="view"))
        Tokens("tokens", TokenSettings(rotation=1, given={}))
        make_address()
        make_hub(LOCAL)

    program()
    assert engine.outputs[component] == outputs
    (made,) = [r for r in engine.registered if r.name == component and not r.request.custom]
    assert made.type.startswith("binderhub:components:")

"""A user's own values file, secret values beside it, and risks."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pulumi
import pytest
from helm_python.chart import Chart

from config import risks, settings, values_file
from config.settings import Secret, Settings, SettingsError
from config.values import TokenValues, helm_values
from kube import nested
from kube.nested import at
from tests.unit.conftest import ROOT

BASICS = {
    "binderhub:imagePrefix": "examplelab/binder-x-",
    "binderhub:registryUsername": "me",
    "binderhub:registryPassword": "s3cret",
}
HIDDEN = "t0p-secret"


def read(folder: Path, stack: str = "dev", secrets: tuple[str, ...] = (), **more: str) -> Settings:
    config = {**BASICS, **{f"binderhub:{key}": value for key, value in more.items()}}
    encrypted = ["binderhub:registryPassword", *(f"binderhub:{name}" for name in secrets)]
    return settings.read(config, encrypted, stack, folder)


def refused(folder: Path, **more: Any) -> str:
    with pytest.raises(SettingsError) as caught:
        read(folder, **more)
    assert HIDDEN not in str(caught.value)
    return str(caught.value)


# --- the file -----------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("loop")
def test_a_values_file_is_merged_over_ours_and_the_secrets_beside_it_stay_secret(tmp_path: Path) -> None:
    (tmp_path / "own.yaml").write_text("config: {BinderHub: {banner_message: hello}}\nextraEnv: {A: b}\n")
    place = "config.GitLabRepoProvider.access_token"
    got = read(
        tmp_path, secrets=("secretValues",), valuesFile="own.yaml", secretValues=json.dumps({place: HIDDEN}),
    )  # fmt: skip
    assert got.own_values["config"]["BinderHub"] == {"banner_message": "hello"}
    assert got.own_values["config"]["GitLabRepoProvider"] == {"access_token": Secret(HIDDEN)}
    leaf = pulumi.Output.from_input("x")
    values = helm_values(got, TokenValues(api=leaf, proxy=leaf, cookie=leaf, crypt=leaf, build=leaf), leaf, leaf)
    assert values["config"]["BinderHub"]["banner_message"] == "hello"
    assert values["config"]["BinderHub"]["image_prefix"] == "examplelab/binder-x-"
    assert values["extraEnv"] == {"A": "b"}
    assert isinstance(values["config"]["GitLabRepoProvider"]["access_token"], pulumi.Output)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            "config: {BinderHub: {image_prefix: x/y-}}",
            "image_prefix\n      expected: not here: the setting imagePrefix",
        ),
        ("registry: {password: t0p-secret}", "registry.password\n      expected: not here: the setting registry"),
        ("service: {type: NodePort}", "service.type\n      expected: not here: the setting exposure"),
        ("jupyterhub: {hub: {services: {binder: {apiToken: t0p-secret}}}}", "not here: the setting apiToken"),
        ("jupyterhub: {hub: {services: {binder: {api_token: t0p-secret}}}}", "not here: the setting apiToken"),
        ("jupyterhub: {proxy: {secretToken: t0p-secret}}", "not here: the setting proxyToken"),
        ("jupyterhub: {cull: {timeout: 5}}", "not here: the setting cullIdle"),
        # What lies above something owned, and would take it away.
        ("config: nothing", "config\n      expected: not here: the setting"),
        ("config: {GitRepoProvider: {password: t0p-secret}}", "no secret in a file that goes into git"),
        ("extraEnv: {API_KEY: t0p-secret}", 'secretValues["extraEnv.API_KEY"]'),
        ("extraVolumes: [{name: a, token: t0p-secret}]", "no secret in a file"),
        ("extra: {tokens: [t0p-secret]}", "no secret in a file"),
        ("extraEnv: {A: null}", "no null"),
        ("extraEnv: {A: 1000000}", "no number of a million or more"),
        ("a: [\n  t0p-secret", "own.yaml: line 3: is no YAML"),
        ("service: {}\na: t0p-secret\nservice: {}", "own.yaml: line 3: key `service` is given twice, first in line 1"),
        ("jupyterhub: {hub: {extraConfig: null}}", "no null"),
        ("- t0p-secret", "a map of Helm values"),
    ],
)
def test_what_is_refused_in_a_values_file(tmp_path: Path, text: str, told: str) -> None:
    (tmp_path / "own.yaml").write_text(text)
    assert told in refused(tmp_path, valuesFile="own.yaml")


def test_an_empty_section_is_nothing(tmp_path: Path) -> None:
    text = """
jupyterhub:
extraEnv:
config: {BinderHub: }
service: {annotations: , labels: {a: b}}
a: {b: {}, since: 2020-01-01}
"""
    (tmp_path / "own.yaml").write_text(text)
    values = {"service": {"labels": {"a": "b"}}, "a": {"b": {}, "since": "2020-01-01"}}
    assert values_file.load("own.yaml", tmp_path) == (values, [])


def test_a_missing_values_file(tmp_path: Path) -> None:
    assert f"a file; there is none at {tmp_path}/no.yaml" in refused(tmp_path, valuesFile="no.yaml")


def test_names_of_secrets_are_no_secrets() -> None:
    names = {
        "imagePullSecret": "regcred",
        "tls": [{"secretName": "hub-tls"}],
        "existingSecret": "x",
        "a": {"token": ""},
    }
    assert list(values_file.findings({"extraPodSpec": names})) == []


def test_secret_values_that_do_not_fit(tmp_path: Path) -> None:
    assert "a map of places" in refused(tmp_path, secrets=("secretValues",), secretValues=f'["{HIDDEN}"]')
    owned = json.dumps({"jupyterhub.proxy.secretToken": HIDDEN})
    assert "the setting proxyToken decides it" in refused(tmp_path, secrets=("secretValues",), secretValues=owned)
    assert "a secret in clear" in refused(tmp_path, secretValues=json.dumps({"a.b": HIDDEN}))


def test_trees_are_not_changed() -> None:
    under, over = {"a": {"b": 1}, "c": [1]}, {"a": {"d": 2}, "c": [2]}
    assert nested.merged(under, over) == {"a": {"b": 1, "d": 2}, "c": [2]}
    assert (under, over) == ({"a": {"b": 1}, "c": [1]}, {"a": {"d": 2}, "c": [2]})
    assert nested.at("a.b.c", 1) == {"a": {"b": {"c": 1}}}


# --- risks --------------------------------------------------------------------------------------------------------

LOGIN = {"authenticator": "github", "oauthClientId": "id", "allowedUsers": '["alice"]'}


@pytest.mark.parametrize(
    ("name", "there"),
    [
        ("unlimitedLaunches", {"protect": "true"}),
        ("noRateLimit", {"profile": "prod", "rateLimit": "0"}),
        ("loginOverHttp", {"profile": "prod", "oauthClientSecret": "x", **LOGIN}),
    ],
)
def test_grave_risks_are_refused_until_accepted_with_a_reason(tmp_path: Path, name: str, there: dict[str, str]) -> None:
    given = {**there, "secrets": ("oauthClientSecret",)}
    message = refused(tmp_path, **given)
    assert f"binderhub:acceptedRisks.{name}: found a risk that nobody accepted" in message
    assert f'or accept: pulumi config set --path acceptedRisks.{name} "why"' in message
    assert "the reason" in refused(tmp_path, **given, acceptedRisks=json.dumps({name: " "}))
    read(tmp_path, **given, acceptedRisks=json.dumps({name: "lab network only"}))


@pytest.mark.parametrize(
    ("name", "there"),
    [
        ("serversForEver", {"profile": "prod", "cullMaxAge": "0"}),
        ("anyOrigin", {"profile": "prod", "corsOrigin": "*"}),
        ("hostBuilder", {"builder": "host"}),
        ("loginsInMemory", {"oauthClientSecret": "x", **LOGIN}),
        ("loginOverHttp", {"oauthClientSecret": "x", **LOGIN}),
    ],
)
def test_other_risks_are_warnings(tmp_path: Path, name: str, there: dict[str, str]) -> None:
    given = {**there, "secrets": ("oauthClientSecret",)}
    assert [w for w in read(tmp_path, **given).warnings if w.startswith(f"{name}: ")]
    accepted = read(tmp_path, **given, acceptedRisks=json.dumps({name: "known"}))
    assert not [w for w in accepted.warnings if w.startswith(f"{name}: ")]


def test_the_examples_are_without_risk(tmp_path: Path) -> None:
    for profile in ("dev", "prod"):
        assert read(tmp_path, profile=profile).warnings == ()


def test_names_of_risks_differ() -> None:
    assert len(set(risks.NAMES)) == len(risks.RISKS)


# --- what the user's own values may bring ------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path", ["service.nodePort", "jupyterhub.proxy.service.nodePorts.http", "jupyterhub.hub.x.nodePort"]
)
@pytest.mark.parametrize(
    ("port", "fine"), [(30000, True), (32767, True), (29999, False), (32768, False), ("'80'", False)]
)
def test_a_node_port_is_in_the_range_of_kubernetes(path: str, port: object, fine: bool) -> None:
    found = list(values_file.findings(nested.at(path, port)))
    assert [expected for _, expected, _ in found] == (
        [] if fine else ["a node port: a whole number in the range 30000-32767"]
    )


POLICY = "jupyterhub.singleuser.networkPolicy"
EVERYWHERE = [{"ipBlock": {"cidr": "0.0.0.0/0"}}]
HALVES = ["10.0.0.0/9", "10.128.0.0/9"]
SHUT = ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.169.254/32"]


@pytest.mark.parametrize(
    ("path", "value", "risk"),
    [
        ("jupyterhub.cull.enabled", False, "noCulling"),
        ("jupyterhub.cull.enabled", True, ""),
        (f"{POLICY}.enabled", False, "usersUnfenced"),
        (f"{POLICY}.enabled", True, ""),
        (f"{POLICY}.egressAllowRules.privateIPs", True, "privateNetworks"),
        (f"{POLICY}.egressAllowRules.cloudMetadataServer", True, "privateNetworks"),
        (f"{POLICY}.egressAllowRules.privateIPs", False, ""),
        (f"{POLICY}.egressAllowRules.nonPrivateIPs", True, ""),
        (f"{POLICY}.egress", [{"to": EVERYWHERE}], "privateNetworks"),
        (f"{POLICY}.egress", [{"ports": [{"port": 443}]}], "privateNetworks"),
        (f"{POLICY}.egress", [{"to": [{"ipBlock": {"cidr": "0.0.0.0/0", "except": SHUT}}]}], ""),
        (f"{POLICY}.egress", [{"to": [{"ipBlock": {"cidr": "0.0.0.0/0", "except": SHUT[1:]}}]}], "privateNetworks"),
        (f"{POLICY}.egress", [{"to": [{"ipBlock": {"cidr": "10.1.2.3/32"}}]}], "privateNetworks"),
        (f"{POLICY}.egress", [{"to": [{"ipBlock": {"cidr": "10.1.0.0/16", "except": ["10.0.0.0/8"]}}]}], ""),
        (f"{POLICY}.egress", [{"to": [{"ipBlock": {"cidr": "10.1.0.0/16", "except": ["10.1.0.0/16"]}}]}], ""),
        (f"{POLICY}.egress", [{"to": [{"ipBlock": {"cidr": "198.51.100.0/24"}}]}], ""),
        # Exceptions that only together cover a private range, or miss some of it; bits behind the mask.
        (f"{POLICY}.egress", [{"to": [{"ipBlock": {"cidr": "10.0.0.0/8", "except": HALVES}}]}], ""),
        (f"{POLICY}.egress", [{"to": [{"ipBlock": {"cidr": "10.0.0.0/8", "except": HALVES[:1]}}]}], "privateNetworks"),
        (f"{POLICY}.egress", [{"to": [{"ipBlock": {"cidr": "10.1.2.3/8"}}]}], "privateNetworks"),
        # Name servers are private; the chart itself lets these ports pass.
        (f"{POLICY}.egress", [{"ports": [{"port": 53, "protocol": "UDP"}, {"port": 53}]}], ""),
        (f"{POLICY}.egress", [{"ports": [{"port": 53}], "to": [{"ipBlock": {"cidr": "10.0.0.0/8"}}]}], ""),
        (f"{POLICY}.egress", [{"ports": [{"port": 53, "endPort": 60000}]}], "privateNetworks"),
        (f"{POLICY}.egress", [{"ports": [{"port": 53}, {"port": 80}]}], "privateNetworks"),
        (f"{POLICY}.egress", [{"ports": []}], "privateNetworks"),
        (f"{POLICY}.egress", [{"to": [{"ipBlock": {"cidr": "2001:db8::/32"}}]}], ""),
        (f"{POLICY}.egress", [{"to": [{"podSelector": {}}]}], ""),
        (f"{POLICY}.egress", [{"to": [{"ipBlock": {"cidr": "nonsense"}}]}], ""),
        (f"{POLICY}.egress", ["nonsense"], ""),
        ("jupyterhub.singleuser.allowPrivilegeEscalation", True, "rootUsers"),
        ("jupyterhub.singleuser.uid", 0, "rootUsers"),
        ("jupyterhub.singleuser.uid", 1000, ""),
        ("jupyterhub.hub.config.KubeSpawner.privileged", True, "rootUsers"),
        ("jupyterhub.hub.config.BinderSpawner.privileged", True, "rootUsers"),
        ("jupyterhub.hub.config.KubeSpawner.privileged", False, ""),
        ("jupyterhub.singleuser.serviceAccountName", "hub", "usersAccount"),
        ("jupyterhub.singleuser.serviceAccountName", "", ""),
        ("jupyterhub.hub.networkPolicy.enabled", False, "hubUnfenced"),
        ("jupyterhub.proxy.chp.networkPolicy.enabled", False, "hubUnfenced"),
    ],
)
def test_what_an_operator_would_regret(path: str, value: object, risk: str) -> None:
    facts = risks.Facts(
        serious=True, login=False, hub_database="volume", options={"launchQuota": 1}, own=nested.at(path, value)
    )
    grave, others = risks.found(facts, {})
    assert [r.name for r in (*grave, *others)] == ([risk] if risk else [])
    assert not risk or (risk == "hubUnfenced") == (not grave)
    assert risks.found(facts, {risk: "a reason"}) == ([], [])
    assert risks.found(replace(facts, serious=False), {}) == ([], [])


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("jupyterhub.cull.enabled", False),
        (f"{POLICY}.enabled", False),
        (f"{POLICY}.egressAllowRules", {"privateIPs": True, "cloudMetadataServer": True}),
        (f"{POLICY}.egress", [{"to": EVERYWHERE}]),
        ("jupyterhub.singleuser", {"uid": 0, "allowPrivilegeEscalation": True, "serviceAccountName": "hub"}),
        ("jupyterhub.hub.networkPolicy.enabled", False),
        ("jupyterhub.proxy.chp.networkPolicy.enabled", False),
        ("jupyterhub.hub.service.ports.nodePort", 30080),
        ("jupyterhub.proxy.service.nodePorts", {"http": 30080, "https": 30443}),
        ("service.nodePort", 30080),
    ],
)
def test_the_chart_itself_would_take_what_is_looked_at(path: str, value: object) -> None:
    with Chart.load(ROOT / "tests" / "charts" / "binderhub") as chart:
        assert chart.render(nested.at(path, value), name="rel", namespace="hub-ns")


@pytest.mark.parametrize("place", ["extraConfig", "jupyterhub.hub.extraConfig"])
@pytest.mark.parametrize(
    ("code", "fault"),
    [
        ("c.JupyterHub.log_level = 10\n", ""),
        ("# nothing\n", ""),
        ("pattern = '\\d'\n", ""),
        ("return 1", "line 1 of it is not: 'return' outside function"),
        ("a = 1\nb = (t0p\n", "line 2 of it is not: '(' was never closed"),
        ("if t0p:\nb = 1", "line 2 of it is not: expected an indented block after 'if' statement on line 1"),
        ("a\0", "it is not"),
    ],
)
def test_what_the_applications_run_is_python(place: str, code: str, fault: str) -> None:
    values = at(place, {"mine": code})
    told = [(where, expected) for where, expected, _ in values_file.findings(values)]
    assert [where for where, _ in told] == ([f"{place}.mine"] if fault else [])
    assert all(expected.startswith("Python; ") and fault in expected and "t0p" not in expected for _, expected in told)

"""A user's own values file, secret values beside it, and risks."""

import json
from dataclasses import replace
from pathlib import Path

import pulumi
import pytest

from config import risks, values_file
from config.errors import InvalidValue
from config.keys import KEYS
from config.reader import Reader
from config.settings import SettingsError
from config.types import Secret
from kube.nested import at, leaves
from tests.unit.config.conftest import LOGIN, everything, helm_values, read

HIDDEN = "t0p-secret"


def refused(folder: Path, config: dict[str, str], stack: str = "dev") -> str:
    with pytest.raises(SettingsError) as caught:
        read(config, folder=folder, stack=stack)
    assert HIDDEN not in str(caught.value)
    return str(caught.value)


# --- the file -----------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("loop")
def test_a_values_file_is_merged_over_ours_and_the_secrets_beside_it_stay_secret(tmp_path: Path) -> None:
    (tmp_path / "own.yaml").write_text("config: {BinderHub: {banner_message: hello}}\nextraEnv: {A: b}\n")
    hidden = {"config.GitLabRepoProvider.access_token": HIDDEN}
    got = read({"valuesFile": "own.yaml", "secretValues": json.dumps(hidden)}, folder=tmp_path)
    assert dict(leaves(got.own_values)) == {
        "config.BinderHub.banner_message": "hello",
        "config.GitLabRepoProvider.access_token": Secret(HIDDEN),
        "extraEnv.A": "b",
    }
    values = dict(leaves(helm_values(got)))
    assert values["config.BinderHub.banner_message"] == "hello"
    assert values["config.BinderHub.image_prefix"] == "acme/binder-dev-"
    assert isinstance(values["config.GitLabRepoProvider.access_token"], pulumi.Output)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("config: {BinderHub: {image_prefix: x/y-}}", "image_prefix\n      expected: not here: the setting image"),
        ("registry: {password: t0p-secret}", "registry.password\n      expected: not here: the setting registry"),
        ("jupyterhub: {hub: {services: {binder: {api_token: t0p-secret}}}}", "not here: the setting apiToken"),
        ("jupyterhub: {proxy: {secretToken: t0p-secret}}", "not here: the setting proxyToken"),
        ("jupyterhub: {cull: {timeout: 5}}", "not here: the setting cullIdle"),
        # What lies above something owned, and would take it away.
        ("config: nothing", "config\n      expected: not here: the setting"),
        ("extraEnv: {API_KEY: t0p-secret}", 'secretValues["extraEnv.API_KEY"]'),
        ("extraVolumes: [{name: a, token: t0p-secret}]", "no secret in a file"),
        ("extra: {tokens: [t0p-secret]}", "no secret in a file"),
        ("extraEnv: {A: 1000000}", "no number of a million or more"),
        ("extraEnv: {A: -1e6}", "no number of a million or more"),
        ("a: [\n  t0p-secret", "own.yaml: line 3: is no YAML"),
        ("service: {}\na: t0p-secret\nservice: {}", "own.yaml: line 3: key `service` is given twice, first in line 1"),
        ("jupyterhub: {hub: {extraConfig: null}}", "no null"),
        ("- t0p-secret", "a map of Helm values"),
    ],
)  # fmt: skip
def test_what_is_refused_in_a_values_file(tmp_path: Path, text: str, told: str) -> None:
    (tmp_path / "own.yaml").write_text(text)
    assert told in refused(tmp_path, {"valuesFile": "own.yaml"})


@pytest.mark.usefixtures("loop")
def test_what_a_setting_decides_is_what_the_program_sets() -> None:
    assert set(values_file.OWNED.values()) <= {key.name for key in KEYS}
    made = [f"{path}." for path, _ in leaves(helm_values(read(everything("gar", "github"))))]
    made = [path.replace("[0]", "") for path in made]
    # The charts take these for the same thing, or would rename what the program looks for.
    others = {"hub.cookieSecret", "hub.services.binder.api_token", "fullnameOverride", "nameOverride"}
    never = {path for path in values_file.OWNED if not any(one.startswith(f"{path}.") for one in made)}
    assert never == {f"jupyterhub.{path}" for path in others}


def test_an_empty_section_is_nothing(tmp_path: Path) -> None:
    text = """
jupyterhub: {hub: {labels: , loadRoles: {user: }}, proxy: {labels: }, singleuser: {extraLabels: }}
extraEnv:
config: {BinderHub: }
service: {annotations: , labels: {a: b}}
deployment: {labels: , a: b}
a: {b: {}, since: 2020-01-01}
"""
    (tmp_path / "own.yaml").write_text(text)
    assert values_file.load(tmp_path / "own.yaml") == {
        "service": {"labels": {"a": "b"}}, "deployment": {"a": "b"}, "a": {"b": {}, "since": "2020-01-01"}
    }  # fmt: skip


def test_a_missing_values_file(tmp_path: Path) -> None:
    with pytest.raises(InvalidValue, match=f"a file; there is none at {tmp_path}/no.yaml"):
        values_file.load(tmp_path / "no.yaml")


def test_what_is_fine(tmp_path: Path) -> None:
    """Names of secrets are none, nor is a number below a million nulled by Helm."""
    names = {
        "imagePullSecret": "regcred",
        "tls": [{"secretName": "hub-tls"}],
        "existingSecret": "x",
        "a": {"token": "", "seconds": 999_999, "on": True},
    }
    assert list(values_file.findings({"extraPodSpec": names})) == []


def test_secret_values_that_do_not_fit(tmp_path: Path) -> None:
    assert "a map of places" in refused(tmp_path, {"secretValues": f'["{HIDDEN}"]'})
    owned = json.dumps({"jupyterhub.proxy.secretToken": HIDDEN})
    assert "the setting proxyToken decides it" in refused(tmp_path, {"secretValues": owned})


# --- risks --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "there"),
    [
        ("unlimitedLaunches", {"protect": "true"}),
        ("noRateLimit", {"profile": "prod", "rateLimit": "0"}),
        ("loginOverHttp", {"profile": "prod", **LOGIN}),
    ],
)
def test_grave_risks_are_refused_until_accepted_with_a_reason(tmp_path: Path, name: str, there: dict[str, str]) -> None:
    message = refused(tmp_path, there)
    assert f"binderhub:acceptedRisks.{name}: found a risk that nobody accepted" in message
    assert f'or accept: pulumi config set --path acceptedRisks.{name} "why"' in message
    assert "the reason" in refused(tmp_path, {**there, "acceptedRisks": json.dumps({name: " "})})
    read({**there, "acceptedRisks": json.dumps({name: "lab network only"})})


@pytest.mark.parametrize(
    ("name", "there"),
    [
        ("serversForEver", {"profile": "prod", "cullMaxAge": "0"}),
        ("anyOrigin", {"profile": "prod", "corsOrigin": "*"}),
        ("hostBuilder", {"builder": "host"}),
        ("loginsInMemory", LOGIN),
        ("loginOverHttp", LOGIN),
    ],
)
def test_other_risks_are_warnings(name: str, there: dict[str, str]) -> None:
    assert [w for w in read(there).warnings if w.startswith(f"{name}: ")]
    accepted = read({**there, "acceptedRisks": json.dumps({name: "known"})})
    assert not [w for w in accepted.warnings if w.startswith(f"{name}: ")]


@pytest.mark.parametrize("profile", ["dev", "prod"])
def test_the_defaults_are_without_risk(profile: str) -> None:
    assert read({"profile": profile}).warnings == ()


# --- what the user's own values may bring ------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path", ["service.nodePort", "jupyterhub.proxy.service.nodePorts.http", "jupyterhub.hub.x.nodePort"]
)
@pytest.mark.parametrize(
    ("port", "fine"), [(30000, True), (32767, True), (29999, False), (32768, False), ("'80'", False)]
)
def test_a_node_port_is_in_the_range_of_kubernetes(path: str, port: object, fine: bool) -> None:
    found = list(values_file.findings(at(path, port)))
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
    facts = risks.Facts(serious=True, login=False, options={"launchQuota": 1}, hub=at(path, value).get("jupyterhub"))
    reader = Reader({}, ())
    warnings = risks.refuse(reader, facts, {})
    told = [*(one.key.removeprefix("binderhub:acceptedRisks.") for one in reader.problems), *warnings]
    assert [one.partition(":")[0] for one in told] == ([risk] if risk else [])
    assert bool(warnings) == (risk == "hubUnfenced")
    assert (
        risks.refuse(reader, facts, {risk: "a reason"}) == risks.refuse(reader, replace(facts, serious=False), {}) == []
    )
    assert len(reader.problems) == len(told) - len(warnings)


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
        ("a\0", "of it is not"),
    ],
)
def test_what_the_applications_run_is_python(place: str, code: str, fault: str) -> None:
    values = at(place, {"mine": code})
    told = [(where, expected) for where, expected, _ in values_file.findings(values)]
    assert [where for where, _ in told] == ([f"{place}.mine"] if fault else [])
    assert all(expected.startswith("Python; ") and fault in expected and "t0p" not in expected for _, expected in told)

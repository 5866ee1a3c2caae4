"""A user's own values file, secret values beside it, and risks."""

import json
import re
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
        ("extra: {tokens: [t0p-secret]}", 'secretValues["extra.tokens[0]"]'),
        ("extraEnv: [{name: A}, {name: DB_PASSWORD, value: t0p-secret}]", 'secretValues["extraEnv[1].value"]'),
        ("jupyterhub: {hub: {extraEnv: {API_TOKEN: {value: t0p-secret}}}}", "extraEnv.API_TOKEN.value"),
        ("jupyterhub: {hub: {db: {url: 'postgresql://hub:t0p-secret@db/hub'}}}", "hub.db.url"),
        ("extraEnv: {DSN: 'mysql+pymysql://:t0p-secret@db:3306/hub?ssl=1'}", "extraEnv.DSN"),
        ("a: {b: 'a glpat-t0p-secret0123456789'}", "no secret in a file"),
        (f"a: {{b: 'ghp_{'t0p' * 12}'}}", "no secret in a file"),
        ("a: {b: [{jwt: 'eyJt0p-secret.eyJt0p-secret.t0p'}]}", "a.b[0].jwt"),
        ("a: {b: '-----BEGIN RSA PRIVATE KEY-----\n t0p-secret'}", "no secret in a file"),
        ("jupyterhub: {hub: {config: {CryptKeeper: {keys: [t0p-secret]}}}}", "not here: the setting cryptKey"),
        ("extraEnv: {A: 1000000}", "no number of a million or more"),
        ("extraEnv: {A: -1e6}", "no number of a million or more"),
        ("a: [\n  t0p-secret", "own.yaml: line 3: is no YAML"),
        ("service: {}\na: t0p-secret\nservice: {}", "own.yaml: line 3: key `service` is given twice, first in line 1"),
        ("jupyterhub: {hub: {extraConfig: null}}", "no null"),
        ("- t0p-secret", "a map of Helm values"),
        ("config: {ZenodoProvider: {allowed_specs: []}}", "not here: the setting allowedRepositories"),
        # The hub makes a pod of them as they stand there.
        ("jupyterhub: {singleuser: {extraEnv: {DEBUG: on}}}", "extraEnv.DEBUG\n      expected: a text: every launch"),
        ("jupyterhub: {singleuser: {extraEnv: {ZIP: 01234}}}", "jupyterhub.singleuser.extraEnv.ZIP: '...'"),
        ("jupyterhub: {singleuser: {extraEnv: {A: {value: 0}}}}", "extraEnv.A.value\n      expected: a text"),
        ("jupyterhub: {singleuser: {extraEnv: [{name: A, value: 5}]}}", "extraEnv[0].value\n      expected: a text"),
        ("jupyterhub: {singleuser: {extraEnv: {A: [b]}}}", "extraEnv.A\n      expected: a text"),
        ("jupyterhub: {singleuser: {extraLabels: {year: 2026}}}", "extraLabels.year\n      expected: a text"),
        ("jupyterhub: {hub: {config: {KubeSpawner: {node_selector: {gpu: true}}}}}", "gpu\n      expected: a text"),
        ("jupyterhub: {hub: {config: {KubeSpawner: {environment: {A: 1}}}}}", "environment.A\n      expected: a text"),
        ("config: {KubernetesBuildExecutor: {extra_envs: {A: 1}}}", "a map, and each entry a text; quote"),
    ],
)  # fmt: skip
def test_what_is_refused_in_a_values_file(tmp_path: Path, text: str, told: str) -> None:
    (tmp_path / "own.yaml").write_text(text)
    assert told in refused(tmp_path, {"valuesFile": "own.yaml"})


@pytest.mark.usefixtures("loop")
def test_what_a_setting_decides_is_what_the_program_sets() -> None:
    assert set(values_file.OWNED.values()) <= {key.name for key in KEYS}
    made = [f"{path}." for path, _ in leaves(helm_values(read(everything("gar", "github"))))]
    made = [re.sub(r"\[\d+\]", "", path) for path in made]
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


FINE = {
    "extraEnv": [
        {"name": "A_TOKEN", "valueFrom": {"secretKeyRef": {"name": "x", "key": "token"}}},
        {"name": "B_TOKEN", "value": ""},
        {"name": "TOKEN_URL", "value": "https://o.example.org/token"},
        {"name": "C_TOKEN", "value": "$(OTHER)"},
        {"name": "D_TOKEN", "value": "/var/run/secrets/token"},
        {"name": "HF", "value": "hf_hub_download_timeout_seconds"},
        {"name": "DB", "value": "postgresql://hub:$(PASSWORD)@db/hub"},
    ],
    "image": {"name": "quay.io/x/y@sha256:" + "0f" * 32, "ref": "0f" * 20},
    "podAnnotations": {"checksum/config": "0f" * 32, "sha256": "0f" * 32},
    "extraFiles": {"sums": {"stringData": "0f" * 32 + "  data.csv\n"}},
    "jupyterhub": {"hub": {"db": {"url": "postgresql://hub@db:5432/hub"}}},
}


def test_what_only_looks_like_a_secret_is_fine() -> None:
    assert list(values_file.findings(FINE)) == []


@pytest.mark.parametrize("place", ["extraConfig", "jupyterhub.hub.extraConfig"])
@pytest.mark.parametrize(
    ("code", "line"),
    [
        ('c.GitHubOAuthenticator.client_secret = "t0p"', 1),
        ('import os\nos.environ["API_TOKEN"] = "t0p"', 2),
        ('a = 1\nb = {"api_token": "t0p"}', 2),
        ('connect(host="db", password="t0p")', 1),
        ('token: str = "t0p"', 1),
        ('c.JupyterHub.db_url = "postgresql://hub:t0p@db/hub"', 1),
        (f'x = f("{"0f" * 32}")', 1),
        ('c.JupyterHub.services = [{"name": "a", "api_token": os.environ["T0P_TOKEN"]}]', 0),
        ('c.GitHubOAuthenticator.client_secret = ""\nimage_pull_secrets = "t0p"', 0),
        ('url = f"postgresql://hub:{t0p}@db/hub"', 0),
        ('password = read("/run/secrets/t0p")\nc.JupyterHub.log_level = 10', 0),
    ],
)
def test_a_secret_that_code_writes_out(place: str, code: str, line: int) -> None:
    told = list(values_file.findings(at(place, {"mine": code})))
    expected = f"no secret in a file that goes into git (line {line} of this code); give it encrypted"
    example = f"pulumi config set --secret --path 'secretValues[\"{place}.mine\"]' < code.py"
    assert told == ([(f"{place}.mine", expected, example)] if line else [])


@pytest.mark.usefixtures("loop")
def test_a_secret_inside_a_list_comes_to_its_place(tmp_path: Path) -> None:
    """As the refusal says it: its item stays in the file, without the value."""
    text = "extraEnv: [{name: A, value: b}, {name: DB_PASSWORD}]\nextra: {lines: [['', x]]}\n"
    (tmp_path / "own.yaml").write_text(text)
    hidden = {"extraEnv[1].value": HIDDEN, "extra.lines[0][0]": HIDDEN, "new.token": HIDDEN}
    got = read({"valuesFile": "own.yaml", "secretValues": json.dumps(hidden)}, folder=tmp_path).own_values
    assert got == {
        "extraEnv": [{"name": "A", "value": "b"}, {"name": "DB_PASSWORD", "value": Secret(HIDDEN)}],
        "extra": {"lines": [[Secret(HIDDEN), "x"]]},
        "new": {"token": Secret(HIDDEN)},
    }


@pytest.mark.parametrize(
    "place", ["extraEnv[2].value", "extraEnv[x].value", "nothing[0]", "a[0]", "extraEnv[-1].value"]
)
def test_a_secret_for_a_list_that_is_not_there(tmp_path: Path, place: str) -> None:
    (tmp_path / "own.yaml").write_text("{extraEnv: [{name: A}, {name: B}], a: {b: c}}")
    message = refused(tmp_path, {"valuesFile": "own.yaml", "secretValues": json.dumps({place: HIDDEN})})
    assert f"{place}\n      expected: an item of a list that stands in the values file" in message


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


def test_code_that_is_accepted_by_name() -> None:
    values = at("extraConfig.mine", "no python")
    ((_, _, example),) = values_file.findings(values)
    assert example.endswith('or accept: pulumi config set --path acceptedRisks.unreadableCode "why"')
    assert list(values_file.findings(values, {"unreadableCode": "known"})) == []


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
        # Of Python 3.12, which hub and binder have; an older one of ours cannot tell.
        ('x = f"{d["t0p"]}"', ""),
        ("type Pair = tuple[int, int]", ""),
        ("def first[T](them: list[T]) -> T:\n    return them[0]\n", ""),
        ("a = 1\nb = f'{a}'\nc = [\n", "line 3 of it is not: '[' was never closed"),
    ],
)
def test_what_the_applications_run_is_python(place: str, code: str, fault: str) -> None:
    values = at(place, {"mine": code})
    told = [(where, expected) for where, expected, _ in values_file.findings(values)]
    assert [where for where, _ in told] == ([f"{place}.mine"] if fault else [])
    assert all(expected.startswith("Python; ") and fault in expected and "t0p" not in expected for _, expected in told)

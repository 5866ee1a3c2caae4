"""The settings of a stack: what they become, and what no message ever shows. What is refused: bad_settings.yaml."""

import json
import subprocess
import sys
from dataclasses import astuple
from pathlib import Path
from typing import Any

import pulumi
import pytest
import yaml

from config import chart, settings
from config.settings import KEYS, Secret, Settings, SettingsError
from config.types import hidden
from tests.unit.config.conftest import GOOD, LOGIN, PASSWORD, SECRET, full, read
from tests.unit.conftest import HEX, ROOT, Mocks


def refused(more: dict[str, Any]) -> SettingsError:
    with pytest.raises(SettingsError) as caught:
        read(more)
    return caught.value


# --- what is accepted ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("stack", "prefix", "protect", "wait", "account", "context"),
    [
        ("dev", "examplelab/binder-dev-", False, 300, "tiller", "minikube"),
        ("prod", "examplelab/binder-prod-", True, 900, "tiller-binderhub-prod", "prod-cluster"),
    ],
)
def test_the_example_stacks(stack: str, prefix: str, protect: bool, wait: int, account: str, context: str) -> None:
    config = yaml.safe_load((ROOT / f"Pulumi.{stack}.yaml").read_text())["config"]
    assert not [name for name in SECRET & set(config) if isinstance(config[name], str)], "a secret in clear"
    got = settings.read({**config, "binderhub:registryPassword": PASSWORD}, SECRET, stack, ROOT)
    assert (got.stack, got.image_prefix, got.protect, got.address_timeout) == (stack, prefix, protect, wait)
    assert astuple(got.tiller) == ("kube-system", account, account, "cluster-admin")
    assert (got.cluster.context, got.cluster.identifier) == (context, f"binderhub-{stack}")


def test_defaults() -> None:
    assert read() == Settings(
        stack="dev",
        labels={},
        image_cleaner="none",
        login=None,
        own_values={},
        options={
            "userMemoryLimit": "1G",
            "userMemoryGuarantee": "256M",
            "userCpuLimit": 1.0,
            "userCpuGuarantee": 0.05,
            "cullIdle": 3600,
            "cullMaxAge": 0,
            "cullEvery": 600,
            "rateLimit": 10,
            "ratePeriod": 3600,
            "exposure": "ClusterIP",
            "replicas": 1,
            "hubDatabase": "sqlite-memory",
            "builder": "dind",
            "repo2dockerImage": "quay.io/jupyterhub/repo2docker:2025.12.0",
            "userScheduler": False,
        },
        image_prefix="acme/binder-dev-",
        registry=settings.registries.Registry(username="me", password=Secret(PASSWORD)),
        release="binderhub",
        namespace="binderhub",
        chart=settings.chart.published(),
        hub_image=settings.chart.HubImage(values={"tag": "4.4.0"}, jupyterhub="5.5.0"),
        timeout=900,
        address_timeout=300,
        protect=False,
        adopt_release=False,
        existing_namespace=False,
        skip_server_checks=False,
        accepted_risks={},
        tiller=settings.TillerSettings(namespace="kube-system", name="tiller", binding="tiller", role="cluster-admin"),
        tokens=settings.TokenSettings(rotation=1, given={}),
        cluster=settings.ClusterSettings(kubeconfig="", context="", identifier="binderhub-dev", login_timeout=60),
    )


def test_an_empty_text_counts_as_not_set() -> None:
    optional = {key.full: "" for key in KEYS if key.full not in full(GOOD)}
    assert read(optional) == read()


@pytest.mark.parametrize(
    ("more", "path", "value"),
    [
        ({"release": "hub2"}, "namespace", "hub2"),
        ({"release": "hub2", "namespace": "ns"}, "namespace", "ns"),
        ({"release": "a" * 53}, "release", "a" * 53),
        ({"namespace": "a" * 63}, "namespace", "a" * 63),
        ({"timeout": "10"}, "timeout", 10),
        ({"timeout": 86_400}, "timeout", 86_400),
        ({"addressTimeout": "5"}, "address_timeout", 5),
        ({"loginTimeout": "3600"}, "cluster.login_timeout", 3600),
        ({"rotation": 0}, "tokens.rotation", 0),
        ({"rotation": "999999"}, "tokens.rotation", 999_999),
        ({"protect": "False"}, "protect", False),
        ({"protect": True, "launchQuota": 9}, "protect", True),
        ({"chartVersion": "1.0.0-x"}, "chart.version", "1.0.0-x"),
        ({"chart": "tests/charts/binderhub"}, "chart.reference", "./tests/charts/binderhub"),
        ({"tiller": '{"name": "t2"}'}, "tiller.binding", "t2"),
        ({"tiller": {"name": "t2", "binding": "b2"}}, "tiller.binding", "b2"),
        ({"tiller": '{"role": "system:thing.x"}'}, "tiller.role", "system:thing.x"),
        ({"tiller": '{"role": null}'}, "tiller.role", "cluster-admin"),
        ({"namespace": "a", "tiller": '{"namespace": "b"}'}, "tiller.namespace", "b"),
        ({"cryptKey": "ab" * 16}, "tokens.given", {"cryptKey": Secret("ab" * 16)}),
        ({"labels": {"rack": 5}}, "labels", {"rack": "5"}),
        ({}, "chart.version", chart.CHART_VERSION),
        ({"clusterIdentifier": "moved"}, "cluster.identifier", "moved"),
        ({"kubernetes:kubeconfig": "/k"}, "cluster.kubeconfig", "/k"),
        ({"kubernetes:context": "c"}, "cluster.context", "c"),
    ],
)  # fmt: skip
def test_a_value_arrives(more: dict[str, Any], path: str, value: object) -> None:
    got: Any = read(more)
    for part in path.split("."):
        got = getattr(got, part)
    assert got == value
    assert type(got) is type(value)


TOKEN_URL = "https://registry.example.org/v2/token?service=registry.example.org"


def test_what_pulumi_takes_for_a_secret_may_come_either_way() -> None:
    """Its command line refuses both of these in clear and offers to encrypt them; then they stay hidden."""
    addresses = {
        "authorize_url": "https://o/a",
        "token_url": "https://o/t",
        "userdata_url": "https://o/u",
        "scope": ["x"],
    }
    login = {**LOGIN, "authenticator": "generic-oauth", "authenticatorConfig": json.dumps(addresses)}
    given = {"registry": "token", "imagePrefix": "registry.example.org/p/b-", "registryTokenUrl": TOKEN_URL, **login}
    plain, encrypted = read(given), read(given, secrets={"registryTokenUrl", "authenticatorConfig"})
    assert (plain.registry.token_url, encrypted.registry.token_url) == (TOKEN_URL, Secret(TOKEN_URL))
    assert plain.login
    assert encrypted.login
    assert encrypted.login.config == hidden(plain.login.config) != plain.login.config == addresses
    assert not [text for text in (TOKEN_URL, "https://o/t") if text in repr(encrypted)]


@pytest.mark.parametrize(
    ("more", "key"),
    [
        ({"registryTokenUrl": "https://user:t0p@r.org/t"}, "registryTokenUrl"),
        ({"registry": "token", "imagePrefix": "r.example.org/p/b-", "registryTokenUrl": "t0p"}, "registryTokenUrl"),
        ({"authenticatorConfig": '{"token_url": "t0p"}'}, "authenticatorConfig"),
        ({**LOGIN, "authenticatorConfig": '{"tokn_url": "t0p"}'}, "authenticatorConfig.tokn_url"),
    ],
)
def test_what_came_encrypted_is_refused_unseen(more: dict[str, str], key: str) -> None:
    with pytest.raises(SettingsError) as caught:
        read(more, secrets={"registryTokenUrl", "authenticatorConfig"})
    assert [problem.key for problem in caught.value.problems] == [f"binderhub:{key}"]
    assert "t0p" not in str(caught.value)


def test_a_default_is_no_more_than_what_the_stack_sets_above_it() -> None:
    """Nobody asked for 100, so nobody is told that it is too much."""
    got = read({"launchQuota": "20", "userMemoryLimit": "512M", "userCpuLimit": "0.1"}, stack="prod").options
    assert (got["repositoryQuota"], got["userMemoryGuarantee"], got["userCpuGuarantee"]) == (20, "512M", 0.1)
    assert read(stack="prod").options["repositoryQuota"] == 100


@pytest.mark.parametrize("ends", ["\n", "\r\n", "\n\n"])
def test_newlines_at_the_end_of_secrets_are_left_out_and_told_once(ends: str) -> None:
    hidden = {"config.GitLabRepoProvider.private_token": f"t0p{ends}", "extraFiles.key.stringData": "a\nb"}
    more = {"registryPassword": PASSWORD + ends, "apiToken": HEX + ends, "secretValues": json.dumps(hidden) + ends}
    got = read(more)
    assert (got.registry.password, got.tokens.given["apiToken"]) == (Secret(PASSWORD), Secret(HEX))
    assert got.own_values["config"]["GitLabRepoProvider"]["private_token"] == Secret("t0p")
    names = 'apiToken, registryPassword, secretValues, secretValues["config.GitLabRepoProvider.private_token"]'
    assert got.warnings == (f"newlines at the end of secrets are left out: {names}",)


def test_a_registry_on_the_node_is_for_who_is_on_the_nodes_network(tmp_path: Path) -> None:
    (tmp_path / "own.yaml").write_text("extraPodSpec: {hostNetwork: true}")
    local = {"registry": "local", "imagePrefix": "localhost:5000/t/", "builder": "host", "valuesFile": "own.yaml"}
    assert read(local, folder=tmp_path).image_prefix == "localhost:5000/t/"
    with pytest.raises(SettingsError, match="localhost is the pod itself"):
        read({**local, "builder": "dind"}, folder=tmp_path)


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"ingress": {"enabled": False, "hosts": ["b.example.org"]}},
        {"ingress": {"enabled": True, "annotations": {"nginx.ingress.kubernetes.io/affinity": "cookie"}}},
        {
            "ingress": {"enabled": True},
            "service": {"annotations": {"traefik.ingress.kubernetes.io/service.sticky.cookie": "true"}},
        },
    ],
)
def test_several_binders_with_a_login_are_fine_where_visitors_are_kept(values: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "own.yaml").write_text(json.dumps(values))
    got = read({**LOGIN, "replicas": "2", "valuesFile": "own.yaml"}, folder=tmp_path)
    assert got.options["replicas"] == 2


@pytest.mark.parametrize("more", [{"replicas": "2"}, LOGIN])
def test_an_ingress_needs_no_affinity_for_one_binder_or_without_a_login(more: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "own.yaml").write_text("ingress: {enabled: true}")
    assert read({**more, "valuesFile": "own.yaml"}, folder=tmp_path).own_values


def test_protect_in_prod_can_be_switched_off() -> None:
    assert read(stack="prod").protect
    assert not read({"protect": "false"}, stack="prod").protect


@pytest.mark.parametrize("stack", ["production", "prd", "prod-eu", "live", "Prod", "lab"])
def test_another_name_than_the_profiles_own_says_its_profile(stack: str) -> None:
    with pytest.raises(SettingsError, match=r"binderhub:profile: missing\n.*\n.*pulumi config set profile prod$"):
        read(stack=stack)
    for profile, database in (("prod", "sqlite-pvc"), ("dev", "sqlite-memory")):
        got = read({"profile": profile}, stack=stack)
        assert (got.protect, got.options["hubDatabase"]) == (profile == "prod", database)


# --- what is refused ----------------------------------------------------------------------------------------------


def test_how_an_error_reads() -> None:
    """It has both problems, and none of a default that follows from a wrong value."""
    assert str(refused({"release": "My_hub", "registryUsername": None})) == (
        "2 problems in the settings of stack dev (Pulumi.dev.yaml); nothing was touched\n"
        "  1. binderhub:release: found 'My_hub'\n"
        "      expected: at most 53 lower case letters, digits and '-', starting with a letter or digit\n"
        "      example:  pulumi config set release binderhub\n"
        "  2. binderhub:registryUsername: missing\n"
        "      expected: user of Docker Hub that images are pushed with\n"
        "      example:  pulumi config set registryUsername my-user"
    )
    assert issubclass(SettingsError, pulumi.RunError)  # Pulumi prints it without a traceback


def test_settings_show_no_secret() -> None:
    got = read({"apiToken": HEX})
    for text in (repr(got), f"{got.registry.password}"):
        assert PASSWORD not in text
        assert HEX not in text
        assert "***" in text


def test_secrets_compare_by_their_text() -> None:
    assert {Secret("a")} == {Secret("a")} != {Secret("b")}
    assert Secret("a") != "a"


@pytest.mark.parametrize(
    ("more", "stack"), [({"protect": "true"}, "dev"), ({}, "prod"), ({"profile": "prod", "protect": "false"}, "dev")]
)
def test_protected_stacks_and_those_of_prod_are_serious(more: dict[str, str], stack: str) -> None:
    wide_open = {"launchQuota": "500", "repositoryQuota": "500", "rateLimit": "0"}
    with pytest.raises(SettingsError, match=r"acceptedRisks\.noRateLimit"):
        read({**more, **wide_open}, stack=stack)
    assert read(wide_open).warnings == ()


# --- load, and its price ------------------------------------------------------------------------------------------


def test_load_reads_the_running_stack(loop: object, monkeypatch: pytest.MonkeyPatch) -> None:
    pulumi.runtime.settings.set_root_resource(None)  # type: ignore[arg-type]
    pulumi.runtime.set_mocks(Mocks(), project="binderhub", stack="prod")
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("PULUMI_CONFIG", json.dumps(full({"chart": "tests/charts/binderhub", "apiToken": HEX})))
    monkeypatch.setenv("PULUMI_CONFIG_SECRET_KEYS", json.dumps(["binderhub:apiToken"]))
    try:
        pulumi.runtime.set_all_config(full(GOOD), ["binderhub:registryPassword"])
        got = settings.load()
    finally:
        pulumi.runtime.set_all_config({}, [])
    assert (got.stack, got.image_prefix) == ("prod", GOOD["imagePrefix"])
    assert got.chart.reference == "./tests/charts/binderhub"
    assert got.tokens.given == {"apiToken": Secret(HEX)}


def test_settings_load_neither_provider() -> None:
    """A rehearsal reads them before anything else, and each provider's SDK costs time."""
    program = "import sys, config.settings; print([m for m in sys.modules if m.startswith('pulumi_')])"
    got = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert got.stdout.strip() == "[]"

"""The settings of a stack: what they become, what is refused, and what no message ever shows."""

import json
import re
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import astuple
from typing import Any

import pulumi
import pytest
import yaml

from config import chart, keys, settings
from config.settings import KEYS, TOKEN_KEYS, Secret, Settings, SettingsError
from tests.unit.conftest import HEX, ROOT, Mocks

PASSWORD = "pa55-Word"
GOOD = {"imagePrefix": "acme/binder-dev-", "registryUsername": "acme", "registryPassword": PASSWORD}
ALWAYS_SECRET = {key.full for key in KEYS if key.secret}


def full(config: Mapping[str, Any]) -> dict[str, Any]:
    return {key if ":" in key else f"binderhub:{key}": value for key, value in config.items()}


def read(more: Mapping[str, Any] | None = None, *, stack: str = "dev", encrypted: tuple[str, ...] = ()) -> Settings:
    """Read the good config with changes: None takes a key away; `encrypted` keys are secret beside the usual ones."""
    config = {k: v for k, v in full({**GOOD, **(more or {})}).items() if v is not None}
    return settings.read(config, ALWAYS_SECRET | set(full(dict.fromkeys(encrypted))), stack, ROOT)


def refused(more: Mapping[str, Any], **options: Any) -> SettingsError:
    with pytest.raises(SettingsError) as caught:
        read(more, **options)
    return caught.value


# --- what is accepted ---------------------------------------------------------------------------------------------


def stack_file(stack: str) -> dict[str, str]:
    """The example's config as the engine gives it, with the password that the example leaves to its reader."""
    config = yaml.safe_load((ROOT / f"Pulumi.{stack}.yaml").read_text())["config"]
    texts = {k: v if isinstance(v, str) else json.dumps(v) for k, v in config.items()}
    return {**texts, "binderhub:registryPassword": PASSWORD}


@pytest.mark.parametrize(
    ("stack", "prefix", "protect", "wait", "account", "context"),
    [
        ("dev", "examplelab/binder-dev-", False, 300, "tiller", "minikube"),
        ("prod", "examplelab/binder-prod-", True, 900, "tiller-binderhub-prod", "prod-cluster"),
    ],
)
def test_the_example_stacks(stack: str, prefix: str, protect: bool, wait: int, account: str, context: str) -> None:
    got = settings.read(stack_file(stack), ALWAYS_SECRET, stack, ROOT)
    assert (got.stack, got.image_prefix, got.protect, got.address_timeout) == (stack, prefix, protect, wait)
    assert astuple(got.tiller) == ("kube-system", account, account, "cluster-admin")
    assert (got.cluster.context, got.cluster.identifier) == (context, f"binderhub-{stack}")
    assert got.registry.password.reveal() == PASSWORD


def test_defaults() -> None:
    assert read() == Settings(
        stack="dev",
        profile="dev",
        replicas=1,
        labels={},
        image_cleaner="none",
        hub_database="memory",
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
            "builder": "dind",
            "userScheduler": False,
        },
        image_prefix="acme/binder-dev-",
        registry=settings.registries.Registry(username="acme", password=Secret(PASSWORD)),
        release="binderhub",
        namespace="binderhub",
        chart=settings.chart.published(),
        timeout=900,
        address_timeout=300,
        exposure="loadbalancer",
        protect=False,
        adopt_release=False,
        skip_server_checks=False,
        accepted_risks={},
        tiller=settings.TillerSettings(namespace="kube-system", name="tiller", binding="tiller", role="cluster-admin"),
        tokens=settings.TokenSettings(rotation=1, given={}),
        cluster=settings.ClusterSettings(kubeconfig="", context="", identifier="binderhub-dev", login_timeout=60),
    )


def test_an_empty_text_counts_as_not_set() -> None:
    basics = {"binderhub:registryUsername", "binderhub:registryPassword"}
    optional = {key.full: "" for key in KEYS if not key.required and key.full not in basics}
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
        ({"rotation": "0"}, "tokens.rotation", 0),
        ({"rotation": 0}, "tokens.rotation", 0),
        ({"rotation": "999999"}, "tokens.rotation", 999_999),
        ({"protect": "true", "launchQuota": "9"}, "protect", True),
        ({"protect": "False"}, "protect", False),
        ({"protect": True, "launchQuota": 9}, "protect", True),
        ({"chartVersion": "1.0.0-x"}, "chart.version", "1.0.0-x"),
        ({"chart": "tests/charts/binderhub"}, "chart.reference", "./tests/charts/binderhub"),
        ({"tiller": '{"name": "t2"}'}, "tiller.binding", "t2"),
        ({"tiller": {"name": "t2", "binding": "b2"}}, "tiller.binding", "b2"),
        ({"tiller": '{"role": "system:thing.x"}'}, "tiller.role", "system:thing.x"),
        ({"tiller": '{"role": null}'}, "tiller.role", "cluster-admin"),
        (
            {"apiToken": HEX, "cryptKey": "ab" * 16},
            "tokens.given",
            {"apiToken": Secret(HEX), "cryptKey": Secret("ab" * 16)},
        ),
        ({}, "chart.version", chart.CHART_VERSION),
        ({"clusterIdentifier": "moved"}, "cluster.identifier", "moved"),
        ({"kubernetes:kubeconfig": "/k"}, "cluster.kubeconfig", "/k"),
        ({"kubernetes:context": "c"}, "cluster.context", "c"),
    ],
)
def test_a_value_arrives(more: dict[str, Any], path: str, value: object) -> None:
    got: Any = read(more)
    for part in path.split("."):
        got = getattr(got, part)
    assert got == value
    assert type(got) is type(value)


def test_protect_in_prod_can_be_switched_off() -> None:
    assert read(stack="prod").protect
    assert not read({"protect": "false"}, stack="prod").protect


# --- what is refused ----------------------------------------------------------------------------------------------


def test_how_an_error_reads() -> None:
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


@pytest.mark.parametrize("more", [{"release": "My_hub"}, {"tiller": '{"name": "a b"}'}])
def test_one_mistake_is_one_problem(more: dict[str, str]) -> None:
    """A default that follows from a wrong value is not a second mistake."""
    assert len(refused(more).problems) == 1


def test_tiller_in_the_hubs_own_namespace_wherever_that_is() -> None:
    assert read({"namespace": "a", "tiller": '{"namespace": "b"}'}).tiller.namespace == "b"
    error = refused({"namespace": "tools", "tiller": '{"namespace": "tools"}'})
    assert "its pods could take tiller's rights" in str(error)
    assert "binderhub:tiller.namespace" in str(refused({"release": "kube-system"}))


# --- secrets ------------------------------------------------------------------------------------------------------

HIDDEN = "S3cr3t-never-shown"


@pytest.mark.parametrize("key", ["registryPassword", *TOKEN_KEYS])
def test_a_secret_in_clear_is_refused_and_not_shown(key: str) -> None:
    config = full({**GOOD, key: HIDDEN})
    with pytest.raises(SettingsError) as caught:
        settings.read(config, ALWAYS_SECRET - {f"binderhub:{key}"}, "dev", ROOT)
    (problem,) = caught.value.problems
    assert (problem.key, problem.found) == (f"binderhub:{key}", "a secret in clear")
    assert f"pulumi config set --secret {key}" in str(caught.value)
    assert HIDDEN not in str(caught.value)
    assert HIDDEN not in repr(caught.value.problems)


@pytest.mark.parametrize(
    ("more", "encrypted"),
    [
        *(({key: HIDDEN}, (key,)) for key in TOKEN_KEYS),
        ({"registryPassword": HIDDEN, "timeout": "x"}, ()),
        ({"registryPasword": HIDDEN}, ()),
        ({"registryPasword": HIDDEN}, ("registryPasword",)),
        # Encrypted by their owner, though no secret is expected there.
        ({"tiller": json.dumps({"password": HIDDEN})}, ("tiller",)),
        ({"tiller": json.dumps({"name": HIDDEN})}, ("tiller",)),
        ({"registryUsername": f"[{HIDDEN}]"}, ("registryUsername",)),
    ],
)
def test_no_error_shows_what_is_encrypted(more: dict[str, str], encrypted: tuple[str, ...]) -> None:
    error = refused(more, encrypted=encrypted)
    for text in (str(error), repr(error), repr(error.problems)):
        assert HIDDEN.lower() not in text.lower()


def test_settings_show_no_secret() -> None:
    got = read({"apiToken": HEX})
    for text in (repr(got), str(got), f"{got.registry.password}", repr(got.tokens.given)):
        assert PASSWORD not in text
        assert HEX not in text
    assert "***" in repr(got)


def test_secrets_compare_by_their_text() -> None:
    assert Secret("a") == Secret("a")
    assert hash(Secret("a")) == hash(Secret("a"))
    assert Secret("a") != Secret("b")
    assert Secret("a") != "a"


@pytest.mark.parametrize(
    ("registry", "authenticator", "required", "begin"),
    [
        ("", "", ["registryPassword"], "0"), ("x", "", ["registryPassword"], "0"), ("local", "", [], "0"),
        ("gcr", "none", ["registryPassword"], "{"), ("gar", "", ["registryPassword"], "{"),
        ("quay", "github", ["registryPassword", "oauthClientSecret"], "0"),
    ],
)  # fmt: skip
def test_what_a_rehearsal_fills_in(registry: str, authenticator: str, required: list[str], begin: str) -> None:
    """Google's registries take the text of a key, and so must the placeholder be one: for their password alone."""
    config = full({"registry": registry, "authenticator": authenticator})
    assert keys.required_secrets(config) == tuple(f"binderhub:{name}" for name in required)
    assert keys.placeholder("binderhub:registryPassword", config).startswith(begin)
    assert keys.placeholder("binderhub:apiToken", config) == "0" * 64


@pytest.mark.parametrize(
    ("more", "stack"), [({"protect": "true"}, "dev"), ({}, "prod"), ({"profile": "prod", "protect": "false"}, "dev")]
)
def test_protected_stacks_and_those_of_prod_are_serious(more: dict[str, str], stack: str) -> None:
    wide_open = {**more, "launchQuota": "500", "rateLimit": "0"}
    assert [p.key for p in refused(wide_open, stack=stack).problems] == ["binderhub:acceptedRisks.noRateLimit"]
    read({"launchQuota": "500", "rateLimit": "0"})


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


def test_reading_a_large_stack_file_takes_no_time() -> None:
    """Every ordinary key is set, three hundred repositories are banned, and the other stacks' files are looked at."""
    large = {key.full: key.example for key in KEYS if key.paths and not key.part and not key.secret} | {
        "binderhub:chart": "tests/charts/binderhub",
        "binderhub:bannedRepositories": json.dumps([f"^spam-{n}/.*" for n in range(300)]),
        "binderhub:bannedNetworks": json.dumps({f"198.51.100.{n}/32": "abuse" for n in range(100)}),
        "binderhub:labels": json.dumps({f"label-{n}": "x" for n in range(50)}),
    }
    taken = []
    for _ in range(5):  # the first also compiles three hundred patterns, as every run does
        re.purge()
        begin = time.process_time()
        got = read(large)
        taken.append(time.process_time() - begin)
    assert len(got.options["bannedRepositories"]) == 300
    assert min(taken) < 0.03, taken


def test_the_examples_name_no_secret_in_clear() -> None:
    for file in ROOT.glob("Pulumi.*.yaml"):
        config = yaml.safe_load(file.read_text())["config"]
        clear = {k for k in ALWAYS_SECRET & set(config) if not isinstance(config[k], dict)}
        assert not clear, f"{file.name}: {clear}"

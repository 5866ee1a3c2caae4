"""The table of keys: every row reads its own defaults and example, and the chart takes what comes of it."""

import pytest
from helm_python.chart import Chart

from config import keys
from config.keys import KEYS, Key
from config.registries import TYPES
from kube.nested import get
from tests.unit.config.conftest import as_given, full, helm_values, read, shape

PLAIN = [key for key in KEYS if not key.secret]


def test_the_table_is_sound() -> None:
    assert len({key.full for key in KEYS}) == len(KEYS)
    assert all(key.what and not key.what.endswith(".") for key in KEYS)
    assert not [key.name for key in KEYS if key.secret and (key.example or key.dev or key.prod)]
    assert not [key.name for key in PLAIN if not key.example]


@pytest.mark.parametrize("key", PLAIN, ids=lambda key: key.name)
def test_defaults_and_example_fit_the_keys_own_type(key: Key) -> None:
    for text in filter(None, (key.default("dev"), key.default("prod"), as_given(key))):
        key.type.read(text)


@pytest.mark.usefixtures("loop")
@pytest.mark.parametrize("key", [key for key in PLAIN if key.paths], ids=lambda key: key.name)
def test_a_value_reaches_its_places_and_the_chart_takes_it(key: Key, chart: Chart) -> None:
    values = shape(helm_values(read({key.name: as_given(key)})))
    assert [get(values, path) for path in key.paths] == [key.type.read(as_given(key))] * len(key.paths)
    assert chart.render(values, name="rel", namespace="hub-ns")


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


@pytest.mark.parametrize("registry", ["token", "gar", "quay", "ghcr"])
def test_a_placeholder_of_a_token_address_passes(registry: str) -> None:
    more = {"registry": registry, "imagePrefix": TYPES[registry].prefix(), "registryTokenUrl": ""}
    google = {"registryUsername": "", "registryPassword": '{"type": "x"}'} if registry == "gar" else {}
    address = keys.placeholder("binderhub:registryTokenUrl", full(more))
    assert read({**more, **google, "registryTokenUrl": address}, secrets={"registryTokenUrl"}).registry.token_url


@pytest.mark.parametrize(
    ("made", "command"),
    [
        (keys.set_command("timeout", "60"), "timeout 60"),
        (keys.set_command("registryTokenUrl", "x"), "--plaintext registryTokenUrl x"),
        (keys.set_command("labels.my_Password", "x", path=True), "--plaintext --path labels.my_Password x"),
        (keys.set_command("apiToken", secret=True), "--secret apiToken"),
        (keys.set_command("allowedUsers[0]", "alice", path=True), "--path 'allowedUsers[0]' alice"),
    ],
)
def test_a_command_says_what_pulumi_would_take_for_a_secret(made: str, command: str) -> None:
    assert made == f"pulumi config set {command}"

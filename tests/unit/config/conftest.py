"""A good stack to start from, its Helm values, and the chart that takes them."""

import asyncio
import json
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

import pulumi
import pytest
from helm_python.chart import Chart

from config import settings, values
from config.keys import KEYS, Key, qualified
from config.registries import TYPES
from config.settings import Settings
from config.types import Secret
from tests.unit.conftest import ROOT

CHART = ROOT / "tests" / "charts" / "binderhub"
PASSWORD = "pa55-Word"
GOOD = {"imagePrefix": "acme/binder-dev-", "registryUsername": "me", "registryPassword": PASSWORD}
LOGIN = {"authenticator": "github", "oauthClientId": "id", "oauthClientSecret": "x", "allowedUsers": '["alice"]'}
SECRET = {key.full for key in KEYS if key.secret}
OUTPUT = "<output>"


@pytest.fixture
def loop(loop: asyncio.AbstractEventLoop) -> Iterator[asyncio.AbstractEventLoop]:
    """Work off what a test left, so that a wrong assertion inside `apply` fails here.

    Helm values hold outputs, which tests of this room compare as they are, without waiting for what is in them.
    """
    yield loop
    while left := asyncio.all_tasks(loop):
        loop.run_until_complete(asyncio.gather(*left))


@pytest.fixture(scope="session")
def chart() -> Iterator[Chart]:
    with Chart.load(CHART) as loaded:
        yield loaded


def full(config: Mapping[str, Any]) -> dict[str, Any]:
    return {qualified(key): value for key, value in config.items()}


def as_given(key: Key) -> str:
    """The example as the engine would hand it over."""
    text = key.example.strip("'")
    if key.part == "[0]":
        return json.dumps([text])
    return json.dumps({key.part.strip('.[]"'): text}) if key.part else text


def everything(registry: str, authenticator: str) -> dict[str, str]:
    """A config with all that leads to Helm values, and a registry and a login of these types."""
    given = {key.name: as_given(key) for key in KEYS if key.paths and not key.secret}
    given |= dict.fromkeys(("allowedRepositories", "bannedRepositories"), '["github.com/my-org/*"]')
    given |= {**LOGIN, "authenticator": authenticator, "githubToken": "x", "privateImages": "true", "replicas": "2"}
    given |= {"authenticatorConfig": json.dumps(dict.fromkeys(("authorize_url", "token_url", "userdata_url"), "x"))}
    given |= {"registry": registry, "imagePrefix": TYPES[registry].prefix(), "imageCleaner": "nocordon"}
    if registry == "gar":
        given |= {"registryPassword": '{"type": "x"}', "registryUsername": ""}
    return {**given, "registryTokenUrl": "https://r/t?s="} if registry == "token" else given


def read(
    config: Mapping[str, Any] | None = None,
    *,
    stack: str = "dev",
    folder: Path = ROOT,
    secrets: Collection[str] = (),
) -> Settings:
    """Read the good config with changes. None takes a key away; the secret ones come encrypted, and `secrets`, too."""
    whole = {key: value for key, value in full({**GOOD, **(config or {})}).items() if value is not None}
    return settings.read(whole, SECRET | {qualified(name) for name in secrets}, stack, folder)


def helm_values(given: Settings, tokens: str = "t", hub_url: str = "http://203.0.113.7") -> dict[str, Any]:
    names = ("api", "proxy", "cookie", "crypt", "build")
    secrets = values.TokenValues(**{name: pulumi.Output.secret(f"{tokens}-{name}") for name in names})
    binder_url = pulumi.Output.from_input("http://203.0.113.8")
    return values.helm_values(given, secrets, pulumi.Output.from_input(hub_url), binder_url)


def shape(value: Any) -> Any:
    """The same values with a mark for each output, and the text of each secret."""
    if isinstance(value, dict):
        return {k: shape(v) for k, v in value.items()}
    if isinstance(value, list):
        return [shape(v) for v in value]
    return OUTPUT if isinstance(value, pulumi.Output) else value.reveal() if isinstance(value, Secret) else value

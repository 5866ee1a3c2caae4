"""The table of keys: every row reads its own defaults and example, and the chart takes what comes of it."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pulumi
import pytest
import yaml
from helm_python.chart import Chart

from config import settings
from config.keys import KEYS, PROJECT, Key
from config.values import TokenValues, helm_values
from kube.nested import at, merged
from tests.unit.conftest import ROOT

ORDINARY = [key for key in KEYS if key.paths]
BASICS = {"imagePrefix": "acme/binder-dev-", "registryUsername": "me", "registryPassword": "s3cret"}


@pytest.fixture(scope="module")
def chart() -> Iterator[Chart]:
    with Chart.load(ROOT / "tests" / "charts" / "binderhub") as loaded:
        yield loaded


def as_given(key: Key) -> str:
    """The example as the engine would hand it over."""
    text = key.example.strip("'")
    if key.part == "[0]":
        return json.dumps([text])
    return json.dumps({key.part.strip('.[]"'): text}) if key.part else text


def plain(value: Any) -> Any:
    if isinstance(value, pulumi.Output):
        return "0123456789abcdef" * 4
    if isinstance(value, dict):
        return {k: plain(v) for k, v in value.items()}
    return [plain(v) for v in value] if isinstance(value, list) else value


def values_of(folder: Path, stack: str = "dev", **more: str) -> dict[str, Any]:
    config = {f"binderhub:{name}": text for name, text in {**BASICS, **more}.items()}
    secrets = [key.full for key in KEYS if key.secret]
    leaf = pulumi.Output.from_input("http://203.0.113.7")
    tokens = TokenValues(api=leaf, proxy=leaf, cookie=leaf, crypt=leaf, build=leaf)
    return plain(helm_values(settings.read(config, secrets, stack, folder), tokens, leaf, leaf))


def rendered(chart: Chart, values: dict[str, Any]) -> str:
    return str(chart.render(values, name="rel", namespace="hub-ns"))


def leaf_at(values: dict[str, Any], path: str) -> Any:
    for name in path.split("."):
        values = values[name]
    return values


def test_the_table_is_sound() -> None:
    assert len({key.full for key in KEYS}) == len(KEYS)
    assert all(key.group and key.what and not key.what.endswith(".") for key in KEYS)
    assert not [key.name for key in KEYS if key.secret and (key.example or key.dev or key.prod)]
    assert not [key.name for key in KEYS if not key.secret and not key.example]


@pytest.mark.parametrize("key", [key for key in KEYS if not key.secret], ids=lambda key: key.name)
def test_defaults_and_example_fit_the_keys_own_type(key: Key) -> None:
    for profile in ("dev", "prod"):
        if text := key.default(profile):
            key.type.read(text)
    if key.name not in ("tiller", "acceptedRisks"):
        key.type.read(as_given(key))


def test_pulumi_yaml_describes_every_key_and_no_other() -> None:
    """It says which are required and which are secret, and no default of its own counts."""
    project = yaml.safe_load((ROOT / "Pulumi.yaml").read_text())
    ours = [key for key in KEYS if key.namespace == PROJECT]
    assert (project["name"], set(project["config"])) == (PROJECT, {key.name for key in ours})
    assert {described["default"] for described in project["config"].values()} == {""}
    first = {name: one["description"].split(".")[0].lower() for name, one in project["config"].items()}
    assert [key.name for key in ours if ("required" in first[key.name]) != key.required] == []
    assert [key.name for key in ours if ("secret" in first[key.name]) != key.secret] == []


@pytest.mark.usefixtures("loop")
@pytest.mark.parametrize("key", [key for key in ORDINARY if not key.secret], ids=lambda key: key.name)
def test_a_value_reaches_its_places_and_the_chart_takes_it(key: Key, chart: Chart, tmp_path: Path) -> None:
    values = values_of(tmp_path, **{key.name: as_given(key)})
    assert [leaf_at(values, path) for path in key.paths] == [key.type.read(as_given(key))] * len(key.paths)
    assert rendered(chart, values)


@pytest.mark.usefixtures("loop")
@pytest.mark.parametrize("stack", ["dev", "prod"])
def test_the_defaults_of_both_profiles_are_taken_by_the_chart(chart: Chart, tmp_path: Path, stack: str) -> None:
    objects = rendered(chart, values_of(tmp_path, stack))
    assert ("ClusterRole" in objects) == (stack == "prod")
    assert ("hub-db-dir" in objects) == (stack == "prod")


@pytest.mark.usefixtures("loop")
def test_all_that_decides_several_values(chart: Chart, tmp_path: Path) -> None:
    login = {"authenticator": "github", "oauthClientId": "id", "oauthClientSecret": "x", "allowedUsers": '["alice"]'}
    values = values_of(
        tmp_path, replicas="2", labels='{"team": "physics"}', hubDatabase="volume", imageCleaner="nocordon",
        builder="pink", privateImages="true", **login,
    )  # fmt: skip
    assert values["pdb"] == {"enabled": True, "maxUnavailable": 1}
    assert values["imageCleaner"] == {"enabled": True, "cordon": False}
    assert values["pink"] == {"hostSocketDir": "/var/run/pink/binderhub", "hostStorageDir": "/var/lib/pink/binderhub"}
    assert values["deployment"]["labels"] == values["jupyterhub"]["singleuser"]["extraLabels"] == {"team": "physics"}
    assert values["jupyterhub"]["hub"]["db"]["type"] == "sqlite-pvc"
    assert values["jupyterhub"]["imagePullSecret"]["create"] is True
    assert rendered(chart, values)


@pytest.mark.usefixtures("loop")
def test_login_changes_all_that_must_change_together(chart: Chart, tmp_path: Path) -> None:
    without = values_of(tmp_path)
    login = {"authenticator": "github", "oauthClientId": "id", "oauthClientSecret": "x", "allowedUsers": '["alice"]'}
    values = values_of(tmp_path, **login)
    text = "0123456789abcdef" * 4
    expected = {
        "config": {"BinderHub": {"auth_enabled": True}},
        "jupyterhub": {
            "cull": {"users": False},
            "singleuser": {"cmd": "jupyterhub-singleuser"},
            "hub": {
                "config": {
                    "BinderSpawner": {"auth_enabled": True},
                    "JupyterHub": {"authenticator_class": "github", "redirect_to_server": False},
                    "GitHubOAuthenticator": {
                        "client_id": "id",
                        "client_secret": text,
                        "oauth_callback_url": text,
                        "allowed_users": ["alice"],
                    },
                },
                "loadRoles": {"user": {"scopes": ["self", "access:services!service=binder"]}},
                "services": {
                    "binder": {
                        "oauth_client_id": "service-binder",
                        "oauth_no_confirm": True,
                        "oauth_redirect_uri": text,
                    }
                },
            },
        },
    }
    annotation = at("service.annotations", values["service"]["annotations"])
    assert values == merged(merged(without, expected), annotation)
    assert rendered(chart, values)
    everybody = values_of(tmp_path, **{**login, "allowedUsers": '["*"]'})
    own = everybody["jupyterhub"]["hub"]["config"]["GitHubOAuthenticator"]
    assert own["allow_all"] is True
    assert "allowed_users" not in own


@pytest.mark.usefixtures("loop")
def test_a_registry_without_tls_is_made_known_to_the_builder(tmp_path: Path) -> None:
    values = values_of(tmp_path, registry="local", imagePrefix="registry.lan:5000/p/binder-")
    assert values["dind"]["daemonset"] == {"extraArgs": ["--insecure-registry=registry.lan:5000"]}

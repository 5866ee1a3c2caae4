"""Names under `config`: those that the applications know, and what is told of others."""

import json
from pathlib import Path
from typing import Any

import pulumi
import pytest
from test_own_values import read, refused

from components import keys, traits
from components.tokens import TokenValues
from components.tree import at
from components.values import helm_values

CLASSES = {"config": traits.BINDERHUB, "jupyterhub.hub.config": traits.HUB}


@pytest.mark.parametrize(
    ("place", "value", "told"),
    [
        ("config.BinderHub.image_prefx", "x", "did you mean image_prefix?"),
        ("config.Binderhub.banner_message", "x", "did you mean BinderHub?"),
        ("config.GithubRepoProvider.hostname", "x", "did you mean GitHubRepoProvider?"),
        ("config.GitHubRepoProvider.acces_token", "x", "did you mean access_token?"),
        ("config.GistRepoProvider.bannedspecs", [], "did you mean banned_specs?"),
        ("config.KubernetesBuildExecutor.build_imge", "x", "did you mean build_image?"),
        ("config.BinderHub", 3, "a map of the traits of BinderHub"),
        ("config.Weather.sunny", True, "a class that the application has; it is silent about any other"),
        ("jupyterhub.hub.config.Kubespawner.cpu_limit", 1, "did you mean KubeSpawner?"),
        ("jupyterhub.hub.config.KubeSpawner.storage_clas", "x", "did you mean storage_class?"),
        ("jupyterhub.hub.config.BinderSpawner.cors_alow_origin", "x", "did you mean cors_allow_origin?"),
        ("jupyterhub.hub.config.JupyterHub.admin_acces", True, "did you mean admin_access?"),
        ("jupyterhub.hub.config.GitHubOAuthenticator.client_secet", "x", "did you mean client_secret?"),
        ("jupyterhub.hub.config.MyAuthenticator.url", "x", "did you mean Authenticator?"),
    ],
)
def test_names_that_are_wrong(place: str, value: object, told: str) -> None:
    ((_, expected, example),) = traits.problems(at(place, value))
    assert told in expected
    assert "did you mean" not in expected or expected.split("mean ")[1].rstrip("?") in example


@pytest.mark.parametrize(
    ("place", "value"),
    [
        ("config.BinderHub.banner_message", "hello"),
        ("config.GistRepoProvider.client_id", "inherited twice"),
        ("config.KubernetesBuildExecutor.memory_limit", "1G"),
        ("jupyterhub.hub.config.KubeSpawner.k8s_api_threadpool_workers", 1),
        ("jupyterhub.hub.config.BinderSpawner.start_timeout", 1),
        ("jupyterhub.hub.config.Authenticator.admin_users", []),
        ("jupyterhub.hub.config.MWOAuthenticator.anything", "only its name is known"),
        ("jupyterhub.singleuser.cpu.limt", "not ours to check"),
        ("config", "no map"),
    ],
)
def test_names_that_are_right_or_not_looked_at(place: str, value: object) -> None:
    assert list(traits.problems(at(place, value))) == []
    assert list(traits.doubts(at(place, value))) == []


def test_a_trait_like_no_other_is_a_doubt_only() -> None:
    values = at("config.BinderHub", {"zebra_crossing": 1, "image_prefx": "x", "port": 1})
    assert list(traits.doubts(values)) == ["config.BinderHub.zebra_crossing"]
    assert [place for place, _, _ in traits.problems(values)] == ["config.BinderHub.image_prefx"]


def test_authenticators_that_a_setting_names_are_known() -> None:
    assert set(keys.AUTHENTICATORS.values()) <= traits.HUB.keys()


@pytest.mark.usefixtures("loop")
@pytest.mark.parametrize("registry", ["dockerhub", "gar"])
def test_everything_that_the_program_itself_sets_is_known(tmp_path: Path, registry: str) -> None:
    given: dict[str, Any] = {
        "launchQuota": "10",
        "githubToken": "x",
        "allowedRepositories": '["^a/.*"]',
        "bannedNetworks": json.dumps({"198.51.100.0/24": "abuse"}),
        "corsOrigin": "https://example.org",
        "repo2dockerImage": "quay.io/jupyterhub/repo2docker:2024.07.0",
        "buildNodeSelector": '{"a": "b"}',
        "authenticator": "github",
        "oauthClientId": "x",
        "oauthClientSecret": "y",
        "allowedUsers": '["alice"]',
    }
    if registry == "gar":
        prefix = "europe-docker.pkg.dev/a/b/binder-x-"
        given |= {"registry": "gar", "imagePrefix": prefix, "registryPassword": '{"type": "x"}', "registryUsername": ""}
    settings = read(tmp_path, secrets=("githubToken", "oauthClientSecret"), **given)
    leaf = pulumi.Output.from_input("x")
    values = helm_values(settings, TokenValues(api=leaf, proxy=leaf, cookie=leaf, crypt=leaf, build=leaf), leaf, leaf)
    assert list(traits.problems(values)) == []
    assert list(traits.doubts(values)) == []


def test_a_misspelt_name_is_refused_in_the_values_file_and_among_the_secrets(tmp_path: Path) -> None:
    (tmp_path / "own.yaml").write_text("config: {BinderHub: {baner_message: hello}}\n")
    message = refused(tmp_path, valuesFile="own.yaml")
    assert "binderhub:valuesFile: found own.yaml: config.BinderHub.baner_message" in message
    assert (
        "did you mean banner_message?\n      example:  config.BinderHub.banner_message: ...; or, for one of" in message
    )
    hidden = json.dumps({"config.GitLabRepoProvider.privat_token": "t0p-secret"})
    message = refused(tmp_path, secrets=("secretValues",), secretValues=hidden)
    assert "binderhub:secretValues: found config.GitLabRepoProvider.privat_token" in message


def test_ones_own_class_is_accepted_by_name(tmp_path: Path) -> None:
    (tmp_path / "own.yaml").write_text("config: {MyProvider: {url: x}, BinderHub: {zebra_crossing: 1}}\n")
    assert "acceptedRisks.unknownConfig" in refused(tmp_path, valuesFile="own.yaml")
    given = read(tmp_path, valuesFile="own.yaml", acceptedRisks='{"unknownConfig": "MyProvider is in extraConfig"}')
    assert [w for w in given.warnings if w.startswith("config.BinderHub.zebra_crossing: no trait that we know of")]

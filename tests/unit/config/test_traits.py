"""Names under `config`: those that the applications know, and what is told of others."""

import json
from pathlib import Path

import pytest

from config import keys, values_file
from config.applications import kinds, traits
from config.settings import SettingsError
from config.types import Secret
from kube.nested import at, merged
from tests.unit.config.conftest import LOGIN, everything, helm_values, read, shape
from tests.unit.conftest import ROOT

HIDDEN = "t0p-secret"


@pytest.mark.parametrize(
    ("place", "value", "told"),
    [
        ("config.BinderHub.image_prefx", "x", "config.BinderHub.image_prefix?"),
        ("config.Binderhub.banner_message", "x", "config.BinderHub?"),
        ("config.BINDERHUB.banner_message", "x", "config.BinderHub?"),
        ("config.GithubRepoProvider.hostname", "x", "config.GitHubRepoProvider?"),
        ("config.GitHubRepoProvider.acces_token", "x", "config.GitHubRepoProvider.access_token?"),
        ("config.GistRepoProvider.bannedspecs", [], "config.GistRepoProvider.banned_specs?"),
        ("config.BinderHub", 3, "a map of the traits of BinderHub"),
        ("config.Weather.sunny", True, "a class that the application has; it is silent about any other"),
        ("jupyterhub.hub.config.Kubespawner.cpu_limit", 1, "jupyterhub.hub.config.KubeSpawner?"),
        ("jupyterhub.hub.config.BinderSpawner.cors_alow_origin", "x", "config.BinderSpawner.cors_allow_origin?"),
        ("jupyterhub.hub.config.MyAuthenticator.url", "x", "jupyterhub.hub.config.Authenticator?"),
        # At the wrong level, or in the other application's part.
        ("config.BinderHub.DockerRegistry", {"url": "x"}, "config.DockerRegistry?"),
        ("config.KubeSpawner.cpu_limit", 1, "jupyterhub.hub.config.KubeSpawner?"),
        ("jupyterhub.hub.config.RateLimiter.limit", 1, "config.RateLimiter?"),
        # With these, the application would not even start; the last is a name of 2019.
        ("config.BinderHub.google_analytics_code", "x", "config.BinderHub.extra_footer_scripts?"),
        ("config.BinderHub.docker_registry_class", "x", "config.BinderHub.registry_class?"),
        ("config.GitRepoProvider", None, "a map of the traits of GitRepoProvider"),
        ("jupyterhub.hub.config.KubeSpawner", ["image"], "a map of the traits of KubeSpawner"),
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
        ("config.HubOAuth.hub_host", "https://hub.example.org"),
        ("config.GistRepoProvider.client_id", "inherited twice"),
        ("config.KubernetesBuildExecutor.memory_limit", "1G"),
        ("jupyterhub.hub.config.KubeSpawner.k8s_api_threadpool_workers", 1),
        ("jupyterhub.hub.config.BinderSpawner.start_timeout", 1),
        ("jupyterhub.hub.config.Authenticator.admin_users", []),
        ("jupyterhub.hub.config.CASAuthenticator.anything", "only its name is known"),
        # The section of a class reaches the objects of those below it, and what these have from elsewhere.
        ("config.RepoProvider.private_token", "GitLab's"),
        ("config.LaunchQuota.namespace", "KubernetesLaunchQuota's"),
        ("jupyterhub.hub.config.Authenticator.client_id", "OAuthenticator's"),
        ("jupyterhub.hub.config.KubeSpawner.cors_allow_origin", "BinderSpawner's"),
        ("jupyterhub.hub.config.BinderSpawnerMixin.image", "KubeSpawner's"),
        ("jupyterhub.hub.config.LocalGitHubOAuthenticator.add_user_cmd", "of its other base"),
        ("jupyterhub.hub.config.LocalGitHubOAuthenticator.allowed_organizations", "of one base"),
        # Old names that still work, and such as only some versions have.
        ("config.BinderHub.build_image", "moved to KubernetesBuildExecutor"),
        ("jupyterhub.hub.config.KubeSpawner.singleuser_uid", 1000),
        ("jupyterhub.hub.config.JupyterHub.statsd_host", "until JupyterHub 5"),
        ("jupyterhub.hub.config.Authenticator.refresh_pre_stop", "since JupyterHub 5.5"),
        ("jupyterhub.singleuser.cpu.limt", "not ours to check"),
        ("config", "no map"),
    ],
)
def test_names_that_are_right_or_not_looked_at(place: str, value: object) -> None:
    assert list(traits.problems(at(place, value))) == []
    assert list(traits.warnings(at(place, value))) == []


BINDER, BUILD, HUB = "config.BinderHub", "config.KubernetesBuildExecutor", "jupyterhub.hub.config"


@pytest.mark.parametrize(
    ("place", "value", "told", "example"),
    [
        (f"{BINDER}.sticky_builds", "true", "true or false, unquoted", "true"),
        (f"{BUILD}.sticky_builds", 2, "true or false, unquoted", "true"),
        (f"{BINDER}.per_repo_quota_higher", "200", "a whole number below a million, unquoted", "10"),
        (f"{BINDER}.build_max_age", 1_000_000, "a whole number below a million, unquoted", "10"),
        (f"{BINDER}.banner_message", 3, "a text; quote what looks like a number, or like true and false", "'...'"),
        (f"{BINDER}.banner_message", None, "a text; quote what looks like a number, or like true and false", "'...'"),
        (f"{BINDER}.template_variables", "x", "a map", "{...: ...}"),
        (f"{BINDER}.block_build_user_agents", ["(bot"], "a list, and each entry a regular expression", "['^name$']"),
        (f"{BUILD}.memory_limit", "2Gi", "a number of bytes below a million, or one with K, M, G or T", "2G"),
        (f"{BUILD}.memory_request", "512m", "a number of bytes below a million, or one with K, M, G or T", "2G"),
        (f"{BUILD}.extra_envs", {"A": True}, "a map, and each entry a text", "{...: '...'}"),
        (f"{BUILD}.repo2docker_extra_args", [1], "a list, and each entry a text", "['...']"),
        ("config.Launcher.retries", 1.5, "a whole number", "10"),
        ("config.RateLimiter.clean_seconds", "10m", "a whole number", "10"),
        *(
            (f"config.{provider}.{trait}", [value], "a list, and each entry ", "[")
            for provider in ("RepoProvider", "GitHubRepoProvider", "ZenodoProvider", "CKANProvider", "GistRepoProvider")
            for trait, value in {
                "banned_specs": "^(bad", "allowed_specs": 3, "high_quota_specs": "*.x", "spec_config": "^x",
            }.items()
        ),
        ("config.GitRepoProvider.spec_config", [{"pattern": "(", "config": {}}], "a map of a regular", "[{pat"),
        ("config.GitRepoProvider.spec_config", [{"pattern": "^x", "quota": 3}], "pattern, and a map, config", "[{pat"),
        (f"{HUB}.JupyterHub.concurrent_spawn_limit", "64", "a whole number", "10"),
        (f"{HUB}.JupyterHub.active_server_limit", "many", "a whole number", "10"),
        (f"{HUB}.JupyterHub.named_server_limit_per_user", "3", "a whole number below a million, unquoted", "10"),
        (f"{HUB}.JupyterHub.log_level", "debug", "one of 0, 10, 20, 30, 40, 50, DEBUG, INFO,", "CRITICAL"),
        (f"{HUB}.JupyterHub.load_roles", [1], "a list, and each entry a map", "[{...: ...}]"),
        (f"{HUB}.JupyterHub.authenticator_class", 3, "a text", "'...'"),
        (f"{HUB}.KubeSpawner.start_timeout", "5m", "a whole number", "10"),
        (f"{HUB}.BinderSpawner.start_timeout", "5m", "a whole number", "10"),
        (f"{HUB}.KubeSpawner.mem_limit", "lots", "a number of bytes", "2G"),
        (f"{HUB}.KubeSpawner.cpu_limit", "500m", "a number below a million, unquoted", "0.5"),
        (f"{HUB}.KubeSpawner.uid", "root", "a whole number", "10"),
        (f"{HUB}.KubeSpawner.init_containers", "x", "a list or a map", "[...]"),
        (f"{HUB}.Authenticator.admin_users", "alice, bob", "a list", "[...]"),
        (f"{HUB}.Authenticator.allow_all", "yes", "true or false", "true"),
        (f"{HUB}.Authenticator.username_pattern", "[", "a regular expression", "'^name$'"),
        (f"{HUB}.GitHubOAuthenticator.allowed_organizations", "my-org", "a list", "[...]"),
        (f"{HUB}.LDAPAuthenticator.server_port", "389", "a whole number", "10"),
    ],
)  # fmt: skip
def test_values_that_the_application_does_not_take(place: str, value: object, told: str, example: str) -> None:
    ((where, expected, shown),) = traits.misfits(at(place, value))
    assert where == place
    assert expected.startswith(told) or told in expected
    assert shown.startswith(f"{place}: ")
    assert example in shown


@pytest.mark.parametrize(
    ("place", "example"),
    [
        ("config.Launcher.pre_launch_hook", "extraConfig.own: c.Launcher.pre_launch_hook = ..."),
        (f"{HUB}.KubeSpawner.pre_spawn_hook", "jupyterhub.hub.extraConfig.own: c.KubeSpawner.pre_spawn_hook = ..."),
    ],
)
def test_a_function_cannot_stand_in_a_values_file(place: str, example: str) -> None:
    ((_, expected, shown),) = traits.misfits(at(place, "my_hook"))
    assert (expected, shown) == ("a function, which only Python in extraConfig can give", example)


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (f"{BINDER}.sticky_builds", True), (f"{BINDER}.sticky_builds", 0), (f"{BINDER}.pod_quota", None),
        (f"{BINDER}.badge_base_url", "https://x/"), (f"{BINDER}.build_memory_limit", "1.5G"),
        (f"{BINDER}.build_memory_limit", 5000), (f"{BINDER}.build_memory_limit", None), (f"{BINDER}.port", 8585.0),
        (f"{BINDER}.block_build_user_agents", []), (f"{BINDER}.block_build_user_agents", ".*bot.*"),
        (f"{BINDER}.repo_providers", "nobody knows its kind"), (f"{BINDER}.zebra_crossing", object()),
        ("config.GitHubRepoProvider.high_quota_specs", ["^jupyterhub/.*", r"^[\w-]+/x(?!y)"]),
        ("config.GitHubRepoProvider.high_quota_specs", "^jupyterhub/.*"),
        ("config.GitHubRepoProvider.access_token", Secret("x")), ("config.RepoProvider.banned_specs", [Secret("x")]),
        ("config.GitRepoProvider.spec_config", [{"pattern": "^x", "config": {"quota": 3}}]),
        (f"{BUILD}.resources", {"limits": {"memory": "2Gi"}}), (f"{BUILD}.image_pull_secrets", ["a"]),
        (f"{BUILD}.docker_host", None), ("config.Weather.sunny", 3), ("config.BinderHub", 3),
        (f"{HUB}.JupyterHub.log_level", "DEBUG"), (f"{HUB}.JupyterHub.log_level", 10),
        (f"{HUB}.JupyterHub.template_paths", "/one"), (f"{HUB}.JupyterHub.cookie_max_age_days", 1),
        (f"{HUB}.JupyterHub.load_groups", {"a": ["x"], "b": {"users": ["y"]}}),
        (f"{HUB}.JupyterHub.named_server_limit_per_user", 3), (f"{HUB}.JupyterHub.default_url", "/lab"),
        (f"{HUB}.JupyterHub.cookie_secret", "ab"), (f"{HUB}.ConfigurableHTTPProxy.log_level", "INFO"),
        (f"{HUB}.KubeSpawner.cmd", "jupyterhub-singleuser"), (f"{HUB}.KubeSpawner.cmd", ["a", "b"]),
        (f"{HUB}.KubeSpawner.mem_limit", "1G"), (f"{HUB}.KubeSpawner.cpu_limit", 2), (f"{HUB}.KubeSpawner.uid", None),
        (f"{HUB}.KubeSpawner.init_containers", []), (f"{HUB}.KubeSpawner.init_containers", {"a": {}}),
        (f"{HUB}.KubeSpawner.environment", {"A": {"valueFrom": {}}}), (f"{HUB}.KubeSpawner.image_pull_secrets", "x"),
        (f"{HUB}.KubeSpawner.profile_list", [{"display_name": "x"}]), (f"{HUB}.KubeSpawner.singleuser_uid", "old"),
        (f"{HUB}.KubeSpawner.allow_privilege_escalation", None), (f"{HUB}.Authenticator.admin_users", ["alice"]),
        (f"{HUB}.GitLabOAuthenticator.gitlab_api_version", 4), (f"{HUB}.GenericOAuthenticator.username_claim", "email"),
        (f"{HUB}.GoogleOAuthenticator.hosted_domain", "example.org"),
        (f"{HUB}.GoogleOAuthenticator.allowed_google_groups", {"example.org": ["a"]}),
        (f"{HUB}.OAuthenticator.allowed_groups", ["a"]), (f"{HUB}.LocalGitHubOAuthenticator.allowed_groups", [3]),
        # Two classes below have a trait of this name, and one of them takes a list.
        (f"{HUB}.Authenticator.client_id", "x"), (f"{HUB}.Authenticator.client_id", ["x"]),
    ],
)  # fmt: skip
def test_values_that_the_application_takes(place: str, value: object) -> None:
    assert list(traits.misfits(at(place, value))) == []


def test_a_trait_like_no_other_is_a_doubt_only() -> None:
    values = at("config.BinderHub", {"zebra_crossing": 1, "image_prefx": "x", "port": 1, "total_quota": 1})
    zebra, quota = traits.warnings(values)
    assert zebra.startswith("config.BinderHub.zebra_crossing: no trait that we know of;")
    assert quota.startswith("config.BinderHub.total_quota: no trait that we know of (LaunchQuota has one of that name)")
    assert [place for place, _, _ in traits.problems(values)] == ["config.BinderHub.image_prefx"]


def test_each_level_that_is_wrong_is_told_once() -> None:
    places = [place for place, _, _ in traits.problems(at("config.Binderhub.image_prefx", "x"))]
    assert places == ["config.Binderhub", "config.Binderhub.image_prefx"]
    assert [place for place, _, _ in traits.problems(at("config.Binderhub", 3))] == ["config.Binderhub"]
    # Its traits are those of the hub's class, not of one here that is called much the same.
    elsewhere = at("config.EventLogger.handlers_make", 1)
    assert [place for place, _, _ in traits.problems(elsewhere)] == ["config.EventLogger"]


def test_with_own_names_only_maps_are_asked_for() -> None:
    values = merged(at("config", {"MyProvider": {"url": "x"}, "Launcher": {"retrys": 1}}), at("config.BinderHub", 3))
    assert [place for place, _, _ in traits.problems(values, own_names=True)] == ["config.BinderHub"]


# What operators set most, by the histories of four public deployments (facts: operators-settings.md).
USUAL = """
config.BinderHub: about_message auth_enabled badge_base_url ban_networks banner_message build_image
    build_node_selector cors_allow_origin extra_footer_scripts hub_url image_prefix per_repo_quota
    per_repo_quota_higher pod_quota sticky_builds template_path template_variables use_registry
config.DockerRegistry: auth_config_url token_url url
config.GitHubRepoProvider: access_token allowed_specs banned_specs client_id client_secret high_quota_specs spec_config
config.GitLabRepoProvider: allowed_specs banned_specs private_token
config.GitRepoProvider: allowed_specs banned_specs high_quota_specs spec_config
config.KubernetesBuildExecutor: build_image memory_limit memory_request node_selector repo2docker_extra_args resources
config.KubernetesCleaner: max_age
config.LaunchQuota: total_quota
config.RateLimiter: limit period_seconds
jupyterhub.hub.config.BinderSpawner: auth_enabled cors_allow_origin
jupyterhub.hub.config.JupyterHub: admin_access authenticator_class
"""


def test_what_operators_set_most_is_known() -> None:
    sections = USUAL.strip().replace("\n    ", " ").splitlines()
    for place, _, names in (section.partition(": ") for section in sections):
        values = at(place, dict.fromkeys(names.split(), 1))
        assert [*traits.problems(values), *traits.warnings(values)] == []


def test_the_file_is_sound() -> None:
    """Each name has a source with a date; a trait stands where it is new, and classes stand above one another."""
    content = json.loads((ROOT / "config" / "applications" / "traits.json").read_text())
    assert all(source["date"] for source in content["sources"].values())
    for part in (content["binder"], content["hub"]):
        for about in part.values():
            assert about["source"] in content["sources"]
            assert set(about["bases"]) <= set(part)
            assert {one["source"] for one in about["traits"].values()} <= set(content["sources"])
            assert all(kinds.fits(one.get("kind", ""), None) in (True, False) for one in about["traits"].values())
            assert list(about["traits"]) == sorted(name for name in about["traits"] if name.isidentifier())
            assert not [base for base in about["bases"] if set(part[base]["traits"]) & set(about["traits"])]
    assert not content["renamed"].keys() & traits.PARTS["config"]["BinderHub"].keys()


def test_authenticators_that_a_setting_names_are_known() -> None:
    assert set(keys.AUTHENTICATORS.values()) <= traits.PARTS["jupyterhub.hub.config"].keys()


@pytest.mark.usefixtures("loop")
@pytest.mark.parametrize("authenticator", keys.AUTHENTICATORS)
@pytest.mark.parametrize("registry", ["dockerhub", "gar", "token"])
def test_everything_that_the_program_itself_sets_is_known(registry: str, authenticator: str) -> None:
    values = helm_values(read(everything(registry, authenticator)))
    assert [*traits.problems(values), *traits.misfits(shape(values)), *traits.warnings(values)] == []


@pytest.mark.parametrize(
    ("place", "value", "told"),
    [
        # What a setting decides is its matter, but a class that is no map is more than that.
        ("config.DockerRegistry.tokn_url", "x", ["the setting registry"]),
        ("config.BinderHub", 3, ["a map of the traits"]),
        ("config.BinderHub", None, ["a map of the traits"]),
        ("config.Launcher", None, ["a map of the traits"]),
        ("config", "nothing", ["not here: the setting"]),
        # A misspelt secret is a secret all the same.
        (
            "config.GitHubRepoProvider.acces_token",
            HIDDEN,
            ["did you mean config.GitHubRepoProvider.access_token?", "no secret in a file"],
        ),
        ("config.MyProvider.api_key", HIDDEN, ["a class that the application has", "no secret in a file"]),
    ],
)
def test_what_is_told_of_a_place_where_several_things_are_wrong(place: str, value: object, told: list[str]) -> None:
    found = [expected for _, expected, _ in values_file.findings(at(place, value))]
    assert len(found) == len(told)
    assert all(phrase in expected for phrase, expected in zip(told, found, strict=True))


def test_ones_own_class_is_accepted_by_name(tmp_path: Path) -> None:
    (tmp_path / "own.yaml").write_text("config: {MyProvider: {url: x}, BinderHub: {zebra_crossing: 1}}\n")
    given = {"valuesFile": "own.yaml", "secretValues": json.dumps({"config.MyOther.url": HIDDEN})}
    with pytest.raises(SettingsError) as caught:
        read(given, folder=tmp_path)
    assert [(one.key.partition(":")[2], one.found) for one in caught.value.problems] == [
        ("valuesFile", "own.yaml: config.MyProvider"),
        ("secretValues", "config.MyOther"),
    ]
    assert HIDDEN not in str(caught.value)
    got = read({**given, "acceptedRisks": '{"unknownConfig": "both are in extraConfig"}'}, folder=tmp_path)
    assert [warning.split(":")[0] for warning in got.warnings] == ["config.BinderHub.zebra_crossing"]


def test_a_value_of_another_type_is_told_without_the_value(tmp_path: Path) -> None:
    (tmp_path / "own.yaml").write_text(f"config: {{BinderHub: {{sticky_builds: {HIDDEN}, port: null}}}}\n")
    given = {"valuesFile": "own.yaml", "secretValues": json.dumps({"config.Launcher.retries": HIDDEN})}
    further = {"client_secret": 3, "allowed_organizations": HIDDEN, "refresh_user_hook": HIDDEN}
    with pytest.raises(SettingsError) as caught:
        read({**LOGIN, **given, "authenticatorConfig": json.dumps(further)}, folder=tmp_path)
    assert {(one.key.partition(":")[2], one.found) for one in caught.value.problems} == {
        ("authenticatorConfig.client_secret", "an unknown name or another sort of value"),
        ("authenticatorConfig.allowed_organizations", "an unknown name or another sort of value"),
        ("authenticatorConfig.refresh_user_hook", "an unknown name or another sort of value"),
        ("valuesFile", "own.yaml: config.BinderHub.sticky_builds"),
        ("valuesFile", "own.yaml: config.BinderHub.port"),
        ("secretValues", "config.Launcher.retries"),
    }
    assert HIDDEN not in str(caught.value)


def test_further_settings_of_an_authenticator() -> None:
    further = {"alowed_organizations": ["a"], "zebra_crossing": 1}
    given = {**LOGIN, "authenticatorConfig": json.dumps(further)}
    got = read({**given, "acceptedRisks": '{"unknownConfig": "of our own image"}'})
    doubted = "jupyterhub.hub.config.GitHubOAuthenticator.zebra_crossing"
    assert doubted in [warning.split(":")[0] for warning in got.warnings]

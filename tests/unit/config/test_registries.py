"""Registries: the exact Helm values of each type. What is refused of one is in bad_settings.yaml."""

import base64
import json
from dataclasses import replace
from typing import Any

import pytest
import yaml
from helm_python.chart import Chart

from config import registries
from config.registries import Registry
from config.types import Secret
from kube.nested import at, leaves, merged
from tests.unit.config.conftest import shape

OPAQUE = Secret("s3cret")
JSON_KEY = Secret('{\n  "type": "service_account"\n}\n')
ME: dict[str, Any] = {"username": "me", "password": OPAQUE}
GAR = "europe-west1-docker.pkg.dev"
OVH = "abcde.gra7.container-registry.ovh.net"
HARBOR = "/service/token?service=harbor-registry"
METADATA = "http://metadata.google.internal/computeMetadata/v1/instance/service-accounts/"
GHCR, GITLAB = "https://ghcr.io/token?service=ghcr.io", "https://gitlab.com/jwt/auth?service=x"

# Registry, host of the prefix, and what comes of it: address of pushes, user, settings of the application.
VALUES: list[tuple[Registry, str, str, str, dict[str, str]]] = [
    # https://index.docker.io/v1 and https://docker.io break the lookups, https://registry-1.docker.io the pushes.
    (Registry(**ME), "", "", "me", {}),
    (Registry(**ME), "registry-1.docker.io", "", "me", {}),
    (Registry(type="gcr", password=JSON_KEY), "gcr.io", "https://gcr.io", "_json_key", {}),
    (Registry(type="gcr", host="eu.gcr.io", password=JSON_KEY), "eu.gcr.io", "https://eu.gcr.io", "_json_key", {}),
    (Registry(type="gcr", username="_json_key", password=JSON_KEY), "gcr.io", "https://gcr.io", "_json_key", {}),
    (Registry(type="gar", password=JSON_KEY), GAR, f"https://{GAR}", "_json_key",
     {"url": f"https://{GAR}", "token_url": f"{METADATA}default/token"}),
    (Registry(type="gar", password=JSON_KEY, token_url=f"{METADATA}b@p.iam/token"), GAR, f"https://{GAR}", "_json_key",
     {"url": f"https://{GAR}", "token_url": f"{METADATA}b@p.iam/token"}),
    (Registry(type="acr", **ME), "a.azurecr.io", "https://a.azurecr.io", "me",
     {"token_url": "https://a.azurecr.io/oauth2/token?service=a.azurecr.io"}),
    (Registry(type="ovh", **ME), OVH, f"https://{OVH}", "me",
     {"url": f"https://{OVH}", "token_url": f"https://{OVH}{HARBOR}"}),
    (Registry(type="harbor", host="h.example.org", username="robot$me", password=OPAQUE), "h.example.org",
     "https://h.example.org", "robot$me", {"token_url": f"https://h.example.org{HARBOR}"}),
    (Registry(type="quay", **ME), "quay.io", "https://quay.io", "me", {}),
    (Registry(type="ghcr", token_url=GHCR, **ME), "ghcr.io", "https://ghcr.io", "me", {"token_url": GHCR}),
    (Registry(type="token", token_url=GITLAB, **ME), "registry.gitlab.com", "https://registry.gitlab.com", "me",
     {"token_url": GITLAB}),
    (Registry(type="basic", host="r.org:5000", **ME), "r.org:5000", "https://r.org:5000", "me", {}),
    (Registry(type="local"), "localhost:5000", "http://localhost:5000", "anonymous", {}),
    (Registry(type="local", username="me", password=Secret("pw")), "r.org:5000", "http://r.org:5000", "me", {}),
]  # fmt: skip
each = pytest.mark.parametrize(
    ("registry", "host", "url", "user", "application"),
    VALUES,
    ids=[f"{row[0].type} {row[1]} {row[0].token_url}" for row in VALUES],
)


@each
def test_values(registry: Registry, host: str, url: str, user: str, application: dict[str, str]) -> None:
    password = "anonymous" if user == "anonymous" else registry.password
    login = {"username": user, "password": password}
    google = {"registry_class": "binderhub.registry.GoogleArtifactRegistry"} if registry.type == "gar" else {}
    expected = {
        "registry": {"url": url, **login} if url else login,
        "config": merged(
            {"BinderHub": {"use_registry": True, **google}}, {"DockerRegistry": application} if application else {}
        ),
    }
    assert registries.registry_problems(registry, host) == []
    assert registries.registry_values(registry, host) == expected
    assert all(leaf not in (None, "", {}) for _, leaf in leaves(expected))
    if user != "anonymous":
        pulls = {"create": True, "registry": url or "https://index.docker.io/v1/", **login}
        private = registries.registry_values(replace(registry, private=True), host)
        assert private == {**expected, "jupyterhub": {"imagePullSecret": pulls}}


def test_every_type_is_shown() -> None:
    assert {row[0].type for row in VALUES} == set(registries.TYPES)


@pytest.mark.parametrize("registry_type", registries.TYPES)
def test_no_type_renders_a_missing_password(registry_type: str) -> None:
    for private in (False, True):
        for username in ("", "me"):
            registry = Registry(type=registry_type, username=username, private=private)
            named = [p[0] for p in registries.registry_problems(registry, registries.TYPES[registry_type].host)]
            bare_local = registry_type == "local" and not private and not username
            assert ("registryPassword" in named) is not bare_local


# --- as the chart renders them ----------------------------------------------------------------------------------------


def secrets(chart: Chart, values: dict[str, Any]) -> dict[str, dict[str, str]]:
    texts = chart.render(values, name="rel", namespace="ns").values()
    things = [t for text in texts if "kind: Secret" in text for t in yaml.safe_load_all(text) if t]
    found = {t["metadata"]["name"]: t.get("data", {}) for t in things if t["kind"] == "Secret"}
    return {name: {k: base64.b64decode(v).decode() for k, v in data.items()} for name, data in found.items()}


def auths(config_json: str) -> dict[str, str]:
    return {url: base64.b64decode(entry["auth"]).decode() for url, entry in json.loads(config_json)["auths"].items()}


@each
def test_rendered_secrets(
    chart: Chart, registry: Registry, host: str, url: str, user: str, application: dict[str, str]
) -> None:
    anonymous = user == "anonymous"
    values = shape(registries.registry_values(replace(registry, private=not anonymous), host))
    made = secrets(chart, merged(values, at("config.BinderHub.image_prefix", "x/y-")))
    password = registry.password.reveal() if registry.password else user
    right = {url or "https://index.docker.io/v1/": f"{user}:{password}"}
    assert auths(made["binder-build-docker-config"]["config.json"]) == right
    config = yaml.safe_load(made["binder-secret"]["values.yaml"])["config"]
    assert config.get("DockerRegistry", {}) == application
    assert config["BinderHub"].items() >= values["config"]["BinderHub"].items()
    assert anonymous or auths(made["image-pull-secret"][".dockerconfigjson"]) == right


@pytest.mark.parametrize(
    ("host", "registry_type"),
    [
        ("", "dockerhub"), ("Index.Docker.io", "dockerhub"), ("asia.gcr.io", "gcr"), ("k8s.gcr.io", ""),
        ("notgcr.io", ""), ("us-central1-docker.pkg.dev", "gar"), ("us-python.pkg.dev", ""), ("a.azurecr.io", "acr"),
        (OVH, "ovh"), ("quay.io", "quay"), ("quay.io.evil.org", ""), ("ghcr.io:443", "ghcr"), ("localhost", "local"),
        ("127.0.0.1:5000", "local"), ("123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn", "ecr"), ("r.example.org", ""),
    ],
)  # fmt: skip
def test_type_of_a_host(host: str, registry_type: str) -> None:
    assert registries.type_of(host) == registry_type

"""Registries, image prefixes and clashes: every refusal with its words, every registry with its exact values."""

import base64
import json
import random
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from helm_python.chart import Chart

from components import images
from components.images import Registry

CHART = Path(__file__).parents[1] / "charts" / "binderhub"
# Any object may stand for a password: the program hands over a Pulumi output.
OPAQUE = object()
JSON_KEY = '{\n  "type": "service_account"\n}\n'
GAR_HOST = "europe-west1-docker.pkg.dev"
OVH_HOST = "abcde.gra7.container-registry.ovh.net"
METADATA = "http://metadata.google.internal/computeMetadata/v1/instance/service-accounts/default/token"

HUB_SHAPE = "<docker-id or organisation>/<prefix>-"
GAR_SHAPE = "<region>-docker.pkg.dev/<project>/<repository>/<prefix>-"
ECR = (
    "another registry: BinderHub cannot push to AWS ECR, "
    "where each image's repository must exist first and a password lasts 12 hours"
)
UNDERSCORE = "no underscore: BinderHub turns it into a hyphen, also in the account's name"
PARTS = "parts of letters and digits, joined by '.' or '-'; only the last one may end in '-'"
LONG = "at most 180 characters, to leave room for the repository's name"
TAG = "no tag (:...): BinderHub adds the commit"
PLACEHOLDER = "your own account in place of <...>"
CONTROL = "no control characters, such as a line break"
HOST = "a host's name in front, with at most a port (:5000)"


# --- the values of each registry ------------------------------------------------------------------------------------


def login(url: str, username: str = "me", password: object = OPAQUE) -> dict[str, Any]:
    return {"url": url, "username": username, "password": password}


def config(prefix: str, application: dict[str, str] | None = None, **binder: str) -> dict[str, Any]:
    values: dict[str, Any] = {"BinderHub": {"image_prefix": prefix, "use_registry": True, **binder}}
    return values | ({"DockerRegistry": application} if application else {})


VALUES = {
    "Docker Hub": (
        Registry(username="me", password=OPAQUE),
        "acme/binder-dev-",
        {"registry": {"username": "me", "password": OPAQUE}, "config": config("acme/binder-dev-")},
    ),
    "Docker Hub, short account": (
        Registry(username="me", password=OPAQUE),
        "me/binder-",
        {"registry": {"username": "me", "password": OPAQUE}, "config": config("docker.io/me/binder-")},
    ),
    "Docker Hub, hyphen": (
        Registry(username="me", password=OPAQUE),
        "registry-1.docker.io/my-org/binder-",
        {"registry": {"username": "me", "password": OPAQUE}, "config": config("docker.io/my-org/binder-")},
    ),
    "GCR": (
        Registry(kind="gcr", password=OPAQUE),
        "gcr.io/proj/binder-",
        {"registry": login("https://gcr.io", "_json_key"), "config": config("gcr.io/proj/binder-")},
    ),
    "GCR, regional": (
        Registry(kind="gcr", host="eu.gcr.io", password=JSON_KEY),
        "eu.gcr.io/proj/binder-",
        {
            "registry": login("https://eu.gcr.io", "_json_key", JSON_KEY),
            "config": config("eu.gcr.io/proj/binder-"),
        },
    ),
    "GAR": (
        Registry(kind="gar", password=OPAQUE),
        f"{GAR_HOST}/proj/repo/binder-",
        {
            "registry": login(f"https://{GAR_HOST}", "_json_key"),
            "config": config(
                f"{GAR_HOST}/proj/repo/binder-",
                {"url": f"https://{GAR_HOST}", "token_url": METADATA},
                registry_class="binderhub.registry.GoogleArtifactRegistry",
            ),
        },
    ),
    "GAR, another account": (
        Registry(kind="gar", password=OPAQUE, token_url=METADATA.replace("default", "b@p.iam.gserviceaccount.com")),
        f"{GAR_HOST}/proj/repo/binder-",
        {
            "registry": login(f"https://{GAR_HOST}", "_json_key"),
            "config": config(
                f"{GAR_HOST}/proj/repo/binder-",
                {
                    "url": f"https://{GAR_HOST}",
                    "token_url": METADATA.replace("default", "b@p.iam.gserviceaccount.com"),
                },
                registry_class="binderhub.registry.GoogleArtifactRegistry",
            ),
        },
    ),
    "ACR": (
        Registry(kind="acr", username="me", password=OPAQUE),
        "acme.azurecr.io/any/binder-",
        {
            "registry": login("https://acme.azurecr.io"),
            "config": config(
                "acme.azurecr.io/any/binder-",
                {"token_url": "https://acme.azurecr.io/oauth2/token?service=acme.azurecr.io"},
            ),
        },
    ),
    "OVH": (
        Registry(kind="ovh", username="me", password=OPAQUE),
        f"{OVH_HOST}/proj/binder-",
        {
            "registry": login(f"https://{OVH_HOST}"),
            "config": config(
                f"{OVH_HOST}/proj/binder-",
                {
                    "url": f"https://{OVH_HOST}",
                    "token_url": f"https://{OVH_HOST}/service/token?service=harbor-registry",
                },
            ),
        },
    ),
    "Harbor": (
        Registry(kind="harbor", host="h.example.org", username="robot$me", password=OPAQUE),
        "h.example.org/proj/binder-",
        {
            "registry": login("https://h.example.org", "robot$me"),
            "config": config(
                "h.example.org/proj/binder-",
                {"token_url": "https://h.example.org/service/token?service=harbor-registry"},
            ),
        },
    ),
    "quay.io": (
        Registry(kind="quay", username="acme+robot", password=OPAQUE),
        "quay.io/acme/binder-",
        {"registry": login("https://quay.io", "acme+robot"), "config": config("quay.io/acme/binder-")},
    ),
    "ghcr.io": (
        Registry(kind="ghcr", username="me", password=OPAQUE, token_url="https://ghcr.io/token?service=ghcr.io"),
        "ghcr.io/acme/binder-",
        {
            "registry": login("https://ghcr.io"),
            "config": config("ghcr.io/acme/binder-", {"token_url": "https://ghcr.io/token?service=ghcr.io"}),
        },
    ),
    "token": (
        Registry(kind="token", username="me", password=OPAQUE, token_url="https://gitlab.com/jwt/auth?service=x"),
        "registry.gitlab.com/acme/hub/binder-",
        {
            "registry": login("https://registry.gitlab.com"),
            "config": config(
                "registry.gitlab.com/acme/hub/binder-", {"token_url": "https://gitlab.com/jwt/auth?service=x"}
            ),
        },
    ),
    "basic, with a port": (
        Registry(kind="basic", host="r.example.org:5000", username="me", password=OPAQUE),
        "r.example.org:5000/proj/binder-",
        {"registry": login("https://r.example.org:5000"), "config": config("r.example.org:5000/proj/binder-")},
    ),
    "local": (
        Registry(kind="local"),
        "localhost:5000/test/",
        {
            "registry": login("http://localhost:5000", "anonymous", "anonymous"),
            "config": config("localhost:5000/test/"),
        },
    ),
    "local, with a login": (
        Registry(kind="local", username="me", password="pw"),
        "r.example.org:5000/test/",
        {"registry": login("http://r.example.org:5000", "me", "pw"), "config": config("r.example.org:5000/test/")},
    ),
}


@pytest.mark.parametrize(("registry", "prefix", "expected"), VALUES.values(), ids=VALUES)
def test_values(registry: Registry, prefix: str, expected: dict[str, Any]) -> None:
    assert images.registry_problems(registry, prefix) == []
    assert images.registry_values(registry, prefix) == expected


def test_every_kind_is_shown() -> None:
    assert {registry.kind for registry, _, _ in VALUES.values()} == set(images.KINDS)


def leaves(value: Any) -> Iterator[Any]:
    for inner in value.values():
        yield inner
        if isinstance(inner, dict):
            yield from leaves(inner)


@pytest.mark.parametrize(("registry", "prefix", "_"), VALUES.values(), ids=VALUES)
def test_nothing_is_empty_and_each_call_makes_its_own(registry: Registry, prefix: str, _: Any) -> None:
    values = images.registry_values(registry, prefix)
    assert all(leaf not in (None, "", {}) for leaf in leaves(values))
    values["config"]["BinderHub"].clear()
    assert images.registry_values(registry, prefix)["config"]["BinderHub"]


def test_docker_hub_has_no_address() -> None:
    # https://index.docker.io/v1 and https://docker.io break the lookups, https://registry-1.docker.io the pushes.
    for prefix in ("acme/b-", "docker.io/acme/b-", "index.docker.io/acme/b-"):
        assert "url" not in images.registry_values(Registry(username="me", password=OPAQUE), prefix)["registry"]


PULLED = [name for name, (registry, _, _) in VALUES.items() if registry != Registry(kind="local")]


@pytest.mark.parametrize("name", PULLED)
def test_private_images(name: str) -> None:
    registry, prefix, public = VALUES[name]
    private = Registry(**{**vars(registry), "private": True})
    pushes = public["registry"]
    pulls = {
        "create": True,
        "registry": pushes.get("url", "https://index.docker.io/v1/"),
        "username": pushes["username"],
        "password": pushes["password"],
    }
    assert images.registry_values(private, prefix) == {**public, "jupyterhub": {"imagePullSecret": pulls}}


def test_values_are_not_made_from_problems() -> None:
    with pytest.raises(
        ValueError, match=r"^the registry's settings have problems: imagePrefix, registryPassword$"
    ) as error:
        images.registry_values(Registry(kind="gcr", password="s3cret"), "gcr.io/b-")
    assert "s3cret" not in str(error.value)


def test_a_password_is_never_printed() -> None:
    registry = Registry(kind="gcr", username="x", password="s3cret")
    assert "s3cret" not in repr(registry)
    assert "s3cret" not in str(images.registry_problems(registry, "gcr.io/p/b-"))


# --- as the chart renders them ----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def chart() -> Iterator[Chart]:
    with Chart.load(CHART) as loaded:
        yield loaded


def secrets(chart: Chart, values: dict[str, Any]) -> dict[str, dict[str, str]]:
    texts = chart.render(values, name="rel", namespace="ns").values()
    things = [t for text in texts if "kind: Secret" in text for t in yaml.safe_load_all(text) if t]
    found = {t["metadata"]["name"]: t.get("data", {}) for t in things if t["kind"] == "Secret"}
    return {name: {k: base64.b64decode(v).decode() for k, v in data.items()} for name, data in found.items()}


def auths(config_json: str) -> dict[str, str]:
    return {url: base64.b64decode(entry["auth"]).decode() for url, entry in json.loads(config_json)["auths"].items()}


@pytest.mark.parametrize("name", VALUES)
def test_rendered_secrets(chart: Chart, name: str) -> None:
    registry, prefix, expected = VALUES[name]
    plain = {**vars(registry), "private": name in PULLED}
    if registry.password is OPAQUE:
        plain["password"] = JSON_KEY
    made = secrets(chart, images.registry_values(Registry(**plain), prefix))

    pushes = expected["registry"]
    password = JSON_KEY if pushes["password"] is OPAQUE else pushes["password"]
    right = {pushes.get("url", "https://index.docker.io/v1/"): f"{pushes['username']}:{password}"}
    assert auths(made["binder-build-docker-config"]["config.json"]) == right
    application = yaml.safe_load(made["binder-secret"]["values.yaml"])["config"]
    assert application.get("DockerRegistry") == expected["config"].get("DockerRegistry")
    assert application["BinderHub"].items() >= expected["config"]["BinderHub"].items()
    if name in PULLED:
        assert auths(made["image-pull-secret"][".dockerconfigjson"]) == right


# --- what is refused of a registry ------------------------------------------------------------------------------------

SET, SECRET, RM = "pulumi config set ", "pulumi config set --secret registryPassword", "pulumi config rm "
ONE_OF = "one of dockerhub, gcr, gar, acr, ovh, harbor, quay, ghcr, token, basic, local"
KEY = "the content of the service account's JSON key"
USER = "a user's name, without ':', blanks or <...>"
WORD = "the user's password or access token"
HARBOR_HOST = "a bare host of a Harbor, as in harbor.example.org: no scheme, no path"
METADATA_ACCOUNT = "the token of an account at Google's metadata server"
LOGIN = {"username": "me", "password": OPAQUE}
TOKENS = "the address of the token server, which `curl -sI https://{}/v2/` names as realm and service"
GCR_ELSEWHERE = "; this one lives on gcr.io: set registry: gcr"

BAD_REGISTRIES: list[tuple[dict[str, Any], str, list[tuple[str, str, str, str]]]] = [
    ({"kind": "ecr", **LOGIN}, "acme/b-", [("registry", "ecr", ECR, SET + "registry dockerhub")]),
    ({"kind": "Harbour", **LOGIN}, "h.io/p/b-", [("registry", "Harbour", ONE_OF, SET + "registry harbor")]),
    ({"kind": "google", **LOGIN}, "gcr.io/p/b-", [("registry", "google", ONE_OF, SET + "registry gcr")]),
    ({"kind": "", **LOGIN}, "my.org/p/b-", [("registry", "", ONE_OF, SET + "registry dockerhub")]),
    (
        {},
        "acme/b-",
        [
            (
                "registryUsername",
                "",
                "user of Docker Hub that images are pushed with",
                SET + "registryUsername my-user",
            ),
            ("registryPassword", "", WORD, SECRET),
        ],
    ),
    ({"username": "me"}, "acme/b-", [("registryPassword", "", WORD, SECRET)]),
    ({"username": "me", "password": " \n"}, "acme/b-", [("registryPassword", "", WORD, SECRET)]),
    (
        {"username": "me:pw", "password": OPAQUE},
        "acme/b-",
        [("registryUsername", "me:pw", USER, SET + "registryUsername me-pw")],
    ),
    (
        {"username": "<docker-id>", "password": OPAQUE},
        "acme/b-",
        [("registryUsername", "<docker-id>", USER, SET + "registryUsername docker-id")],
    ),
    (
        {"host": "https://index.docker.io/v1/", **LOGIN},
        "acme/b-",
        [
            (
                "registryHost",
                "https://index.docker.io/v1/",
                "no host: there is only one Docker Hub",
                RM + "registryHost",
            )
        ],
    ),
    (
        {"kind": "quay", "host": "quay.io", **LOGIN},
        "quay.io/a/b-",
        [("registryHost", "quay.io", "no host: there is only one quay.io", RM + "registryHost")],
    ),
    (
        {"kind": "gcr", "username": "oauth2accesstoken", "password": OPAQUE},
        "eu.gcr.io/p/b-",
        [
            (
                "registryUsername",
                "oauth2accesstoken",
                "no user: with Google Container Registry it is always _json_key",
                RM + "registryUsername",
            )
        ],
    ),
    ({"kind": "gcr"}, "gcr.io/p/b-", [("registryPassword", "", KEY, SECRET + " < key.json")]),
    ({"kind": "gar"}, f"{GAR_HOST}/p/r/b-", [("registryPassword", "", KEY, SECRET + " < key.json")]),
    (
        {"kind": "gar", "password": "key.json"},
        f"{GAR_HOST}/p/r/b-",
        [
            (
                "registryPassword",
                "a value that does not fit (not shown)",
                KEY + ", from { to }",
                SECRET + " < key.json",
            )
        ],
    ),
    (
        {"kind": "gar", "password": OPAQUE, "token_url": f"https://{GAR_HOST}/v2/token"},
        f"{GAR_HOST}/p/r/b-",
        [
            (
                "registryTokenUrl",
                f"https://{GAR_HOST}/v2/token",
                METADATA_ACCOUNT,
                SET + f"registryTokenUrl '{METADATA}'",
            )
        ],
    ),
    (
        {"kind": "gar", "password": OPAQUE},
        f"{GAR_HOST}/p/b-",
        [("imagePrefix", f"{GAR_HOST}/p/b-", GAR_SHAPE, SET + f"imagePrefix {GAR_HOST}/p/my-repository/b-")],
    ),
    (
        {"kind": "harbor", "host": "https://h.example.org:8443/", **LOGIN},
        "h.example.org:8443/p/b-",
        [
            (
                "registryHost",
                "https://h.example.org:8443/",
                HARBOR_HOST,
                SET + "registryHost h.example.org:8443",
            )
        ],
    ),
    (
        {"kind": "harbor", "host": "harbor", **LOGIN},
        "h.example.org/p/b-",
        [("registryHost", "harbor", HARBOR_HOST, SET + "registryHost h.example.org")],
    ),
    (
        {"kind": "harbor", "host": "harbor:99999", **LOGIN},
        "harbor:5000/p/b-",
        [("registryHost", "harbor:99999", HARBOR_HOST, SET + "registryHost harbor:5000")],
    ),
    (
        {"kind": "harbor", "host": "h.example.org", **LOGIN},
        "h.example.com/p/b-",
        [
            (
                "imagePrefix",
                "h.example.com/p/b-",
                "a prefix on the registry's host, h.example.org",
                SET + "imagePrefix h.example.org/p/b-",
            )
        ],
    ),
    (
        {"kind": "acr", "host": "acme", **LOGIN},
        "acme.azurecr.io/p/b-",
        [
            (
                "registryHost",
                "acme",
                "a bare host of Azure Container Registry, as in myregistry.azurecr.io: no scheme, no path",
                SET + "registryHost acme.azurecr.io",
            )
        ],
    ),
    (
        {"kind": "acr", "token_url": "https://acme.azurecr.io/oauth2/token", **LOGIN},
        "acme.azurecr.io/p/b-",
        [
            (
                "registryTokenUrl",
                "https://acme.azurecr.io/oauth2/token",
                "no token address: with Azure Container Registry it is known, or there is none",
                RM + "registryTokenUrl",
            )
        ],
    ),
    (
        {"kind": "token", **LOGIN},
        "r.example.org/p/b-",
        [
            (
                "registryTokenUrl",
                "",
                TOKENS.format("r.example.org"),
                SET + "registryTokenUrl 'https://r.example.org/v2/token?service=r.example.org'",
            )
        ],
    ),
    (
        {"kind": "quay", "token_url": "quay.io/v2/auth", **LOGIN},
        "quay.io/p/b-",
        [
            (
                "registryTokenUrl",
                "quay.io/v2/auth",
                TOKENS.format("quay.io"),
                SET + "registryTokenUrl 'https://quay.io/v2/token?service=quay.io'",
            )
        ],
    ),
    ({"kind": "local", "username": "me"}, "localhost:5000/t/", [("registryPassword", "", WORD, SECRET)]),
    (
        {"kind": "local", "password": OPAQUE},
        "localhost:5000/t/",
        [
            (
                "registryUsername",
                "",
                "user of a registry without TLS that images are pushed with",
                SET + "registryUsername my-user",
            )
        ],
    ),
    (
        {"kind": "local", "private": True},
        "localhost:5000/t/",
        [
            (
                "registryUsername",
                "",
                "user of a registry without TLS that images are pushed with",
                SET + "registryUsername my-user",
            ),
            ("registryPassword", "", WORD, SECRET),
        ],
    ),
    (
        {"kind": "dockerhub", **LOGIN},
        "gcr.io/p/b-",
        [
            (
                "imagePrefix",
                "gcr.io/p/b-",
                f"a prefix on Docker Hub: {HUB_SHAPE}{GCR_ELSEWHERE}",
                SET + "imagePrefix p/b-",
            )
        ],
    ),
    (
        {"kind": "gcr", "host": "eu.gcr.io", "username": "me", "password": "x"},
        "acme/b-",
        [
            (
                "registryUsername",
                "me",
                "no user: with Google Container Registry it is always _json_key",
                RM + "registryUsername",
            ),
            (
                "registryPassword",
                "a value that does not fit (not shown)",
                KEY + ", from { to }",
                SECRET + " < key.json",
            ),
            (
                "imagePrefix",
                "acme/b-",
                "a prefix on Google Container Registry: gcr.io/<project>/<prefix>-; "
                "this one lives on Docker Hub: set registry: dockerhub",
                SET + "imagePrefix eu.gcr.io/acme/b-",
            ),
        ],
    ),
]


@pytest.mark.parametrize(("settings", "prefix", "expected"), BAD_REGISTRIES)
def test_registry_problems(settings: dict[str, Any], prefix: str, expected: list[tuple[str, str, str, str]]) -> None:
    assert images.registry_problems(Registry(**settings), prefix) == expected


@pytest.mark.parametrize("kind", images.KINDS)
def test_no_kind_renders_a_missing_password(kind: str) -> None:
    prefix = images.suggestion("", kind=kind)
    for private in (False, True):
        for username in ("", "me"):
            registry = Registry(kind=kind, username=username, private=private, token_url="")
            named = [p[0] for p in images.registry_problems(registry, prefix)]
            bare_local = kind == "local" and not private and not username
            assert ("registryPassword" in named) is not bare_local


def test_google_s_own_user_may_be_said() -> None:
    registry = Registry(kind="gcr", username="_json_key", password=OPAQUE)
    assert images.registry_problems(registry, "gcr.io/p/b-") == []


# --- the grammar ------------------------------------------------------------------------------------------------------

BAD_PREFIXES = [
    ("", "", HUB_SHAPE, "my-organisation/binder-dev-"),
    ("binder-dev-", "", HUB_SHAPE, "my-organisation/binder-dev-"),
    ("binder.dev", "dockerhub", HUB_SHAPE, "my-organisation/binder.dev-"),
    ("https://gcr.io/p/b-", "", "no scheme such as https://", "gcr.io/p/b-"),
    ("HTTPS://acme/b-", "", "no scheme such as https://", "acme/b-"),
    ("docker://acme/b-", "", "no scheme such as https://", "acme/b-"),
    ("<docker-id>/binder-dev-", "", PLACEHOLDER, "docker-id/binder-dev-"),
    ("gcr.io/<project>/binder-", "gcr", PLACEHOLDER, "gcr.io/project/binder-"),
    ("${DOCKER_ID}/binder-", "", PLACEHOLDER, "docker-id/binder-"),
    ("acme/binder-\n", "", CONTROL, "acme/binder-"),
    ("acme/bin\x00der-", "", CONTROL, "acme/bin-der-"),
    ("acme/\x7fb-", "", CONTROL, "acme/b-"),
    (" acme/binder-", "", "no blanks", "acme/binder-"),
    ("acme/my binder-", "", "no blanks", "acme/my-binder-"),
    ("acme/my\u00a0binder-", "", "no blanks", "acme/my-binder-"),
    ("acme/büro-", "", "only a to z, digits, '.', '-' and '/'", "acme/buro-"),
    ("acme/binder\u2013", "", "only a to z, digits, '.', '-' and '/'", "acme/binder-"),
    ("日本/binder-", "", "only a to z, digits, '.', '-' and '/'", "my-organisation/binder-"),
    ("acme/b@sha256:abc", "", "no digest (@...)", "acme/b-"),
    ("acme/binder:latest", "", TAG, "acme/binder-"),
    ("acme/binder:8080", "", TAG, "acme/binder-"),
    ("gcr.io/p/b-:v1", "", TAG, "gcr.io/p/b-"),
    ("binder:latest", "", TAG, "my-organisation/binder-"),
    ("MyOrg/Binder-", "", "lower case", "myorg/binder-"),
    ("GCR.io/p/b-", "gcr", "lower case", "gcr.io/p/b-"),
    ("my_org/binder-", "", UNDERSCORE, "my-org/binder-"),
    ("acme/binder_", "", UNDERSCORE, "acme/binder-"),
    ("/acme/binder-", "", "no empty part", "acme/binder-"),
    ("acme//binder-", "", "no empty part", "acme/binder-"),
    ("gcr.io/p//", "gcr", "no empty part", "gcr.io/my-project/p-"),
    ("acme/" + "x" * 176, "", LONG, "acme/" + "x" * 88 + "-"),
    ("acme-/binder-", "", PARTS, "acme/binder-"),
    ("-acme/binder-", "", PARTS, "acme/binder-"),
    ("acme/-binder-", "", PARTS, "acme/binder-"),
    ("acme/b..c-", "", PARTS, "acme/b.c-"),
    ("acme/b.-c-", "", PARTS, "acme/b.c-"),
    ("acme/binder.", "", PARTS, "acme/binder-"),
    ("acme/b+c-", "", PARTS, "acme/b-c-"),
    ("acme:x/b-", "", HOST, "acme-x/b-"),
    ("h.example.org:99999/p/b-", "harbor", HOST, "h.example.org/p/b-"),
    ("-h.example.org/p/b-", "", HOST, "h.example.org/p/b-"),
    # depth
    (
        "acme/team/binder-",
        "",
        "exactly one '/' after the account: Docker Hub has no deeper levels",
        "acme/team-binder-",
    ),
    (
        "docker.io/acme/team/b-",
        "dockerhub",
        "exactly one '/' after the account: Docker Hub has no deeper levels",
        "acme/team-b-",
    ),
    ("docker.io/binder-", "", HUB_SHAPE, "my-organisation/binder-"),
    ("gcr.io", "gcr", "gcr.io/<project>/<prefix>-", "gcr.io/my-project/binder-dev-"),
    ("gcr.io/b-", "gcr", "gcr.io/<project>/<prefix>-", "gcr.io/my-project/b-"),
    (f"{GAR_HOST}/p/b-", "", GAR_SHAPE, f"{GAR_HOST}/p/my-repository/b-"),
    (f"{GAR_HOST}/b-", "gar", GAR_SHAPE, f"{GAR_HOST}/my-project/my-repository/b-"),
    ("a.azurecr.io/b-", "", "<registry>.azurecr.io/<any project>/<prefix>-", "a.azurecr.io/my-project/b-"),
    (
        f"{OVH_HOST}/b-",
        "ovh",
        "<hash>.<region>.container-registry.ovh.net/<harbor project>/<prefix>-",
        f"{OVH_HOST}/my-project/b-",
    ),
    ("h.example.org/b-", "harbor", "<host>/<harbor project>/<prefix>-", "h.example.org/my-project/b-"),
    ("quay.io/b-", "quay", "quay.io/<organisation>/<prefix>-", "quay.io/my-organisation/b-"),
    ("ghcr.io/b-", "ghcr", "ghcr.io/<owner>/<prefix>-", "ghcr.io/my-organisation/b-"),
    ("r.example.org/b-", "token", "<host>/<project>/<prefix>-", "r.example.org/my-organisation/b-"),
    ("r.example.org/b-", "basic", "<host>/<project>/<prefix>-", "r.example.org/my-organisation/b-"),
    ("r.example.org/b-", "", "<host>/<project>/<prefix>-", "r.example.org/my-organisation/b-"),
    ("localhost:5000/b-", "local", "<host>:<port>/<project>/<prefix>-", "localhost:5000/my-project/b-"),
    # place
    (
        "hub.docker.com/r/acme/binder",
        "dockerhub",
        f"a prefix on Docker Hub: {HUB_SHAPE}",
        "acme/binder-",
    ),
    ("my.org/binder-", "dockerhub", f"a prefix on Docker Hub: {HUB_SHAPE}", "my-organisation/binder-"),
    (
        "quay.io/localhost/b-",
        "dockerhub",
        f"a prefix on Docker Hub: {HUB_SHAPE}; this one lives on quay.io: set registry: quay",
        "my-localhost/b-",
    ),
    ("gcr.io:443/p/b-", "", "a prefix on Google Container Registry: gcr.io/<project>/<prefix>-", "gcr.io/p/b-"),
    (
        "docker.io/acme/b-",
        "token",
        "a prefix on a registry with a token server: <host>/<project>/<prefix>-; "
        "this one lives on docker.io: set registry: dockerhub",
        "registry.example.org/acme/b-",
    ),
    (
        f"{OVH_HOST}/p/b-",
        "harbor",
        f"a prefix on a Harbor: <host>/<harbor project>/<prefix>-; this one lives on {OVH_HOST}: set registry: ovh",
        "harbor.example.org/p/b-",
    ),
    (
        "quay.io/acme/b-",
        "ghcr",
        "a prefix on ghcr.io: ghcr.io/<owner>/<prefix>-; this one lives on quay.io: set registry: quay",
        "ghcr.io/acme/b-",
    ),
    ("123456789012.dkr.ecr.eu-west-1.amazonaws.com/x/b-", "", ECR, "x/b-"),
    ("123456789012.dkr.ecr.eu-west-1.amazonaws.com/x/b-", "basic", ECR, "registry.example.org/x/b-"),
    ("public.ecr.aws/x/b-", "", ECR, "x/b-"),
]


@pytest.mark.parametrize(("prefix", "kind", "expected", "example"), BAD_PREFIXES)
def test_bad_prefix(prefix: str, kind: str, expected: str, example: str) -> None:
    assert images.prefix_problem(prefix, kind=kind) == (expected, example)


@pytest.mark.parametrize(
    ("prefix", "kind"),
    [
        ("acme/binder-dev-", ""),
        ("acme/", ""),
        ("me/b--", "dockerhub"),
        ("docker.io/my-org/b.c-", "dockerhub"),
        ("us.gcr.io/p/deeper/b-", "gcr"),
        ("gcr.io/example.com/p/b-", "gcr"),
        (f"{GAR_HOST}/p/r/", "gar"),
        ("us-docker.pkg.dev/p/r/deeper/b-", ""),
        ("acme.azurecr.cn/p/b-", "acr"),
        ("abcde.c1.gra9.container-registry.ovh.net/p/b-", "ovh"),
        ("localhost:5000/test/", "local"),
        ("10.0.0.1:5000/test/", "local"),
        ("registry:5000/test/", "basic"),
        (f"{GAR_HOST}/p/r/b-", "token"),
        ("r.example.org:443/p/b-", "harbor"),
        ("acme/" + "x" * 174 + "-", ""),
    ],
)
def test_good_prefix(prefix: str, kind: str) -> None:
    assert images.prefix_problem(prefix, kind=kind) is None


@pytest.mark.parametrize(
    ("prefix", "warning"),
    [
        ("acme/binder-", None),
        ("acme/", None),
        (
            "acme/binder",
            "no '-' or '/' at its end: images are named acme/binderalice-2dnotebook...; better is acme/binder-",
        ),
    ],
)
def test_prefix_warning(prefix: str, warning: str | None) -> None:
    assert images.prefix_warning(prefix) == warning


SEEDS = (
    *(prefix for _, prefix, _ in VALUES.values()),
    *(row[0] for row in BAD_PREFIXES),
    "localhost",
    "..",
    "-/-",
    "a" * 400,
    "a/" * 200,
    "x" * 120 + ".org/p/b-",
)
BITS = (*"aZ9._-/:@<>{}$ \n\t\x00é日İß", "//", "://", "docker.io", "localhost", "gcr.io/", ":443", ":99999", "x" * 60)
HOSTS = ("", "gcr.io", "h.example.org", "h:5000", "https://x", GAR_HOST, "docker.io", "y" * 120 + ".org", "localhost")


def mutants(count: int) -> Iterator[tuple[str, str, str]]:
    """Prefixes a few edits away from real ones, with a kind and a host; the same ones in each run."""
    dice = random.Random(4)
    for _ in range(count):
        text = dice.choice(SEEDS)
        for _ in range(dice.randint(0, 4)):
            at = dice.randint(0, len(text))
            text = text[:at] + dice.choice(BITS) + text[at + dice.randint(0, 3) :]
        yield text, dice.choice(("", *images.KINDS)), dice.choice(HOSTS)


def test_the_example_is_always_good() -> None:
    for prefix, kind, host in mutants(1500):
        example = images.suggestion(prefix, kind=kind, host=host)
        assert images.prefix_problem(example, kind=kind, host=host) is None, (prefix, kind, host, example)
        assert images.prefix_warning(example) is None
        bad = images.prefix_problem(prefix, kind=kind, host=host)
        assert bad is None or (bad[1] == example != prefix), (prefix, kind, host, bad)


# --- against what Docker and BinderHub do with it ---------------------------------------------------------------------

# Docker's own grammar (distribution/reference), written anew: host, then parts.
NAME = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
DOMAIN = r"(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])"
REFERENCE = re.compile(rf"(?:{DOMAIN}(?:\.{DOMAIN})*(?::[0-9]+)?/)?{NAME}(?:/{NAME})*")


def asked_for(image: str) -> str:
    """Which repository BinderHub looks up: without the first part, unless the whole looks like Docker Hub's."""
    return image if re.fullmatch(r"[a-z0-9]{4,40}/[a-z0-9._-]{2,255}", image) else image.partition("/")[2]


def test_what_is_accepted_names_images_that_docker_takes_and_binderhub_finds() -> None:
    accepted = 0
    for text, kind, host in mutants(1500):
        for prefix in (text, images.suggestion(text, kind=kind, host=host)):
            if images.prefix_problem(prefix, kind=kind, host=host):
                continue
            accepted += 1
            image = images.rendered_prefix(prefix) + "alice-2dnotebook-798bce"
            assert REFERENCE.fullmatch(image), image
            assert image == image.lower().replace("_", "-")
            path = images.split_host(prefix)[1] + "alice-2dnotebook-798bce"
            assert asked_for(image) == path, image
    assert accepted > 1500


@pytest.mark.parametrize(
    ("prefix", "rendered"),
    [
        ("acme/binder-", "acme/binder-"),
        ("abc/binder-", "docker.io/abc/binder-"),
        ("abcd/binder-", "abcd/binder-"),
        ("my-org/binder-", "docker.io/my-org/binder-"),
        ("docker.io/acme/binder-", "docker.io/acme/binder-"),
        ("index.docker.io/acme/binder-", "docker.io/acme/binder-"),
        ("docker.io:443/acme/binder-", "docker.io/acme/binder-"),
        ("gcr.io/me/b-", "gcr.io/me/b-"),
        ("localhost:5000/test/", "localhost:5000/test/"),
    ],
)
def test_rendered_prefix(prefix: str, rendered: str) -> None:
    assert images.rendered_prefix(prefix) == rendered


# --- guesses ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("prefix", "kind"),
    [
        ("acme/b-", "dockerhub"),
        ("Index.Docker.io/acme/b-", "dockerhub"),
        ("asia.gcr.io/p/b-", "gcr"),
        ("k8s.gcr.io/p/b-", ""),
        ("notgcr.io/p/b-", ""),
        ("us-central1-docker.pkg.dev/p/r/b-", "gar"),
        ("us-python.pkg.dev/p/r/b-", ""),
        ("acme.azurecr.io/p/b-", "acr"),
        (f"{OVH_HOST}/p/b-", "ovh"),
        ("quay.io/a/b-", "quay"),
        ("quay.io.evil.org/a/b-", ""),
        ("ghcr.io:443/a/b-", "ghcr"),
        ("localhost/a/b-", "local"),
        ("127.0.0.1:5000/a/b-", "local"),
        ("123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn/a/b-", "ecr"),
        ("registry.example.org/a/b-", ""),
    ],
)
def test_kind_of(prefix: str, kind: str) -> None:
    assert images.kind_of(prefix) == kind
    assert images.is_docker_hub(prefix) is (kind == "dockerhub")


# --- clashes ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("own", "other", "why"),
    [
        ("acme/binder-dev-", "acme/binder-dev-", "the same prefix"),
        ("acme/binder-dev-", "acme/binder-prod-", None),
        ("acme/binder-dev-", "acme/binder-", "acme/binder-dev- starts with acme/binder-"),
        ("acme/binder-", "acme/binder-dev-", "acme/binder-dev- starts with acme/binder-"),
        ("acme/binder-dev", "acme/binder-dev-", "acme/binder-dev- starts with acme/binder-dev"),
        ("acme/", "acme/binder-", "acme/binder- starts with acme/"),
        ("acme/binder-", "acme-labs/binder-", None),
        ("acme/b-", "docker.io/acme/b-", "docker.io/acme/b- is the same place"),
        ("index.docker.io/acme/b-", "registry-1.docker.io/acme/b-", "registry-1.docker.io/acme/b- is the same place"),
        ("acme/b-", "docker.io:443/acme/b-", "docker.io:443/acme/b- is the same place"),
        ("acme/b-", "https://docker.io/acme/b-", "https://docker.io/acme/b- is the same place"),
        ("acme/b-", " ACME/B- ", " ACME/B-  is the same place"),
        ("my-org/my-b-", "my_org/my_b-", "my_org/my_b- is the same place"),
        ("r.example.org/p/b-", "r.example.org:443/p/b-", "r.example.org:443/p/b- is the same place"),
        ("r.example.org/p/b-", "r.example.org:5000/p/b-", None),
        ("gcr.io/p/b-", "eu.gcr.io/p/b-", None),
        ("gcr.io/p/b-", "p/b-", None),
        ("acme/b-", "", None),
        ("", "acme/b-", None),
        ("acme/b-", "  ", None),
    ],
)
def test_clashes(own: str, other: str, why: str | None) -> None:
    assert images.clashes(own, {"Pulumi.prod.yaml": other}) == ([("Pulumi.prod.yaml", why)] if why else [])


def test_every_clash_is_named() -> None:
    others = {"Pulumi.a.yaml": "acme/b-", "Pulumi.b.yaml": "acme/c-", "Pulumi.c.yaml": "acme/b-x-"}
    assert [name for name, _ in images.clashes("acme/b-", others)] == ["Pulumi.a.yaml", "Pulumi.c.yaml"]

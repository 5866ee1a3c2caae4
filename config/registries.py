"""Registries: their types, the Helm values of one, and what is wrong with a stack's.

Upstream checks nothing here: a wrong registry installs green and fails, or rebuilds, at each launch. Source of the
rules: BinderHub's own `registry.py` and `builder.py` (as run for chart 3958), and threads of people whom it hit
(facts: binderhub-chart.md 1.2 and 2).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from config.types import Secret, revealed

DOCKER_HUB: Final = "dockerhub"
ECR: Final = "ecr"
ECR_REASON: Final = (
    "another registry: BinderHub cannot push to AWS ECR, "
    "where each image's repository must exist first and a password lasts 12 hours"
)
# Google's login name for "the password is the JSON key of a service account".
JSON_KEY_USER: Final = "_json_key"
METADATA_SERVER: Final = "http://metadata.google.internal/computeMetadata/v1/instance/service-accounts/"
# What docker and kubelet call Docker Hub in their credentials. The chart knows it: as `registry.url` it only does harm.
_DOCKER_HUB_LOGIN: Final = "https://index.docker.io/v1/"
_DOCKER_HUB_HOSTS: Final = ("", "docker.io", "index.docker.io", "registry-1.docker.io")
# A registry without passwords ignores this login; without any, the chart would write `<token>:%!s(<nil>)`.
_NO_LOGIN: Final = "anonymous"
_LABEL: Final = r"[a-z0-9]([a-z0-9-]*[a-z0-9])?"
_HOST: Final = re.compile(rf"localhost|{_LABEL}((\.{_LABEL})+(:[0-9]{{1,5}})?|:[0-9]{{1,5}})")
# Setting, what was found (None for what is missing), what is expected, a command that helps.
Finding = tuple[str, object, str, str]


@dataclass(frozen=True, kw_only=True)
class RegistryType:
    """A registry type: where such a registry lives, how deep its prefixes are, what a stack must say of it.

    `hosts` None is any host; `host` is the only one or, where there are several, an example. `levels` are examples of
    the parts of a prefix before the last one. `note` is for the page of registries: what else one must know beside
    the commands. `token_url` may hold {host}; "needed" and "optional" of `token_setting` let the stack give it.
    """

    title: str
    shape: str
    host: str
    note: str
    hosts: re.Pattern[str] | None = None
    one_host: bool = False
    levels: tuple[str, ...] = ("my-organisation",)
    scheme: str = "https"
    username: str = ""
    needs_login: bool = True
    token_url: str = ""
    token_setting: str = "forbidden"
    app_url: bool = False
    registry_class: str = ""

    def prefix(self, host: str = "") -> str:
        """Return an image prefix of this type as an example: on a host, or on the example's own."""
        return "/".join(filter(None, [host or self.host, *self.levels, "binder-dev-"]))


def _only(host: str) -> dict[str, Any]:
    return {"host": host, "hosts": re.compile(re.escape(host)), "one_host": True}


_HARBOR_TOKENS: Final = "https://{host}/service/token?service=harbor-registry"
# The type of a host that tells nothing.
ANY: Final = RegistryType(title="a registry", shape="<host>/<project>/<prefix>-", host="registry.example.org", note="")
TYPES: Final[Mapping[str, RegistryType]] = {
    DOCKER_HUB: RegistryType(
        title="Docker Hub", shape="<docker-id or organisation>/<prefix>-", **_only(""),
        note="The password is better an access token (Docker Hub, Account settings, Personal access tokens)."),
    "gcr": RegistryType(
        title="Google Container Registry", shape="gcr.io/<project>/<prefix>-", levels=("my-project",),
        host="gcr.io", hosts=re.compile(r"((us|eu|asia)\.)?gcr\.io"),
        # The chart fills it in for `https://gcr.io` alone; for eu.gcr.io it would write `<token>`.
        username=JSON_KEY_USER,
        note="The login is a service account's JSON key; the user `_json_key` is set for you."),
    "gar": RegistryType(
        title="Google Artifact Registry", shape="<region>-docker.pkg.dev/<project>/<repository>/<prefix>-",
        host="europe-west1-docker.pkg.dev", hosts=re.compile(r"[a-z0-9]+(-[a-z0-9]+)*-docker\.pkg\.dev"),
        levels=("my-project", "my-repository"), username=JSON_KEY_USER, app_url=True,
        token_url=METADATA_SERVER + "default/token", token_setting="optional",
        registry_class="binderhub.registry.GoogleArtifactRegistry",
        note="The login is a service account's JSON key. Whether an image exists is asked of Google's metadata "
        "server, so binder must run on GCE or GKE."),
    "acr": RegistryType(
        title="Azure Container Registry", shape="<registry>.azurecr.io/<any project>/<prefix>-",
        host="myregistry.azurecr.io", hosts=re.compile(rf"{_LABEL}\.azurecr\.(io|cn|us)"), levels=("my-project",),
        token_url="https://{host}/oauth2/token?service={host}",
        note="The user is a service principal with the role AcrPush."),
    "ovh": RegistryType(
        title="OVH Managed Private Registry", levels=("my-project",), token_url=_HARBOR_TOKENS, app_url=True,
        shape="<hash>.<region>.container-registry.ovh.net/<harbor project>/<prefix>-",
        host="abcde.gra7.container-registry.ovh.net",
        hosts=re.compile(rf"({_LABEL}\.){{2,3}}container-registry\.ovh\.(net|us)"),
        note="The user is one of the registry's Harbor; the part after the host is a Harbor project."),
    "harbor": RegistryType(
        title="a Harbor", shape="<host>/<harbor project>/<prefix>-", host="harbor.example.org",
        levels=("my-project",), token_url=_HARBOR_TOKENS,
        note="The part after the host is a Harbor project; a robot account that may push is best."),
    "quay": RegistryType(
        title="quay.io", shape="quay.io/<organisation>/<prefix>-", **_only("quay.io"), token_setting="optional",
        note="The user is best a robot account with the right to create repositories."),
    "ghcr": RegistryType(
        title="ghcr.io", shape="ghcr.io/<owner>/<prefix>-", **_only("ghcr.io"), token_setting="optional",
        note="The password is a personal access token with `write:packages`."),
    "token": RegistryType(
        title="a registry with a token server", shape="<host>/<project>/<prefix>-", host="registry.example.org",
        token_setting="needed",
        note="For any registry that names a token server in its answer to `curl -sI https://HOST/v2/`."),
    # The docs' `token_url: None` crashes the application, whose setting is a text: it stays away.
    "basic": RegistryType(
        title="a registry with user and password", shape="<host>/<project>/<prefix>-", host="registry.example.org",
        note="For a registry with user and password of its own (htpasswd)."),
    "local": RegistryType(
        title="a registry without TLS", shape="<host>:<port>/<project>/<prefix>-", host="registry.example.org:5000",
        levels=("my-project",), scheme="http", needs_login=False,
        note="Without TLS, for a cluster to play with. The nodes' container runtime must trust it, too, and pods must "
        "reach it: `localhost` would be each pod's own."),
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Registry:
    """Where images are pushed, as the stack says it.

    `type` is a name in `TYPES`. `host`, if given, is bare (no scheme, no path) and must be the image prefix's own.
    `private` also gives the login to the nodes that pull. `token_url` may come encrypted.
    """

    type: str = DOCKER_HUB
    host: str = ""
    username: str = ""
    password: Secret | None = None
    token_url: str | Secret = ""
    private: bool = False


def registry_values(registry: Registry, prefix_host: str) -> dict[str, Any]:
    """Return the Helm values of a registry, to be merged: `registry`, `config` and, if private, `jupyterhub`.

    Takes a registry without problems and the host of the image prefix. The password is a `Secret` there, too; the
    prefix itself is not among the values.

    Google Artifact Registry: the application's class for it asks the metadata server whether an image exists, as an
    account that may read the repository (`token_url` names another one than the node's default). That class has no
    login for pushes; those take the JSON key, as `_json_key`, which upstream's docs leave out.
    """
    rules = TYPES[registry.type]
    url = "" if registry.type == DOCKER_HUB else f"{rules.scheme}://{prefix_host}"
    login = {"username": rules.username or registry.username or _NO_LOGIN, "password": registry.password or _NO_LOGIN}
    binder = {"registry_class": rules.registry_class} if rules.registry_class else {}
    application: dict[str, Any] = {"url": url} if rules.app_url else {}
    if token_url := registry.token_url or rules.token_url.format(host=prefix_host):
        application["token_url"] = token_url
    values: dict[str, Any] = {
        "registry": {"url": url, **login} if url else login,
        "config": {"BinderHub": {"use_registry": True, **binder}},
    }
    if application:
        values["config"]["DockerRegistry"] = application
    if registry.private:
        pull = {"create": True, "registry": url or _DOCKER_HUB_LOGIN, **login}
        values["jupyterhub"] = {"imagePullSecret": pull}
    return values


def registry_problems(registry: Registry, prefix_host: str) -> list[Finding]:
    """List what is wrong with a registry, but for the image prefix; `prefix_host` is the host in it."""
    rules = TYPES.get(registry.type)
    if not rules:
        expected = ECR_REASON if registry.type == ECR else f"one of {', '.join(TYPES)}"
        return [("registry", registry.type, expected, f"pulumi config set registry {DOCKER_HUB}")]
    checks = (_host_problem, _user_problem, _password_problem, _token_problem)
    return [found for check in checks if (found := check(registry, rules, prefix_host))]


def _host_problem(registry: Registry, rules: RegistryType, _: str) -> Finding | None:
    if not registry.host or (fits(registry.host, registry.type) and not rules.one_host):
        return None
    expected = f"a bare host of {rules.title}, as in {rules.host}: no scheme, no path; or none: the prefix has one"
    if rules.one_host:
        expected = f"no host: there is only one {rules.title}"
    return "registryHost", registry.host, expected, "pulumi config rm registryHost"


def _user_problem(registry: Registry, rules: RegistryType, _: str) -> Finding | None:
    user, always = registry.username, rules.username
    example = "pulumi config set registryUsername my-user"
    if always and user not in ("", always):
        expected = f"no user: with {rules.title} it is always {always}"
        return "registryUsername", user, expected, "pulumi config rm registryUsername"
    if not user and not always and (rules.needs_login or registry.private or registry.password):
        return "registryUsername", None, f"user of {rules.title} that images are pushed with", example
    if re.search(r"[\s:<>]", user):
        return "registryUsername", user, "a user's name, without ':', blanks or <...>", example
    return None


def _password_problem(registry: Registry, rules: RegistryType, _: str) -> Finding | None:
    password, key = registry.password, bool(rules.username)
    expected = (
        "the content of the service account's JSON key, from { to }" if key else "the user's password or access token"
    )
    example = "pulumi config set --secret registryPassword" + (" < key.json" if key else "")
    is_missing = not password and (rules.needs_login or registry.private or registry.username)
    is_no_key = password and key and not password.reveal().lstrip().startswith("{")
    return ("registryPassword", password, expected, example) if is_missing or is_no_key else None


def _token_problem(registry: Registry, rules: RegistryType, prefix_host: str) -> Finding | None:
    url, setting = revealed(registry.token_url), "registryTokenUrl"
    if rules.token_setting == "forbidden":
        expected = f"no token address: with {rules.title} it is known, or there is none"
        return (setting, registry.token_url, expected, f"pulumi config rm {setting}") if url else None
    if rules.registry_class:
        expected = "the token of an account at Google's metadata server"
        example, good = rules.token_url, re.escape(METADATA_SERVER) + r"[^\s/<>]+/token"
    else:
        host = next(one for one in (registry.host, prefix_host, rules.host) if fits(one, registry.type))
        expected = f"the address of the token server, which `curl -sI https://{host}/v2/` names as realm and service"
        example, good = f"https://{host}/v2/token?service={host}", r"https?://[^\s<>/]+/[^\s<>]*"
    if re.fullmatch(good, url) or (not url and rules.token_setting == "optional"):
        return None
    # Without the flag, Pulumi takes it for a secret and refuses.
    return setting, registry.token_url or None, expected, f"pulumi config set --plaintext {setting} '{example}'"


def type_of(host: str) -> str:
    """Return the registry type of a host; "" when the host does not tell. No host is Docker Hub."""
    host = host.lower().removesuffix(":443")
    if host in _DOCKER_HUB_HOSTS:
        return DOCKER_HUB
    if host == "public.ecr.aws" or re.fullmatch(r"[0-9]+\.dkr\.ecr(-fips)?\.[a-z0-9-]+\.amazonaws\.com(\.cn)?", host):
        return ECR
    if re.fullmatch(r"(localhost|127\.[0-9.]+)(:[0-9]+)?", host):
        return "local"
    return next((name for name, rules in TYPES.items() if rules.hosts and rules.hosts.fullmatch(host)), "")


def is_host(text: str) -> bool:
    """Tell whether an image's name may begin with this host: one with a dot or a port, or localhost."""
    return _HOST.fullmatch(text) is not None


def fits(host: str, registry_type: str) -> bool:
    """Tell whether a registry of a known type may live on a host."""
    actual = type_of(host)
    if registry_type == DOCKER_HUB:
        return actual == DOCKER_HUB
    if hosts := TYPES[registry_type].hosts:
        return hosts.fullmatch(host) is not None
    # `token` is the way to any registry that wants other token addresses than its own type has.
    elsewhere = actual not in (DOCKER_HUB, ECR) if registry_type == "token" else actual in ("", "local", registry_type)
    return is_host(host) and elsewhere

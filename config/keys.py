"""Every key that a stack may set: one table, from which the settings, the values and docs/settings.md are made.

A key with `paths` is an ordinary one: its value is put at those places of the Helm values as it is. The others decide
several things at once, and `settings.py` and `values.py` know them by name. `dev` and `prod` are the defaults of the
two profiles, as the user would write them; "" is "not set", and then the chart's own default holds.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from config import registries, types, versions
from config.applications import repositories
from config.types import ValueType

PROJECT: Final = "binderhub"
PROFILES: Final = ("dev", "prod")
TOKEN_KEYS: Final = ("apiToken", "proxyToken", "cookieSecret", "cryptKey", "buildTokenSecret")
# JupyterHub's names of the OAuth authenticators, each with the class that its settings go to.
AUTHENTICATORS: Final = {
    "github": "GitHubOAuthenticator",
    "gitlab": "GitLabOAuthenticator",
    "google": "GoogleOAuthenticator",
    "globus": "GlobusOAuthenticator",
    "generic-oauth": "GenericOAuthenticator",
}
# Pulumi refuses a value under such a name that is none of a few words, unless the command says what it is
# (`looksLikeSecret` in its command line).
_TAKEN_FOR_SECRET: Final = re.compile("pass|pwd|secret|token", re.IGNORECASE)
_SINGLEUSER: Final = "jupyterhub.singleuser"
REPOSITORIES: Final = ValueType("list of repositories", repositories.read)
# Of the chart's own default, 2024.07.0, an image whose first push failed is never pushed: a wrong password spoils a
# repository for good (jupyterhub/repo2docker#1463, mended in 2025.12.0).
_REPO2DOCKER: Final = "quay.io/jupyterhub/repo2docker:2025.12.0"


def qualified(name: str) -> str:
    """Return a key's name with its namespace, as it stands in the stack's file; one of ours may come without."""
    return name if ":" in name else f"{PROJECT}:{name}"


def set_command(name: str, value: str = "", *, secret: bool = False, path: bool = False) -> str:
    """Return the command that sets a key, or at a `path` a part of one; `value` is as the shell takes it."""
    taken = "--plaintext " if _TAKEN_FOR_SECRET.search(name) else ""
    flags = ("--secret " if secret else taken) + ("--path " if path else "")
    quoted = f"'{name}'" if "[" in name else name
    return f"pulumi config set {flags}{quoted}" + (f" {value}" if value else "")


@dataclass(frozen=True)
class Key:
    """One config key.

    `what` says what it is for and `example` shows a value; a `secret` one must come encrypted, one of `either` may,
    since Pulumi takes it for a secret, and a `required` one must be there. `part` is, for a map, which part the example
    sets.
    """

    name: str
    what: str
    example: str = ""
    type: ValueType = types.TEXT
    dev: str = ""
    prod: str | None = None
    paths: tuple[str, ...] = ()
    secret: bool = False
    either: bool = False
    required: bool = False
    part: str = ""

    @property
    def full(self) -> str:
        """The key as it stands in the stack's file."""
        return qualified(self.name)

    @property
    def command(self) -> str:
        """The command that sets it."""
        return set_command(self.name + self.part, self.example, secret=self.secret, path=bool(self.part))

    def default(self, profile: str) -> str:
        """Return the default of a profile, as the user would write it; "" for none."""
        return self.prod if profile == "prod" and self.prod is not None else self.dev


GROUPS: Final[dict[str, tuple[Key, ...]]] = {
    "Images and registry": (
        Key("imagePrefix", "Start of the name of every image that this hub builds", "my-org/binder-dev-", required=True),
        Key("registry", "Registry type: " + ", ".join(registries.TYPES), "dockerhub", dev="dockerhub"),
        Key("registryHost", "Host of the registry, as a check: the image prefix must begin with it", "registry.example.org"),
        Key("registryUsername", "User of the registry that images are pushed with", "my-docker-id"),
        Key("registryPassword", "Password or, better, access token of that user; for Google the JSON key", type=types.PASSWORD, secret=True),
        Key("registryTokenUrl", "Address of the registry's token server", "'https://registry.example.org/v2/token?service=registry.example.org'", either=True),
        Key("privateImages", "Give the registry's login to the nodes too, to pull private images", "true", types.BOOLEAN, "false"),
        Key("sharedImagePrefix", "This stack shares images with another on purpose", "true", types.BOOLEAN, "false"),
    ),
    "Release and cluster": (
        Key("profile", "Which defaults hold: dev or prod; a stack of such a name need not say it, any other must", "prod", types.choice(*PROFILES)),
        Key("release", "Name of the Helm release", "binderhub", types.OWN_RELEASE, "binderhub"),
        Key("namespace", "Namespace of the release; the release's name if unset", "binderhub", types.OWN_NAMESPACE),
        Key("existingNamespace", "The namespace is somebody else's: it is used as it is, and never deleted", "true", types.BOOLEAN, "false"),
        Key("chart", "Path of a chart (.tgz or folder) in place of the published one", "charts/binderhub.tgz"),
        Key("chartVersion", "Version of the published chart in place of the pinned one", "1.0.0-0.dev.git.3958.haf9ca8b1"),
        Key("valuesFile", "A YAML file of Helm values, merged over the program's", "values-dev.yaml"),
        Key("secretValues", "Secret Helm values: a map of places in the values to encrypted texts", type=types.PLACES, secret=True, part='["config.GitLabRepoProvider.access_token"]'),
        Key("acceptedRisks", "Risks that this stack accepts: a map of names (see below) to reasons", "'no login: lab network only'", types.MAP, part=".unlimitedLaunches"),
        Key("timeout", "Seconds that one Helm operation may take", "900", types.whole(10, 86_400, "seconds"), "900"),
        # Our own LoadBalancer Services are what browsers reach (see address.py), and the chart's own are inside.
        Key("exposure", "How browsers reach the hub", "loadbalancer", types.choice(loadbalancer="ClusterIP"), "loadbalancer", paths=("service.type", "jupyterhub.proxy.service.type")),
        Key("addressTimeout", "Seconds to wait for each external address", "300", types.whole(5, 86_400, "seconds"), "300", "900"),
        Key("adoptRelease", "Take over a release of this name that another stack or user made, and what else is there of those names", "true", types.BOOLEAN, "false"),
        Key("skipServerChecks", "Leave out the preview's check of chart and cluster", "true", types.BOOLEAN, "false"),
        Key("protect", "Refuse to delete or replace the release and its namespace", "true", types.BOOLEAN, "false", "true"),
        Key("tiller", "The account that installs: a map of namespace, name, binding, role", "cluster-admin", types.MAP, part=".role"),
        Key("clusterIdentifier", "Name of the cluster in the state; binderhub-<stack> if unset", "binderhub-dev"),
        Key("replicas", "Number of binder pods", "2", types.whole(1, 50, "pods"), "1", paths=("replicas",)),
        Key("labels", "Extra labels for the hub's, proxy's, binder's and users' pods", "physics", types.LABELS, part=".team"),
    ),
    "Users": (
        Key("userMemoryLimit", "Memory at which a user's server is killed", "2G", types.MEMORY, "1G", "2G", (f"{_SINGLEUSER}.memory.limit",)),
        Key("userMemoryGuarantee", "Memory that a user's server is sure of", "1G", types.MEMORY, "256M", "1G", (f"{_SINGLEUSER}.memory.guarantee",)),
        Key("userCpuLimit", "CPUs that a user's server may use", "2", types.CPU, "1", "2", (f"{_SINGLEUSER}.cpu.limit",)),
        Key("userCpuGuarantee", "CPUs that a user's server is sure of", "0.2", types.CPU, "0.05", "0.2", (f"{_SINGLEUSER}.cpu.guarantee",)),
        Key("userNodeSelector", "Labels of the nodes for users' servers", "users", types.LABELS, paths=(f"{_SINGLEUSER}.nodeSelector",), part=".pool"),
        Key("cullIdle", "Seconds after which an idle server is stopped", "600", types.whole(60, 604_800, "seconds"), "3600", "600", ("jupyterhub.cull.timeout",)),
        Key("cullMaxAge", "Seconds after which any server is stopped; 0 is never", "21600", types.whole(0, 604_800, "seconds"), "0", "21600", ("jupyterhub.cull.maxAge",)),
        Key("cullEvery", "Seconds between two checks for idle servers", "600", types.whole(10, 86_400, "seconds"), "600", paths=("jupyterhub.cull.every",)),
    ),
    "Repositories and limits": (
        Key("repositoryQuota", "Servers at once from one repository", "100", types.whole(1, 100_000, "servers"), "", "100", ("config.BinderHub.per_repo_quota",)),
        Key("launchQuota", "Servers at once in all", "200", types.whole(1, 100_000, "servers"), "", "200", ("config.LaunchQuota.total_quota",)),
        Key("rateLimit", "Launches by API for each address and period; 0 is no limit", "10", types.whole(0, 100_000, "launches"), "10", paths=("config.RateLimiter.limit",)),
        Key("ratePeriod", "Seconds of that period", "3600", types.whole(1, 604_800, "seconds"), "3600", paths=("config.RateLimiter.period_seconds",)),
        Key("githubToken", "A GitHub access token; without one, GitHub answers 60 times an hour", type=types.PASSWORD, secret=True, paths=("config.GitHubRepoProvider.access_token",)),
        Key("allowedRepositories", "Only these may be launched, of every provider", "'github.com/my-org/*'", REPOSITORIES, part="[0]"),
        Key("bannedRepositories", "These may not be launched", "'github.com/bad/*'", REPOSITORIES, part="[0]"),
        Key("bannedNetworks", "Networks that may not launch, with a label for the log", "abuse", types.NETWORKS, paths=("config.BinderHub.ban_networks",), part='["198.51.100.0/24"]'),
        Key("corsOrigin", "Origin of other pages that may launch", "https://example.org", types.ORIGIN, paths=("config.BinderHub.cors_allow_origin", "jupyterhub.hub.config.BinderSpawner.cors_allow_origin")),
    ),
    "Building": (
        Key("builder", "What builds images on the nodes; auto is host where they run Docker, else dind", "dind", types.choice("dind", "pink", "host", "auto"), "dind", paths=("imageBuilderType",)),
        # Not on and off, which YAML takes for true and false.
        Key("imageCleaner", "Removes old images from the builder: cordon (takes no new pods meanwhile), nocordon, none", "nocordon", types.choice("cordon", "nocordon", "none"), "none", "cordon"),
        Key("repo2dockerImage", "Image of repo2docker", _REPO2DOCKER, types.IMAGE, _REPO2DOCKER, paths=("config.KubernetesBuildExecutor.build_image",)),
        Key("buildNodeSelector", "Labels of the nodes for builds", "builds", types.LABELS, paths=("config.KubernetesBuildExecutor.node_selector",), part=".pool"),
    ),
    "Hub": (
        Key("hubDatabase", "Where the hub keeps its database: memory (a restart loses it, and ends all servers) or volume", "volume", types.choice(memory="sqlite-memory", volume="sqlite-pvc"), "memory", "volume", ("jupyterhub.hub.db.type",)),
        Key("hubStorageClass", "Storage class of that volume; the cluster's default if unset", "standard", types.OBJECT_NAME, paths=("jupyterhub.hub.db.pvc.storageClassName",)),
        Key("hubImage", "Image of the hub; a later one than the chart's where that is known to fit (docs/versions.md), if unset", f"{versions.HUB_IMAGE}:4.4.0", types.IMAGE),
        Key("coreNodeSelector", "Labels of the nodes for hub, proxy and binder", "core", types.LABELS, paths=("nodeSelector", "jupyterhub.hub.nodeSelector", "jupyterhub.proxy.chp.nodeSelector"), part=".pool"),
        Key("userScheduler", "A scheduler of its own that packs users' servers", "true", types.BOOLEAN, "false", "true", ("jupyterhub.scheduling.userScheduler.enabled",)),
    ),
    "Login": (
        Key("authenticator", "Who logs people in: none (everybody may launch), or an OAuth service", "github", types.choice("none", *AUTHENTICATORS), "none"),
        Key("oauthClientId", "Client id that the OAuth service gave", "0123456789abcdef"),
        Key("oauthClientSecret", "Client secret that the OAuth service gave", type=types.PASSWORD, secret=True),
        Key("allowedUsers", "Who may log in; [\"*\"] is everybody that the service knows", "alice", types.NAMES, part="[0]"),
        Key("authenticatorConfig", "Further settings of the authenticator, such as token_url", "https://login.example.org/token", types.MAP, part=".token_url", either=True),
    ),
    "Tokens": (
        Key("rotation", "A number; with another one, all five tokens are replaced", "2", types.whole(0, 999_999), "1"),
        *(Key(name, "A token of an existing hub, in place of a generated one", type=types.TOKEN, secret=True) for name in TOKEN_KEYS),
    ),
    "Which cluster": (
        Key("kubernetes:kubeconfig", "Path of a kubeconfig; $KUBECONFIG or ~/.kube/config if unset", "~/.kube/config"),
        Key("loginTimeout", "Seconds that a login to the cluster may take, such as one in a browser", "120", types.whole(5, 3600, "seconds"), "60"),
        Key("kubernetes:context", "Context of the kubeconfig; its current one if unset", "minikube"),
    ),
}  # fmt: skip
KEYS: Final = tuple(key for keys in GROUPS.values() for key in keys)
BY_NAME: Final = {key.full: key for key in KEYS}


def required_secrets(config: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the full names of the secret keys that a stack with this config must have."""
    rules = registries.TYPES.get(str(config.get(f"{PROJECT}:registry") or registries.DOCKER_HUB), registries.ANY)
    login = str(config.get(f"{PROJECT}:authenticator") or "none") != "none"
    wanted = {"registryPassword": rules.needs_login, "oauthClientSecret": login}
    return tuple(f"{PROJECT}:{name}" for name, needed in wanted.items() if needed)


def placeholder(path: str, config: Mapping[str, Any]) -> str:
    """Return a text that passes the checks of the secret at `path`, for rehearsals: it opens nothing."""
    rules = registries.TYPES.get(str(config.get(f"{PROJECT}:registry")), registries.ANY)
    if path == f"{PROJECT}:registryTokenUrl":
        return rules.token_url or "https://registry.example.org/token"
    google = rules.username == registries.JSON_KEY_USER
    return '{"type": "placeholder"}' if google and path == f"{PROJECT}:registryPassword" else "0" * 64

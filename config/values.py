"""Settings, tokens and addresses in; Helm values out. A pure function: no resource, no config, no cluster.

Outputs stand at the leaves of a plain dict. A dict made inside `apply` would be one secret and one useless diff
(facts: pulumi.md section 0). There is never a None in it: the chart keeps nulls, and the application dies of them.
"""

import functools
import hashlib
import json
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from typing import Any, Final

import pulumi

from config import image_prefix, keys, registries
from config.applications import repositories
from config.errors import Problem, SettingsError
from config.keys import PROJECT
from config.settings import LoginSettings, Settings
from config.types import Secret
from kube.nested import at, get, mapped, merged

# Container runtimes that have no Docker socket on the node.
_NOT_DOCKER: Final = frozenset({"containerd", "cri-o"})
FINGERPRINT: Final = "binderhub-pulumi/values-fingerprint"
API_TOKEN_HASH: Final = "binderhub-pulumi/api-token-hash"
_LABELLED: Final = (
    "deployment.labels",
    "jupyterhub.hub.labels",
    "jupyterhub.proxy.labels",
    "jupyterhub.singleuser.extraLabels",
)

# Code for the hub, run last of all as it starts. With a database in memory, a hub that starts again knows of no server:
# nobody could reach those that still run, nobody would cull them, and the launch quota would count them for ever.
END_ORPHANS: Final = """
import asyncio
import os
from concurrent.futures import ThreadPoolExecutor

from kubernetes_asyncio import client, config


async def end_orphans():
    config.load_incluster_config()
    namespace = os.environ["POD_NAMESPACE"]
    async with client.ApiClient() as connection:
        api = client.CoreV1Api(connection)
        left = await api.list_namespaced_pod(namespace, label_selector="component=singleuser-server")
        for pod in left.items:
            print(f"ending {pod.metadata.name}, of which this hub's new database knows nothing", flush=True)
            await api.delete_namespaced_pod(pod.metadata.name, namespace)


if c.JupyterHub.db_url == "sqlite://":
    try:
        # In a thread: where this runs, an event loop does already.
        with ThreadPoolExecutor(1) as thread:
            thread.submit(lambda: asyncio.run(asyncio.wait_for(end_orphans(), 60))).result()
    except Exception as error:
        print(f"servers of an earlier hub may still run: {error!r}", flush=True)
"""


@dataclass(frozen=True, kw_only=True)
class TokenValues:
    """The five tokens: hexadecimal texts (64 digits where generated), each a secret output.

    `api`: binder at the hub; `proxy`: hub at the proxy; `cookie`: signs logins; `crypt`: encrypts what the hub keeps
    of a login; `build`: lets launches from binder's own pages pass the rate limit, on every replica.
    """

    api: pulumi.Output[str]
    proxy: pulumi.Output[str]
    cookie: pulumi.Output[str]
    crypt: pulumi.Output[str]
    build: pulumi.Output[str]


def helm_values(
    settings: Settings, tokens: TokenValues, hub_url: pulumi.Input[str], binder_url: pulumi.Input[str]
) -> dict[str, Any]:
    """Return the values of the release, a fresh dict at each call.

    `hub_url` and `binder_url` are the addresses at which browsers reach the two (absolute, with scheme).
    """
    parts = (
        _connections(tokens, hub_url),
        registries.registry_values(settings.registry, image_prefix.split_host(settings.image_prefix)[0]),
        _ordinary(settings),
        _repositories(settings),
        _pods(settings),
        at("jupyterhub.hub.image", dict(settings.hub_image.values)) if settings.hub_image.values else {},
        _login(settings.login, hub_url, binder_url) if settings.login else {},
        # Last, so that the user's own win; what the program decides was refused there.
        settings.own_values,
    )
    values = _with_outputs(functools.reduce(merged, parts))
    annotations = {FINGERPRINT: fingerprint(values, settings.chart.digest)}
    return merged(values, {"service": {"annotations": annotations}})


def resolve_builder(settings: Settings, ask: Callable[[], Collection[str]]) -> Settings:
    """Return the settings with a builder that fits the nodes: `auto` becomes `host` where all run Docker, else `dind`.

    `ask` returns the names of the nodes' container runtimes, none if nobody can tell: then `auto` is `dind`, which
    works everywhere. It is called for these two only. Raises `SettingsError` for `host` on nodes without Docker, where
    builds would hang.
    """
    builder = settings.options["builder"]
    if builder not in ("auto", "host"):
        return settings
    runtimes = ask()
    if builder == "host" and _NOT_DOCKER & {*runtimes}:
        found = f"host, but nodes run {', '.join(sorted(runtimes))}"
        expected = "dind or pink, which bring a builder of their own"
        problem = Problem(f"{PROJECT}:builder", found, expected, "pulumi config set builder dind")
        raise SettingsError(settings.stack, [problem])
    if builder == "auto":
        builder = "host" if {*runtimes} == {"docker"} else "dind"
    return replace(settings, options={**settings.options, "builder": builder})


def _connections(tokens: TokenValues, hub_url: pulumi.Input[str]) -> dict[str, Any]:
    """What hub, proxy and binder must know of each other."""
    return {
        # binder does not restart by itself when its token changes, and then every launch fails with 403.
        "podAnnotations": {API_TOKEN_HASH: tokens.api.apply(_short_hash)},
        # The local one is from server to server, whatever browsers use (facts: binderhub-chart.md 3.2).
        "config": {
            "BinderHub": {
                "hub_url": hub_url,
                "hub_url_local": "http://proxy-public",
                "build_token_secret": tokens.build,
            }
        },
        "jupyterhub": {
            "hub": {
                "services": {"binder": {"apiToken": tokens.api}},
                "config": {"JupyterHub": {"cookie_secret": tokens.cookie}, "CryptKeeper": {"keys": [tokens.crypt]}},
            },
            "proxy": {"secretToken": tokens.proxy},
        },
    }


def _ordinary(settings: Settings) -> dict[str, Any]:
    """Put the ordinary keys, and the image prefix, at their places."""
    values = at("config.BinderHub.image_prefix", image_prefix.rendered(settings.image_prefix))
    placed = [(path, key.name) for key in keys.KEYS if key.name in settings.options for path in key.paths]
    return functools.reduce(merged, (at(path, settings.options[name]) for path, name in placed), values)


def _repositories(settings: Settings) -> dict[str, Any]:
    """Who may be launched, in the words of every provider."""
    providers = {"github": "GitHubRepoProvider", "gitlab": "GitLabRepoProvider"}
    own = {name: get(settings.own_values, f"config.{provider}.hostname") for name, provider in providers.items()}
    hosts = {name: host for name, host in own.items() if isinstance(host, str)}
    several = {
        "allowed_specs": repositories.allowing(settings.options.get("allowedRepositories", ()), **hosts),
        "banned_specs": repositories.banning(settings.options.get("bannedRepositories", ()), **hosts),
    }
    places = [(f"config.{one}.{trait}", specs) for trait, all_of in several.items() for one, specs in all_of.items()]
    return functools.reduce(merged, (at(place, specs) for place, specs in places), {})


def _with_outputs(value: Any) -> Any:
    """Return a fresh copy in which secrets are outputs."""
    return mapped(lambda leaf: leaf.output() if isinstance(leaf, Secret) else leaf, value)


def _pods(settings: Settings) -> dict[str, Any]:
    """What decides several values at once: builder, cleaner, replicas, labels."""
    cleaner = settings.image_cleaner
    values: dict[str, Any] = {
        "imageCleaner": {"enabled": cleaner != "none", **({"cordon": False} if cleaner == "nocordon" else {})},
    }
    if settings.options["replicas"] > 1:
        # One may go at a time, so that a node can always be drained.
        values["pdb"] = {"enabled": True, "maxUnavailable": 1}
    if settings.options["hubDatabase"] == "sqlite-memory":
        values["jupyterhub"] = {"hub": {"extraConfig": {"zz-end-orphans": END_ORPHANS}}}
    labels = [at(place, dict(settings.labels)) for place in _LABELLED if settings.labels]
    return functools.reduce(merged, labels, {**values, **_builder(settings)})


def _builder(settings: Settings) -> dict[str, Any]:
    """The builder's folders on the nodes: two hubs of one cluster would otherwise share builder and images."""
    builder = settings.options["builder"]
    if builder == "host":
        return {}
    storage = "hostLibDir" if builder == "dind" else "hostStorageDir"
    values: dict[str, Any] = {
        "hostSocketDir": f"/var/run/{builder}/{settings.namespace}",
        storage: f"/var/lib/{builder}/{settings.namespace}",
    }
    if settings.registry.type == "local" and builder == "dind":
        host = image_prefix.split_host(settings.image_prefix)[0]
        values["daemonset"] = {"extraArgs": [f"--insecure-registry={host}"]}
    return {builder: values}


def _login(login: LoginSettings, hub_url: pulumi.Input[str], binder_url: pulumi.Input[str]) -> dict[str, Any]:
    """All keys that must change together for a hub with login (facts: binderhub-chart.md section 4, "Auth")."""
    own: dict[str, Any] = {
        "client_id": login.client_id,
        "client_secret": login.client_secret,
        "oauth_callback_url": pulumi.Output.concat(hub_url, "/hub/oauth_callback"),
        **({"allow_all": True} if "*" in login.allowed else {"allowed_users": list(login.allowed)}),
        **login.config,
    }
    together = {
        "config": {"BinderHub": {"auth_enabled": True}},
        "jupyterhub": {
            # People keep their account; only their servers are stopped.
            "cull": {"users": False},
            "hub": {
                "config": {
                    "BinderSpawner": {"auth_enabled": True},
                    "JupyterHub": {"authenticator_class": login.authenticator, "redirect_to_server": False},
                },
                "loadRoles": {"user": {"scopes": ["self", "access:services!service=binder"]}},
                "services": {
                    "binder": {
                        "oauth_client_id": "service-binder",
                        "oauth_no_confirm": True,
                        "oauth_redirect_uri": pulumi.Output.concat(binder_url, "/oauth_callback"),
                    }
                },
            },
            "singleuser": {"cmd": "jupyterhub-singleuser"},
        },
    }
    return merged(together, at(login.section, own))


def fingerprint(values: dict[str, Any], chart_digest: str = "") -> str:
    """Return 12 hexadecimal digits that change with every plain value, and with the files of a chart from the disk.

    After a failed upgrade a refresh can hide a key that was never deployed; a leaf that changes with every change
    brings it back (facts: failures.md section 1.4). Outputs count as "*": secrets stay out of it on purpose.
    """
    text = json.dumps([values, chart_digest], sort_keys=True, default=lambda _: "*")
    return _short_hash(text)[:12]


def _short_hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]

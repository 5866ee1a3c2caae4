"""The stand-in chart keeps the real chart's interface: its names, and what it refuses.

That values arrive in it, and what a change of them reaches, the tests of `config` and the engine tests show.
"""

import base64
import functools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from helm_python.chart import Chart
from helm_python.errors import HelmRenderError, HelmValuesError

from kube import nested

FOLDER = Path(__file__).parents[3] / "tests" / "charts" / "binderhub"
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the C one is ten times as fast, but not everywhere

DEFAULT_OBJECTS = {
    "ClusterRole": {"rel-image-cleaner", "rel-user-scheduler"},
    "ClusterRoleBinding": {"rel-image-cleaner", "rel-user-scheduler"},
    "ConfigMap": {"hub", "user-scheduler"},
    "DaemonSet": {"rel-image-cleaner"},
    "Deployment": {"binder", "hub", "proxy", "user-scheduler"},
    "NetworkPolicy": {"hub", "proxy", "singleuser"},
    "PersistentVolumeClaim": {"hub-db-dir"},
    "PodDisruptionBudget": {"binderhub", "user-placeholder", "user-scheduler"},
    "Role": {"binderhub", "hub"},
    "RoleBinding": {"binderhub", "hub"},
    "Secret": {"binder-build-docker-config", "binder-secret", "hub"},
    "Service": {"binder", "hub", "proxy-api", "proxy-public"},
    "ServiceAccount": {"binderhub", "hub", "rel-image-cleaner", "user-scheduler"},
    "StatefulSet": {"user-placeholder"},
}
DEFAULT_KEYS = {f"{kind}/{name}" for kind, names in DEFAULT_OBJECTS.items() for name in names}
SCHEDULER = {
    f"{kind}/user-scheduler" for kind in ("Deployment", "ConfigMap", "ServiceAccount", "PodDisruptionBudget")
} | {
    "ClusterRole/rel-user-scheduler",
    "ClusterRoleBinding/rel-user-scheduler",
}
CLEANER = {key for key in DEFAULT_KEYS if key.endswith("image-cleaner")}


@pytest.fixture(scope="module")
def standin() -> Iterator[Chart]:
    with Chart.load(FOLDER) as chart:
        yield chart


def texts(chart: Chart, paths: dict[str, Any]) -> dict[str, str]:
    values = functools.reduce(nested.merged, (nested.at(path, leaf) for path, leaf in paths.items()), {})
    return chart.render(values, name="rel", namespace="hub-ns")


def rendered(chart: Chart, paths: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Render with values at dotted paths; return the objects by `Kind/name`."""
    found = texts(chart, paths)
    things = [one for name in found if name.endswith(".yaml") for one in yaml.load_all(found[name], LOADER) if one]
    objects = {f"{thing['kind']}/{thing['metadata']['name']}": thing for thing in things}
    assert len(objects) == len(things)
    return objects


PULL = {"create": True, "registry": "r.example.org", "username": "u", "password": "p"}
RIGHTS = {key for key in DEFAULT_KEYS if key.split("/")[0].removeprefix("Cluster") in ("Role", "RoleBinding")}
LETSENCRYPT = ("Deployment", "ConfigMap", "ServiceAccount", "Role", "RoleBinding")
PULLER = ("Job", "ServiceAccount", "Role", "RoleBinding")
SWITCHES: list[tuple[dict[str, Any], set[str], set[str]]] = [
    ({}, set(), set()),
    ({"jupyterhub.scheduling.userScheduler.enabled": False}, SCHEDULER, set()),
    ({"imageCleaner.enabled": False}, CLEANER, set()),
    ({"jupyterhub.hub.db.type": "sqlite-memory"}, {"PersistentVolumeClaim/hub-db-dir"}, set()),
    ({"config.BinderHub.use_registry": False}, {"Secret/binder-build-docker-config"}, set()),
    ({"imageBuilderType": "dind"}, set(), {"DaemonSet/rel-dind"}),
    ({"imageBuilderType": "pink"}, set(), {"DaemonSet/rel-pink"}),
    ({"pdb.enabled": False}, {"PodDisruptionBudget/binderhub"}, set()),
    (
        {"jupyterhub.scheduling.userPlaceholder.enabled": False},
        {"StatefulSet/user-placeholder", "PodDisruptionBudget/user-placeholder"},
        set(),
    ),
    ({"httpRoute.enabled": True}, set(), {"HTTPRoute/binderhub"}),
    ({"jupyterhub.imagePullSecret": PULL}, set(), {"Secret/image-pull-secret"}),
    (
        {"jupyterhub.proxy.https.enabled": True},  # letsencrypt is the default type
        set(),
        {"Service/proxy-http", *(f"{kind}/autohttps" for kind in LETSENCRYPT)},
    ),
    (
        {"jupyterhub.prePuller.hook.enabled": True},
        set(),
        {"DaemonSet/hook-image-puller", *(f"{kind}/hook-image-awaiter" for kind in PULLER)},
    ),
    (
        {"rbac.enabled": False, "jupyterhub.rbac.create": False},
        {*RIGHTS, "ServiceAccount/binderhub", "ServiceAccount/rel-image-cleaner"},
        set(),
    ),
]


@pytest.mark.parametrize(("paths", "gone", "new"), SWITCHES, ids=[",".join(paths) for paths, _, _ in SWITCHES])
def test_a_switch_adds_and_removes(standin: Chart, paths: dict[str, Any], gone: set[str], new: set[str]) -> None:
    assert set(rendered(standin, paths)) == (DEFAULT_KEYS - gone) | new


def test_secrets(standin: Chart) -> None:
    objects = rendered(standin, {"config.BinderHub.hub_url": None})
    hub, binder = (objects[f"Secret/{name}"]["data"] for name in ("hub", "binder-secret"))
    tokens = ("services.binder.apiToken", "config.ConfigurableHTTPProxy.auth_token")
    keys = ("config.JupyterHub.cookie_secret", "config.CryptKeeper.keys")
    assert hub.keys() == {"values.yaml", *(f"hub.{name}" for name in (*tokens, *keys))}
    assert binder.keys() == {"values.yaml", "binderhub_config.py"}
    # The trap: null stays, and the application stops at it.
    assert yaml.safe_load(base64.b64decode(binder["values.yaml"]))["config"]["BinderHub"]["hub_url"] is None


# --- what is refused, and what is not ---------------------------------------------------------------------------

REFUSED = [
    ({"singelUser": {}}, r"at '': additional properties 'singelUser' not allowed"),
    ({"registry.host": "x"}, r"at '/registry': additional properties 'host'"),
    ({"registry.password": 12345}, r"at '/registry/password': got number, want null or string"),
    ({"service.type": "Loadbalancer"}, r"at '/service/type': value must be one of 'ClusterIP', 'NodePort'"),
    ({"service.nodePort": "30901"}, r"at '/service/nodePort': got string, want null or integer"),
    ({"imageBuilderType": "docker"}, r"at '/imageBuilderType': value must be one of 'host', 'dind', 'pink'"),
    ({"replicas": "2"}, r"at '/replicas': got string, want integer"),
    ({"extraConfig": ["x"]}, r"at '/extraConfig': got array, want object"),
    ({"config": None}, r"missing property 'config'"),
    ({"jupyterhub": None}, r"missing property 'binder'"),
    ({"jupyterhub.singelUser": {}}, r"jupyterhub:\n- at '': additional properties 'singelUser'"),
    ({"jupyterhub.hub.db.type": "sqlite"}, r"at '/hub/db/type': value must be one of 'sqlite-pvc'"),
    ({"jupyterhub.proxy.secretToken": 5}, r"at '/proxy/secretToken': got number, want null or string"),
    ({"jupyterhub.proxy.service.nodePorts.http": "30902"}, r"at '/proxy/service/nodePorts/http': got string"),
    (
        {"jupyterhub.singleuser.networkPolicy.egressAllowRules.privateIp": True},
        r"at '/singleuser/networkPolicy/egressAllowRules': additional properties",
    ),
    ({"jupyterhub.cull.timeout": "1h"}, r"at '/cull/timeout': got string, want null or integer"),
    ({"jupyterhub.imagePullSecret.create": True}, r"missing properties 'registry', 'username', 'password'"),
]

# These pass the schema and are refused by a template.
REFUSED_AT_RENDER = [
    ({"cors.allowOrigin": "*"}, r"RENAMED: cors.allowOrigin has been renamed to config.BinderHub.cors_allow_origin"),
    ({"dind.enabled": True}, r"dind.enabled has been removed"),
    ({"imageCleaner.host.enabled": True}, r"imageCleaner.host.enabled has been removed"),
    ({"imageCleaner.host.dockerSocket": "/s"}, r"imageCleaner.host.dockerSocket has been replaced"),
    ({"config.BinderHub": None}, r"nil pointer evaluating"),
    ({"config.BinderHub.auth_enabled": True}, r"hub_url.*\n.*expected string"),
    (
        {"jupyterhub.proxy.https.enabled": True, "jupyterhub.proxy.https.type": "manual"},
        r"proxy.https.manual.cert is needed",
    ),
]

# Wrong, every one, and the real chart installs them all: finding these is the program's own work.
PASSES = [
    {"config.Binderhub": {"image_prefix": "x"}},
    {"config.BinderHub.use_registry": "false"},
    {"config.BinderHub.hub_url": None},
    {"registry.password": None},
    {"jupyterhub.hub.services.binder.apiToken": "short"},
    {"service.nodePort": 80},
    {"replicas": 0},
    {"resources": {"limits": {"memory": "lots"}}},
    {"ingress.enabled": True, "ingress.hosts": [{"host": "a.example.org"}]},
    {"extraConfig": {"a": "this is no python"}},
    {"jupyterhub.custom": {"anything": 1}},
    {"service.labels": {"team": "data science!"}},
]


@pytest.mark.parametrize(("paths", "phrase"), REFUSED, ids=[",".join(paths) for paths, _ in REFUSED])
def test_the_schema_refuses(standin: Chart, paths: dict[str, Any], phrase: str) -> None:
    with pytest.raises(HelmValuesError, match=phrase):
        texts(standin, paths)


@pytest.mark.parametrize(
    ("paths", "phrase"), REFUSED_AT_RENDER, ids=[",".join(paths) for paths, _ in REFUSED_AT_RENDER]
)
def test_a_template_refuses(standin: Chart, paths: dict[str, Any], phrase: str) -> None:
    with pytest.raises(HelmRenderError, match=phrase):
        texts(standin, paths)


@pytest.mark.parametrize("paths", PASSES, ids=lambda paths: json.dumps(paths)[:60])
def test_wrong_and_yet_accepted(standin: Chart, paths: dict[str, Any]) -> None:
    assert "Deployment/binder" in rendered(standin, paths)

"""The stand-in chart keeps the real chart's interface: its names, and what it refuses.

That values arrive in it, and what a change of them reaches, the tests of `config` and the engine tests show.
"""

import base64
import functools
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
SCHEDULER = {key for key in DEFAULT_KEYS if key.endswith("user-scheduler")}
PLACEHOLDER = {key for key in DEFAULT_KEYS if key.endswith("user-placeholder")}
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


def test_the_hubs_image_is_what_the_values_say_and_only_the_hub_has_it(standin: Chart) -> None:
    objects = rendered(standin, {"jupyterhub.hub.image.tag": "4.4.0"})
    image = "quay.io/jupyterhub/k8s-hub:4.4.0"
    assert [key for key, one in objects.items() if image in yaml.safe_dump(one)] == ["Deployment/hub"]


PULL = {"create": True, "registry": "r.example.org", "username": "u", "password": "p"}
RIGHTS = {key for key in DEFAULT_KEYS if key.split("/")[0].removeprefix("Cluster") in ("Role", "RoleBinding")}
ACCOUNTS = {"ServiceAccount/binderhub", "ServiceAccount/rel-image-cleaner"}
HTTPS = {f"{kind}/autohttps" for kind in ("Deployment", "ConfigMap", "ServiceAccount", "Role", "RoleBinding")}
AWAITER = {f"{kind}/hook-image-awaiter" for kind in ("Job", "ServiceAccount", "Role", "RoleBinding")}
SWITCHES: list[tuple[dict[str, Any], set[str], set[str]]] = [
    ({}, set(), set()),
    ({"jupyterhub.scheduling.userScheduler.enabled": False}, SCHEDULER, set()),
    ({"jupyterhub.scheduling.userPlaceholder.enabled": False}, PLACEHOLDER, set()),
    ({"imageCleaner.enabled": False}, CLEANER, set()),
    ({"jupyterhub.hub.db.type": "sqlite-memory"}, {"PersistentVolumeClaim/hub-db-dir"}, set()),
    ({"config.BinderHub.use_registry": False}, {"Secret/binder-build-docker-config"}, set()),
    ({"imageBuilderType": "dind"}, set(), {"DaemonSet/rel-dind"}),
    ({"imageBuilderType": "pink"}, set(), {"DaemonSet/rel-pink"}),
    ({"pdb.enabled": False}, {"PodDisruptionBudget/binderhub"}, set()),
    ({"httpRoute.enabled": True}, set(), {"HTTPRoute/binderhub"}),
    ({"jupyterhub.imagePullSecret": PULL}, set(), {"Secret/image-pull-secret"}),
    # letsencrypt is the default type
    ({"jupyterhub.proxy.https.enabled": True}, set(), {"Service/proxy-http", *HTTPS}),
    ({"jupyterhub.prePuller.hook.enabled": True}, set(), {"DaemonSet/hook-image-puller", *AWAITER}),
    ({"rbac.enabled": False, "jupyterhub.rbac.create": False}, {*RIGHTS, *ACCOUNTS}, set()),
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


# --- what is refused -----------------------------------------------------------------------------------------------

BY_THE_SCHEMA: list[dict[str, Any]] = [
    {"singelUser": {}},
    {"registry.host": "x"},
    {"registry.password": 12345},
    {"service.type": "Loadbalancer"},
    {"service.nodePort": "30901"},
    {"imageBuilderType": "docker"},
    {"replicas": "2"},
    {"extraConfig": ["x"]},
    {"config": None},
    {"jupyterhub": None},
    {"jupyterhub.singelUser": {}},
    {"jupyterhub.hub.db.type": "sqlite"},
    {"jupyterhub.proxy.secretToken": 5},
    {"jupyterhub.proxy.service.nodePorts.http": "30902"},
    {"jupyterhub.singleuser.networkPolicy.egressAllowRules.privateIp": True},
    {"jupyterhub.cull.timeout": "1h"},
    {"jupyterhub.imagePullSecret.create": True},
]
# These pass the schema.
BY_A_TEMPLATE: list[dict[str, Any]] = [
    {"cors.allowOrigin": "*"},
    {"dind.enabled": True},
    {"imageCleaner.host.enabled": True},
    {"imageCleaner.host.dockerSocket": "/s"},
    {"config.BinderHub": None},
    {"config.BinderHub.auth_enabled": True},
    {"jupyterhub.proxy.https.enabled": True, "jupyterhub.proxy.https.type": "manual"},
]


@pytest.mark.parametrize("paths", [*BY_THE_SCHEMA, *BY_A_TEMPLATE], ids=str)
def test_refused(standin: Chart, paths: dict[str, Any]) -> None:
    with pytest.raises(HelmRenderError if paths in BY_A_TEMPLATE else HelmValuesError):
        texts(standin, paths)

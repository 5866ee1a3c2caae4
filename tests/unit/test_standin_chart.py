"""The stand-in chart keeps the real chart's interface: names, labels, secrets, what rolls what, what is refused."""

import base64
import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from helm_python.chart import Chart, lint
from helm_python.errors import HelmRenderError, HelmValuesError

FOLDER = Path(__file__).parents[1] / "charts" / "binderhub"
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the C one is ten times as fast, but not everywhere

# The four secrets that the chart would otherwise make up: without them two renders differ.
TOKENS = {
    "jupyterhub.hub.services.binder.apiToken": "a" * 64,
    "jupyterhub.proxy.secretToken": "b" * 64,
    "jupyterhub.hub.config.JupyterHub.cookie_secret": "c" * 64,
    "jupyterhub.hub.config.CryptKeeper.keys": ["d" * 64],
}
DOCKER_HUB = {"registry.username": "acme", "registry.password": "not-a-secret"}

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

Objects = dict[str, dict[str, Any]]


def nested(paths: dict[str, Any]) -> dict[str, Any]:
    """Values from dotted paths: `{"a.b": 1}` becomes `{"a": {"b": 1}}`."""
    values: dict[str, Any] = {}
    for path, leaf in paths.items():
        *parents, last = path.split(".")
        place = values
        for parent in parents:
            place = place.setdefault(parent, {})
        place[last] = copy.deepcopy(leaf)
    return values


class Standin:
    """The loaded chart; `render` takes dotted paths over fixed tokens and gives objects by `Kind/name`."""

    def __init__(self, chart: Chart) -> None:
        self.chart = chart

    def texts(self, paths: dict[str, Any]) -> dict[str, str]:
        return self.chart.render(nested(paths), name="rel", namespace="hub-ns")

    def render(self, paths: dict[str, Any] | None = None, tokens: dict[str, Any] = TOKENS) -> Objects:
        found: Objects = {}
        for name, text in self.texts({**tokens, **(paths or {})}).items():
            if not name.endswith(".yaml"):
                continue
            for thing in yaml.load_all(text, LOADER):
                if thing:
                    key = f"{thing['kind']}/{thing['metadata']['name']}"
                    assert key not in found, f"two of {key}"
                    found[key] = thing
        return found


@pytest.fixture(scope="module")
def standin() -> Iterator[Standin]:
    with Chart.load(FOLDER) as chart:
        yield Standin(chart)


@pytest.fixture(scope="module")
def default(standin: Standin) -> Objects:
    return standin.render()


def pod(objects: Objects, key: str) -> dict[str, Any]:
    return objects[key]["spec"]["template"]


def container(objects: Objects, key: str) -> dict[str, Any]:
    return pod(objects, key)["spec"]["containers"][0]


def secret(objects: Objects, name: str) -> dict[str, str]:
    return {key: base64.b64decode(text).decode() for key, text in objects[f"Secret/{name}"]["data"].items()}


def changed(before: Objects, after: Objects) -> set[str]:
    return {key for key in before.keys() | after.keys() if before.get(key) != after.get(key)}


def rolled(before: Objects, after: Objects) -> set[str]:
    """What of both has another pod template."""
    both = before.keys() & after.keys()
    return {k for k in both if "template" in before[k].get("spec", {}) and pod(before, k) != pod(after, k)}


# --- what is there ----------------------------------------------------------------------------------------------


def test_objects_of_the_default_values(default: Objects) -> None:
    assert set(default) == DEFAULT_KEYS


@pytest.mark.parametrize(
    ("paths", "gone", "new"),
    [
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
        (
            {"ingress.enabled": True, "jupyterhub.ingress.enabled": True},
            set(),
            {"Ingress/binderhub", "Ingress/jupyterhub"},
        ),
        ({"httpRoute.enabled": True}, set(), {"HTTPRoute/binderhub"}),
        (
            {"jupyterhub.hub.pdb.enabled": True, "jupyterhub.proxy.chp.pdb.enabled": True},
            set(),
            {"PodDisruptionBudget/hub", "PodDisruptionBudget/proxy"},
        ),
        (
            {
                "jupyterhub.imagePullSecret.create": True,
                "jupyterhub.imagePullSecret.registry": "r.example.org",
                "jupyterhub.imagePullSecret.username": "u",
                "jupyterhub.imagePullSecret.password": "p",
            },
            set(),
            {"Secret/image-pull-secret"},
        ),
        (
            {"jupyterhub.scheduling.podPriority.enabled": True},
            set(),
            {"PriorityClass/rel-default-priority", "PriorityClass/rel-user-placeholder-priority"},
        ),
        (
            {"jupyterhub.proxy.https.enabled": True},  # letsencrypt is the default type
            set(),
            {
                "Service/proxy-http",
                *(f"{kind}/autohttps" for kind in ("Deployment", "ConfigMap", "ServiceAccount", "Role", "RoleBinding")),
            },
        ),
        (
            {"jupyterhub.prePuller.hook.enabled": True},
            set(),
            {
                "DaemonSet/hook-image-puller",
                *(f"{kind}/hook-image-awaiter" for kind in ("Job", "ServiceAccount", "Role", "RoleBinding")),
            },
        ),
        (
            {"rbac.enabled": False, "jupyterhub.rbac.create": False},
            {
                key
                for key in DEFAULT_KEYS
                if key.split("/")[0] in ("Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding")
            }
            | {"ServiceAccount/binderhub", "ServiceAccount/rel-image-cleaner"},
            set(),
        ),
    ],
    ids=lambda case: ",".join(case) if isinstance(case, dict) else "",
)
def test_a_switch_adds_and_removes(standin: Standin, paths: dict[str, Any], gone: set[str], new: set[str]) -> None:
    assert set(standin.render(paths)) == (DEFAULT_KEYS - gone) | new


def test_without_scheduler_and_cleaner_nothing_is_cluster_wide(standin: Standin) -> None:
    off = {"imageCleaner.enabled": False, "jupyterhub.scheduling.userScheduler.enabled": False}
    assert set(standin.render(off)) == DEFAULT_KEYS - SCHEDULER - CLEANER
    assert not [key for key in standin.render(off) if key.startswith("Cluster")]


def test_the_chart_lints() -> None:
    report = lint(FOLDER, strict=True, with_subcharts=True, kube_version="v1.36.0")
    assert report["errors"] == []
    assert [m for m in report["messages"] if m["severity"] > 1] == []


# --- how it hangs together --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("service", "deployment", "selector"),
    [
        ("proxy-public", "proxy", {"app": "jupyterhub", "component": "proxy", "release": "rel"}),
        ("proxy-api", "proxy", {"app": "jupyterhub", "component": "proxy", "release": "rel"}),
        ("hub", "hub", {"app": "jupyterhub", "component": "hub", "release": "rel"}),
        (
            "binder",
            "binder",
            {"app": "binder", "name": "binder", "component": "binder", "release": "rel", "heritage": "Helm"},
        ),
    ],
)
def test_services_reach_their_pods(default: Objects, service: str, deployment: str, selector: dict[str, str]) -> None:
    spec = default[f"Service/{service}"]["spec"]
    assert spec["selector"] == selector
    reached = [
        k
        for k in default
        if k.startswith("Deployment/") and selector.items() <= pod(default, k)["metadata"]["labels"].items()
    ]
    assert reached == [f"Deployment/{deployment}"]
    ports = container(default, f"Deployment/{deployment}")["ports"]
    targets = {port["name"] for port in ports} | {port["containerPort"] for port in ports}
    assert {port["targetPort"] for port in spec["ports"]} <= targets


def test_ports(default: Objects) -> None:
    assert default["Service/proxy-public"]["spec"]["ports"] == [{"name": "http", "port": 80, "targetPort": "http"}]
    assert default["Service/binder"]["spec"]["ports"] == [{"protocol": "TCP", "port": 80, "targetPort": 8585}]
    assert default["Service/hub"]["spec"]["ports"][0]["port"] == 8081
    assert default["Service/proxy-api"]["spec"]["ports"][0]["port"] == 8001
    assert {"name": "http", "containerPort": 8000} in container(default, "Deployment/proxy")["ports"]


def test_every_workload_selects_its_own_pods_only(default: Objects) -> None:
    workloads = [key for key in default if "template" in default[key].get("spec", {})]
    assert len(workloads) == 6
    for key in workloads:
        wanted = default[key]["spec"]["selector"]["matchLabels"].items()
        assert [k for k in workloads if wanted <= pod(default, k)["metadata"]["labels"].items()] == [key]


def test_references_inside_the_release_exist(standin: Standin) -> None:
    objects = standin.render({"imageBuilderType": "dind"})
    seen = 0
    for key in [key for key in objects if "template" in objects[key].get("spec", {})]:
        spec = pod(objects, key)["spec"]
        names = {f"ServiceAccount/{spec['serviceAccountName']}"} if "serviceAccountName" in spec else set()
        for volume in spec.get("volumes", []):
            names |= {f"Secret/{volume['secret']['secretName']}"} if "secret" in volume else set()
            names |= {f"ConfigMap/{volume['configMap']['name']}"} if "configMap" in volume else set()
        mounts = {
            m["name"] for c in spec["containers"] + spec.get("initContainers", []) for m in c.get("volumeMounts", [])
        }
        assert mounts == {volume["name"] for volume in spec.get("volumes", [])}, key
        assert names <= objects.keys(), key
        seen += len(names)
    for key in [key for key in objects if "Binding/" in key]:
        role, subject = objects[key]["roleRef"], objects[key]["subjects"][0]
        assert {f"{role['kind']}/{role['name']}", f"{subject['kind']}/{subject['name']}"} <= objects.keys()
        seen += 1
    assert seen > 10


@pytest.mark.parametrize(("override", "prefix"), [("", ""), ("jh", "jh-")])
def test_binder_follows_the_name_of_the_hub(standin: Standin, override: str, prefix: str) -> None:
    objects = standin.render({"jupyterhub.fullnameOverride": override})
    assert {f"Service/{prefix}proxy-public", f"Secret/{prefix}hub"} <= objects.keys()
    assert token_reference(objects) == {"name": f"{prefix}hub", "key": "hub.services.binder.apiToken"}


def test_a_null_name_breaks_binder_as_in_the_real_chart(standin: Standin) -> None:
    objects = standin.render({"jupyterhub.fullnameOverride": None})
    assert "Secret/rel-jupyterhub-hub" in objects
    assert token_reference(objects)["name"] == "rel-binderhub-hub"


def token_reference(objects: Objects) -> dict[str, str]:
    env = container(objects, "Deployment/binder")["env"]
    return next(e for e in env if e["name"] == "JUPYTERHUB_API_TOKEN")["valueFrom"]["secretKeyRef"]


def test_probes(standin: Standin) -> None:
    # Naive joining, as in the real chart: a base_url without its last slash gives a wrong path.
    for base, path in (("/", "/versions"), ("/b/", "/b/versions"), ("/b", "/bversions")):
        probe = container(standin.render({"config.BinderHub.base_url": base}), "Deployment/binder")["readinessProbe"]
        assert probe["httpGet"] == {"path": path, "port": "binder"}
    hub = container(standin.render({"jupyterhub.hub.baseUrl": "/jh/"}), "Deployment/hub")
    assert {hub[p]["httpGet"]["path"] for p in ("readinessProbe", "livenessProbe")} == {"/jh/hub/health"}


def test_letsencrypt_moves_the_public_service(standin: Standin) -> None:
    objects = standin.render({"jupyterhub.proxy.https.enabled": True})
    public = objects["Service/proxy-public"]["spec"]
    assert public["selector"]["component"] == "autohttps"
    assert [(p["name"], p["port"]) for p in public["ports"]] == [("https", 443), ("http", 80)]
    assert objects["Service/proxy-http"]["spec"]["ports"] == [{"port": 8000, "targetPort": "http"}]


# --- values arrive ----------------------------------------------------------------------------------------------

HUB, PROXY, BINDER = "Deployment/hub", "Deployment/proxy", "Deployment/binder"
POD = "spec.template.spec"
FIRST = f"{POD}.containers.0"
LIMITS = {"limits": {"cpu": "2"}}
DISK = {"disk": "ssd"}
CLAIM, PLACEHOLDER = "PersistentVolumeClaim/hub-db-dir", "StatefulSet/user-placeholder"
ARRIVES = [
    ("service.type", "NodePort", "Service/binder", "spec.type"),
    ("service.nodePort", 30901, "Service/binder", "spec.ports.0.nodePort"),
    ("service.annotations", {"a": "b"}, "Service/binder", "metadata.annotations"),
    ("service.labels.team", "x", "Service/binder", "metadata.labels.team"),
    ("service.loadBalancerIP", "192.0.2.1", "Service/binder", "spec.loadBalancerIP"),
    ("jupyterhub.proxy.service.type", "ClusterIP", "Service/proxy-public", "spec.type"),
    ("jupyterhub.proxy.service.nodePorts.http", 30902, "Service/proxy-public", "spec.ports.0.nodePort"),
    ("jupyterhub.proxy.service.annotations", {"a": "b"}, "Service/proxy-public", "metadata.annotations"),
    ("jupyterhub.proxy.service.labels.team", "x", "Service/proxy-public", "metadata.labels.team"),
    ("jupyterhub.proxy.service.loadBalancerIP", "192.0.2.1", "Service/proxy-public", "spec.loadBalancerIP"),
    ("replicas", 3, BINDER, "spec.replicas"),
    ("podAnnotations.checksum/api", "x", BINDER, "spec.template.metadata.annotations.checksum/api"),
    ("deployment.labels.l", "x", BINDER, "spec.template.metadata.labels.l"),
    ("resources.limits", {"cpu": "2"}, BINDER, f"{FIRST}.resources.limits"),
    ("nodeSelector", DISK, BINDER, f"{POD}.nodeSelector"),
    ("tolerations", [{"key": "k"}], BINDER, f"{POD}.tolerations"),
    ("image", {"name": "own", "tag": "x"}, BINDER, f"{FIRST}.image"),
    ("image.pullPolicy", "Always", BINDER, f"{FIRST}.imagePullPolicy"),
    ("initContainers", [{"name": "i", "image": "i"}], BINDER, f"{POD}.initContainers"),
    ("lifecycle", {"preStop": {"exec": {}}}, BINDER, f"{FIRST}.lifecycle"),
    ("extraEnv.A", "b", BINDER, f"{FIRST}.env.2.value"),
    ("extraEnv", [{"name": "A", "value": "b"}], BINDER, f"{FIRST}.env.2"),
    ("extraVolumes", [{"name": "v"}], BINDER, f"{POD}.volumes.2"),
    ("extraVolumeMounts", [{"name": "v"}], BINDER, f"{FIRST}.volumeMounts.2"),
    ("extraPodSpec.dnsPolicy", "None", BINDER, f"{POD}.dnsPolicy"),
    ("jupyterhub.hub.resources", LIMITS, HUB, f"{FIRST}.resources"),
    ("jupyterhub.hub.nodeSelector", DISK, HUB, f"{POD}.nodeSelector"),
    ("jupyterhub.hub.labels.l", "x", HUB, "spec.template.metadata.labels.l"),
    ("jupyterhub.hub.annotations.a", "x", HUB, "spec.template.metadata.annotations.a"),
    ("jupyterhub.hub.extraEnv.A", "b", HUB, f"{FIRST}.env.3.value"),
    ("jupyterhub.proxy.chp.resources", LIMITS, PROXY, f"{FIRST}.resources"),
    ("jupyterhub.proxy.chp.nodeSelector", DISK, PROXY, f"{POD}.nodeSelector"),
    ("jupyterhub.proxy.labels.l", "x", PROXY, "spec.template.metadata.labels.l"),
    ("jupyterhub.proxy.annotations.a", "x", PROXY, "spec.template.metadata.annotations.a"),
    ("jupyterhub.hub.db.pvc.storageClassName", "fast", CLAIM, "spec.storageClassName"),
    ("jupyterhub.hub.db.pvc.storage", "9Gi", CLAIM, "spec.resources.requests.storage"),
    ("jupyterhub.singleuser.nodeSelector", DISK, PLACEHOLDER, f"{POD}.nodeSelector"),
    ("jupyterhub.singleuser.memory.guarantee", "1G", PLACEHOLDER, f"{FIRST}.resources.requests.memory"),
    ("pdb.maxUnavailable", 2, "PodDisruptionBudget/binderhub", "spec.maxUnavailable"),
]


@pytest.mark.parametrize(
    ("path", "value", "key", "place"), ARRIVES, ids=[f"{a[0]}-{type(a[1]).__name__}" for a in ARRIVES]
)
def test_a_value_arrives(standin: Standin, default: Objects, path: str, value: Any, key: str, place: str) -> None:
    found = at(standin.render({path: value})[key], place)
    wanted = "own:x" if path == "image" else value
    assert wanted in (found, [found])  # some lists are added to one that is there
    assert found != at(default[key], place)


def at(thing: Any, place: str) -> Any:
    """The part at a dotted place, numbers being places in a list; None where nothing is."""
    for step in place.split("."):
        try:
            thing = thing[int(step) if isinstance(thing, list) else step]
        except (KeyError, IndexError, TypeError):
            return None
    return thing


@pytest.mark.parametrize(
    ("prefix", "key", "service", "port"),
    [
        ("", "Ingress/binderhub", "binder", {"number": 80}),
        ("jupyterhub.", "Ingress/jupyterhub", "proxy-public", {"name": "http"}),
    ],
)
def test_ingress(standin: Standin, prefix: str, key: str, service: str, port: dict[str, Any]) -> None:
    tls = [{"secretName": "tls", "hosts": ["a.example.org"]}]
    spec = standin.render(
        {
            f"{prefix}ingress.enabled": True,
            f"{prefix}ingress.hosts": ["a.example.org"],
            f"{prefix}ingress.ingressClassName": "nginx",
            f"{prefix}ingress.tls": tls,
        }
    )[key]["spec"]
    backend = {"service": {"name": service, "port": port}}
    assert spec["ingressClassName"] == "nginx"
    assert spec["tls"] == tls
    assert spec["rules"] == [
        {"host": "a.example.org", "http": {"paths": [{"path": "/", "pathType": "Prefix", "backend": backend}]}}
    ]


@pytest.mark.parametrize("builder", ["dind", "pink"])
def test_builder_and_cleaner_share_the_host_folders(standin: Standin, builder: str) -> None:
    store = {"dind": "hostLibDir", "pink": "hostStorageDir"}[builder]
    objects = standin.render(
        {"imageBuilderType": builder, f"{builder}.hostSocketDir": "/run/mine", f"{builder}.{store}": "/lib/mine"}
    )
    for key in (f"DaemonSet/rel-{builder}", "DaemonSet/rel-image-cleaner"):
        paths = {v["hostPath"]["path"] for v in pod(objects, key)["spec"]["volumes"]}
        assert paths == {"/run/mine", "/lib/mine"}, key
    assert container(objects, f"DaemonSet/rel-{builder}")["securityContext"] == {"privileged": True}


# --- secrets ----------------------------------------------------------------------------------------------------


def test_secret_hub(default: Objects) -> None:
    data = secret(default, "hub")
    values = yaml.safe_load(data.pop("values.yaml"))
    assert data == {
        "hub.services.binder.apiToken": "a" * 64,
        "hub.config.ConfigurableHTTPProxy.auth_token": "b" * 64,
        "hub.config.JupyterHub.cookie_secret": "c" * 64,
        "hub.config.CryptKeeper.keys": "d" * 64,
    }
    assert values["hub"]["services"]["binder"]["apiToken"] == "a" * 64  # in clear, as in the real one
    assert values["hub"]["loadRoles"]["binder"]["scopes"] == ["servers", "admin:users"]
    assert {"0-binderspawnermixin", "00-binder"} <= values["hub"]["extraConfig"].keys()


def test_binder_secret(standin: Standin) -> None:
    objects = standin.render({"config.BinderHub.image_prefix": "acme/b-", "config.BinderHub.hub_url": None})
    data = secret(objects, "binder-secret")
    assert set(data) == {"values.yaml", "binderhub_config.py"}
    values = yaml.safe_load(data["values.yaml"])
    assert values["config"]["BinderHub"]["image_prefix"] == "acme/b-"
    assert values["config"]["BinderHub"]["hub_url"] is None  # the trap: null stays, and the application stops at it
    assert "dind" not in values
    compile(data["binderhub_config.py"], "binderhub_config.py", "exec")


@pytest.mark.parametrize("builder", ["dind", "pink"])
def test_binder_secret_tells_of_the_builder(standin: Standin, builder: str) -> None:
    data = secret(standin.render({"imageBuilderType": builder}), "binder-secret")
    assert builder in yaml.safe_load(data["values.yaml"])


@pytest.mark.parametrize(
    ("registry", "url", "login"),
    [
        ({"username": "acme", "password": "p:w"}, "https://index.docker.io/v1/", "acme:p:w"),
        ({"url": "https://gcr.io", "password": "{}"}, "https://gcr.io", "_json_key:{}"),
        ({"url": "https://eu.gcr.io", "password": "{}"}, "https://eu.gcr.io", "<token>:{}"),
        ({"url": "https://r.example.org", "username": "u", "password": "p"}, "https://r.example.org", "u:p"),
        ({"username": "u"}, "https://index.docker.io/v1/", "u:%!s(<nil>)"),  # the trap: no password, no complaint
    ],
)
def test_push_secret(standin: Standin, registry: dict[str, str], url: str, login: str) -> None:
    objects = standin.render({"registry": registry})
    config = json.loads(secret(objects, "binder-build-docker-config")["config.json"])
    assert config == {"auths": {url: {"auth": base64.b64encode(login.encode()).decode()}}}


def test_image_pull_secret(standin: Standin) -> None:
    login = {"registry": "r.example.org", "username": "u", "password": "p"}
    objects = standin.render({"jupyterhub.imagePullSecret": {"create": True, **login}})
    assert objects["Secret/image-pull-secret"]["type"] == "kubernetes.io/dockerconfigjson"
    config = json.loads(secret(objects, "image-pull-secret")[".dockerconfigjson"])
    assert base64.b64decode(config["auths"]["r.example.org"]["auth"]) == b"u:p"
    assert pod(objects, "Deployment/hub")["spec"]["imagePullSecrets"] == [{"name": "image-pull-secret"}]


# --- what rolls what --------------------------------------------------------------------------------------------


def test_with_all_tokens_two_renders_are_equal(standin: Standin, default: Objects) -> None:
    assert changed(default, standin.render()) == set()


@pytest.mark.parametrize(
    ("missing", "differs"),
    [
        ("jupyterhub.hub.services.binder.apiToken", {"Secret/hub", "Deployment/hub"}),
        ("jupyterhub.proxy.secretToken", {"Secret/hub", "Deployment/hub", "Deployment/proxy"}),
        ("jupyterhub.hub.config.JupyterHub.cookie_secret", {"Secret/hub", "Deployment/hub"}),
        ("jupyterhub.hub.config.CryptKeeper.keys", {"Secret/hub", "Deployment/hub"}),
    ],
)
def test_a_token_left_to_the_chart_is_random(standin: Standin, missing: str, differs: set[str]) -> None:
    tokens = {path: token for path, token in TOKENS.items() if path != missing}
    assert changed(standin.render(tokens=tokens), standin.render(tokens=tokens)) == differs


HUB_ONLY = {"Secret/hub", "Deployment/hub"}
BINDER_ONLY = {"Secret/binder-secret", "Deployment/binder"}


@pytest.mark.parametrize(
    ("paths", "changes", "rolls"),
    [
        ({"jupyterhub.hub.services.binder.apiToken": "e" * 64}, HUB_ONLY, {HUB}),
        ({"jupyterhub.proxy.secretToken": "e" * 64}, HUB_ONLY | {PROXY}, {HUB, PROXY}),
        ({"jupyterhub.hub.config.JupyterHub.cookie_secret": "e" * 64}, HUB_ONLY, {HUB}),
        ({"jupyterhub.hub.config.CryptKeeper.keys": ["e" * 64]}, HUB_ONLY, {HUB}),
        ({"jupyterhub.cull.timeout": 60}, HUB_ONLY, {HUB}),
        ({"jupyterhub.singleuser.memory.limit": "2G"}, HUB_ONLY, {HUB}),
        ({"jupyterhub.proxy.service.type": "ClusterIP"}, HUB_ONLY | {"Service/proxy-public"}, {HUB}),
        ({"config.BinderHub.image_prefix": "acme/binder-"}, BINDER_ONLY, {BINDER}),
        ({"config.BinderHub.hub_url": "http://192.0.2.1"}, BINDER_ONLY, {BINDER}),
        ({"config.GitHubRepoProvider.access_token": "x"}, BINDER_ONLY, {BINDER}),
        (DOCKER_HUB, {"Secret/binder-build-docker-config", BINDER}, {BINDER}),
        ({"podAnnotations": {"checksum/api": "x"}}, {BINDER}, {BINDER}),
        ({"service.type": "ClusterIP"}, {"Service/binder"}, set()),
        (
            {"imageBuilderType": "dind"},
            BINDER_ONLY | {"DaemonSet/rel-dind", "DaemonSet/rel-image-cleaner"},
            {BINDER, "DaemonSet/rel-image-cleaner"},
        ),
        (
            {"jupyterhub.scheduling.userScheduler.enabled": False},
            HUB_ONLY | SCHEDULER | {"StatefulSet/user-placeholder"},
            {HUB, "StatefulSet/user-placeholder"},
        ),
    ],
    ids=lambda case: ",".join(case) if isinstance(case, dict) else "",
)
def test_a_change_reaches_no_further(
    standin: Standin, default: Objects, paths: dict[str, Any], changes: set[str], rolls: set[str]
) -> None:
    after = standin.render(paths)
    assert changed(default, after) == changes
    assert rolled(default, after) == rolls


RULES = "jupyterhub.singleuser.networkPolicy.egressAllowRules"
PRIVATE = {"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"}
METADATA = {"169.254.169.254/32"}


@pytest.mark.parametrize(
    ("paths", "reached"),
    [
        ({}, {"0.0.0.0/0"}),
        ({f"{RULES}.nonPrivateIPs": False}, set()),
        ({f"{RULES}.privateIPs": True}, {"0.0.0.0/0", *PRIVATE}),
        ({f"{RULES}.cloudMetadataServer": True}, {"0.0.0.0/0", *METADATA}),
    ],
)
def test_what_users_servers_may_reach(standin: Standin, paths: dict[str, Any], reached: set[str]) -> None:
    rules = standin.render(paths)["NetworkPolicy/singleuser"]["spec"]["egress"]
    blocks = [peer["ipBlock"] for rule in rules if "ports" not in rule for peer in rule["to"]]
    assert {block["cidr"] for block in blocks} == reached
    assert all(set(block["except"]) == PRIVATE | METADATA for block in blocks if block["cidr"] == "0.0.0.0/0")


@pytest.mark.parametrize(
    ("switch", "named"),
    [
        ("dnsPortsPrivateIPs", PRIVATE),
        ("dnsPortsCloudMetadataServer", METADATA),
        ("dnsPortsKubeSystemNamespace", {"kube-system"}),
    ],
)
def test_where_users_servers_may_ask_for_names(standin: Standin, switch: str, named: set[str]) -> None:
    def asked(paths: dict[str, Any]) -> set[str]:
        rules = standin.render(paths)["NetworkPolicy/singleuser"]["spec"]["egress"]
        peers = [
            peer for rule in rules if {"port": 53, "protocol": "UDP"} in rule.get("ports", []) for peer in rule["to"]
        ]
        return {
            peer["ipBlock"]["cidr"] if "ipBlock" in peer else peer["namespaceSelector"]["matchLabels"].popitem()[1]
            for peer in peers
        }

    assert asked({}) - asked({f"{RULES}.{switch}": False}) == named


# --- what is refused, and what is not ---------------------------------------------------------------------------

REFUSED = [
    ({"singelUser": {}}, r"at '': additional properties 'singelUser' not allowed"),
    ({"hub": {}}, r"additional properties 'hub' not allowed"),
    ({"github": {}}, r"additional properties 'github' not allowed"),
    ({"binderhub": {}}, r"additional properties 'binderhub' not allowed"),
    ({"registry.host": "x"}, r"at '/registry': additional properties 'host'"),
    ({"registry.username": 5}, r"at '/registry/username': got number, want null or string"),
    ({"registry.password": 12345}, r"at '/registry/password': got number, want null or string"),
    ({"registry.url": True}, r"at '/registry/url': got boolean, want null or string"),
    ({"service.port": 80}, r"at '/service': additional properties 'port'"),
    ({"service.type": "Loadbalancer"}, r"at '/service/type': value must be one of 'ClusterIP', 'NodePort'"),
    ({"service.nodePort": "30901"}, r"at '/service/nodePort': got string, want null or integer"),
    ({"service.labels": {"a": 1}}, r"at '/service/labels/a': got number, want string"),
    ({"service.annotations": {"a": True}}, r"at '/service/annotations/a': got boolean, want string"),
    ({"imageCleaner.on": True}, r"at '/imageCleaner': additional properties 'on'"),
    ({"ingress.host": "x"}, r"at '/ingress': additional properties 'host'"),
    ({"ingress.hosts": "a.example.org"}, r"at '/ingress/hosts': got string, want array"),
    ({"ingress.pathType": "prefix"}, r"at '/ingress/pathType': value must be one of"),
    ({"ingress.annotations.https": {"type": "x"}}, r"at '/ingress/annotations/https': got object, want string"),
    ({"pdb.max": 1}, r"at '/pdb': additional properties 'max'"),
    ({"pdb.maxUnavailable": "50%"}, r"at '/pdb/maxUnavailable': got string, want null or integer"),
    ({"deployment.replicas": 1}, r"at '/deployment': additional properties 'replicas'"),
    ({"dind.image": "x"}, r"at '/dind': additional properties 'image'"),
    ({"pink.storageDriver": "x"}, r"at '/pink': additional properties 'storageDriver'"),
    ({"imageBuilderType": "docker"}, r"at '/imageBuilderType': value must be one of 'host', 'dind', 'pink'"),
    ({"replicas": "2"}, r"at '/replicas': got string, want integer"),
    ({"replicas": 2.5}, r"at '/replicas': got number, want integer"),
    ({"image.tag": 1.0}, r"at '/image/tag': got number, want string"),
    ({"extraConfig": ["x"]}, r"at '/extraConfig': got array, want object"),
    ({"jupyterhub.hub.extraConfig": "x"}, r"at '/hub/extraConfig': got string, want object"),
    ({"config": None}, r"missing property 'config'"),
    ({"jupyterhub": None}, r"missing property 'binder'"),
    ({"jupyterhub.singelUser": {}}, r"jupyterhub:\n- at '': additional properties 'singelUser'"),
    ({"jupyterhub.auth": {}}, r"additional properties 'auth' not allowed"),
    ({"jupyterhub.httpRoute": {"enabled": True}}, r"additional properties 'httpRoute' not allowed"),
    ({"jupyterhub.hub.confg": {}}, r"at '/hub': additional properties 'confg'"),
    ({"jupyterhub.hub.db.type": "sqlite"}, r"at '/hub/db/type': value must be one of 'sqlite-pvc'"),
    ({"jupyterhub.hub.services.binder.apiToken": 5}, r"at '/hub/services/binder/apiToken': got number"),
    ({"jupyterhub.proxy.secretToken": 5}, r"at '/proxy/secretToken': got number, want null or string"),
    ({"jupyterhub.proxy.service.typ": "x"}, r"at '/proxy/service': additional properties 'typ'"),
    ({"jupyterhub.proxy.service.type": "nodeport"}, r"at '/proxy/service/type': value must be one of"),
    ({"jupyterhub.proxy.service.nodePorts.http": "30902"}, r"at '/proxy/service/nodePorts/http': got string"),
    (
        {"jupyterhub.singleuser.networkPolicy.egressAllowRules.privateIp": True},
        r"at '/singleuser/networkPolicy/egressAllowRules': additional properties 'privateIp'",
    ),
    (
        {"jupyterhub.singleuser.networkPolicy.egressAllowRules.privateIPs": "no"},
        r"at '/singleuser/networkPolicy/egressAllowRules/privateIPs': got string, want boolean",
    ),
    ({"jupyterhub.singleuser.cpu.limit": "500m"}, r"at '/singleuser/cpu/limit': got string, want null or number"),
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
    {"config.BinderHub.image_prefx": "x"},
    {"config.BinderHub.image_prefix": ""},
    {"config.BinderHub.image_prefix": 5},
    {"config.BinderHub.image_prefix": "https://My Org/Binder-"},
    {"config.BinderHub.use_registry": "false"},
    {"config.BinderHub.hub_url": None},
    {"config.BinderHub.hub_url": ["x"]},
    {"registry.password": None},
    {"registry.url": "registry.example.org:5000"},
    {"jupyterhub.hub.services.binder.apiToken": "short"},
    {"jupyterhub.hub.services.binder.apitoken": "a" * 64},
    {"service.nodePort": 80},
    {"service.nodePort": 99999},
    {"replicas": 0},
    {"replicas": -1},
    {"pdb": {"minAvailable": 1, "maxUnavailable": 1}},
    {"resources": {"limits": {"memory": "lots"}}},
    {"jupyterhub.singleuser.memory.limit": "lots"},
    {"imageCleaner.imageGCThresholdType": "percent"},
    {"imageCleaner.imageGCThresholdHigh": 10},
    {"ingress.enabled": True, "ingress.hosts": [{"host": "a.example.org"}]},
    {"httpRoute.gatway": "x"},
    {"extraConfig": {"a": "this is no python"}},
    {"jupyterhub.hub.loadRoles": None},
    {"jupyterhub.hub.config.JupyterHub.authenticator_class": "bogus"},
    {"jupyterhub.fullnameOverride": None},
    {"jupyterhub.cull.timeout": None},
    {"jupyterhub.custom": {"anything": 1}},
    {"hpa": {"enabled": True}, "networkPolicy": {"enabled": True}},
    {"service.labels": {"team": "data science!"}},
]


@pytest.mark.parametrize(("paths", "phrase"), REFUSED, ids=[",".join(paths) for paths, _ in REFUSED])
def test_the_schema_refuses(standin: Standin, paths: dict[str, Any], phrase: str) -> None:
    with pytest.raises(HelmValuesError, match=phrase):
        standin.texts(paths)


@pytest.mark.parametrize(
    ("paths", "phrase"), REFUSED_AT_RENDER, ids=[",".join(paths) for paths, _ in REFUSED_AT_RENDER]
)
def test_a_template_refuses(standin: Standin, paths: dict[str, Any], phrase: str) -> None:
    with pytest.raises(HelmRenderError, match=phrase):
        standin.texts(paths)


@pytest.mark.parametrize("paths", PASSES, ids=lambda paths: json.dumps(paths)[:60])
def test_wrong_and_yet_accepted(standin: Standin, paths: dict[str, Any]) -> None:
    assert "Deployment/binder" in standin.render(paths)

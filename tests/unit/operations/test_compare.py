"""What counts as drift: paths, authors, differences, what is expected, what may be shown. No cluster."""

from typing import Any

import pytest

from kube.manifests import ObjectKey
from operations.drift import expected, masks
from operations.drift.compare import Difference, authors, compare, is_user
from operations.drift.fields import MISSING, Path, Step, leaves, text, value_at

TIME = "2026-11-23T09:12:04Z"
HELM = "pulumi-resource-kubernetes"
DEPLOYMENT = ObjectKey("Deployment", "hub")
REPLICAS = {"f:spec": {"f:replicas": {}}}
PORT = 'k:{"port":80,"protocol":"TCP"}'
HUB = 'spec template spec containers k:{"name":"hub"}'
FOO = f'{HUB} env k:{{"name":"FOO"}}'


def field(*names: str) -> Path:
    return tuple(Step("f", name) for name in names)


def tree(*paths: str) -> Any:
    """Return a `fieldsV1` of paths, such as `spec replicas`; a `.` at the end stands for the thing itself."""
    whole: dict[str, Any] = {}
    for path in paths:
        below = whole
        for name in path.split():
            below = below.setdefault(name if name == "." or name.startswith("k:") else f"f:{name}", {})
    return whole


def entry(manager: str, fields: Any, time: str = TIME, **more: str) -> dict[str, Any]:
    return {"manager": manager, "operation": "Update", "time": time, "fieldsV1": fields, **more}


def made(kind: str, *managed: Any, version: str = "v1", **parts: Any) -> dict[str, Any]:
    """Return an object as the API gives it; `metadata` among the parts is added to its name."""
    about = {"name": "hub", "managedFields": list(managed), **parts.pop("metadata", {})}
    return {"apiVersion": version, "kind": kind, "metadata": about, **parts}


def container(**parts: Any) -> dict[str, Any]:
    return {"template": {"spec": {"containers": [{"name": "hub", **parts}]}}}


@pytest.mark.parametrize(
    ("fields", "paths"),
    [
        ({"f:finalizers": {".": {}, 'v:"kubernetes"': {}}}, ["finalizers[kubernetes]"]),
        (tree("data values.yaml", "data plain"), ["data[values.yaml]", "data[plain]"]),
        ({"f:spec": {"f:volumes": {"i:0": {}}}}, ["spec.volumes[0]"]),
        (tree(f"spec ports {PORT} .", "spec emptyDir ."), ["spec.ports[80/TCP]", "spec.emptyDir"]),
        (tree(f"{FOO} .", f"{FOO} value"), ["spec.template.spec.containers[hub].env[FOO].value"]),
    ],
)
def test_paths_of_managed_fields(fields: Any, paths: list[str]) -> None:
    assert [text(path) for path in leaves(fields)] == paths


def test_what_stands_at_a_path() -> None:
    ports = [{"port": 80, "protocol": "UDP", "name": "x"}, {"port": 80, "protocol": "TCP", "name": "y"}]
    one = {"finalizers": ["a", "kubernetes"], "ports": ports}
    tcp = Step("k", (("port", 80), ("protocol", "TCP")))
    assert value_at(one, (*field("ports"), tcp, Step("f", "name"))) == "y"
    assert value_at(one, (*field("finalizers"), Step("v", "kubernetes"))) == "kubernetes"
    assert value_at(one, (*field("ports"), Step("i", 1), Step("f", "port"))) == 80
    nothing: list[Path] = [
        (*field("finalizers"), Step("v", "gone")), (*field("ports"), Step("i", 2)),
        (*field("nothing"), Step("i", 0)), field("ports", "name"),
    ]  # fmt: skip
    assert {value_at(one, path) for path in nothing} == {MISSING}


USERS = ("kubectl", "kubectl-edit", "helm", "k9s", "Mozilla", "python-requests", "unknown")
CONTROLLERS = (
    HELM, "pulumi-resource-kubernetes.exe", "pulumi-kubernetes-8dd99e56", "kube-scheduler", "kubelet", "manager",
    "kube-controller-manager", "openshift-controller-manager", "cloud-controller-manager", "gke-exec-auth-plugin",
    "horizontal-pod-autoscaler", "vpa-updater", "cluster-autoscaler", "prometheus-operator", "kwok-controller",
    "cert-manager-cainjector", "pod-identity-webhook",
)  # fmt: skip


def test_which_programs_work_for_a_user() -> None:
    assert [name for name in USERS + CONTROLLERS if is_user(name)] == list(USERS)
    assert not any(is_user(name, USERS) for name in USERS)  # those that are ignored


def test_the_status_has_no_authors() -> None:
    status = entry("kubectl", tree("status x"), subresource="status")
    assert [author.name for author in authors(made("Deployment", status, entry("b", REPLICAS)))] == ["b"]


SCALES = {"manager": "kubectl", "subresource": "scale", "fieldsV1": REPLICAS}  # which leaves no time
LATE, LATER = "2026-11-23T10:00:00Z", "2026-11-23T11:00:00Z"
TWO = [entry("b-late", REPLICAS, LATE), entry("z-early", REPLICAS), entry("x-operator", REPLICAS, LATER)]


@pytest.mark.parametrize(("managed", "by", "time"), [(TWO, "b-late", LATE), ([SCALES], "kubectl", "")])
def test_the_last_user_is_named_and_of_a_user_and_a_program_the_user(managed: Any, by: str, time: str) -> None:
    found = compare(DEPLOYMENT, {field("spec", "replicas"): 1}, made("Deployment", *managed, spec={"replicas": 3}))
    assert found == [Difference(DEPLOYMENT, "spec.replicas", "changed", 1, 3, by=by, at=time)]


# What is expected, by path; who set what; the object; the differences.
CASES: dict[str, tuple[dict[str, Any], dict[str, Any], dict[str, Any], list[str]]] = {
    "what a user set to what is expected": ({"spec n": 1}, {"kubectl": tree("spec n")}, {"spec": {"n": 1}}, []),
    "what a controller set, and what is ignored": (
        {"spec n": 1}, {"kube-controller-manager": tree("spec n"), "ignored-tool": tree("spec m")},
        {"spec": {"n": 3, "m": 1}}, [],
    ),
    # Helm has set the list as such, which says nothing of who took the item out.
    "of a removed item only the item": (
        {f"{FOO} value": "x"}, {HELM: tree(f"{HUB} env")}, {"spec": container(env=[{"name": "BAR"}])},
        ["spec.template.spec.containers[hub].env[FOO] removed None > None by "],
    ),
    "what a user added, if it is there": (
        {"metadata labels a": "x"},
        {"kubectl": tree("metadata labels .", "metadata labels team", "metadata labels gone", "metadata labels a")},
        {"metadata": {"labels": {"team": "blue", "a": "x"}}}, ["metadata.labels[team] added None > blue by kubectl"],
    ),
    # A dry run leaves what is there, so that its result has the addition, too.
    "what is added to an empty map": (
        {"spec resources": {"limits": {"cpu": "2"}}},
        {HELM: tree("spec resources"), "kubectl-set": tree("spec resources limits cpu")},
        {"spec": {"resources": {"limits": {"cpu": "2"}}}},
        ["spec.resources.limits.cpu added None > 2 by kubectl-set"],
    ),
    "what Helm set as well, and a map of which parts are expected": (
        {"spec selector app": "hub"}, {HELM: tree("spec affinity"), "kubectl": tree("spec affinity", "spec selector")},
        {"spec": {"affinity": "None", "selector": {"app": "hub"}}}, [],
    ),
    "the keys of an item that is expected": (
        {f"spec ports {PORT} port": 80},
        {"kubectl": tree(*(f"spec ports {PORT} {name}" for name in (".", "port", "protocol", "nodePort")))},
        {"spec": {"ports": [{"port": 80, "protocol": "TCP", "nodePort": 30080}]}},
        ["spec.ports[80/TCP].nodePort added None > 30080 by kubectl"],
    ),
    "a list that is set as one": (
        {"rules": [{"verbs": ["get"]}, {"verbs": ["list"]}]}, {"kubectl": tree("rules")},
        {"rules": [{"verbs": ["get"]}, {"verbs": ["list", "watch"]}]},
        ["rules[1].verbs changed ['list'] > ['list', 'watch'] by kubectl"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_what_is_drift(case: str) -> None:
    wanted, managed, parts, found = CASES[case]
    live = made("Thing", *(entry(*one) for one in managed.items()), **parts)
    expected = {path: value for name, value in wanted.items() for path in leaves(tree(name))}
    drift = compare(ObjectKey("Thing", "hub"), expected, live, ["ignored-tool"])
    assert [f"{one.field} {one.change} {one.expected} > {one.found} by {one.by}" for one in drift] == found


def test_a_deleted_object_and_one_that_is_being_deleted() -> None:
    going = made("Deployment", metadata={"deletionTimestamp": TIME})
    assert compare(DEPLOYMENT, {}, None) == compare(DEPLOYMENT, {}, going) == [Difference(DEPLOYMENT, "", "deleted")]


def test_objects_are_as_the_api_takes_them() -> None:
    hook = {"kind": "Job", "metadata": {"name": "x", "annotations": {"helm.sh/hook": "pre-upgrade"}}}
    texts = {"stringData": {"a": "b"}, "data": {"c": "ZA=="}, "status": {}}
    secret, role = {"kind": "Secret", "metadata": {"name": "x"}, **texts}, {"kind": "ClusterRole", "metadata": {}}
    given = {ObjectKey(one["kind"], "x"): one for one in (hook, secret, role)}
    data = {"a": "Yg==", "c": "ZA=="}
    assert list(expected.complete(given, "binder").values()) == [
        {"kind": "Secret", "metadata": {"name": "x", "namespace": "binder"}, "data": data}, role,
    ]  # fmt: skip


def test_what_a_dry_run_says_is_expected_is_in_the_servers_own_form() -> None:
    managed = entry("kubectl", tree("spec x")), entry(expected.MANAGER, tree("spec replicas", "spec paused"))
    applied = made("Deployment", *managed, spec={"replicas": 1, "x": 2})
    assert expected.by_server(applied) == {field("spec", "replicas"): 1, field("spec", "paused"): MISSING}


def test_without_the_server_what_users_set_is_compared() -> None:
    ports = tree(f"spec ports {PORT} targetPort", "spec type", "spec new")
    live = made("Service", entry("kubectl-edit", ports), entry("tool", tree("spec a")), entry(HELM, tree("spec b")))
    # As it was deployed, the port has no protocol.
    one = {"spec": {"ports": [{"port": 80, "targetPort": 8080}], "type": "ClusterIP", "a": 1, "b": 2, "c": 3}}
    wanted = expected.by_users(one, live, ["tool"])
    assert {text(path): value for path, value in wanted.items()} == {
        "spec.ports[80/TCP].targetPort": 8080, "spec.type": "ClusterIP",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "version", "hidden", "shown"),
    [
        ("Secret", "v1", ["data type", "stringData x", "metadata annotations evil-kubernetes.io/x"], ["type"]),
        ("ConfigMap", "v1", ["data jupyterhub_config.py", "binaryData x"], ["metadata labels app"]),
        ("Thing", "example.org/v1", ["spec x"], ["metadata labels app"]),
        ("Role", "rbac.authorization.k8s.io/v1", [], ["rules"]),
        (
            "Deployment",
            "apps/v1",
            [
                "spec containers env value", "spec containers args", "spec containers livenessProbe exec command",
                "spec livenessProbe httpGet httpHeaders value", "spec template metadata annotations note",
                "metadata annotations note", "metadata annotations x.kubernetes.io/auth-token",
                "metadata labels password",
            ],
            [
                "spec replicas", "spec containers image", "spec env valueFrom secretKeyRef name",
                "metadata annotations service.beta.kubernetes.io/aws-load-balancer-type",
                "spec template metadata annotations checksum/config-map",
            ],
        ),
    ],
)  # fmt: skip
def test_which_places_are_hidden(kind: str, version: str, hidden: list[str], shown: list[str]) -> None:
    one = made(kind, version=version)
    assert [path for path in hidden + shown if masks.hides(one, field(*path.split()), "hunter2")] == hidden


def test_a_value_is_hidden_with_anything_in_it() -> None:
    pod = made("Deployment", version="apps/v1")
    assert masks.hides(pod, field("spec", "containers"), [{"name": "x"}, {"env": [{"name": "A", "value": "b"}]}])
    assert not masks.hides(pod, field("spec", "containers"), [{"name": "x", "image": "y"}])
    assert masks.hides(pod, field("spec", "containers", "image"), "https://me:hunter2@example.org/x")

"""What counts as drift: paths, authors, differences, what may be shown. No cluster."""

from typing import Any

import pytest

from kube.manifests import ObjectKey
from operations.drift.compare import Difference, authors, compare, role
from operations.drift.fields import MISSING, Path, leaves, text, value_at
from operations.drift.masks import hides

TIME, LATE, LATER = "2026-11-23T09:12:04Z", "2026-11-23T10:00:00Z", "2026-11-23T11:00:00Z"
HELM = "pulumi-resource-kubernetes"
KEY = ObjectKey("Deployment", "hub")
PORT = 'k:{"port":80,"protocol":"TCP"}'
HUB = 'spec template spec containers k:{"name":"hub"}'
FOO = f'{HUB} env k:{{"name":"FOO"}}'


def tree(*paths: str) -> Any:
    """Return a `fieldsV1` of paths, such as `spec replicas`; a `.` at the end stands for the thing itself."""
    whole: dict[str, Any] = {}
    for path in paths:
        below = whole
        for name in path.split():
            below = below.setdefault(name if name == "." or name.startswith("k:") else f"f:{name}", {})
    return whole


def at(path: str) -> Path:
    return next(leaves(tree(path)))


def entry(manager: str, fields: Any, time: str = TIME, **more: str) -> dict[str, Any]:
    return {"manager": manager, "operation": "Update", "time": time, "fieldsV1": fields, **more}


def made(*managed: Any, version: str = "v1", **parts: Any) -> dict[str, Any]:
    """Return an object as the API gives it."""
    return {"apiVersion": version, **parts, "metadata": {"managedFields": list(managed), **parts.get("metadata", {})}}


def compared(wanted: Any, live: Any) -> list[Difference]:
    return compare(KEY, {at(path): value for path, value in wanted.items()}, live, authors(live, ["ignored-tool"]))


def test_paths_of_managed_fields() -> None:
    fields = {"f:finalizers": {".": {}, 'v:"a"': {}}, "f:list": {"i:0": {}}}
    fields |= tree("data values.yaml", "data plain", f"spec ports {PORT} .", "spec emptyDir .", f"{FOO} value")
    assert [text(path) for path in leaves(fields)] == [
        "finalizers[a]", "list[0]", "data[values.yaml]", "data[plain]", "spec.ports[80/TCP]", "spec.emptyDir",
        "spec.template.spec.containers[hub].env[FOO].value",
    ]  # fmt: skip


# The last one lacks a key, which the server fills in.
PORTS = [{"port": 80, "protocol": "UDP", "name": "x"}, {"port": 80, "protocol": "TCP", "name": "y"}, {"port": 81}]
VALUES: dict[Path, Any] = {
    ("f:ports", PORT, "f:name"): "y", ("f:ports", PORT.replace("80", "81"), "f:port"): 81, ("f:sets", 'v:"b"'): "b",
    ("f:ports", "i:1", "f:port"): 80, ("f:sets", 'v:"gone"'): MISSING, ("f:ports", "i:3"): MISSING,
    ("f:nothing", "i:0"): MISSING, ("f:ports", "f:name"): MISSING,
}  # fmt: skip


def test_what_stands_at_a_path() -> None:
    assert {path: value_at({"sets": ["a", "b"], "ports": PORTS}, path) for path in VALUES} == VALUES


USERS = ("kubectl", "kubectl-edit", "helm", "k9s", "Mozilla", "python-requests", "unknown")
OTHERS = (
    HELM, "pulumi-resource-kubernetes.exe", "pulumi-kubernetes-8dd99e56", "kube-scheduler", "kubelet", "manager",
    "kube-controller-manager", "openshift-controller-manager", "cloud-controller-manager", "gke-exec-auth-plugin",
    "horizontal-pod-autoscaler", "vpa-updater", "cluster-autoscaler", "prometheus-operator", "kwok-controller",
    "cert-manager-cainjector", "pod-identity-webhook",
)  # fmt: skip


def test_which_programs_work_for_a_user() -> None:
    assert [name for name in USERS + OTHERS if role(name) == "user"] == list(USERS)
    assert {role(name, USERS) for name in USERS} == {"controller"}  # those that are ignored


REPLICAS = tree("spec replicas")
SCALES = {"manager": "kubectl", "subresource": "scale", "fieldsV1": REPLICAS}  # which leaves no time
MANY = (
    entry("b-late", REPLICAS, LATE), entry("z-early", REPLICAS), entry("x-operator", REPLICAS, LATER),
    entry("z-status", REPLICAS, LATER, subresource="status"),
)  # fmt: skip


@pytest.mark.parametrize(("managed", "by", "time"), [(MANY, "b-late", LATE), ((SCALES,), "kubectl", None)])
def test_the_last_user_is_named_and_of_a_user_and_a_program_the_user(managed: Any, by: str, time: Any) -> None:
    found = compared({"spec replicas": 1}, made(*managed, spec={"replicas": 3}))
    assert found == [Difference(KEY, "spec.replicas", "changed", 1, 3, by=by, at=time)]


# What is expected, by path; who set what; the object; the differences.
CASES: dict[str, tuple[dict[str, Any], dict[str, Any], dict[str, Any], list[str]]] = {
    "what a controller set, and what is ignored": (
        {"spec n": 1}, {"kube-controller-manager": tree("spec n"), "ignored-tool": tree("spec m")},
        {"spec": {"n": 3, "m": 1}}, [],
    ),
    "what Helm did": ({"spec n": 1}, {HELM: tree("spec n")}, {"spec": {"n": 3}}, [f"spec.n changed 1 > 3 by {HELM}"]),
    # Helm has set the list as such, which says nothing of who took the item out.
    "of a removed item only the item": (
        {f"{FOO} value": "x"}, {HELM: tree(f"{HUB} env")},
        {"spec": {"template": {"spec": {"containers": [{"name": "hub", "env": [{"name": "BAR"}]}]}}}},
        ["spec.template.spec.containers[hub].env[FOO] removed None > None by None"],
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
    wanted, managed, parts, expected = CASES[case]
    found = compared(wanted, made(*(entry(*one) for one in managed.items()), **parts))
    assert [f"{one.field} {one.change} {one.expected} > {one.found} by {one.by}" for one in found] == expected


HIDDEN = (
    "data type", "binaryData x", "stringData x", "spec containers env value", "spec env valueFrom secretKeyRef name",
    "spec containers args", "spec containers exec command", "spec livenessProbe httpGet httpHeaders value",
    "metadata annotations note", "metadata annotations evil-kubernetes.io/x", "spec template metadata annotations note",
    "metadata annotations x.kubernetes.io/auth-token", "metadata labels password",
)  # fmt: skip
SHOWN = (
    "type", "metadata labels app", "spec replicas", "spec containers image", "spec volumes secret secretName",
    "metadata annotations service.beta.kubernetes.io/aws-load-balancer-type",
    "spec template metadata annotations checksum/config-map",
)  # fmt: skip


def test_which_places_are_hidden() -> None:
    assert [path for path in HIDDEN + SHOWN if hides(made(version="apps/v1"), at(path), "hunter2")] == list(HIDDEN)


def test_of_a_kind_that_is_not_of_kubernetes_itself_only_metadata_is_shown() -> None:
    foreign, role = made(version="example.org/v1"), made(version="rbac.authorization.k8s.io/v1")
    assert hides(foreign, at("rules"), "hunter2")
    assert not hides(foreign, at("metadata labels app"), "x")
    assert not hides(role, at("rules"), "x")


def test_a_value_is_hidden_with_anything_in_it() -> None:
    assert hides(made(), at("spec containers"), [{"name": "x"}, {"env": [{"name": "A", "value": "b"}]}])
    assert not hides(made(), at("spec containers"), [{"name": "x", "image": "y"}])
    assert hides(made(), at("spec containers image"), "https://me:hunter2@example.org/x")

"""The pure parts of `python -m checks drift`, and its refusals. tests/engine/test_drift.py changes real objects."""

import base64
import gzip
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from conftest import ROOT

from checks import __main__ as command
from checks import expected, fields, masks, report
from checks.drift import Difference, Wanted, authors, compare, is_person
from checks.fields import MISSING, Step, at, field, leaves, text
from checks.look import Report, look
from commands.programs import RefusedError
from components.kubectl import Answer
from components.objects import Key
from components.record import Revision

TIME = "2026-11-23T09:12:04Z"
HELM = "pulumi-resource-kubernetes"
DEPLOYMENT = Key("Deployment", "hub")
ENV = {
    "f:spec": {
        "f:template": {
            "f:spec": {
                "f:containers": {
                    'k:{"name":"hub"}': {"f:env": {'k:{"name":"FOO"}': {".": {}, "f:name": {}, "f:value": {}}}}
                }
            }
        }
    }
}


def entry(manager: str, tree: Any, time: str = TIME, **more: str) -> dict[str, Any]:
    return {"manager": manager, "operation": "Update", "time": time, "fieldsV1": tree, **more}


def made(kind: str, *managed: Any, version: str = "v1", **parts: Any) -> dict[str, Any]:
    """Return an object as the API gives it; `metadata` among the parts is added to its name."""
    about = {"name": "hub", "managedFields": list(managed), **parts.pop("metadata", {})}
    return {"apiVersion": version, "kind": kind, "metadata": about, **parts}


def container(**parts: Any) -> dict[str, Any]:
    return {"template": {"spec": {"containers": [{"name": "hub", **parts}]}}}


def differences(wanted: Wanted, live: Any, *ignored: str) -> dict[str, tuple[Any, ...]]:
    found = compare(Key(live["kind"], "hub"), wanted, live, ignored)
    return {one.field: (one.change, one.expected, one.found, one.by) for one in found}


# Paths


def test_the_leaves_of_a_record_of_managed_fields() -> None:
    tree = {
        "f:metadata": {"f:finalizers": {".": {}, 'v:"kubernetes"': {}}, "f:labels": {".": {}, "f:a.b/c": {}}},
        "f:spec": {"f:ports": {'k:{"port":80,"protocol":"TCP"}': {".": {}, "f:name": {}}}, "f:volumes": {"i:0": {}}},
    }
    assert [text(path) for path in leaves(tree)] == [
        "metadata.finalizers[kubernetes]",
        "metadata.labels[a.b/c]",
        "spec.ports[80/TCP].name",
        "spec.volumes[0]",
    ]


def test_a_map_of_which_only_itself_is_set_is_a_leaf() -> None:
    assert [text(path) for path in leaves({"f:spec": {"f:emptyDir": {".": {}}}})] == ["spec.emptyDir"]


def test_a_path_is_readable() -> None:
    (path,) = [path for path in leaves(ENV) if path[-1].value == "value"]
    assert text(path) == "spec.template.spec.containers[hub].env[FOO].value"
    assert text(field("data", "values.yaml")) == "data[values.yaml]"
    assert text(field("data", "plain")) == "data[plain]"
    assert text(field("spec", "resources", "limits", "nvidia.com/gpu")) == "spec.resources.limits[nvidia.com/gpu]"


def test_what_stands_at_a_path() -> None:
    one = {
        "finalizers": ["a", "kubernetes"],
        "ports": [{"port": 80, "protocol": "UDP", "name": "x"}, {"port": 80, "protocol": "TCP", "name": "y"}],
    }
    name = (*field("ports"), Step("k", (("port", 80), ("protocol", "TCP"))), Step("f", "name"))
    assert at(one, name) == "y"
    assert at(one, (*field("finalizers"), Step("v", "kubernetes"))) == "kubernetes"
    assert at(one, (*field("finalizers"), Step("v", "gone"))) is MISSING
    assert at(one, (*field("ports"), Step("i", 1), Step("f", "port"))) == 80
    assert at(one, (*field("ports"), Step("i", 2))) is MISSING
    assert at(one, field("ports", "name")) is MISSING
    assert at(one, (*field("nothing"), Step("i", 0))) is MISSING


def test_records_are_merged() -> None:
    trees = [{"f:a": {"f:b": {}}}, {"f:a": {".": {}, "f:c": {}}}]
    assert fields.merged(trees) == {"f:a": {"f:b": {}, ".": {}, "f:c": {}}}


# Who


@pytest.mark.parametrize(
    "name",
    ["kubectl", "kubectl-edit", "kubectl-client-side-apply", "helm", "k9s", "Mozilla", "python-requests", "unknown"],
)
def test_people_work_with(name: str) -> None:
    assert is_person(name)
    assert not is_person(name, [name])


@pytest.mark.parametrize(
    "name",
    [
        HELM, "pulumi-resource-kubernetes.exe", "pulumi-kubernetes-8dd99e56", "kube-controller-manager",
        "kube-scheduler", "kubelet", "cloud-controller-manager", "kwok-controller", "horizontal-pod-autoscaler",
        "vpa-updater", "cluster-autoscaler", "prometheus-operator", "cert-manager-cainjector", "manager",
        "gke-exec-auth-plugin", "openshift-controller-manager", "pod-identity-webhook",
    ],
)  # fmt: skip
def test_nobody_works_with(name: str) -> None:
    assert not is_person(name)


def test_the_status_has_no_authors() -> None:
    live = made(
        "Deployment", entry("kubectl", {"f:status": {"f:x": {}}}, subresource="status"), entry("b", {"f:spec": {}})
    )
    assert [author.name for author in authors(live)] == ["b"]


# What differs


def test_a_changed_field_and_who_changed_it() -> None:
    live = made("Deployment", entry("kubectl", {"f:spec": {"f:replicas": {}}}), spec={"replicas": 3})
    assert compare(DEPLOYMENT, {field("spec", "replicas"): 1}, live) == [
        Difference(DEPLOYMENT, "spec.replicas", "changed", 1, 3, by="kubectl", at=TIME)
    ]


def test_kubectl_scale_leaves_no_time() -> None:
    scaled = {"manager": "kubectl", "subresource": "scale", "fieldsV1": {"f:spec": {"f:replicas": {}}}}
    (found,) = compare(DEPLOYMENT, {field("spec", "replicas"): 1}, made("Deployment", scaled, spec={"replicas": 3}))
    assert (found.by, found.at) == ("kubectl", "")


@pytest.mark.parametrize("manager", ["kube-controller-manager", "horizontal-pod-autoscaler", "our-own-tool"])
def test_what_controllers_change_is_no_drift(manager: str) -> None:
    tree = {"f:spec": {"f:replicas": {}, "f:extra": {}}}
    live = made("Deployment", entry(manager, tree), spec={"replicas": 3, "extra": 1})
    assert differences({field("spec", "replicas"): 1}, live, "our-own-tool") == {}


def test_what_the_server_fills_in_is_no_drift() -> None:
    live = made("Service", entry(HELM, {"f:spec": {"f:type": {}, "f:affinity": {}}}), spec={"clusterIP": "10.0.0.1"})
    live["spec"] |= {"type": "ClusterIP", "affinity": "None"}
    assert differences({field("spec", "type"): "ClusterIP"}, live) == {}


def test_a_field_that_a_person_set_to_what_is_expected_is_no_drift() -> None:
    live = made("Deployment", entry("kubectl", {"f:spec": {"f:replicas": {}}}), spec={"replicas": 1})
    assert differences({field("spec", "replicas"): 1}, live) == {}


def test_removed_fields_have_no_author() -> None:
    live = made("Deployment", entry(HELM, {"f:metadata": {"f:labels": {"f:b": {}}}}), metadata={"labels": {"b": "c"}})
    wanted = {field("metadata", "labels", "a"): "x", field("metadata", "labels", "b"): "c"}
    assert differences(wanted, live) == {"metadata.labels[a]": ("removed", "x", None, "")}


def test_of_a_removed_item_only_the_item_is_named() -> None:
    wanted = dict.fromkeys(leaves(ENV), "x")
    # Helm has set the list as such, which says nothing of who took the item out.
    tree = {"f:spec": {"f:template": {"f:spec": {"f:containers": {'k:{"name":"hub"}': {"f:env": {}}}}}}}
    live = made("Deployment", entry(HELM, tree), spec=container(env=[{"name": "BAR"}]))
    assert differences(wanted, live) == {"spec.template.spec.containers[hub].env[FOO]": ("removed", None, None, "")}


def test_of_an_added_item_only_the_item_is_named() -> None:
    helms = {"f:spec": {"f:template": {"f:spec": {"f:containers": {'k:{"name":"hub"}': {".": {}, "f:image": {}}}}}}}
    live = made(
        "Deployment",
        entry(HELM, helms),
        entry("kubectl-set", ENV),
        spec=container(image="a", env=[{"name": "FOO", "value": "b"}]),
    )
    assert differences(dict.fromkeys(leaves(helms), "a"), live) == {
        "spec.template.spec.containers[hub].env[FOO]": ("added", None, None, "kubectl-set")
    }


def test_added_fields_are_those_that_a_person_set_and_that_are_there() -> None:
    tree = {"f:metadata": {"f:labels": {".": {}, "f:team": {}, "f:gone": {}, "f:a": {}}}, "f:spec": {"f:paused": {}}}
    labels = {"team": "blue", "a": "x"}
    live = made("Deployment", entry("kubectl-label", tree), metadata={"labels": labels}, spec={"paused": True})
    assert differences({field("metadata", "labels", "a"): "x"}, live) == {
        "metadata.labels[team]": ("added", None, "blue", "kubectl-label"),
        "spec.paused": ("added", None, True, "kubectl-label"),
    }


def test_what_is_added_to_an_empty_map_that_was_deployed() -> None:
    tree = {"f:spec": {"f:resources": {"f:limits": {"f:cpu": {}}}}}
    resources = {"limits": {"cpu": "2"}}
    live = made("Pod", entry(HELM, {"f:spec": {"f:resources": {}}}), entry("kubectl-set", tree))
    live["spec"] = {"resources": resources}
    # A dry run leaves what is there, so that its result has the addition, too.
    assert differences({field("spec", "resources"): resources}, live) == {
        "spec.resources.limits.cpu": ("added", None, "2", "kubectl-set")
    }


def test_what_helm_set_as_well_is_no_addition_nor_is_a_map_of_which_parts_are_expected() -> None:
    tree = {"f:spec": {"f:affinity": {}, "f:selector": {}}}
    spec = {"affinity": "None", "selector": {"app": "hub"}}
    live = made("Service", entry(HELM, {"f:spec": {"f:affinity": {}}}), entry("kubectl", tree), spec=spec)
    assert differences({field("spec", "selector", "app"): "hub"}, live) == {}


def test_in_an_item_that_nobody_expects_but_another_program_made_the_field_is_named() -> None:
    item = {'k:{"name":"hub"}': {"f:image": {}}}
    sidecar = entry("sidecar-injector", {"f:spec": {"f:containers": {'k:{"name":"hub"}': {".": {}, "f:name": {}}}}})
    live = made("Pod", sidecar, entry("kubectl-set", {"f:spec": {"f:containers": item}}))
    live["spec"] = {"containers": [{"name": "hub", "image": "a"}]}
    assert differences({}, live) == {"spec.containers[hub].image": ("added", None, "a", "kubectl-set")}


def test_of_two_people_the_last_one_is_named_and_of_a_person_and_a_program_the_person() -> None:
    tree = {"f:spec": {"f:replicas": {}}}
    early, late = "2026-11-23T08:00:00Z", "2026-11-23T10:00:00Z"
    people = [entry("b-late", tree, late), entry("z-early", tree, early)]
    live = made("Deployment", *people, entry("some-controller", tree, "2026-11-23T11:00:00Z"), spec={"replicas": 3})
    assert differences({field("spec", "replicas"): 1}, live) == {"spec.replicas": ("changed", 1, 3, "b-late")}


def test_the_keys_of_an_item_that_is_expected_are_no_addition() -> None:
    item = {'k:{"port":80,"protocol":"TCP"}': {".": {}, "f:port": {}, "f:protocol": {}, "f:nodePort": {}}}
    port = {"port": 80, "protocol": "TCP", "nodePort": 30080}
    live = made("Service", entry("kubectl-patch", {"f:spec": {"f:ports": item}}), spec={"ports": [port]})
    wanted = {path: 80 for path in leaves({"f:spec": {"f:ports": item}}) if path[-1].value == "port"}
    assert differences(wanted, live) == {"spec.ports[80/TCP].nodePort": ("added", None, 30080, "kubectl-patch")}


def test_lists_that_are_set_as_one_are_compared_within() -> None:
    tree = {"f:rules": {}}
    live = made("Role", entry("kubectl-edit", tree), rules=[{"verbs": ["get"]}, {"verbs": ["list", "watch"]}])
    assert differences({field("rules"): [{"verbs": ["get"]}, {"verbs": ["list"]}]}, live) == {
        "rules[1].verbs": ("changed", ["list"], ["list", "watch"], "kubectl-edit")
    }


def test_kubectls_notes_and_the_status_are_no_drift() -> None:
    notes = {"f:kubectl.kubernetes.io/last-applied-configuration": {}, "f:kubectl.kubernetes.io/restartedAt": {}}
    tree = {"f:metadata": {"f:annotations": notes}, "f:status": {"f:phase": {}}}
    about = {"annotations": {name.removeprefix("f:"): "x" for name in notes}}
    live = made("Pod", entry("kubectl-client-side-apply", tree), metadata=about, status={"phase": "x"})
    assert differences({}, live) == {}


def test_a_deleted_object_and_one_that_is_being_deleted() -> None:
    going = made("Deployment", metadata={"deletionTimestamp": TIME})
    assert compare(DEPLOYMENT, {}, None) == compare(DEPLOYMENT, {}, going) == [Difference(DEPLOYMENT, "", "deleted")]


@pytest.mark.parametrize(
    ("names", "one", "other", "same"),
    [
        (("limits", "cpu"), "1000m", 1, True),
        (("limits", "cpu"), "0.05", "50m", True),
        (("requests", "memory"), "1Gi", "1024Mi", True),
        (("requests", "memory"), "1G", "1Gi", False),
        (("requests", "memory"), "1e3", "1k", True),
        (("image",), "1.0", "1.00", False),
        (("paused",), False, MISSING, True),
        (("paused",), MISSING, True, False),
        (("paused",), MISSING, MISSING, True),
        (("labels", "a"), "", MISSING, False),
    ],
)
def test_what_is_the_same(names: tuple[str, ...], one: Any, other: Any, same: bool) -> None:
    spec: Any = other
    for name in reversed(names):
        spec = {} if spec is MISSING else {name: spec}
    assert (differences({field("spec", *names): one}, made("Pod", spec=spec)) == {}) is same


def test_a_field_at_the_top_that_is_not_there() -> None:
    assert differences({field("immutable"): MISSING}, made("Secret", immutable=True)) == {
        "immutable": ("added", None, True, "")
    }
    assert differences({field("immutable"): False}, made("Secret")) == {}


# What may be shown


@pytest.mark.parametrize(
    ("kind", "version", "path"),
    [
        ("Secret", "v1", field("data", "type")),
        ("Secret", "v1", field("stringData", "x")),
        ("ConfigMap", "v1", field("data", "jupyterhub_config.py")),
        ("ConfigMap", "v1", field("binaryData", "x")),
        ("Deployment", "apps/v1", field("spec", "containers", "env", "value")),
        ("Deployment", "apps/v1", field("spec", "containers", "args")),
        ("Deployment", "apps/v1", field("spec", "containers", "livenessProbe", "exec", "command")),
        ("Deployment", "apps/v1", field("spec", "livenessProbe", "httpGet", "httpHeaders", "value")),
        ("Deployment", "apps/v1", field("metadata", "annotations", "note")),
        ("Deployment", "apps/v1", field("spec", "template", "metadata", "annotations", "note")),
        ("Deployment", "apps/v1", field("metadata", "annotations", "x.kubernetes.io/auth-token")),
        ("Secret", "v1", field("metadata", "annotations", "evil-kubernetes.io/x")),
        ("Deployment", "apps/v1", field("metadata", "labels", "password")),
        ("Thing", "example.org/v1", field("spec", "x")),
    ],
)
def test_hidden_places(kind: str, version: str, path: fields.Path) -> None:
    assert masks.hides(made(kind, version=version), path, "hunter2")


@pytest.mark.parametrize(
    ("kind", "version", "path"),
    [
        ("Secret", "v1", field("type")),
        ("Secret", "v1", field("metadata", "labels", "app")),
        ("Deployment", "apps/v1", field("spec", "replicas")),
        ("Deployment", "apps/v1", field("spec", "containers", "image")),
        ("Deployment", "apps/v1", field("spec", "env", "valueFrom", "secretKeyRef", "name")),
        ("Service", "v1", field("metadata", "annotations", "service.beta.kubernetes.io/aws-load-balancer-type")),
        ("Deployment", "apps/v1", field("spec", "template", "metadata", "annotations", "checksum/config-map")),
        ("Role", "rbac.authorization.k8s.io/v1", field("rules")),
        ("Thing", "example.org/v1", field("metadata", "labels", "app")),
    ],
)
def test_shown_places(kind: str, version: str, path: fields.Path) -> None:
    assert not masks.hides(made(kind, version=version), path, "x")


def test_a_value_is_hidden_with_anything_in_it() -> None:
    pod = made("Deployment", version="apps/v1")
    assert masks.hides(pod, field("spec", "containers"), [{"name": "x", "env": [{"name": "A", "value": "b"}]}])
    assert not masks.hides(pod, field("spec", "containers"), [{"name": "x", "image": "y"}])
    assert masks.hides(pod, field("spec", "containers", "image"), "https://me:hunter2@example.org/x")


def test_a_hidden_difference_has_no_values() -> None:
    live = made("Secret", entry("kubectl-edit", {"f:data": {"f:token": {}}}), data={"token": "aHVudGVyMg=="})
    (found,) = compare(Key("Secret", "hub"), {field("data", "token"): "c2VjcmV0"}, live)
    assert found == Difference(found.object, "data[token]", "changed", None, None, True, "kubectl-edit", TIME)


# What is expected


def deployed(*found: dict[str, Any]) -> Revision:
    return Revision(1, {Key(one["kind"], one["metadata"]["name"]): one for one in found})


def test_the_objects_of_a_release_are_as_helm_puts_them_there() -> None:
    hook = {"kind": "Job", "metadata": {"name": "x", "annotations": {"helm.sh/hook": "pre-upgrade"}}}
    secret = {
        "kind": "Secret",
        "metadata": {"name": "hub"},
        "stringData": {"a": "b"},
        "data": {"c": "ZA=="},
        "status": {},
    }
    role = {"kind": "ClusterRole", "metadata": {"name": "r", "labels": {"a": "b"}}}
    found = expected.of_release(deployed(hook, secret, role), "hub", "binder")
    owner = {"meta.helm.sh/release-name": "hub", "meta.helm.sh/release-namespace": "binder"}
    managed = {"app.kubernetes.io/managed-by": "Helm"}
    assert found == {
        Key("Secret", "hub"): {
            "kind": "Secret",
            "metadata": {"name": "hub", "namespace": "binder", "labels": managed, "annotations": owner},
            "data": {"a": base64.b64encode(b"b").decode(), "c": "ZA=="},
        },
        Key("ClusterRole", "r"): {
            "kind": "ClusterRole",
            "metadata": {"name": "r", "labels": {"a": "b", **managed}, "annotations": owner},
        },
    }


def test_what_a_dry_run_says_is_expected_is_in_the_servers_own_form() -> None:
    tree = {"f:spec": {"f:replicas": {}, "f:paused": {}}}
    applied = made("Deployment", entry("kubectl", {"f:spec": {"f:x": {}}}), entry(expected.MANAGER, tree))
    applied["spec"] = {"replicas": 1, "x": 2}
    assert expected.by_server(applied) == {field("spec", "replicas"): 1, field("spec", "paused"): MISSING}


def test_without_the_server_lists_are_merged_by_the_keys_of_the_object_that_is_there() -> None:
    tree = {"f:spec": {"f:ports": {'k:{"port":80,"protocol":"TCP"}': {".": {}, "f:targetPort": {}}}, "f:rules": {}}}
    there = {"rules": [{"verbs": ["get"], "extra": "default"}]}
    live = made("Service", entry("kubectl-edit", tree), spec={"ports": [{"port": 80, "protocol": "TCP"}], **there})
    spec = {"ports": [{"port": 81, "targetPort": 8080}], "rules": [{"verbs": ["list"]}], "nothing": None, "empty": {}}
    wanted = expected.by_hand({"kind": "Service", "metadata": {"name": "x", "labels": {"a": "b"}}, "spec": spec}, live)
    assert {text(path): value for path, value in wanted.items()} == {
        "metadata.labels[a]": "b",
        "spec.ports[81/TCP].port": 81,
        "spec.ports[81/TCP].targetPort": 8080,
        "spec.rules": [{"verbs": ["list"], "extra": "default"}],
    }


# Looks


RELEASE = {
    "type": "kubernetes:helm.sh/v3:Release",
    "inputs": {"name": "hub", "namespace": "binder", "timeout": 900},
    "outputs": {"status": {"revision": 1}},
}
ACCOUNT = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "tiller", "namespace": "kube-system"}}
CONFIG = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "hub"}, "data": {"a": "b"}}
FORBIDDEN = 'Error from server (Forbidden): configmaps "hub" is forbidden'


def exported(*resources: Any) -> dict[str, Any]:
    return {"deployment": {"resources": list(resources)}}


STATE = exported(RELEASE, {"type": "kubernetes:core/v1:ServiceAccount", "inputs": ACCOUNT})


def helms_record(status: str, number: int = 1) -> dict[str, Any]:
    body = {"info": {"description": "-"}, "manifest": json.dumps(CONFIG)}
    packed = base64.b64encode(base64.b64encode(gzip.compress(json.dumps(body).encode()))).decode()
    return {"metadata": {"labels": {"version": str(number), "status": status}}, "data": {"release": packed}}


class Kubectl:
    """A pretended kubectl: `records` of Helm, `live` objects; refuses what it is told to, by verb and kind."""

    def __init__(self, records: Any = None, refuses: dict[tuple[str, str], str] | None = None) -> None:
        self.kubeconfig = SimpleNamespace(context="minikube")
        self.records = [helms_record("deployed")] if records is None else records
        self.refuses = refuses or {}
        self.live = [made("ConfigMap", data={"a": "b"}), made("ServiceAccount", metadata=ACCOUNT["metadata"])]

    def ask(self, *args: str, stdin: str = "") -> Answer:
        verb = "get" if "get" in args else "apply"
        if not stdin:
            return self.answer(verb, "Record", [{"items": self.records}])
        asked = json.loads(stdin)
        names = [one["kind"] for one in asked.get("items", [asked])]
        found = [one for one in self.live if one["kind"] in names]
        refused = next((kind for kind in names if (verb, kind) in self.refuses), names[0] if names else "")
        return self.answer(verb, refused, found if len(found) < 2 else [{"items": found}])

    def answer(self, verb: str, kind: str, found: list[Any]) -> Answer:
        if (verb, kind) in self.refuses:
            why = self.refuses[verb, kind]
            return Answer(1, "", f"Warning: old\n{why}\n\n" if why else "")
        return Answer(0, "".join(json.dumps(one) for one in found), "")


def seen(kubectl: Kubectl, state: Any = STATE) -> Report:
    return look(state, kubectl)  # type: ignore[arg-type]


def test_nothing_differs() -> None:
    found = seen(Kubectl())
    assert (found.count, list(found.drift), found.unread, found.unasked) == (2, [], {}, [])
    assert (found.release, found.timeout, set(found.own)) == (
        "binder/hub",
        900,
        {Key("ServiceAccount", "tiller", "kube-system")},
    )


def test_what_cannot_be_read_is_named_and_the_rest_is_compared() -> None:
    kubectl = Kubectl(refuses={("get", "ConfigMap"): FORBIDDEN})
    kubectl.live = kubectl.live[:1]
    found = seen(kubectl)
    assert found.unread == {"ConfigMap/hub": FORBIDDEN}
    assert [(str(one.object), one.change) for one in found.drift] == [
        ("ServiceAccount/tiller in kube-system", "deleted")
    ]


def test_without_helms_record_the_rest_is_compared() -> None:
    found = seen(Kubectl(refuses={("get", "Record"): FORBIDDEN}))
    assert (found.count, found.unread) == (1, {"Helm's record of binder/hub": FORBIDDEN})


def test_without_the_right_to_patch_the_comparison_is_our_own() -> None:
    kubectl = Kubectl(refuses={("apply", kind): FORBIDDEN for kind in ("ConfigMap", "ServiceAccount")})
    kubectl.live[0]["data"] = {"a": "c"}
    found = seen(kubectl)
    assert [(one.field, one.masked) for one in found.drift if one.field.startswith("data")] == [("data[a]", True)]
    assert (len(found.unasked), found.stuck) == (2, {})


def test_what_the_server_would_not_put_back_is_told_without_values() -> None:
    why = 'ConfigMap "hub" is invalid: data[0]: Invalid value: "hunter2: x": must be something else'
    kubectl = Kubectl(refuses={("apply", "ConfigMap"): why})
    kubectl.live[0]["data"] = {"a": "c"}
    assert seen(kubectl).stuck == {
        Key("ConfigMap", "hub"): 'ConfigMap "hub" is invalid: data[0]: Invalid value: must be something else'
    }


def test_a_refusal_of_what_does_not_differ_is_no_matter() -> None:
    kubectl = Kubectl(refuses={("apply", "ConfigMap"): "admission webhook does not support dry run"})
    (helms,) = expected.of_release(deployed(CONFIG), "hub", "binder").values()
    kubectl.live[0] |= helms
    found = seen(kubectl)
    assert (list(found.drift), found.stuck) == ([], {})


def test_a_refusal_without_words_has_its_status() -> None:
    found = seen(Kubectl(refuses={("get", "Record"): ""}))
    assert found.unread == {"Helm's record of binder/hub": "kubectl ended with status 1"}


def test_a_release_that_somebody_removed_or_upgraded_with_helm_itself() -> None:
    assert [(str(one.object), one.change) for one in seen(Kubectl([])).drift] == [("Release/hub", "deleted")]
    again = Kubectl([helms_record("superseded"), helms_record("deployed", 2)])
    assert [(one.field, one.expected, one.found) for one in seen(again).drift] == [("revision", 1, 2)]
    # The last `up` has failed: Pulumi knows another revision than the one that is deployed.
    assert not seen(again, exported({**RELEASE, "initErrors": ["x"]})).drift


@pytest.mark.parametrize("statuses", [["deployed", "pending-upgrade"], ["failed"], ["uninstalling"], ["uninstalled"]])
def test_a_release_without_a_good_end_is_refused(statuses: list[str]) -> None:
    records = [helms_record(status, number) for number, status in enumerate(statuses, 1)]
    with pytest.raises(RefusedError, match=f"release binder/hub is {statuses[-1]}(.|\n)*expected: .*recovery"):
        seen(Kubectl(records))


@pytest.mark.parametrize("state", [exported(), exported({**RELEASE, "delete": True}), {"deployment": {}}])
def test_a_stack_without_a_release_is_refused(state: Any) -> None:
    with pytest.raises(RefusedError, match=r"this stack has no release in its state(.|\n)*pulumi up"):
        seen(Kubectl(), state)


# How it reads


FOUND = Report(
    release="binder/hub", context="minikube", timeout=900, count=29, drift=[], own=[Key("Service", "address")],
    unread={}, stuck={}, unasked=[],
)  # fmt: skip
SERVICE = Key("Service", "address")


def told(*drift: Difference, named: str = "", **more: Any) -> str:
    return report.as_text("dev", replace(FOUND, drift=drift, **more), named)


def test_no_drift_is_one_line() -> None:
    assert told() == "No drift in 29 objects: stack dev, release binder/hub, cluster minikube."


def test_one_line_for_each_field_below_its_object() -> None:
    text = told(
        Difference(DEPLOYMENT, "spec.replicas", "changed", 1, 3, by="kubectl", at=TIME),
        Difference(DEPLOYMENT, "metadata.labels[a]", "removed", "x"),
        Difference(DEPLOYMENT, "metadata.labels[b]", "added", None, "y" * 100, by="kubectl"),
        Difference(DEPLOYMENT, "spec.env[A]", "added"),
        Difference(DEPLOYMENT, "spec.env[B].value", "changed", masked=True),
        Difference(DEPLOYMENT, "verbs", "changed", ["a", "b"], ["b", "c"]),
        Difference(DEPLOYMENT, "args", "changed", ["a", "b"], ["b", "a"]),
        Difference(Key("Service", "proxy"), "", "deleted"),
    )
    head, first, second, advice = text.split("\n\n")
    assert head == "8 differences at 2 of 29 objects: stack dev, release binder/hub, cluster minikube."
    assert first.splitlines() == [
        "Deployment/hub",
        "  spec.replicas: 1 -> 3  (kubectl, 2026-11-23 09:12 UTC)",
        '  metadata.labels[a]: "x" -> nothing',
        f'  metadata.labels[b]: nothing -> "{"y" * 79}...  (kubectl)',
        "  spec.env[A]: was added",
        "  spec.env[B].value: differs, not shown",
        '  verbs: has ["c"] too, lacks ["a"]',
        "  args: has another order",
    ]
    assert second.splitlines() == ["Service/proxy", "  was deleted"]
    assert advice.splitlines() == [
        "`pulumi up` alone undoes nothing of this: it compares the program with its own state.",
        "What Helm installed: its next upgrade puts it back. "
        "To have one: `pulumi config set timeout 901`, then `pulumi up`",
        "What was added stays until you take it out: `kubectl -n binder edit KIND/NAME`",
    ]


@pytest.mark.parametrize(
    ("one", "line"),
    [
        (Difference(SERVICE, "", "deleted"), "Service/address: `pulumi up --refresh --stack prod`"),
        (Difference(Key("Release", "hub"), "", "deleted"), "Release/hub: `pulumi up --refresh --stack prod`"),
        (
            Difference(SERVICE, "spec.type", "changed", "a", "b"),
            "Service/address: `PULUMI_K8S_ENABLE_PATCH_FORCE=true pulumi up --refresh --skip-preview --stack prod`",
        ),
        (
            Difference(SERVICE, "subjects", "changed", ["a"], ["a", "b"]),
            "What was added stays until you take it out: `kubectl -n binder edit KIND/NAME`",
        ),
    ],
)
def test_what_to_do_about_what_the_program_makes_itself(one: Difference, line: str) -> None:
    advice = told(one, named="prod").split("\n\n")[-1].splitlines()
    assert advice[1:] == [line]
    assert advice[0].startswith("`pulumi up --stack prod` alone undoes nothing")


@pytest.mark.parametrize(
    "one",
    [
        Difference(DEPLOYMENT, "rules", "changed", ["a"], ["a", "b"]),
        Difference(Key("Release", "hub"), "revision", "changed", 3, 4),
    ],
)
def test_what_the_next_upgrade_puts_back(one: Difference) -> None:
    advice = told(one).split("\n\n")[-1].splitlines()
    assert [line[:20] for line in advice[1:]] == ["What Helm installed:"]


def test_what_must_be_put_right_first() -> None:
    text = told(Difference(DEPLOYMENT, "x", "changed", 1, 2), stuck={DEPLOYMENT: "it is invalid"})
    assert text.splitlines()[-2].startswith("Deployment/hub: put it right by hand before all else.")


def test_the_json_of_the_report() -> None:
    masked = Difference(Key("Secret", "hub"), "data[x]", "changed", masked=True, by="kubectl", at=TIME)
    whole = replace(FOUND, drift=[masked, Difference(DEPLOYMENT, "", "deleted")], unread={"Role/hub": "forbidden"})
    first, second = json.loads(report.as_json("dev", whole))["drift"]
    assert first == {
        "object": "Secret/hub", "field": "data[x]", "change": "changed", "expected": None, "found": None,
        "masked": True, "by": "kubectl", "at": TIME,
    }  # fmt: skip
    assert (second["object"], second["change"], second["by"], second["at"]) == ("Deployment/hub", "deleted", None, None)
    rest = {key: value for key, value in json.loads(report.as_json("dev", whole)).items() if key != "drift"}
    assert rest == {"stack": "dev", "release": "binder/hub", "unread": {"Role/hub": "forbidden"}}


# The command


@pytest.mark.parametrize(
    ("more", "status"),
    [
        ({}, 0),
        ({"drift": [Difference(DEPLOYMENT, "", "deleted")]}, 1),
        ({"drift": [Difference(DEPLOYMENT, "", "deleted")], "unread": {"Role/hub": "forbidden"}}, 2),
    ],
)
def test_the_exit_status(
    more: Any, status: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = SimpleNamespace(export=dict, cluster=dict)
    monkeypatch.setattr(command, "require", lambda _: None)
    monkeypatch.setattr(command, "Pulumi", lambda *_: asked)
    monkeypatch.setattr(command, "look", lambda *_: replace(FOUND, unasked=[DEPLOYMENT], **more))
    assert command.main(["drift", "--stack", "dev"]) == status
    printed = capsys.readouterr()
    assert ("error: cannot read Role/hub: forbidden" in printed.err) is (status == 2)
    assert "note: you may not patch 1 object" in printed.err
    assert printed.out.startswith("1 difference" if status else "No drift")


@pytest.mark.parametrize("missing", ["pulumi", "kubectl"])
def test_a_missing_program_is_named(
    missing: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    for name in {"pulumi", "kubectl"} - {missing}:
        (tmp_path / name).write_text("#!/bin/sh\nexit 1\n")
        (tmp_path / name).chmod(0o755)
    assert command.main(["drift"]) == 2
    assert f"error: there is no {missing} on PATH; nothing was touched" in capsys.readouterr().err


def test_a_stack_that_is_not_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    for name, script in (("kubectl", "exit 1"), ("pulumi", "echo \"error: no stack named 'dve' found\" >&2; exit 255")):
        (tmp_path / name).write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / name).chmod(0o755)
    assert command.main(["drift", "--stack", "dve"]) == 2
    assert capsys.readouterr().err.splitlines() == [
        "error: there is no stack 'dve' here; nothing was touched",
        "      expected: one of those that `pulumi stack ls` shows",
        "      example:  python -m checks drift --stack dev",
    ]


def test_it_is_a_command() -> None:
    got = subprocess.run([sys.executable, "-m", "checks", "drift", "--help"], cwd=ROOT, capture_output=True, text=True)
    assert "exit status: 0 no drift, 1 drift, 2 something could not be looked at" in " ".join(got.stdout.split())

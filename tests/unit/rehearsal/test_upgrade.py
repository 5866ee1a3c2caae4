"""Rehearsals of an upgrade: revisions out of git, what a stack expects of its own cluster, what changed."""

import itertools
import json
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from kube.manifests import OWN_LABELS, ObjectKey
from kube.run import Result
from rehearsal import changes, order, stubs
from rehearsal.cluster import kwok
from rehearsal.errors import CommandError, UsageError
from rehearsal.order import Order, Program
from rehearsal.workspace import StackFile


def git(folder: Path, *args: str) -> None:
    who = ("-c", "user.name=somebody", "-c", "user.email=somebody@example.org")
    subprocess.run(["git", "-C", str(folder), *who, *args], check=True, capture_output=True)


STACK = "config: {binderhub:valuesFile: own.yaml, binderhub:chart: charts/binderhub/, kubernetes:kubeconfig: /a}\n"


@pytest.fixture
def asked(tmp_path: Path) -> Order:
    """An order for an upgrade of a stack with a values file and a chart, of which git knows the chart alone.

    The project lies in a folder of its repository.
    """
    project = tmp_path / "repository" / "hub"
    (project / "charts" / "binderhub").mkdir(parents=True)
    (project / "charts" / "binderhub" / "Chart.yaml").write_text("name: binderhub\n")
    (project / "Pulumi.dev.yaml").write_text(STACK)
    (project / ".gitignore").write_text("own.yaml\n")
    (project / "own.yaml").write_text("a: 1\n")
    git(project.parent, "init", "--initial-branch=main")
    git(project, "add", ".")
    git(project, "commit", "-m", "one")
    (project / "Pulumi.dev.yaml").write_text("config: {binderhub:timeout: 60}\n")
    return Order(stack="dev", revision="HEAD", project=project)


@pytest.mark.parametrize(("chart", "used"), [("", "charts/binderhub/"), ("/", "/")])
def test_a_revision_as_committed_then_the_working_tree(asked: Order, tmp_path: Path, chart: str, used: str) -> None:
    """What git ignores is taken from the working folder; a chart on the command line is that of the revision, too."""
    tree = StackFile({"binderhub:timeout": 60, "binderhub:adoptRelease": True, "binderhub:existingNamespace": True})
    before, after = order.copies(replace(asked, chart=chart), tree, tmp_path)
    assert (len(before.name), before.borrowed, after.name) == (7, ("own.yaml",), "")
    own = str(asked.project / "own.yaml")
    assert before.file.config == {
        "binderhub:valuesFile": own, "binderhub:chart": used, "binderhub:registryPassword": "0" * 64,
    }  # fmt: skip
    assert (before.folder / "Pulumi.dev.yaml").read_text() == STACK
    assert not (before.folder / "own.yaml").exists()
    assert after.file.config == {"binderhub:timeout": 60}
    assert (after.folder / "Pulumi.dev.yaml").read_text() == (asked.project / "Pulumi.dev.yaml").read_text()


@pytest.mark.parametrize("name", ["nowhere", "--all", "HEAD~5"])
def test_a_revision_that_is_not_there(asked: Order, tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match=f"git reads no revision '{name}' in .*: Needed a single revision"):
        order.extract(asked.project, name, tmp_path / "old")


def test_a_folder_without_git(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match=f"git reads no revision 'HEAD' in {tmp_path}: not a git repository"):
        order.extract(tmp_path, "HEAD", tmp_path / "old")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UsageError, match=r"there is no git on PATH\n.*\n      example:  make rehearse STACK=dev"):
        order.extract(tmp_path, "HEAD", tmp_path / "old")


def test_what_a_revision_lacks_is_told(asked: Order, tmp_path: Path) -> None:
    (asked.project / "own.yaml").unlink()
    with pytest.raises(UsageError, match=r"names own.yaml, which is neither in it nor in \S+\n      expected: a file"):
        order.copies(asked, StackFile({}), tmp_path)
    with pytest.raises(UsageError, match=r"no file Pulumi\.prod\.yaml in revision "):
        order.copies(replace(asked, stack="prod"), StackFile({}), tmp_path / "repository")


def test_a_cluster_with_two_contexts(tmp_path: Path) -> None:
    made = {"contexts": [{"name": "kwok", "context": {"cluster": "c", "user": "u"}}], "current-context": "kwok"}
    file = tmp_path / "kubeconfig"
    for asked, names in (([], ["kwok"]), (["prod", "old-prod", "prod"], ["prod", "old-prod"])):
        file.write_text(yaml.safe_dump(made))
        kwok._name_contexts(file, asked)
        found = yaml.safe_load(file.read_text())
        assert found["contexts"] == [{"name": name, "context": {"cluster": "c", "user": "u"}} for name in names]
        assert found["current-context"] == names[0]


# --- what only the real cluster has -------------------------------------------------------------------------------


def test_classes_are_found_in_settings_and_values(tmp_path: Path) -> None:
    values = {
        "jupyterhub": {"ingress": {"ingressClassName": "public"}, "hub": {"db": {"pvc": {"storageClassName": "slow"}}}},
        "list": [{"priorityClassName": "low"}, {"priorityClassName": "system-node-critical"}],
        "no names of classes": [{"storageClass": "-"}, {"storageClass": "STANDARD_IA"}, {"storageClassName": ""}],
    }
    (tmp_path / "own.yaml").write_text(yaml.safe_dump(values))
    file = StackFile({"binderhub:hubStorageClass": "fast", "binderhub:valuesFile": "own.yaml"})
    program = Program("", tmp_path, file, ())
    names = ["IngressClass public", "PriorityClass low", "StorageClass fast", "StorageClass slow"]
    assert [str(one) for one in stubs.classes(stubs.stated(program))] == names
    (tmp_path / "own.yaml").write_text("[")  # which the program will say
    assert [str(one) for one in stubs.classes(stubs.stated(program))] == ["StorageClass fast"]


def test_claims_of_stubs_get_volumes_and_those_of_other_classes_do_not() -> None:
    stock = "self.spec.storageClassName == 'kwok-volume'"
    assert kwok._provisioning(stock, ["slow", "fast"]) == (
        "self.spec.storageClassName in ['kwok-volume', 'fast', 'slow']"
    )


def test_labels_of_nodes() -> None:
    assert stubs.labels("") == {}
    assert stubs.labels("pool=core, disk=ssd,pool=users") == {"pool": ["core", "users"], "disk": ["ssd"]}


@pytest.mark.parametrize(
    ("text", "found"), [("a b=c", "a b=c"), ("pool", "pool"), ("a=1,=b", "=b"), ("a=1,a=2,a=3,a=4", "a=4")]
)
def test_what_is_no_label_is_told(text: str, found: str) -> None:
    with pytest.raises(UsageError, match=f"^--nodes {text}: found '{found}'\n      expected: .*\n      example: "):
        stubs.labels(text)


@pytest.mark.parametrize(
    ("path", "nodes", "example"),
    [
        ("binderhub:coreNodeSelector.disk", {}, "make rehearse NODES=disk=none"),
        ("binderhub:coreNodeSelector.disk", {"disk": ["ssd", "none"]}, ""),
        ("jupyterhub.hub.nodeSelector.example.org/disk", {"disk": ["none"]}, "NODES=example.org/disk=none"),
        ("jupyterhub.hub.labels.disk", {}, ""),
    ],
)
def test_a_failed_stack_with_a_node_selector_says_what_to_do(path: str, nodes: Any, example: str) -> None:
    hint = stubs.hint([(path, "none")], nodes)
    assert hint.endswith(example)
    assert bool(hint) == bool(example)


# --- what changed -------------------------------------------------------------------------------------------------


MOVES_BY_ITSELF = itertools.count()


def item(name: str, namespace: str = "hub", uid: str = "1", **content: Any) -> dict[str, Any]:
    """An object of the API as Helm made it; `name` is `Kind/name`."""
    kind, own = name.split("/")
    moved = str(next(MOVES_BY_ITSELF))
    notes = {"meta.helm.sh/release-name": "hub", "deployment.kubernetes.io/revision": moved}
    about = {"name": own, "uid": uid, "annotations": notes, "resourceVersion": moved, "generation": moved}
    where = {"namespace": namespace} if namespace else {}
    return {"kind": kind, "metadata": {**about, **where}, "status": {"at": moved}, **content}


def workload(name: str, image: str, replicas: int = 1, **more: str) -> dict[str, Any]:
    return item(name, **more, spec={"replicas": replicas, "template": {"image": image}})


@pytest.mark.parametrize(
    ("before", "after", "changed"),
    [
        ([workload("Deployment/a", "1")], [workload("Deployment/a", "2")], ["Deployment/a: pods restart"]),
        ([workload("Deployment/b", "1")], [workload("Deployment/b", "1", 2)], ["Deployment/b: changed"]),
        ([item("Secret/a")], [item("Secret/b")], ["Secret/a: deleted", "Secret/b: new"]),
        ([item("Secret/same")], [item("Secret/same")], []),
        # Another object, although it looks the same.
        ([item("Namespace/hub", "")], [item("Namespace/hub", "", uid="2")], ["Namespace/hub: replaced"]),
        ([workload("Deployment/a", "1")], [workload("Deployment/a", "2", uid="2")], ["Deployment/a: replaced"]),
        # A release that moves to another namespace.
        (
            [item("Secret/a", "old"), item("Secret/a", "third")],
            [item("Secret/a"), item("Secret/a", "third")],
            ["Secret/a: new", "Secret/a in old: deleted"],
        ),
    ],
)
def test_what_a_deployment_changed(
    before: list[dict[str, Any]], after: list[dict[str, Any]], changed: list[str]
) -> None:
    found = changes.between(changes.by_key(before, "hub"), changes.by_key(after, "hub"))
    assert [f"{key}: {what}" for key, what in found.items()] == changed


HELM = {"annotations": {"meta.helm.sh/release-name": "binderhub"}}


@pytest.mark.parametrize(
    ("about", "ours"),
    [
        (HELM, True),
        ({"labels": OWN_LABELS}, True),
        ({}, False),
        ({"labels": {"app.kubernetes.io/managed-by": "Helm"}}, False),
        ({**HELM, "ownerReferences": [{"kind": "Deployment"}]}, False),
        ({"labels": OWN_LABELS, "ownerReferences": [{"kind": "Service"}]}, False),
    ],
)
def test_what_the_stack_made(about: dict[str, Any], ours: bool) -> None:
    found = changes.by_key([{"kind": "Role", "metadata": {"name": "a", "uid": "1", **about}}], "hub")
    assert list(found) == [ObjectKey("Role", "a")] * ours


def step(op: str, types: str, *reasons: str) -> dict[str, Any]:
    return {"op": op, "urn": f"urn:pulumi:dev::binderhub::{types}::tiller", "diffReasons": list(reasons) or None}


def test_what_a_preview_says() -> None:
    steps = [
        step("same", "pulumi:pulumi:Stack"),
        step("create", "b:components:Tiller$kubernetes:core/v1:Service"),
        step("update", "b:components:Tiller$kubernetes:helm.sh/v3:Release", "values", "timeout"),
        *(step(op, "v1:Binding") for op in ("create-replacement", "replace", "delete-replaced")),
    ]
    said = [{"message": "2 of 24 objects change\n"}, {"message": "warning: a thing\n\n  and its second line\n"}]
    touched, messages = changes.announced(Result(0, json.dumps({"steps": steps, "diagnostics": said}), ""))
    assert touched == [
        "create kubernetes:core/v1:Service tiller",
        "update kubernetes:helm.sh/v3:Release tiller (values, timeout)",
        "replace v1:Binding tiller",
    ]
    assert messages == ["2 of 24 objects change", "warning: a thing", "  and its second line"]
    assert changes.announced(Result(0, '{"steps": []}', "")) == ([], [])
    for failed in (Result(1, json.dumps({"diagnostics": said}), "and more"), Result(1, "", "warning: a thing\n")):
        with pytest.raises(CommandError, match="warning: a thing"):
            changes.announced(failed)


def test_the_outputs_and_the_provider_that_ran_are_read_from_the_state() -> None:
    stack = {"type": "pulumi:pulumi:Stack", "outputs": {"release": "binderhub"}}
    random = {"type": "pulumi:providers:random", "inputs": {"version": "4.21.4"}}
    kubernetes = {"type": "pulumi:providers:kubernetes", "inputs": {"version": "4.34.2"}}
    for resources, version in (([stack, random, kubernetes], "4.34.2"), ([stack, random], "")):
        state = json.dumps({"deployment": {"resources": resources}})
        assert changes.deployed(Result(0, state, "")) == ({"release": "binderhub"}, version)

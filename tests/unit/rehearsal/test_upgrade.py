"""Rehearsals of an upgrade: revisions out of git, what a stack expects of its own cluster, what changed."""

import itertools
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from kube.manifests import ObjectKey
from rehearsal import changes, order, revision, stubs
from rehearsal.cluster import kwok
from rehearsal.errors import CommandError, UsageError
from rehearsal.order import Order
from rehearsal.stubs import ClassStub


def git(folder: Path, *args: str) -> None:
    who = ("-c", "user.name=somebody", "-c", "user.email=somebody@example.org")
    subprocess.run(["git", "-C", str(folder), *who, *args], check=True, capture_output=True)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    folder.mkdir()
    git(folder, "init", "--initial-branch=main")
    (folder / "Pulumi.yaml").write_text("name: binderhub\n")
    (folder / "Pulumi.dev.yaml").write_text("encryptionsalt: v1\nconfig: {binderhub:a: b, binderhub:c: {secure: x}}\n")
    git(folder, "add", ".")
    git(folder, "commit", "-m", "one")
    (folder / "Pulumi.dev.yaml").write_text("config: {binderhub:a: changed}\n")
    return folder


# --- revisions ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["HEAD", "main"])
def test_a_revision_is_taken_as_it_was_committed(project: Path, tmp_path: Path, name: str) -> None:
    short = revision.name(project, name)
    assert len(short) >= 7
    file = revision.stack_file(project, short, "dev")
    assert (file.config, file.secrets[0]) == ({"binderhub:a": "b"}, "binderhub:c")
    revision.extract(project, short, tmp_path / "old")
    assert sorted(f.name for f in (tmp_path / "old").iterdir()) == ["Pulumi.dev.yaml", "Pulumi.yaml"]
    assert "changed" not in (tmp_path / "old" / "Pulumi.dev.yaml").read_text()


def test_a_project_in_a_folder_of_a_repository(project: Path, tmp_path: Path) -> None:
    below = project / "hub"
    below.mkdir()
    for file in project.glob("Pulumi*"):
        file.rename(below / file.name)
    git(project, "add", "--all")
    git(project, "commit", "-m", "two")
    assert revision.stack_file(below, "HEAD", "dev").config == {"binderhub:a": "changed"}
    revision.extract(below, "HEAD", tmp_path / "old")
    assert (tmp_path / "old" / "Pulumi.yaml").exists()


@pytest.mark.parametrize("name", ["nowhere", "--all", "HEAD~5"])
def test_a_revision_that_is_not_there(project: Path, name: str) -> None:
    with pytest.raises(UsageError, match=f"git reads no revision '{name}' in .*: Needed a single revision"):
        order.find_earlier(Order(stack="dev", revision=name, project=project))


def test_a_folder_without_git(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match=f"git reads no revision 'HEAD' in {tmp_path}: not a git repository"):
        revision.name(tmp_path, "HEAD")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UsageError, match=r"there is no git on PATH\n.*\n      example:  make rehearse STACK=dev"):
        revision.name(tmp_path, "HEAD")
    assert order.find_earlier(Order(stack="dev", project=tmp_path)) is None, "without a revision git is not asked"


def test_a_revision_that_cannot_be_unpacked_is_a_failed_step(project: Path, tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="revision nowhere cannot be read: "):
        revision.extract(project, "nowhere", tmp_path / "old")


def test_a_revision_without_a_file_of_this_stack(project: Path) -> None:
    (project / "Pulumi.dev.yaml").write_text("[")
    git(project, "commit", "-am", "two")
    for stack, found in (("prod", r"revision HEAD has no Pulumi.prod.yaml"), ("dev", "is not a stack file")):
        with pytest.raises(UsageError, match=found):
            revision.stack_file(project, "HEAD", stack)


STACK = "config: {binderhub:valuesFile: own.yaml, binderhub:chart: charts/binderhub/}\n"


@pytest.fixture
def asked(project: Path) -> Order:
    """An order for an upgrade of a stack with a values file and a chart, of which git knows the chart alone."""
    (project / "charts" / "binderhub").mkdir(parents=True)
    (project / "charts" / "binderhub" / "Chart.yaml").write_text("name: binderhub\n")
    (project / "Pulumi.dev.yaml").write_text(STACK)
    (project / ".gitignore").write_text("own.yaml\n")
    (project / "own.yaml").write_text("a: 1\n")
    git(project, "add", ".")
    git(project, "commit", "-m", "two")
    return Order(stack="dev", revision="HEAD", project=project)


@pytest.mark.parametrize(("chart", "used"), [("", "charts/binderhub/"), ("/elsewhere/b.tgz", "/elsewhere/b.tgz")])
def test_what_git_ignores_is_taken_from_the_working_folder_and_named(asked: Order, chart: str, used: str) -> None:
    """A chart on the command line is that of the revision, too."""
    found = order.find_earlier(replace(asked, chart=chart))
    assert found
    assert (found.borrowed, found.file.config["binderhub:chart"]) == (("own.yaml",), used)
    assert found.name == revision.name(asked.project, "HEAD")


def test_what_is_neither_in_the_revision_nor_in_the_folder_is_told(asked: Order) -> None:
    (asked.project / "own.yaml").unlink()
    with pytest.raises(UsageError, match=r"names own.yaml, which is neither in it nor in \S+\n      expected: a file"):
        order.find_earlier(asked)


def test_a_cluster_with_two_contexts(tmp_path: Path) -> None:
    made = {"contexts": [{"name": "kwok", "context": {"cluster": "c", "user": "u"}}], "current-context": "kwok"}
    (tmp_path / "kubeconfig").write_text(yaml.safe_dump(made))
    kwok._name_contexts(tmp_path / "kubeconfig", "prod", ["old-prod", "prod"])
    found = yaml.safe_load((tmp_path / "kubeconfig").read_text())
    assert [one["name"] for one in found["contexts"]] == ["prod", "old-prod"]
    assert [one["context"] for one in found["contexts"]] == [{"cluster": "c", "user": "u"}] * 2
    assert found["current-context"] == "prod"


# --- what only the real cluster has -------------------------------------------------------------------------------


def test_classes_are_found_in_settings_and_values() -> None:
    values = {
        "jupyterhub": {"ingress": {"ingressClassName": "public"}, "hub": {"db": {"pvc": {"storageClassName": "slow"}}}},
        "list": [{"priorityClassName": "low"}, {"priorityClassName": "system-node-critical"}],
        "no names of classes": [{"storageClass": "-"}, {"storageClass": "STANDARD_IA"}, {"storageClassName": ""}],
    }
    found = stubs.classes({"binderhub:hubStorageClass": "fast"}, values)
    names = ["IngressClass public", "PriorityClass low", "StorageClass fast", "StorageClass slow"]
    assert [str(one) for one in sorted(found)] == names
    assert stubs.classes({}, None) == set()


@pytest.mark.parametrize("kind", ["StorageClass", "IngressClass", "PriorityClass"])
def test_a_stub_is_never_the_default(kind: str) -> None:
    made = stubs.manifest(ClassStub(kind, "fast"))
    assert (made["kind"], made["metadata"]) == (kind, {"name": "fast"})
    assert "globalDefault" not in made


def test_claims_of_stubs_get_volumes_and_those_of_other_classes_do_not() -> None:
    stock = "self.spec.storageClassName == 'kwok-volume'"
    assert kwok._provisioning(stock, ["slow", "fast"]) == (
        "self.spec.storageClassName in ['kwok-volume', 'fast', 'slow']"
    )


def test_labels_of_nodes() -> None:
    assert stubs.labels("pool=core, disk=ssd") == {"pool": ("core",), "disk": ("ssd",)}
    assert stubs.labels("") == {}
    found = stubs.labels("pool=core,disk=ssd,pool=users")
    assert found == {"pool": ("core", "users"), "disk": ("ssd",)}


@pytest.mark.parametrize(
    ("text", "found"),
    [("a b=c", "found 'a b=c'"), ("pool", "found 'pool'"), ("a=1,=b", "found '=b'"), ("a=1,a=2,a=3,a=4", "found 4")],
)
def test_what_is_no_label_is_told(text: str, found: str) -> None:
    with pytest.raises(UsageError) as caught:
        stubs.labels(text)
    lines = str(caught.value).splitlines()
    assert lines[0] == f"--nodes {text}: {found}"
    assert [line.split(":")[0].strip() for line in lines[1:]] == ["expected", "example"]


@pytest.mark.parametrize(
    ("text", "example"),
    [
        ("no node has the labels {'disk': 'none'}", "make rehearse NODES=disk=none"),
        ("no node has the labels {'a/b': 'c', 'd': 'e'}\nno node has the labels {'d': 'f'}", "NODES=a/b=c,d=e,d=f"),
        ("0/3 nodes are available: 3 node(s) didn't match Pod's node affinity/selector.", "NODES=pool=core,disk=ssd"),
        ("0/3 nodes are available: 3 Insufficient memory", ""),
    ],
)
def test_a_failure_for_a_node_selector_says_what_to_do(text: str, example: str) -> None:
    hint = stubs.hint(f"error:\n  {text}\n")
    assert hint.endswith(example)
    assert bool(hint) == bool(example)


def test_a_values_file_that_cannot_be_read_is_the_programs_matter(tmp_path: Path) -> None:
    assert stubs.own_values(tmp_path / "none.yaml") is None
    (tmp_path / "own.yaml").write_text("[")
    assert stubs.own_values(tmp_path / "own.yaml") is None


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


def between(before: list[dict[str, Any]], after: list[dict[str, Any]]) -> list[str]:
    found = changes.between(changes.by_key(before, "hub"), changes.by_key(after, "hub"))
    return [f"{key}: {what}" for key, what in found.items()]


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
    assert between(before, after) == changed


def test_objects_of_one_name_in_two_namespaces_are_two() -> None:
    found = changes.by_key([item("Secret/a"), item("Secret/a", "kube-system"), item("Role/a")], "hub")
    assert sorted(found) == [ObjectKey("Role", "a"), ObjectKey("Secret", "a"), ObjectKey("Secret", "a", "kube-system")]
    assert changes.count(found) == {"Role": 1, "Secret": 2}


PRINTED = """Previewing update (dev):

@ previewing update....
 ~  kubernetes:helm.sh/v3:Release binderhub update [diff: ~values]
 +  kubernetes:core/v1:Service other create
 +  kubernetes:core/v1:Service other create warning: a thing
 -- kubernetes:rbac.authorization.k8s.io/v1:ClusterRoleBinding tiller delete original
 +- kubernetes:rbac.authorization.k8s.io/v1:ClusterRoleBinding tiller replace [diff: ~metadata,roleRef]
 ++ kubernetes:rbac.authorization.k8s.io/v1:ClusterRoleBinding tiller create replacement [diff: ~metadata,roleRef]
 ++ kubernetes:rbac.authorization.k8s.io/v1:ClusterRoleBinding tiller create replacement [diff: ~metadata,roleRef];
    pulumi:pulumi:Stack binderhub-dev running binderhub: 2 of 24 objects change: Secret/a, Secret/b
 ~  pulumi:pulumi:Stack binderhub-dev  1 message
Diagnostics:
  pulumi:pulumi:Stack (binderhub-dev):
    binderhub: 2 of 24 objects change: Secret/a, Secret/b

  kubernetes:core/v1:Service (other):
    warning: a thing
      and its second line

Outputs:
  ~ image_prefix: "a" => "b"
Resources:
    ~ 1 to update
"""


def test_what_a_preview_says() -> None:
    assert changes.resources(PRINTED) == [
        "~  kubernetes:helm.sh/v3:Release binderhub update [diff: ~values]",
        "+  kubernetes:core/v1:Service other create",
        "+- kubernetes:rbac.authorization.k8s.io/v1:ClusterRoleBinding tiller replace [diff: ~metadata,roleRef]",
    ]
    assert changes.diagnostics(PRINTED) == [
        "binderhub: 2 of 24 objects change: Secret/a, Secret/b",
        "warning: a thing",
        "  and its second line",
    ]
    assert changes.diagnostics("Resources:\n    18 unchanged\n") == []

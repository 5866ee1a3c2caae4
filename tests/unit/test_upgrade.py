"""Rehearsals of an upgrade: revisions out of git, what a stack expects of its own cluster, what changed."""

import subprocess
from pathlib import Path
from typing import Any

import pytest

from rehearsal import changes, cluster, pretend, revision
from rehearsal.pretend import Class
from rehearsal.revision import RevisionError


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
    with pytest.raises(RevisionError, match=f"there is no revision '{name}' here\n      expected: a branch"):
        revision.name(project, name)


def test_a_folder_without_git(tmp_path: Path) -> None:
    with pytest.raises(RevisionError, match="is no git repository"):
        revision.name(tmp_path, "HEAD")


def test_a_revision_without_this_stack(project: Path) -> None:
    with pytest.raises(RevisionError, match=r"revision HEAD has no Pulumi.prod.yaml"):
        revision.stack_file(project, "HEAD", "prod")


def test_a_revision_whose_stack_file_is_none(project: Path) -> None:
    (project / "Pulumi.dev.yaml").write_text("[")
    git(project, "commit", "-am", "two")
    with pytest.raises(RevisionError, match="is not a stack file"):
        revision.stack_file(project, "HEAD", "dev")


# --- what only the real cluster has -------------------------------------------------------------------------------


def test_classes_are_found_in_settings_and_values() -> None:
    values = {
        "jupyterhub": {"ingress": {"ingressClassName": "public"}, "hub": {"db": {"pvc": {"storageClassName": "slow"}}}},
        "list": [{"priorityClassName": "low"}, {"priorityClassName": "system-node-critical"}],
        "storageClass": "",
    }
    found = pretend.classes({"binderhub:hubStorageClass": "fast"}, values)
    assert [str(one) for one in sorted(found)] == [
        "IngressClass public",
        "PriorityClass low",
        "StorageClass fast",
        "StorageClass slow",
    ]
    assert pretend.classes({}, None) == set()


@pytest.mark.parametrize("kind", ["StorageClass", "IngressClass", "PriorityClass"])
def test_a_pretended_class_is_never_the_default(kind: str) -> None:
    made = pretend.manifest(Class(kind, "fast"))
    assert (made["kind"], made["metadata"]) == (kind, {"name": "fast"})
    assert "globalDefault" not in made


def test_claims_of_pretended_classes_get_volumes_and_those_of_others_do_not() -> None:
    stock = "self.spec.storageClassName == 'kwok-volume'"
    assert cluster._provisioning(stock, ["slow", "fast"]) == (
        "self.spec.storageClassName in ['kwok-volume', 'fast', 'slow']"
    )


def test_labels_of_nodes() -> None:
    assert pretend.labels("pool=core, disk=ssd") == {"pool": "core", "disk": "ssd"}
    assert pretend.labels("") == {}
    with pytest.raises(pretend.LabelsError, match="--nodes a b=c: "):
        pretend.labels("a b=c")


def test_a_values_file_that_cannot_be_read_is_the_programs_matter(tmp_path: Path) -> None:
    assert pretend.own_values(tmp_path / "none.yaml") is None
    (tmp_path / "own.yaml").write_text("[")
    assert pretend.own_values(tmp_path / "own.yaml") is None


# --- what changed -------------------------------------------------------------------------------------------------


def workload(image: str, replicas: int = 1) -> dict[str, Any]:
    return {"spec": {"replicas": replicas, "template": {"image": image}}}


def test_what_a_deployment_changed() -> None:
    before = {"Deployment/a": workload("1"), "Deployment/b": workload("1"), "Secret/gone": {}, "Secret/same": {}}
    after = {"Deployment/a": workload("2"), "Deployment/b": workload("1", 2), "Secret/new": {}, "Secret/same": {}}
    assert changes.between(before, after) == [
        {"object": "Deployment/a", "what": "pods restart"},
        {"object": "Deployment/b", "what": "changed"},
        {"object": "Secret/gone", "what": "deleted"},
        {"object": "Secret/new", "what": "new"},
    ]


PRINTED = """Previewing update (dev):

@ previewing update....
 ~  kubernetes:helm.sh/v3:Release binderhub update [diff: ~values]
 +  kubernetes:core/v1:Service other create
 +  kubernetes:core/v1:Service other create [diff]
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
        "+  kubernetes:core/v1:Service other create [diff]",
    ]
    assert changes.diagnostics(PRINTED) == [
        "binderhub: 2 of 24 objects change: Secret/a, Secret/b",
        "warning: a thing",
        "  and its second line",
    ]
    assert changes.diagnostics("Resources:\n    18 unchanged\n") == []

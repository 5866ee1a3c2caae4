"""`make rehearse UPGRADE=1`: the committed program first, then the working tree over it."""

import json
import subprocess
from pathlib import Path

import pytest
import yaml

from rehearsal import workspace
from rehearsal.charts import STAND_IN
from rehearsal.cluster import processes
from tests.engine.support import PROJECT, rehearse


def git(folder: Path, *args: str) -> None:
    who = ("-c", "user.name=somebody", "-c", "user.email=somebody@example.org")
    subprocess.run(["git", "-C", str(folder), *who, *args], check=True, capture_output=True)


def change(folder: Path, stack: str, **settings: object) -> None:
    file = folder / f"Pulumi.{stack}.yaml"
    content = yaml.safe_load(file.read_text())
    content["config"] |= {key if ":" in key else f"binderhub:{key}": value for key, value in settings.items()}
    file.write_text(yaml.safe_dump(content))


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A repository with the project as it is now, whose prod stack names what only its own cluster has.

    Its values file is one that git ignores.
    """
    folder = tmp_path / "checkout"
    workspace.copy_project(PROJECT, folder)
    (folder / "own.yaml").write_text("jupyterhub: {ingress: {enabled: true, ingressClassName: public}}\n")
    pools = {"coreNodeSelector": {"pool": "core"}, "userNodeSelector": {"pool": "users"}}
    elsewhere = {"kubernetes:kubeconfig": "/no/such/kubeconfig", "adoptRelease": True, "existingNamespace": True}
    change(folder, "prod", hubStorageClass="fast-ssd", valuesFile="own.yaml", timeout=60, **pools, **elsewhere)
    with (folder / ".gitignore").open("a") as ignored:
        ignored.write("own.yaml\n")
    git(folder, "init", "--initial-branch=main")
    git(folder, "add", ".")
    git(folder, "commit", "-m", "as it is deployed")
    return folder


def test_an_upgrade_of_prod_shows_what_changes(checkout: Path) -> None:
    change(checkout, "prod", **{"imagePrefix": "examplelab/binder-next-", "kubernetes:context": "renamed-cluster"})
    before = (checkout / "Pulumi.prod.yaml").read_text()
    asked = ("--stack", "prod", "--from", "HEAD", "--nodes", "pool=core,pool=users", "--json")
    got = rehearse("run", *asked, folder=checkout)
    assert got.returncode == 0, got.stderr + got.stdout
    outcome = json.loads(got.stdout)
    assert outcome["stubs"] == ["IngressClass public", "StorageClass fast-ssd"]
    assert outcome["changed"] == [
        {"object": "Deployment/binder", "what": "pods restart"},
        {"object": "Secret/binder-secret", "what": "changed"},
        {"object": "Service/binder", "what": "changed"},
    ]
    release, announced = [line for line in outcome["preview"] if "pulumi:providers:" not in line]
    assert release == "update kubernetes:helm.sh/v3:Release binderhub (values)"
    assert announced.endswith("Deployment/binder (pods restart), Secret/binder-secret, Service/binder")
    assert outcome["outputs"]["image_prefix"] == "examplelab/binder-next-"
    assert {"revision_up", "revision_second_preview", "preview", "up"} <= set(outcome["seconds"])
    assert f"{outcome['revision']}: up" in got.stderr
    assert "working tree: second preview, nothing to change" in got.stderr
    assert f"not in {outcome['revision']}, so taken from the working folder: own.yaml" in got.stderr
    assert (checkout / "Pulumi.prod.yaml").read_text() == before


def test_a_failed_step_is_shown_and_can_be_looked_at(checkout: Path) -> None:
    change(checkout, "dev", coreNodeSelector={"disk": "none"})
    got = rehearse("run", "--keep", "--chart", str(STAND_IN), folder=checkout)
    try:
        assert got.returncode == 1
        assert "FAILED  preview" in got.stdout
        assert "its pods cannot be scheduled: no node has the labels {'disk': 'none'}" in got.stdout
        assert "make rehearse NODES=disk=none" in got.stdout
        folder = Path(got.stdout.partition("source ")[2].splitlines()[0]).parent
        assert processes.of_folder(folder)
    finally:
        rehearse("stop", folder=checkout)
    assert not folder.exists()

"""The command itself, as a user or a CI job runs it."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from rehearsal import runs
from rehearsal.charts import STAND_IN
from rehearsal.cluster import processes
from rehearsal.toolchain.cache import cache_folder
from rehearsal.toolchain.layout import Toolchain


def command(*args: str) -> list[str]:
    return [sys.executable, "-m", "rehearsal", *args]


def files_of(folder: Path) -> dict[str, float]:
    return {str(f): f.stat().st_mtime for f in folder.rglob("*") if f.is_file()}


def test_prod_holds_and_touches_nothing_of_the_users(tools: Toolchain, project: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    (home / ".kube").mkdir(parents=True)
    (home / ".kube" / "config").write_text("this must not be read")
    before = files_of(home), (project / "Pulumi.prod.yaml").read_text()
    environment = {
        **os.environ,
        "HOME": str(home),
        "BINDERHUB_REHEARSAL_CACHE": str(cache_folder()),
        "PULUMI_BACKEND_URL": "https://pulumi.invalid",
        "KUBECONFIG": str(home / ".kube" / "config"),
    }
    got = subprocess.run(
        command("run", "--stack", "prod", "--json", "--keep"),
        env=environment,
        cwd=project,
        capture_output=True,
        text=True,
    )
    assert got.returncode == 0, got.stderr
    outcome = json.loads(got.stdout)
    assert set(outcome["seconds"]) == {"toolchain", "cluster", "preview", "up", "second_preview", "total"}
    assert outcome["outputs"]["image_prefix"] == "examplelab/binder-prod-"
    assert outcome["placeholders"] == ["binderhub:registryPassword"]
    assert outcome["objects"]["Deployment"] == 4
    assert outcome["objects"]["Namespace"] == 1
    assert outcome["chart"]["source"] in ("published", "stand-in")
    if outcome["chart"]["source"] == "stand-in":
        assert "STAND-IN CHART, not the real BinderHub chart" in got.stderr
    assert "placeholders stand for: binderhub:registryPassword" in got.stderr
    assert (files_of(home), (project / "Pulumi.prod.yaml").read_text()) == before

    folder = Path(outcome["folder"])
    # What the screen says about looking around must work.
    looked = subprocess.run(
        [
            "bash",
            "-c",
            f"source {folder}/env.sh && kubectl config current-context && kubectl -n binderhub get all && pulumi stack",
        ],
        capture_output=True,
        text=True,
    )
    assert looked.stdout.startswith("prod-cluster\n"), looked.stderr
    assert "deployment.apps/binder" in looked.stdout
    assert "proxy_public_ip" in looked.stdout
    assert processes.of_folder(folder)
    stopped = subprocess.run(command("stop"), env=environment, cwd=project, capture_output=True, text=True)
    assert f"removed {folder.name}" in stopped.stdout
    assert not folder.exists()
    assert not processes.of_folder(folder)


def started(project: Path, until: str) -> tuple[subprocess.Popen[str], Path]:
    """Start a rehearsal and wait until it has printed `until`; return it and its folder."""
    process = subprocess.Popen(command("run"), cwd=project, stdout=subprocess.PIPE, text=True, start_new_session=True)
    assert process.stdout
    for line in process.stdout:
        if until in line:
            break
    (folder,) = runs.runs_folder().glob(f"rehearsal-dev-{process.pid}-????")
    return process, folder


def test_what_a_killed_run_leaves_is_removed_by_the_next(tools: Toolchain, project: Path) -> None:
    process, folder = started(project, "cluster")
    assert processes.of_folder(folder)
    process.kill()
    process.wait()
    assert process.stdout
    process.stdout.close()
    swept = folder.name in runs.sweep()
    limit = time.monotonic() + 30
    while not swept and folder.exists() and time.monotonic() < limit:  # a rehearsal beside this one was first
        time.sleep(0.1)
    assert not folder.exists()
    assert not processes.of_folder(folder)


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_stops_all_that_it_started(tools: Toolchain, project: Path, how: signal.Signals) -> None:
    process, folder = started(project, "cluster")
    time.sleep(1)  # into the preview
    process.send_signal(how)
    out, _ = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "everything that was started is stopped" in out
    assert not processes.of_folder(folder)
    assert not folder.exists()


@pytest.mark.parametrize(
    ("args", "expected"),
    [
        (["--stack", "porduction"], "there is no stack 'porduction'"),
        (["--chart", "no/such/chart.tgz"], "expected: a chart (.tgz or folder); nothing exists at "),
    ],
)
def test_bad_input_is_refused_before_anything_starts(project: Path, args: list[str], expected: str) -> None:
    got = subprocess.run(command("run", *args), cwd=project, capture_output=True, text=True)
    assert got.returncode == 2
    assert expected in got.stdout
    assert "Traceback" not in got.stdout + got.stderr


def test_a_failed_step_is_shown_and_can_be_looked_at(tools: Toolchain, project: Path, tmp_path: Path) -> None:
    chart = tmp_path / "binderhub"
    shutil.copytree(STAND_IN, chart)
    (chart / "templates" / "bad.yaml").write_text('{{ fail "the chart says no" }}\n')
    got = subprocess.run(command("run", "--chart", str(chart), "--keep"), cwd=project, capture_output=True, text=True)
    try:
        assert got.returncode == 1
        assert "FAILED  preview" in got.stdout
        assert "the chart says no" in got.stdout
        folder = Path(got.stdout.partition("source ")[2].splitlines()[0]).parent
        assert processes.of_folder(folder)
    finally:
        subprocess.run(command("stop"), cwd=project, check=True)
    assert not folder.exists()

"""The command itself, as a user or a CI job runs it."""

import importlib.metadata
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from kube.run import run
from rehearsal import runs
from rehearsal.cluster import processes
from rehearsal.toolchain.cache import cache_folder
from tests.engine.support import PROJECT, rehearse


def files_of(folder: Path) -> dict[str, float]:
    return {str(f): f.stat().st_mtime for f in folder.rglob("*") if f.is_file()}


def cache_with_a_blank(folder: Path) -> Path:
    """Make a cache that has all programs of the usual one, in a folder with a blank in its name."""
    made = folder / "a cache"
    made.mkdir()
    for entry in cache_folder().iterdir():
        if entry.is_dir() and entry.name not in ("runs", "go") and not entry.name.startswith("tmp-"):
            (made / entry.name).symlink_to(entry)
    return made


def test_prod_holds_and_touches_nothing_of_the_users(tmp_path: Path) -> None:
    home = tmp_path / "home"
    (home / ".kube").mkdir(parents=True)
    (home / ".kube" / "config").write_text("this must not be read")
    before = files_of(home), (PROJECT / "Pulumi.prod.yaml").read_text()
    environment = {
        "HOME": str(home),
        "BINDERHUB_REHEARSAL_CACHE": str(cache_with_a_blank(tmp_path)),
        "PULUMI_BACKEND_URL": "https://pulumi.invalid",
        "KUBECONFIG": str(home / ".kube" / "config"),
    }
    got = rehearse("run", "--stack", "prod", "--json", "--keep", **environment)
    assert got.returncode == 0, got.stderr
    outcome = json.loads(got.stdout)
    assert set(outcome["seconds"]) == {"toolchain", "cluster", "preview", "up", "second_preview", "total"}
    assert outcome["outputs"]["image_prefix"] == "examplelab/binder-prod-"
    assert outcome["placeholders"] == ["binderhub:registryPassword"]
    assert outcome["objects"]["Deployment"] == 4
    assert outcome["objects"]["Namespace"] == 1
    assert outcome["provider"] == importlib.metadata.version("pulumi-kubernetes")
    assert outcome["chart"]["source"] in ("published", "stand-in")
    if outcome["chart"]["source"] == "stand-in":
        assert "STAND-IN CHART, not the real BinderHub chart" in got.stderr
    assert "placeholders stand for your secrets, which a rehearsal neither reads nor needs" in got.stderr
    assert "try dev                 make rehearse STACK=dev" in got.stderr
    assert (files_of(home), (PROJECT / "Pulumi.prod.yaml").read_text()) == before

    folder = Path(outcome["folder"])
    # What the screen says about looking around must work.
    typed = [line.strip() for line in got.stderr.splitlines() if line.startswith(("  source", "  kubectl", "  pulumi"))]
    assert len(typed) == 3
    typed.insert(1, "kubectl config current-context")
    looked = run(["bash", "-c", " && ".join(typed)], folder=tmp_path)
    assert looked.out.startswith("prod-cluster\n"), looked.err
    assert "deployment.apps/binder" in looked.out
    assert "proxy_public_ip" in looked.out
    running = [psutil.Process(int(file.read_text())) for file in folder.glob("home/.kwok/clusters/*/pids/*.pid")]
    assert len(running) == 5
    assert all(process.is_running() for process in running)
    # In that window, whose surroundings name the cache; the home there is the user's.
    stop = f"{typed[0]} && cd {PROJECT} && {sys.executable} -m rehearsal stop --run {folder.name}"
    stopped = run(["bash", "-c", stop], environment={"HOME": str(home), "PATH": os.environ["PATH"]})
    assert stopped.out == f"removed {folder.name}: the kept cluster of stack prod, {PROJECT}\n"
    assert not folder.exists()
    # Where nobody waits for them, as in some containers, they stay zombies.
    assert not any(process.is_running() and process.status() != psutil.STATUS_ZOMBIE for process in running)


def started() -> tuple[subprocess.Popen[str], Path]:
    """Start a rehearsal and wait until its cluster runs; return it and its folder."""
    command = [sys.executable, "-m", "rehearsal", "run"]
    process = subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.PIPE, text=True, start_new_session=True)
    assert process.stdout
    assert any("cluster" in line for line in process.stdout)
    (folder,) = runs.runs_folder().glob(f"rehearsal-dev-{process.pid}-????")
    return process, folder


def test_what_a_killed_run_leaves_is_removed_by_the_next() -> None:
    process, folder = started()
    assert processes.of_folder(folder)
    process.kill()
    process.wait()
    assert process.stdout
    process.stdout.close()
    swept = any(folder.name in said for said in runs.sweep())
    limit = time.monotonic() + 30
    while not swept and folder.exists() and time.monotonic() < limit:  # a rehearsal beside this one was first
        time.sleep(0.1)
    assert not folder.exists()
    assert not processes.of_folder(folder)


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_stops_all_that_it_started(how: signal.Signals) -> None:
    process, folder = started()
    time.sleep(1)  # into the preview
    process.send_signal(how)
    out, _ = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "everything that was started is stopped" in out
    assert not processes.of_folder(folder)
    assert not folder.exists()


def test_bad_input_is_refused_before_anything_starts() -> None:
    got = rehearse("run", "--stack", "porduction")
    assert (got.returncode, got.stderr) == (2, "")
    assert got.stdout.startswith("error: there is no stack 'porduction'")

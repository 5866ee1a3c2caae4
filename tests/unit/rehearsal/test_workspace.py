"""The rehearsal around the engine: stripped stack files, sealed surroundings, and what is ended."""

import contextlib
import importlib.metadata
import os
import re
import socket
import subprocess
import sys
import time
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from config import chart
from config.settings import SettingsError
from rehearsal import charts, order, workspace
from rehearsal.cluster import kwok, processes
from rehearsal.errors import UsageError
from rehearsal.order import Order
from rehearsal.toolchain import cache
from rehearsal.toolchain.layout import Toolchain
from rehearsal.workspace import StackFile, Workspace
from tests.unit.conftest import ROOT
from tests.unit.rehearsal.test_upgrade import git

PASSWORD = "binderhub:registryPassword"
STAND_IN = ROOT / "tests" / "charts" / "binderhub"

# --- stack files --------------------------------------------------------------------------------------------------


ZEROS = "0" * 64


@pytest.mark.parametrize(
    ("text", "config", "secrets"),
    [
        ("", {}, []),
        ("encryptionsalt: x\nsecretsprovider: z\nconfig: {a:b: c}", {"a:b": "c"}, []),
        ("config: {a:s: {secure: v1:x}, a:b: 1}", {"a:s": ZEROS, "a:b": 1}, ["a:s"]),
        (
            "config: {a:m: {k: {secure: y}, l: [1, {secure: z}]}}",
            {"a:m": {"k": ZEROS, "l": [1, ZEROS]}},
            ["a:m.k", "a:m.l[1]"],
        ),
        ("config: {a:m: {secure: plain, other: 1}}", {"a:m": {"secure": "plain", "other": 1}}, []),
        ('config: {"p:a": {"b.c": {"d": {secure: y}}}}', {"p:a": {"b.c": {"d": ZEROS}}}, ['p:a["b.c"].d']),
    ],
)
def test_strip(text: str, config: dict[str, Any], secrets: list[str]) -> None:
    """The password, which every stack must have, is a placeholder, too."""
    assert workspace.strip(text) == StackFile({**config, PASSWORD: ZEROS}, (*secrets, PASSWORD))


def test_a_password_in_clear_stays_for_the_program_to_refuse() -> None:
    assert workspace.strip(f"config: {{{PASSWORD}: clear}}") == StackFile({PASSWORD: "clear"})


# --- the copy and its surroundings --------------------------------------------------------------------------------


def tree(folder: Path) -> set[str]:
    return {str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file()}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    files = ("Pulumi.yaml", "components/a.py", "new.py", ".venv/lib.py", "components/__pycache__/a.pyc", "secret.env")
    for name in files:
        (tmp_path / "project" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "project" / name).write_text(name)
    return tmp_path / "project"


def test_copy_of_a_repository(project: Path, tmp_path: Path) -> None:
    (project / ".gitignore").write_text(".venv/\n__pycache__/\n*.env\n")
    (project / "gone.py").write_text("")
    (project / "blank name.py").write_text("")
    git(project, "init", "-q")
    git(project, "add", "Pulumi.yaml", "components", "gone.py", ".gitignore")
    (project / "gone.py").unlink()
    workspace.copy_project(project, tmp_path / "copy")
    assert tree(tmp_path / "copy") == {".gitignore", "Pulumi.yaml", "components/a.py", "new.py", "blank name.py"}


@pytest.mark.parametrize("variable", ["GIT_CEILING_DIRECTORIES", "PATH"])
def test_copy_without_a_repository_or_without_git(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    monkeypatch.setenv(variable, str(tmp_path))
    workspace.copy_project(project, tmp_path / "copy")
    assert tree(tmp_path / "copy") == {"Pulumi.yaml", "components/a.py", "new.py", "secret.env"}


@pytest.fixture
def tools(tmp_path: Path) -> Toolchain:
    for name in ("bin", "plugins"):
        (tmp_path / "programs" / name).mkdir(parents=True)
    return Toolchain(tmp_path / "programs" / "bin", tmp_path / "programs" / "plugins", tmp_path / "stages")


def test_seal_lets_nothing_through_but_the_proxy(
    tools: Toolchain, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    leaks = ("KUBECONFIG", "PULUMI_ACCESS_TOKEN", "PULUMI_CONFIG_PASSPHRASE", "AWS_SECRET_ACCESS_KEY", "PYTHONPATH")
    for name in (*leaks, "HOME", "PATH"):
        monkeypatch.setenv(name, "/of-the-user")
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example")
    base = tmp_path / "run"
    got = workspace.seal(tools, base, base / "kubeconfig")
    assert "/of-the-user" not in str(got)
    assert got["HTTPS_PROXY"] == "http://proxy.example"
    inside = {name: got[name] for name in ("HOME", "KUBECONFIG", "PULUMI_HOME")}
    assert inside == {"HOME": f"{base}/home", "KUBECONFIG": f"{base}/kubeconfig", "PULUMI_HOME": f"{base}/pulumi-home"}
    assert got["PULUMI_BACKEND_URL"] == f"file://{base}/state"
    assert got["PATH"].split(os.pathsep)[0] == str(tools.bin)
    assert (base / "pulumi-home" / "plugins").resolve() == tools.plugins
    passed_on = {k.upper() for k in set(os.environ) & set(got) if got[k] == os.environ[k]}
    assert passed_on <= {"HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "SSL_CERT_FILE", "TMPDIR", "LANG"}
    assert workspace.seal(tools, base, base / "kubeconfig") == got, "sealing twice changes nothing"


# --- what a person gets -------------------------------------------------------------------------------------------

SAY = '#!/bin/sh\necho "${0##*/} HOME=$HOME KUBECONFIG=$KUBECONFIG" "$@"\n'


def test_a_shell_leads_to_the_run_and_only_pulumi_gets_its_home(
    tools: Toolchain, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(cache.CACHE_VARIABLE, str(tmp_path / "cache"))  # of the rehearsal; another shell may have none
    for folder, name in ((tools.bin, "pulumi"), (tools.bin, "kubectl"), (tmp_path, "other")):
        (folder / name).write_text(SAY)
        (folder / name).chmod(0o755)
    base = tmp_path / "it's a run"
    space = Workspace(base / "project", base, workspace.seal(tools, base, base / "kubeconfig"))
    (tmp_path / "env.sh").write_text(space.shell())
    typed = f". {tmp_path}/env.sh; pulumi stack; kubectl get all; other; pwd; echo $BINDERHUB_REHEARSAL_CACHE; env"
    mine = {"HOME": "/of-the-user", "PATH": f"{tmp_path}:/usr/bin:/bin"}
    got = subprocess.run(["sh", "-c", typed], env=mine, cwd=tmp_path, capture_output=True, text=True, check=True)
    lines = got.stdout.splitlines()
    assert lines[:5] == [
        f"pulumi HOME={base}/home KUBECONFIG={base}/kubeconfig -C {base}/project stack",
        f"kubectl HOME=/of-the-user KUBECONFIG={base}/kubeconfig get all",
        f"other HOME=/of-the-user KUBECONFIG={base}/kubeconfig",
        str(tmp_path),
        str(tmp_path / "cache"),
    ]
    changed = {line.partition("=")[0] for line in lines[5:] if line.partition("=")[2] != mine.get(line.split("=")[0])}
    beside = {name for name in changed if not name.startswith("PULUMI_")} - {"PWD", "OLDPWD", "SHLVL", "_"}
    assert beside == {"KUBECONFIG", "PATH", cache.CACHE_VARIABLE}
    assert f"PATH={tools.bin}:{mine['PATH']}" in lines


@pytest.fixture
def environments(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], None]:
    """Make an environment with pulumi-kubernetes in a version; none is active."""
    for name in ("VIRTUAL_ENV", "CONDA_PREFIX"):
        monkeypatch.delenv(name, raising=False)

    def make(folder: str, version: str) -> None:
        about = tmp_path / folder / "lib" / "python3.13" / "site-packages" / f"pulumi_kubernetes-{version}.dist-info"
        about.mkdir(parents=True)
        (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: pulumi_kubernetes\nVersion: {version}\n")

    return make


@pytest.mark.parametrize("active", ["", "VIRTUAL_ENV", "CONDA_PREFIX"])
def test_other_packages_in_the_users_environment_are_told(
    environments: Callable[[str, str], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, active: str
) -> None:
    ours = importlib.metadata.version("pulumi-kubernetes")
    assert workspace.differences(tmp_path) == []
    environments("own", ours)
    environments(".venv", "4.999.0")
    (tmp_path / "empty").mkdir()
    told = f"rehearsed with pulumi-kubernetes {ours}; your environment has 4.999.0 ({tmp_path}/.venv)"
    assert workspace.differences(tmp_path) == [told]
    if active:
        monkeypatch.setenv(active, str(tmp_path / "empty"))  # of something else
        assert workspace.differences(tmp_path) == [told]
        monkeypatch.setenv(active, str(tmp_path / "own"))
        assert workspace.differences(tmp_path) == []


def test_every_pulumi_package_is_compared() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    needed = [re.split("[<>=]", one)[0] for one in project["dependencies"]]
    assert {name for name in needed if name.startswith("pulumi")} == set(workspace.PACKAGES)


# --- processes ----------------------------------------------------------------------------------------------------


SLEEP = "import time; time.sleep(60)"
# Leaves its group, and its command line names no folder; tells its number when it has.
HOST = "import os, sys, time; os.setpgid(0, 0); open(sys.argv[1], 'w').write(str(os.getpid())); time.sleep(60)"


def wait_for(condition: Callable[[], object]) -> None:
    limit = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < limit, "waited in vain"
        time.sleep(0.02)


def test_only_the_runs_own_processes_are_ended_with_their_sessions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(cache.CACHE_VARIABLE, str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))  # `ps` in particular is not on it
    (tmp_path / "shell").symlink_to("/bin/sh")
    (tmp_path / "program").symlink_to(sys.executable)
    run = tmp_path / "runs" / "a"
    engine = [tmp_path / "shell", "-c", f'{sys.executable} -c "$1" {tmp_path}/id & wait', f"{run}/project", HOST]
    commands = [
        [tmp_path / "program", "-c", SLEEP, f"--data={run}/etcd"],
        [sys.executable, "-c", SLEEP, f"{run}/log"],  # a user who reads a log
        [tmp_path / "program", "-c", SLEEP, f"--data={run}b/etcd"],  # another run
        [tmp_path / "program", "-c", SLEEP],  # a program without a folder
    ]
    started = [subprocess.Popen(engine, start_new_session=True), *map(subprocess.Popen, commands)]
    try:
        wait_for(
            lambda: len(processes.of_folder(run)) == 2 and (tmp_path / "id").exists() and (tmp_path / "id").read_text()
        )
        host = psutil.Process(int((tmp_path / "id").read_text()))
        assert {process.pid for process in processes.of_folder(run)} == {process.pid for process in started[:2]}
        processes.end(run)
        assert processes.of_folder(run) == []
        assert [process.wait(5) for process in started[:2]] == [-9, -9]
        wait_for(lambda: not host.is_running() or host.status() == psutil.STATUS_ZOMBIE)
        assert [process.poll() for process in started[2:]] == [None] * 3
    finally:
        for process in started:
            process.kill()
            process.wait()


# --- what is known before a rehearsal -----------------------------------------------------------------------------


@pytest.fixture
def stack(tmp_path: Path) -> Any:
    """Write a project's stack file; return the order to rehearse it."""

    def write(text: str, name: str = "dev", **order: str) -> Order:
        (tmp_path / f"Pulumi.{name}.yaml").write_text(text)
        return Order(stack=name, project=tmp_path, **order)

    return write


GOOD = "config: {binderhub:imagePrefix: acme/binder-, binderhub:registryUsername: acme, binderhub:timeout: 60}"


def test_check_gives_what_the_program_will_read(stack: Any) -> None:
    nested = ", binderhub:secretValues: {service.labels.a: {secure: x}}}"
    file, settings = order.check(stack(GOOD.replace("}", nested)))
    assert file.secrets == ('binderhub:secretValues["service.labels.a"]', PASSWORD)
    assert (settings.timeout, settings.image_prefix) == (60, "acme/binder-")
    assert settings.registry.password.reveal() == "0" * 64


def test_the_example_stacks_pass_the_check() -> None:
    assert [order.check(Order(stack=name))[1].stack for name in ("dev", "prod")] == ["dev", "prod"]


def test_unknown_stack(stack: Any, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"none yet; write Pulumi\.dev\.yaml"):
        order.check(Order(stack="beta", project=tmp_path))
    stack(GOOD, "alpha")
    with pytest.raises(UsageError, match=r"'beta'.*\n.*one of alpha\n.*STACK=alpha"):
        order.check(Order(stack="beta", project=tmp_path))


@pytest.mark.parametrize("text", ["- a", "config: text", "config: [", "\x00"])
def test_not_a_stack_file(stack: Any, text: str) -> None:
    with pytest.raises(UsageError, match=r"^Pulumi.dev.yaml in \S+ is not a stack file: \S"):
        order.check(stack(text))


def test_check_refuses_what_the_program_refuses(stack: Any) -> None:
    with pytest.raises(SettingsError, match=rf"binderhub:chart: .*\n.*nothing exists at {Path.cwd()}/no/such.tgz"):
        order.check(stack(GOOD, chart="no/such.tgz"))
    with pytest.raises(SettingsError, match="binderhub:imagePrefix: missing"):
        order.check(stack("config: {}"))


def test_a_chart_on_the_command_line_wins(stack: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(STAND_IN.parent)  # it is meant from where the user stands
    given = stack(GOOD.replace("}", ", binderhub:chart: nowhere, binderhub:chartVersion: '9'}"), chart="binderhub")
    file, settings = order.check(given)
    assert file.config["binderhub:chart"] == str(STAND_IN)
    assert "binderhub:chartVersion" not in file.config
    assert settings.chart.repository == ""


LOCAL, PIN = chart.local(str(STAND_IN), ROOT), chart.published()
ON_DISK, PUBLISHED = (StackFile(config) for config in ({"binderhub:chart": "chart"}, {"binderhub:chart": ""}))


@pytest.mark.parametrize(
    ("wanted", "files", "problem", "source"),
    [
        (LOCAL, [ON_DISK], "nobody asks", "path"),
        (PIN, [PUBLISHED], "", "published"),
        # One chart that cannot be had is the stand-in for both programs.
        (LOCAL, [ON_DISK, PUBLISHED], "ConnectTimeout", "stand-in"),
        (PIN, [PUBLISHED, ON_DISK], "ConnectTimeout", "stand-in"),
        (LOCAL, [ON_DISK, PUBLISHED], "", "path"),
    ],
)
def test_choose_chart(wanted: chart.Chart, files: list[StackFile], problem: str, source: str) -> None:
    is_stand_in = source == "stand-in"
    choice = {"source": source, "version": LOCAL.version if is_stand_in else wanted.version}
    assert charts.choose_chart(wanted, files, lambda: problem) == (choice, problem if is_stand_in else "")


def test_free_ports_are_free_and_different() -> None:
    ports = kwok.free_ports(6)
    assert len(set(ports)) == 6
    with contextlib.ExitStack() as held:
        taken = [held.enter_context(socket.create_server(("127.0.0.1", port))) for port in ports]
        assert len(taken) == 6
        assert not set(kwok.free_ports(50)) & set(ports)

"""The rehearsal around the engine: stripped stack files, sealed surroundings, folders of runs, and what is ended."""

import contextlib
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import ROOT
from filelock import FileLock

from components import chart, labels
from components.settings import SettingsError
from rehearsal import changes, cluster, order, processes, rehearse, runs, sources, workspace
from rehearsal.order import Order, UsageError
from rehearsal.rehearse import Outcome
from rehearsal.sources import ChosenChart
from rehearsal.toolchain import Toolchain
from rehearsal.workspace import StackFile

PASSWORD = "binderhub:registryPassword"
STAND_IN = ROOT / "tests" / "charts" / "binderhub"

# --- stack files --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "config", "secrets", "filled"),
    [
        ("", {}, [PASSWORD], [PASSWORD]),
        ("config:", {}, [PASSWORD], [PASSWORD]),
        ("encryptionsalt: x\nsecretsprovider: z\nconfig: {a:b: c}", {"a:b": "c"}, [PASSWORD], [PASSWORD]),
        (f"config: {{{PASSWORD}: {{secure: v1:x}}, a:b: 1}}", {"a:b": 1}, [PASSWORD], []),
        (f"config: {{{PASSWORD}: clear}}", {PASSWORD: "clear"}, [], []),
        (
            f"config: {{{PASSWORD}: {{secure: x}}, a:m: {{k: {{secure: y}}, l: 2, d: {{e: {{secure: z}}}}}}}}",
            {"a:m": {"l": 2, "d": {}}},
            [PASSWORD, "a:m.k", "a:m.d.e"],
            [],
        ),
        (
            f"config: {{{PASSWORD}: {{secure: x}}, a:l: [1, {{secure: y}}, {{k: {{secure: z}}}}]}}",
            {"a:l": [1, "", {}]},
            [PASSWORD, "a:l[1]", "a:l[2].k"],
            [],
        ),
        (
            f"config: {{{PASSWORD}: {{secure: x}}, a:m: {{secure: plain, other: 1}}}}",
            {"a:m": {"secure": "plain", "other": 1}},
            [PASSWORD],
            [],
        ),
    ],
)  # fmt: skip
def test_strip(text: str, config: dict[str, Any], secrets: list[str], filled: list[str]) -> None:
    assert workspace.strip(text) == StackFile(config, tuple(secrets), tuple(filled))


@pytest.mark.parametrize("text", ["- a", "text", "config: text", "config: [1]"])
def test_strip_refuses_what_is_no_stack_file(text: str) -> None:
    with pytest.raises(ValueError, match="a stack file is a map with the key `config`"):
        workspace.strip(text)


def test_as_engine() -> None:
    given = {"a": "text", "b": True, "c": 900, "d": {"x": 1}, "e": ["y"]}
    assert workspace.as_engine(given) == {"a": "text", "b": "true", "c": "900", "d": '{"x": 1}', "e": '["y"]'}


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


def git(folder: Path, *words: str) -> None:
    subprocess.run(["git", "-C", str(folder), *words], check=True, capture_output=True)


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
        monkeypatch.setenv(name, "/of-the-person")
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example")
    before = set(os.environ)
    base = tmp_path / "run"
    got = workspace.seal(tools, base, base / "kubeconfig")
    assert "/of-the-person" not in str(got)
    assert got["HTTPS_PROXY"] == "http://proxy.example"
    inside = {name: got[name] for name in ("HOME", "KUBECONFIG", "PULUMI_HOME")}
    assert inside == {"HOME": f"{base}/home", "KUBECONFIG": f"{base}/kubeconfig", "PULUMI_HOME": f"{base}/pulumi-home"}
    assert got["PULUMI_BACKEND_URL"] == f"file://{base}/state"
    assert got["PATH"].split(os.pathsep)[0] == str(tools.bin)
    assert (base / "pulumi-home" / "plugins").resolve() == tools.plugins
    passed_on = {k for k in before & set(got) if got[k] == os.environ[k]}
    proxies = {
        name.format("PROXY", "proxy") for name in ("HTTP_{0}", "HTTPS_{0}", "NO_{0}", "http_{1}", "https_{1}", "no_{1}")
    }
    assert passed_on <= {*proxies, "SSL_CERT_FILE", "TMPDIR", "LANG"}
    assert workspace.seal(tools, base, base / "kubeconfig") == got, "sealing twice changes nothing"


# --- processes ----------------------------------------------------------------------------------------------------


@pytest.fixture
def sleeper(tools: Toolchain) -> Iterator[Any]:
    """Start a program that sleeps, with some words on its command line."""
    program = tools.bin / "sleeper"
    program.write_text(f"#!{sys.executable}\nimport time\ntime.sleep(60)\n")
    program.chmod(0o755)
    started = []

    def start(*words: str) -> subprocess.Popen[bytes]:
        started.append(subprocess.Popen(words))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.wait()


def test_only_the_runs_own_processes_are_ended(tools: Toolchain, tmp_path: Path, sleeper: Any) -> None:
    run, other = tmp_path / "runs" / "a", tmp_path / "runs" / "ab"
    sleep = [sys.executable, "-c", "import time; time.sleep(60)"]
    own = sleeper(str(tools.bin / "sleeper"), f"--data={run}/etcd")
    script = tmp_path / "runs" / "a" / "script"
    script.parent.mkdir(parents=True)
    script.write_text((tools.bin / "sleeper").read_text())
    below = sleeper(sys.executable, str(script), f"{run}/log")
    strangers = [
        sleeper(*sleep, f"{run}/log"),  # a person who reads a log
        sleeper(str(tools.bin / "sleeper"), f"--data={other}/etcd"),  # another run
        sleeper(str(tools.bin / "sleeper")),  # a program without a folder
    ]
    deadline = time.monotonic() + 5
    while len(processes.of_folder(run, tools.bin)) < 2 and time.monotonic() < deadline:
        time.sleep(0.01)
    assert set(processes.of_folder(run, tools.bin)) == {own.pid, below.pid}
    processes.end(run, tools.bin)
    assert processes.of_folder(run, tools.bin) == {}
    assert [own.wait(5), below.wait(5)] == [-15, -15]
    assert [stranger.poll() for stranger in strangers] == [None] * 3


def test_a_process_that_ignores_the_gentle_way_is_killed(
    tools: Toolchain, tmp_path: Path, sleeper: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes, "_PATIENCE", 0.3)
    (tools.bin / "stubborn").write_text('trap "" TERM\n: > "$1"\nwhile :; do sleep 0.05; done\n')
    (tmp_path / "a").mkdir()
    ready = tmp_path / "a" / "ready"
    stubborn = sleeper("/bin/sh", str(tools.bin / "stubborn"), str(ready))
    while not ready.exists():
        time.sleep(0.01)
    processes.end(tmp_path / "a", tools.bin)
    assert stubborn.wait(5) == -9


def test_the_sessions_of_a_run_are_known_by_their_leaders(tools: Toolchain, tmp_path: Path, sleeper: Any) -> None:
    """What an engine starts may have another group, and a command line without the folder."""
    ready = tmp_path / "a" / "ready"
    ready.parent.mkdir()
    host = f"import os, time; os.setpgid(0, 0); open({str(ready)!r}, 'w').write(str(os.getpid())); time.sleep(60)"
    (tools.bin / "engine").write_text(f'{sys.executable} -c "$2" &\nwait\n')
    command = ["/bin/sh", str(tools.bin / "engine"), f"{tmp_path}/a/project", host]
    with subprocess.Popen(command, start_new_session=True) as engine:
        below = sleeper(str(tools.bin / "sleeper"), f"--data={tmp_path}/a/etcd")
        while not (ready.exists() and ready.read_text()):
            time.sleep(0.01)
        assert processes.sessions(tmp_path / "a", tools.bin) == {engine.pid}
        processes.end_session(engine.pid)
    assert below.poll() is None, "it is of our own session"
    time.sleep(0.1)
    assert not is_running(int(ready.read_text()))


def is_running(pid: int) -> bool:
    """Tell whether a process runs; one that has ended and that nobody asked about yet does not."""
    with subprocess.Popen(["ps", "-o", "stat=", "-p", str(pid)], stdout=subprocess.PIPE, text=True) as ps:
        return ps.stdout.read().strip()[:1] not in ("", "Z")


def test_an_interrupted_program_takes_along_what_left_its_group(
    tools: Toolchain, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ready = tmp_path / "ready"
    below = f"import os, time; os.setpgid(0, 0); open({str(ready)!r}, 'w').write(str(os.getpid())); time.sleep(60)"
    (tools.bin / "engine").write_text(f'#!/bin/sh\n{sys.executable} -c "$1" &\nwait\n')
    (tools.bin / "engine").chmod(0o755)
    communicate = subprocess.Popen.communicate

    def interrupted(process: subprocess.Popen[str], *args: Any, **more: Any) -> Any:
        if not str(process.args[0]).endswith("engine"):
            return communicate(process, *args, **more)
        while not (ready.exists() and ready.read_text()):
            time.sleep(0.01)
        raise KeyboardInterrupt

    monkeypatch.setattr(subprocess.Popen, "communicate", interrupted)
    space = workspace.Workspace(tmp_path, tmp_path, {"PATH": f"{tools.bin}:/usr/bin:/bin"})
    with pytest.raises(KeyboardInterrupt):
        space.run("engine", below)
    time.sleep(0.1)
    assert not is_running(int(ready.read_text()))


# --- runs ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the clusters that were stopped; none is real."""
    names: list[str] = []
    monkeypatch.setenv("BINDERHUB_REHEARSAL_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(cluster, "stop", lambda tools, which: names.append(which.name))
    return names


def in_runs(tmp_path: Path) -> list[str]:
    return sorted(p.name for p in (tmp_path / "cache" / "runs").iterdir())


def test_a_run_leaves_nothing(tools: Toolchain, stopped: list[str], tmp_path: Path) -> None:
    with runs.new(tools, "dev") as run:
        assert run.name.startswith(f"rehearsal-dev-{os.getpid()}-")
        assert run.folder.stat().st_mode & 0o777 == 0o700
        assert stopped == []
    assert stopped == [run.name]
    assert in_runs(tmp_path) == []


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_a_failed_run_leaves_nothing(
    tools: Toolchain, stopped: list[str], tmp_path: Path, error: type[BaseException]
) -> None:
    with pytest.raises(error), runs.new(tools, "dev"):
        raise error
    assert len(stopped) == 1
    assert in_runs(tmp_path) == []


def test_a_kept_run_stays_until_asked(tools: Toolchain, stopped: list[str], tmp_path: Path) -> None:
    with runs.new(tools, "dev") as run:
        run.keep()
    assert run.kept
    assert run.folder.is_dir()
    assert runs.leftover() == []
    assert runs.sweep(tools) == []
    assert stopped == []
    assert runs.sweep(tools, include_kept=True) == [run.name]
    assert stopped == [run.name]
    assert in_runs(tmp_path) == []


def test_a_killed_run_is_swept_and_a_living_one_is_not(tools: Toolchain, stopped: list[str], tmp_path: Path) -> None:
    killed = tmp_path / "cache" / "runs" / "rehearsal-dev-1-aaaa"
    killed.mkdir(parents=True)
    living = tmp_path / "cache" / "runs" / "rehearsal-dev-2-bbbb"
    living.mkdir()
    with FileLock(f"{living}.lock"):
        assert runs.sweep(tools, include_kept=True) == [killed.name]
    assert not killed.exists()
    assert living.is_dir()
    assert stopped == [killed.name]


def test_what_is_no_run_is_left_alone(tools: Toolchain, stopped: list[str], tmp_path: Path) -> None:
    folder = tmp_path / "cache" / "runs"
    (folder / "rehearsal-notes").mkdir(parents=True)
    (folder / "rehearsal-dev-1-aaaa").write_text("a file with the name of a run")
    (folder / "rehearsal-dev-1-bbbb.lock").mkdir()
    before = in_runs(tmp_path)
    assert runs.sweep(tools, include_kept=True) == []
    assert (in_runs(tmp_path), stopped) == (before, [])


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
    file, settings = order.check(stack(GOOD))
    assert file.filled == (PASSWORD,)
    assert (settings.timeout, settings.image_prefix) == (60, "acme/binder-")
    assert settings.registry.password.reveal() == "0" * 64


def test_the_example_stacks_pass_the_check() -> None:
    assert [order.check(Order(stack=name))[1].stack for name in ("dev", "prod")] == ["dev", "prod"]


def test_unknown_stack(stack: Any, tmp_path: Path) -> None:
    stack(GOOD, "alpha")
    with pytest.raises(UsageError) as caught:
        order.check(Order(stack="beta", project=tmp_path))
    text = str(caught.value)
    assert f"there is no stack 'beta': no file Pulumi.beta.yaml in {tmp_path}" in text
    assert "expected: one of alpha" in text
    assert "make rehearse STACK=alpha" in text


def test_a_project_without_stacks(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"none yet; write Pulumi\.dev\.yaml"):
        order.check(Order(stack="dev", project=tmp_path))


@pytest.mark.parametrize("text", ["config: text", "config: [", "a: 2026-99-99", "\x00"])
def test_not_a_stack_file(stack: Any, text: str) -> None:
    with pytest.raises(UsageError, match=r"^Pulumi.dev.yaml is not a stack file: \S"):
        order.check(stack(text))


def test_check_refuses_what_the_program_refuses(stack: Any) -> None:
    with pytest.raises(SettingsError, match="binderhub:imagePrefix: missing"):
        order.check(stack("config: {}"))


@pytest.mark.parametrize("path", ["no/such.tgz", "Pulumi.dev.yaml"])
def test_bad_chart_on_the_command_line(stack: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, path: str) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match="expected: a ") as caught:
        order.check(stack(GOOD, chart=path))
    assert f"{tmp_path}/{path}" in str(caught.value)


def test_a_chart_on_the_command_line_wins(stack: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(STAND_IN.parent)  # it is meant from where the person stands
    given = stack(GOOD.replace("}", ", binderhub:chart: nowhere, binderhub:chartVersion: '9'}"), chart="binderhub")
    file, settings = order.check(given)
    assert file.config["binderhub:chart"] == str(STAND_IN)
    assert "binderhub:chartVersion" not in file.config
    assert settings.chart.repository == ""


def unasked() -> str:
    raise AssertionError("nobody may ask the repository for a chart from the disk")


ON_DISK, PUBLISHED = (StackFile(config, (), ()) for config in ({"binderhub:chart": "chart"}, {"binderhub:chart": ""}))


def test_choose_chart() -> None:
    local, pin = chart.local(str(STAND_IN), ROOT), chart.published()
    stand_in = ChosenChart("stand-in", local.version), "ConnectTimeout"
    assert sources.choose_chart(local, [ON_DISK], unasked) == (ChosenChart("path", local.version), "")
    assert sources.choose_chart(pin, [PUBLISHED], lambda: "") == (ChosenChart("published", pin.version), "")
    assert sources.choose_chart(pin, [PUBLISHED], lambda: "ConnectTimeout") == stand_in


def test_one_chart_that_cannot_be_had_is_the_stand_in_for_both_programs() -> None:
    local, pin = chart.local(str(STAND_IN), ROOT), chart.published()
    stand_in = ChosenChart("stand-in", local.version), "ConnectTimeout"
    assert sources.choose_chart(local, [ON_DISK, PUBLISHED], lambda: "ConnectTimeout") == stand_in
    assert sources.choose_chart(pin, [PUBLISHED, ON_DISK], lambda: "ConnectTimeout") == stand_in
    assert sources.choose_chart(local, [ON_DISK, PUBLISHED], lambda: "")[0].source == "path"


@pytest.mark.parametrize("as_folder", [True, False])
def test_put_chart(tmp_path: Path, as_folder: bool) -> None:
    source = tmp_path / "my.tgz"
    if as_folder:
        source.mkdir()
        (source / "Chart.yaml").write_text("x")
    else:
        source.write_text("x")
    (tmp_path / "copy").mkdir()
    before = StackFile({"a:b": 1, "binderhub:chartVersion": "9", "binderhub:chart": str(source)}, ("s",), ("f",))
    after = sources.put_chart(source, tmp_path / "copy", before)
    assert after == StackFile({"a:b": 1, "binderhub:chart": "rehearsal-chart/my.tgz"}, ("s",), ("f",))
    put = tmp_path / "copy" / "rehearsal-chart" / "my.tgz"
    assert (put / "Chart.yaml" if as_folder else put).read_text() == "x"


HELM = {"annotations": {"meta.helm.sh/release-name": "binderhub"}}


@pytest.mark.parametrize(
    ("about", "ours"),
    [
        (HELM, True),
        ({"labels": labels.OWN}, True),
        ({"labels": {**labels.OWN, "app": "x"}}, True),
        ({}, False),
        ({"labels": {"app.kubernetes.io/managed-by": "Helm"}}, False),
        ({"annotations": {"other": "x"}}, False),
        ({**HELM, "ownerReferences": [{"kind": "Deployment"}]}, False),
        ({"labels": labels.OWN, "ownerReferences": [{"kind": "Service"}]}, False),
    ],
)
def test_made_by_stack(about: dict[str, Any], ours: bool) -> None:
    assert changes.made_by_stack({"metadata": about}) is ours


def test_outcome_as_json() -> None:
    outcome = Outcome("dev", ok=True, chart={"source": "published"}, seconds={"up": 1.5}, objects={"Pod": 2})
    assert json.loads(outcome.as_json()) == {
        "stack": "dev",
        "ok": True,
        "chart": {"source": "published"},
        "placeholders": [],
        "seconds": {"up": 1.5},
        "pretended": [],
        "preview": [],
        "outputs": {},
        "objects": {"Pod": 2},
    }
    outcome.kubeconfig, outcome.folder = "/k", "/f"
    assert json.loads(outcome.as_json()).items() >= {"kubeconfig": "/k", "folder": "/f"}.items()


def test_an_empty_value_is_not_set() -> None:
    assert workspace.as_engine({"binderhub:chart": None, "binderhub:rotation": 0}) == {"binderhub:rotation": "0"}


def test_names_with_signs_of_a_path_are_quoted() -> None:
    file = workspace.strip('config: {"p:a": {"b.c": {"d": {"secure": "x"}}}}')  # noqa: B005  (ours, not that of str)
    assert 'p:a["b.c"].d' in file.secrets


def test_free_ports_are_free_and_different() -> None:
    ports = cluster.free_ports(6)
    assert len(set(ports)) == 6
    with contextlib.ExitStack() as held:
        taken = [held.enter_context(socket.create_server(("127.0.0.1", port))) for port in ports]
        assert len(taken) == 6
        assert not set(cluster.free_ports(50)) & set(ports)


def test_a_values_file_comes_along(tmp_path: Path) -> None:
    (tmp_path / "copy").mkdir()
    (tmp_path / "own.yaml").write_text("a: 1")
    file = StackFile({"binderhub:valuesFile": "own.yaml", "a:b": "c"}, (), ())
    got = sources.put_values(tmp_path, tmp_path / "copy", file)
    assert got.config == {"binderhub:valuesFile": "rehearsal-values.yaml", "a:b": "c"}
    assert (tmp_path / "copy" / got.config["binderhub:valuesFile"]).read_text() == "a: 1"
    assert sources.put_values(tmp_path, tmp_path, StackFile({}, (), ())).config == {}


def test_what_holds_on_its_own_cluster_alone_is_not_rehearsed() -> None:
    config = {"kubernetes:kubeconfig": "~/prod", "binderhub:adoptRelease": True, "kubernetes:context": "prod"}
    assert rehearse.elsewhere(StackFile(config, ("a",), ())) == StackFile({"kubernetes:context": "prod"}, ("a",), ())

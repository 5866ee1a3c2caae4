"""The folders of runs: what is left of them, and who may remove which."""

import contextlib
import os
import pwd
from pathlib import Path

import pytest
from filelock import FileLock

from rehearsal import __main__ as command
from rehearsal import runs, workspace
from rehearsal.cluster import processes
from rehearsal.errors import UsageError
from rehearsal.toolchain import cache


@pytest.fixture
def stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the runs whose processes were ended; none is real."""
    names: list[str] = []
    monkeypatch.setenv(cache.CACHE_VARIABLE, str(tmp_path / "cache"))
    monkeypatch.setattr(processes, "end", lambda folder: names.append(folder.name))
    return names


@pytest.fixture
def projects(tmp_path: Path) -> tuple[Path, Path]:
    """Two folders with a project."""
    found = tmp_path / "a", tmp_path / "b"
    for folder in found:
        folder.mkdir()
    return found


def kept(project: Path, stack: str = "dev") -> str:
    """Make a run that is kept, and return its name."""
    with runs.new(stack, project) as run:
        run.keep()
    return run.folder.name


def in_runs(tmp_path: Path) -> list[str]:
    return sorted(p.name for p in (tmp_path / "cache" / "runs").iterdir())


@pytest.mark.parametrize("error", [None, RuntimeError, KeyboardInterrupt])
def test_a_run_leaves_nothing(stopped: list[str], tmp_path: Path, error: type[BaseException] | None) -> None:
    with pytest.raises(error) if error else contextlib.nullcontext(), runs.new("dev", tmp_path) as run:
        assert run.folder.name.startswith(f"rehearsal-dev-{os.getpid()}-")
        assert run.folder.stat().st_mode & 0o777 == 0o700
        assert run.project == tmp_path
        assert stopped == []
        if error:
            raise error
    assert stopped == [run.folder.name]
    assert in_runs(tmp_path) == []


def test_a_kept_run_stays_until_asked(stopped: list[str], tmp_path: Path) -> None:
    name = kept(tmp_path)
    assert (tmp_path / "cache" / "runs" / name).is_dir()
    assert runs.sweep() == []
    assert stopped == []
    assert runs.stop(tmp_path) == [f"{name}: the kept cluster of stack dev, {tmp_path}"]
    assert stopped == [name]
    assert in_runs(tmp_path) == []


def test_a_killed_run_is_swept_and_a_living_one_or_what_is_no_run_is_not(stopped: list[str], tmp_path: Path) -> None:
    folder = tmp_path / "cache" / "runs"
    for name in ("rehearsal-dev-1-aaaa", "rehearsal-dev-2-bbbb", "rehearsal-notes"):
        (folder / name).mkdir(parents=True)
    (folder / "rehearsal-dev-3-cccc").write_text("a file with the name of a run")
    before = in_runs(tmp_path)
    with FileLock(folder / "rehearsal-dev-2-bbbb.lock"):
        assert runs.sweep() == [
            "rehearsal-dev-1-aaaa: what a killed rehearsal had left of stack dev, an unknown project"
        ]
    assert stopped == ["rehearsal-dev-1-aaaa"]
    assert [*stopped, *in_runs(tmp_path)] == sorted([*before, "rehearsal-dev-2-bbbb.lock"])


def test_a_project_stops_its_own_runs_alone(stopped: list[str], projects: tuple[Path, Path]) -> None:
    ours, theirs = projects
    names = sorted([kept(ours), kept(ours, "prod")])
    other = kept(theirs)
    assert [said.partition(":")[0] for said in runs.stop(ours)] == stopped == names
    assert runs.stop(ours) == []
    with pytest.raises(
        UsageError, match=rf"of another folder, {theirs}\n.*there is none\n.*make -C {theirs} .*RUN={other}$"
    ):
        runs.stop(ours, other)
    assert stopped == names


@pytest.mark.parametrize("shape", ["{}", "/a/path/{}", "{}/"])
def test_one_run_is_stopped_by_its_name(stopped: list[str], projects: tuple[Path, Path], shape: str) -> None:
    first, second = kept(projects[0]), kept(projects[0])
    runs.stop(projects[0], shape.format(second))
    assert stopped == [second]
    with pytest.raises(
        UsageError, match=rf"^there is no run 'nothing' in .*\n      expected: a run of {projects[0]}: {first}\n"
    ):
        runs.stop(projects[0], "nothing")
    with runs.new("dev", projects[0]) as run, pytest.raises(UsageError, match="is still at work"):
        runs.stop(projects[0], run.folder.name)


def test_a_run_whose_project_is_gone_is_named_and_goes_by_its_name(
    stopped: list[str], projects: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ours, theirs = projects
    name = kept(theirs)
    theirs.rmdir()
    monkeypatch.setattr(workspace, "PROJECT", ours)
    assert command.main(["stop"]) == 0
    assert capsys.readouterr().out == (
        f"left alone: {name}: the kept cluster of stack dev, {theirs}; RUN={name} removes it\n"
    )
    assert stopped == []
    assert command.main(["stop", "--run", name]) == 0
    assert capsys.readouterr().out == f"removed {name}: the kept cluster of stack dev, {theirs}\n"
    assert command.main(["stop"]) == 0
    assert capsys.readouterr().out == f"nothing to remove: {ours} has no runs\n"


@pytest.mark.parametrize("arguments", [["run"], ["toolchain"]])
def test_where_the_home_cannot_be_written_the_way_out_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    for name in (cache.CACHE_VARIABLE, "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "home").touch()  # where no folder can be made, not even by root
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert command.main(arguments) != 0
    said = capsys.readouterr().out
    assert f"{tmp_path}/home/.cache/binderhub-rehearsal" in said
    assert cache.CACHE_VARIABLE in said


@pytest.mark.parametrize("arguments", [["run"], ["toolchain"], ["stop"]])
def test_a_user_without_a_home_is_told_the_way_out(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    for name in (cache.CACHE_VARIABLE, "XDG_CACHE_HOME", "HOME"):
        monkeypatch.delenv(name, raising=False)

    def nobody(number: int) -> None:
        raise KeyError(number)

    monkeypatch.setattr(pwd, "getpwuid", nobody)
    assert command.main(arguments) == 1
    assert (
        capsys.readouterr().out
        == f"\nThis user has no home folder. {cache.CACHE_VARIABLE} can name a folder for the cache.\n"
    )

"""Programs end in time, and leave nothing behind."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from kube.errors import TimeLimitError
from kube.run import run
from tests.unit.conftest import ROOT


def test_what_a_program_leaves(tmp_path: Path) -> None:
    got = run(
        ["sh", "-c", 'cat; pwd; echo "$A" >&2; exit 3'],
        stdin="in ",
        environment={"A": "b", "PATH": os.environ["PATH"]},
        folder=tmp_path,
    )
    assert (got.status, got.out, got.err, got.text) == (3, f"in {tmp_path}\n", "b\n", f"in {tmp_path}\nb\n")


def test_a_program_is_looked_for_on_the_given_path(tmp_path: Path) -> None:
    (tmp_path / "own").write_text("#!/bin/sh\nprintf '\\377'\n")
    (tmp_path / "own").chmod(0o755)
    assert run(["own"], environment={"PATH": str(tmp_path)}).out == "\ufffd"
    with pytest.raises(FileNotFoundError):
        run(["own"])


# A child in a group of its own that takes no SIGTERM; it writes its id and keeps the pipe open.
STUBBORN = """
import os, signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
if os.fork() == 0: os.setpgid(0, 0)
with open("ids", "a") as file: file.write(f"{os.getpid()}\\n")
time.sleep(60)
"""


def lives(pid: int) -> bool:
    """Whether a process runs; one killed by force takes the kernel a moment."""
    limit = time.monotonic() + 2
    while psutil.pid_exists(pid) and time.monotonic() < limit:
        with contextlib.suppress(psutil.NoSuchProcess):
            if psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
                return False
        time.sleep(0.02)
    return psutil.pid_exists(pid)


def started(folder: Path) -> list[int]:
    limit = time.monotonic() + 10
    while time.monotonic() < limit:
        ids = (folder / "ids").read_text().split() if (folder / "ids").exists() else []
        if len(ids) == 2:
            return list(map(int, ids))
        time.sleep(0.02)
    raise AssertionError("it was not started")


def test_when_the_time_is_up_the_whole_session_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kube.run._GRACE", 0.1)
    with pytest.raises(TimeLimitError, match=r"did not end within 2 s and was stopped") as caught:
        run([sys.executable, "-c", STUBBORN], folder=tmp_path, seconds=2)
    assert (caught.value.program, caught.value.seconds) == (sys.executable, 2)
    assert not any(map(lives, started(tmp_path)))


def test_when_the_caller_is_interrupted_the_whole_session_ends(tmp_path: Path) -> None:
    # A test that a script started in the background inherits that SIGINT is ignored.
    code = (
        "import signal, sys; from kube.run import run; signal.signal(signal.SIGINT, signal.default_int_handler); "
        "run([sys.executable, '-c', sys.argv[1]], folder=sys.argv[2])"
    )
    command = [sys.executable, "-c", code, STUBBORN, str(tmp_path)]
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE) as caller:
        found = started(tmp_path)
        caller.send_signal(signal.SIGINT)
        assert b"KeyboardInterrupt" in caller.communicate(timeout=10)[1]
    assert not any(map(lives, found))


def test_a_program_that_ends_on_request_can_put_things_in_order(tmp_path: Path) -> None:
    with pytest.raises(TimeLimitError):
        run(
            ["sh", "-c", "trap 'echo done > done; exit' TERM; while :; do sleep 0.05; done"],
            folder=tmp_path,
            seconds=0.3,
        )
    assert (tmp_path / "done").read_text() == "done\n"

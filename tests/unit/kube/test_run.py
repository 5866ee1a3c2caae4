"""Programs end in time, and leave nothing behind."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from kube.errors import TimeLimitError
from kube.run import run
from tests.unit.conftest import ROOT
from tests.unit.kube.test_proxy import ended


def test_what_a_program_leaves(tmp_path: Path) -> None:
    environment = {"A": "b", "PATH": os.environ["PATH"]}
    got = run(["sh", "-c", 'cat; pwd; echo "$A" >&2; exit 3'], stdin="in ", environment=environment, folder=tmp_path)
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


def started(folder: Path) -> list[int]:
    """Wait until two programs have written their ids, and return these."""
    while not (folder / "ids").exists() or len(ids := (folder / "ids").read_text().split()) < 2:
        time.sleep(0.02)
    return [*map(int, ids)]


def test_when_the_time_is_up_the_whole_session_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kube.run._GRACE", 0.1)
    with pytest.raises(TimeLimitError, match=rf"^{sys.executable} did not end within 2 s and was stopped"):
        run([sys.executable, "-c", STUBBORN], folder=tmp_path, seconds=2)
    assert ended(*started(tmp_path))


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
    assert ended(*found)


def test_a_program_that_ends_on_request_can_put_things_in_order(tmp_path: Path) -> None:
    script = "trap 'echo done > done; exit' TERM; while :; do sleep 0.05; done"
    with pytest.raises(TimeLimitError):
        run(["sh", "-c", script], folder=tmp_path, seconds=0.3)
    assert (tmp_path / "done").read_text() == "done\n"

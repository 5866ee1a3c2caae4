"""The Python that forks: a run sees what it would see of plain Python, and ends with its command."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from rehearsal import preloaded

PROGRAM = """
import json, os, sys
import beside
loaded = "pulumi" in sys.modules
state = [sys.argv[1:], os.getcwd(), os.environ["MARK"], sys.stdin.read(), beside.NAME, loaded]
print(json.dumps(state))
print("to stderr", file=sys.stderr)
sys.exit(7)
"""


@pytest.fixture
def program(tmp_path: Path) -> Path:
    """A program by the name that the engine's starter has: only that is run by the server."""
    file = tmp_path / "it's a program" / "pulumi-language-python-exec"
    file.parent.mkdir()
    file.write_text(PROGRAM)
    (file.parent / "beside.py").write_text("NAME = 'beside'")
    return file


@pytest.fixture
def command(tmp_path: Path) -> Iterator[Path]:
    with preloaded.running(tmp_path) as path:
        limit = time.monotonic() + 60
        while not (tmp_path / "packages.json").exists() and time.monotonic() < limit:
            time.sleep(0.05)
        yield path


def result(command: Path, program: Path, mark: str) -> tuple[int, list[object], str]:
    got = subprocess.run(
        [command, program, "--flag", "a b"], input="read me", text=True, capture_output=True, cwd=program.parent,
        env={**os.environ, "MARK": mark}, check=False, timeout=60,
    )  # fmt: skip
    return got.returncode, json.loads(got.stdout), got.stderr


@pytest.mark.parametrize("mark", ["one", "two"])
def test_a_run_sees_what_it_would_of_plain_python(command: Path, program: Path, mark: str) -> None:
    expected = [["--flag", "a b"], str(program.parent), mark, "read me", "beside", True]
    assert result(command, program, mark) == (7, expected, "to stderr\n")


def test_without_the_server_the_command_is_plain_python(tmp_path: Path, program: Path) -> None:
    with preloaded.running(tmp_path) as command:
        pass
    status, (*_, loaded), _ = result(command, program, "later")
    assert (status, loaded) == (7, False)
    assert subprocess.run([command, "--version"], check=True, capture_output=True).stdout.startswith(b"Python 3")


def test_packages_are_listed_once(command: Path, tmp_path: Path) -> None:
    asked = [command, "-m", "pip", "list", "-v", "--format", "json"]
    listed = json.loads(subprocess.run(asked, check=True, capture_output=True).stdout)
    assert {"pulumi", "pulumi_kubernetes"} <= {one["name"].replace("-", "_") for one in listed}
    (tmp_path / "packages.json").write_text("[]")
    assert subprocess.run(asked, check=True, capture_output=True).stdout == b"[]"


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGKILL])
def test_a_run_ends_with_its_command(command: Path, program: Path, end: signal.Signals) -> None:
    program.write_text("import os, time\nprint(os.getpid(), flush=True)\ntime.sleep(600)")
    with subprocess.Popen([command, program], stdout=subprocess.PIPE, text=True) as started:
        assert started.stdout
        run = psutil.Process(int(started.stdout.readline()))
        started.send_signal(end)
        run.wait(timeout=30)


def test_the_server_ends_with_whoever_started_it(tmp_path: Path) -> None:
    code = "import os, sys; from pathlib import Path; from rehearsal import preloaded\n"
    code += "with preloaded.running(Path(sys.argv[1])): os.kill(os.getpid(), 9)"
    root = Path(preloaded.__file__).parents[1]
    assert subprocess.run([sys.executable, "-c", code, tmp_path], cwd=root, check=False).returncode == -9
    limit = time.monotonic() + 60
    while time.monotonic() < limit and _of(tmp_path):
        time.sleep(0.1)
    assert _of(tmp_path) == []


def _of(folder: Path) -> list[int]:
    return [one.pid for one in psutil.process_iter(["cmdline"]) if str(folder) in (one.info["cmdline"] or [])]

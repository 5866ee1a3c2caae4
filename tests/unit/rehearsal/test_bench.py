"""The measures of a rehearsal: each step's wall and CPU seconds, also of what runs by itself."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from rehearsal import bench
from rehearsal.errors import CommandError
from rehearsal.workspace import PROJECT

# As kwokctl leaves its programs: with a parent that has ended. It has used half a second of CPU time once it says so.
WORK = """
import pathlib, subprocess, sys, time
busy = "import pathlib, time\\nwhile time.process_time() < 0.5: pass\\npathlib.Path('done').touch()\\ntime.sleep(600)"
print("   0.1 s  toolchain", flush=True)
left = "import subprocess, sys; print(subprocess.Popen([sys.executable, '-c', sys.argv[1]], stdout=2).pid)"
pid = int(subprocess.run([sys.executable, "-c", left, busy], stdout=subprocess.PIPE).stdout)
while not pathlib.Path("done").exists(): time.sleep(0.02)
print("   1.5 s  cluster", flush=True)
print("   0.1 s  second preview, nothing to change", flush=True)
import os; os.kill(pid, 9)
sys.exit(STATUS)
"""
# In a process of its own: whoever measures takes in what others leave.
MEASURE = """
import io, json, sys
from pathlib import Path
from rich.console import Console
from rehearsal import bench
from rehearsal.screen import Screen
print(json.dumps(bench._rehearsals({"one": Path(sys.argv[1])}, 1, Screen(Console(file=io.StringIO())))["one"][0]))
"""


def project(folder: Path, status: int) -> Path:
    (folder / "rehearsal").mkdir()
    (folder / "rehearsal" / "__main__.py").write_text(WORK.replace("STATUS", str(status)))
    return folder


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere what was left to run by itself does not count")
def test_every_step_has_its_seconds(tmp_path: Path) -> None:
    command = [sys.executable, "-c", MEASURE, str(project(tmp_path, 0))]
    found = json.loads(subprocess.run(command, cwd=PROJECT, check=True, capture_output=True).stdout)
    assert list(found) == ["toolchain", "cluster", "second preview", "total"]
    assert found["cluster"][1] >= 0.5, "what was left to run by itself counts"
    assert found["total"][1] >= found["cluster"][1]
    assert found["total"][0] >= found["cluster"][0] > 0


def test_a_rehearsal_that_fails_is_no_measure(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="second preview"):
        bench._rehearsal(project(tmp_path, 1))

"""Measures on this machine: a warm rehearsal part by part, and what the check costs in a preview.

Machines are noisy, so everything is measured in turns, and only medians and differences of one sitting mean something.
"""

import ctypes
import os
import re
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import psutil

from config import settings
from kube import yaml
from rehearsal import charts, order, preloaded, runs, workspace
from rehearsal.cluster import kwok
from rehearsal.errors import CommandError
from rehearsal.screen import Screen
from rehearsal.toolchain import layout
from rehearsal.workspace import Workspace

_STACK: Final = "dev"
# What changes, and how many seconds the check may add to its preview.
_CHANGES: Final[dict[str, tuple[dict[str, Any], float]]] = {
    "nothing": ({}, 0.2),
    "one setting": ({f"{settings.PROJECT}:imagePrefix": "examplelab/binder-bench-"}, 0.5),
}
# Whether the check is skipped.
_VARIANTS: Final = {"plain": True, "checked": False}
# How a rehearsal tells that a step has ended.
_STEP: Final = re.compile(r" *[\d.]+ s  ([^,]+)")
_BECOME_SUBREAPER: Final = 36  # of Linux's prctl
_Part = tuple[float, float]  # wall and CPU seconds


def bench(count: int, against: str, screen: Screen) -> bool:
    """Measure `count` rounds and say what came of it; return whether the check costs no more than it may.

    With `against`, a git revision, its own rehearsal is measured in turns with the working tree's.
    """
    tools = layout.ensure(console=screen.console)
    runs.sweep()
    with tempfile.TemporaryDirectory() as folder:
        projects = {"working tree": workspace.PROJECT}
        if against:
            other = Path(folder, "revision")
            projects[order.extract(workspace.PROJECT, against, other)] = other
        _tell(_rehearsals(projects, count, screen), screen)
    return _check(tools, count, screen)


# --- a warm rehearsal ---------------------------------------------------------------------------------------------


def _rehearsals(projects: Mapping[str, Path], count: int, screen: Screen) -> dict[str, list[dict[str, _Part]]]:
    """Rehearse each project `count` times, in turns; return the parts of each time."""
    if sys.platform == "linux":  # what a rehearsal leaves to run by itself stays ours, and so does its CPU time
        ctypes.CDLL(None).prctl(_BECOME_SUBREAPER, 1)
    found = defaultdict(list)
    for number in range(count):
        with screen.step(f"rehearsals {number + 1} of {count}"):
            for name, project in projects.items():
                found[name].append(_rehearsal(project))
    return found


def _rehearsal(project: Path) -> dict[str, _Part]:
    """Rehearse a project; return each step's seconds, and `total`. Raises `CommandError`."""
    command = [sys.executable, "-m", "rehearsal", "run", "--stack", _STACK]
    first = last = (time.monotonic(), _cpu())
    parts, lines = {}, []
    with subprocess.Popen(command, cwd=project, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        for line in process.stdout:
            lines.append(line)
            if step := _STEP.match(line):
                now = time.monotonic(), _cpu(process.pid)
                parts[step[1].strip()] = now[0] - last[0], now[1] - last[1]
                last = now
    if process.returncode:
        raise CommandError("".join(lines))
    parts["total"] = time.monotonic() - first[0], _cpu() - first[1]
    return parts


def _cpu(awaited: int = 0) -> float:
    """Return the CPU seconds of all that this process has started, also of what has ended.

    What was left to us is reaped here; for the process `awaited` somebody waits already.
    """
    seconds = 0.0
    for process in psutil.Process().children(recursive=True):
        try:
            left = process.ppid() == os.getpid() and process.pid != awaited
            if left and process.status() == psutil.STATUS_ZOMBIE:
                os.waitpid(process.pid, 0)
            else:
                seconds += sum(process.cpu_times()[:4])
        except (psutil.NoSuchProcess, ChildProcessError):
            continue
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return seconds + used.ru_utime + used.ru_stime


def _tell(found: Mapping[str, list[dict[str, _Part]]], screen: Screen) -> None:
    for name, rounds in found.items():
        rows = {}
        for part in rounds[0]:
            wall, cpu = (statistics.median(one[part][n] for one in rounds if part in one) for n in (0, 1))
            rows[part] = f"{wall:6.2f} s  {cpu:6.2f} CPU-s"
        screen.table(f"A warm rehearsal, {name}: medians of {len(rounds)}", rows)


# --- the check ----------------------------------------------------------------------------------------------------


def _check(tools: layout.Toolchain, count: int, screen: Screen) -> bool:
    with runs.new("bench", workspace.PROJECT) as run, preloaded.running(run.folder) as python:
        kwok.start(tools, run.folder, ["minikube"])
        surroundings = workspace.seal(tools, run.folder, run.folder / "kubeconfig", python)
        space = workspace.make(workspace.PROJECT, run.folder, surroundings)
        own = workspace.strip((space.folder / f"Pulumi.{_STACK}.yaml").read_text())
        file = charts.with_chart(own, charts.STAND_IN)
        with screen.step("up"):
            workspace.prepare(space, _STACK, file)
            space.pulumi("up", "--yes", "--skip-preview")
        seconds = _previews(space, count, screen)
    holds = True
    for change, (_, limit) in _CHANGES.items():
        plain, checked = (statistics.median(seconds[change, variant]) for variant in _VARIANTS)
        cost = checked - plain
        line = f"{change} changes: plain {plain:.2f} s, checked {checked:.2f} s; the check costs {cost:.2f} s"
        screen.say(f"{line} (at most {limit} s)")
        holds &= cost <= limit
    return holds


def _previews(space: Workspace, count: int, screen: Screen) -> dict[tuple[str, str], list[float]]:
    """Preview each change in each variant `count` times, in turns; return the seconds."""
    file = space.folder / f"Pulumi.{_STACK}.yaml"
    good = yaml.load(file.read_bytes(), file)
    seconds = defaultdict(list)
    for number in range(count + 1):  # the first round only warms up
        with screen.step(f"previews {number} of {count}" if number else "warm-up"):
            for change, (config, _) in _CHANGES.items():
                for variant, skipped in _VARIANTS.items():
                    own = {**good["config"], **config, f"{settings.PROJECT}:skipServerChecks": skipped}
                    file.write_text(yaml.dump({**good, "config": own}))
                    begin = time.monotonic()
                    space.pulumi("preview", "--suppress-progress")
                    if number:
                        seconds[change, variant].append(time.monotonic() - begin)
    return seconds

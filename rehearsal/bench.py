"""Measures what the check in previews costs.

Brings the dev stack up on a throwaway Kubernetes, then previews it with and without the check, in turns: machines are
noisy, so only differences of medians of one sitting mean something.
"""

import statistics
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from config import settings
from kube import yaml
from rehearsal import charts, runs, workspace
from rehearsal.cluster import kwok
from rehearsal.screen import Screen
from rehearsal.toolchain import layout
from rehearsal.workspace import Workspace

_STACK: Final = "dev"
# Seconds that the check may add to a preview, by what changes.
LIMITS: Final = {"nothing": 0.2, "one setting": 0.5}
_CHANGE: Final = {f"{settings.PROJECT}:imagePrefix": "examplelab/binder-bench-"}
_SKIP: Final = {f"{settings.PROJECT}:skipServerChecks": True}
# Changed settings, and those with which nothing is checked.
_VARIANTS: Final[dict[tuple[str, str], dict[str, Any]]] = {
    ("nothing", "plain"): _SKIP,
    ("nothing", "checked"): {},
    ("one setting", "plain"): {**_CHANGE, **_SKIP},
    ("one setting", "checked"): _CHANGE,
}
Seconds = Mapping[tuple[str, str], list[float]]


def bench(count: int, screen: Screen) -> bool:
    """Measure `count` rounds and say what came of it; return whether the check costs no more than it may."""
    with _running(screen) as space:
        seconds = _measure(space, count, screen)
    holds = True
    for change, limit in LIMITS.items():
        plain, checked = (statistics.median(seconds[change, variant]) for variant in ("plain", "checked"))
        cost = checked - plain
        line = f"{change} changes: plain {plain:.2f} s, checked {checked:.2f} s; the check costs {cost:.2f} s"
        screen.say(f"{line} (at most {limit} s)")
        holds &= cost <= limit
    return holds


@contextmanager
def _running(screen: Screen) -> Iterator[Workspace]:
    """Bring the stack up with the stand-in chart, and take everything away again."""
    tools = layout.ensure(console=screen.console)
    runs.sweep()
    with runs.new("bench") as run:
        kwok.start(tools, run.folder, "minikube")
        surroundings = workspace.seal(tools, run.folder, run.folder / "kubeconfig")
        space = workspace.make(charts.PROJECT, run.folder, surroundings)
        file = workspace.strip((space.folder / f"Pulumi.{_STACK}.yaml").read_text())
        file = charts.put_chart(charts.STAND_IN, space.folder, file)
        with screen.step("up"):
            workspace.prepare(space, _STACK, file)
            space.pulumi("up", "--yes", "--skip-preview")
        yield space


def _measure(space: Workspace, count: int, screen: Screen) -> Seconds:
    """Preview every variant `count` times, in turns; return the seconds of each."""
    file = space.folder / f"Pulumi.{_STACK}.yaml"
    good = yaml.load(file.read_bytes(), file)
    seconds: dict[tuple[str, str], list[float]] = {variant: [] for variant in _VARIANTS}
    for number in range(count + 1):  # the first round only warms up
        with screen.step(f"round {number} of {count}" if number else "warm-up"):
            for variant, change in _VARIANTS.items():
                taken = _preview(space, file, good, change)
                seconds[variant] += [taken] if number else []
    return seconds


def _preview(space: Workspace, file: Path, good: dict[str, Any], change: dict[str, Any]) -> float:
    file.write_text(yaml.dump({**good, "config": {**good["config"], **change}}))
    begin = time.monotonic()
    space.pulumi("preview", "--suppress-progress")
    return time.monotonic() - begin

"""The command line: `python -m bench [--runs N] [--json]`.

Brings the dev stack up on a throwaway Kubernetes, then previews it with and without the check, in turns: these machines
are noisy, so only differences of medians of one sitting mean something.
"""

import argparse
import json
import statistics
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import yaml
from rich.console import Console

from components import settings
from rehearsal import cluster, runs, sources, toolchain, workspace
from rehearsal.screen import Screen
from rehearsal.workspace import Workspace

STACK: Final = "dev"
# Seconds that the check may add to a preview, by what changes.
LIMITS: Final = {"nothing": 0.2, "one setting": 0.6}
_CHANGE: Final = {f"{settings.PROJECT}:imagePrefix": "examplelab/binder-bench-"}
_SKIP: Final = {f"{settings.PROJECT}:skipServerChecks": True}
# Changed settings, and those with which nothing is checked.
VARIANTS: Final[dict[tuple[str, str], dict[str, Any]]] = {
    ("nothing", "plain"): _SKIP,
    ("nothing", "checked"): {},
    ("one setting", "plain"): {**_CHANGE, **_SKIP},
    ("one setting", "checked"): _CHANGE,
}


def main(arguments: list[str]) -> int:
    """Measure; return the exit status: 0 the check costs no more than it may, 1 it does."""
    parser = argparse.ArgumentParser(prog="python -m bench", description="Measure what the check in previews costs.")
    parser.add_argument("--runs", type=int, default=5, help="previews of each sort (default: 5)")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON on standard output")
    given = parser.parse_args(arguments)
    screen = Screen(Console(stderr=given.json))
    with _running(screen) as space:
        seconds = measure(space, given.runs, screen)
    found = costs(seconds)
    for change, cost in found.items():
        plain, checked = (statistics.median(seconds[change, sort]) for sort in ("plain", "checked"))
        line = f"{change} changes: plain {plain:.2f} s, checked {checked:.2f} s; the check costs {cost:.2f} s"
        screen.say(f"{line} (at most {LIMITS[change]} s)")
    if given.json:
        print(json.dumps({"runs": given.runs, "cost": found, "limit": LIMITS}))
    return int(any(cost > LIMITS[change] for change, cost in found.items()))


@contextmanager
def _running(screen: Screen) -> Iterator[Workspace]:
    """Bring the stack up with the stand-in chart, and take everything away again."""
    tools = toolchain.ensure(console=screen.console)
    runs.sweep(tools)
    with runs.new(tools, "bench") as run, cluster.running(tools, run.folder, run.name, "minikube"):
        space = workspace.make(
            sources.PROJECT, run.folder, workspace.seal(tools, run.folder, run.folder / "kubeconfig")
        )
        file = workspace.strip((space.folder / f"Pulumi.{STACK}.yaml").read_text())
        file = sources.put_chart(sources.STAND_IN, space.folder, file)
        with screen.step("up"):
            workspace.prepare(space, STACK, file)
            space.pulumi("up", "--yes", "--skip-preview")
        yield space


def measure(space: Workspace, count: int, screen: Screen) -> dict[tuple[str, str], list[float]]:
    """Preview every variant `count` times, in turns; return the seconds of each."""
    file = space.folder / f"Pulumi.{STACK}.yaml"
    good = yaml.safe_load(file.read_text())
    seconds: dict[tuple[str, str], list[float]] = {variant: [] for variant in VARIANTS}
    for number in range(-1, count):  # the first round only warms up
        with screen.step(f"round {number + 1} of {count}" if number >= 0 else "warm-up"):
            taken = {variant: _preview(space, file, good, change) for variant, change in VARIANTS.items()}
        if number >= 0:
            for variant, one in taken.items():
                seconds[variant].append(one)
    return seconds


def _preview(space: Workspace, file: Path, good: dict[str, Any], change: dict[str, Any]) -> float:
    file.write_text(yaml.safe_dump({**good, "config": {**good["config"], **change}}))
    begin = time.monotonic()
    space.pulumi("preview", "--suppress-progress")
    return time.monotonic() - begin


def costs(seconds: dict[tuple[str, str], list[float]]) -> dict[str, float]:
    """Return what the check adds, in seconds, by what changes: the difference of the medians."""
    return {
        change: round(statistics.median(seconds[change, "checked"]) - statistics.median(seconds[change, "plain"]), 3)
        for change in LIMITS
    }


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

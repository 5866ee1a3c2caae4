"""Measures what the check in previews costs.

Brings the dev stack up on a throwaway Kubernetes, then previews it with and without the check, in turns: machines are
noisy, so only differences of medians of one sitting mean something.
"""

import statistics
import time
from collections import defaultdict
from typing import Any, Final

from config import settings
from kube import yaml
from rehearsal import charts, runs, workspace
from rehearsal.cluster import kwok
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


def bench(count: int, screen: Screen) -> bool:
    """Measure `count` rounds and say what came of it; return whether the check costs no more than it may."""
    tools = layout.ensure(console=screen.console)
    runs.sweep()
    with runs.new("bench") as run:
        kwok.start(tools, run.folder, ["minikube"])
        surroundings = workspace.seal(tools, run.folder, run.folder / "kubeconfig")
        space = workspace.make(workspace.PROJECT, run.folder, surroundings)
        own = workspace.strip((space.folder / f"Pulumi.{_STACK}.yaml").read_text())
        file = charts.with_chart(own, charts.STAND_IN)
        with screen.step("up"):
            workspace.prepare(space, _STACK, file)
            space.pulumi("up", "--yes", "--skip-preview")
        seconds = _measure(space, count, screen)
    holds = True
    for change, (_, limit) in _CHANGES.items():
        plain, checked = (statistics.median(seconds[change, variant]) for variant in _VARIANTS)
        cost = checked - plain
        line = f"{change} changes: plain {plain:.2f} s, checked {checked:.2f} s; the check costs {cost:.2f} s"
        screen.say(f"{line} (at most {limit} s)")
        holds &= cost <= limit
    return holds


def _measure(space: Workspace, count: int, screen: Screen) -> dict[tuple[str, str], list[float]]:
    """Preview each change in each variant `count` times, in turns; return the seconds."""
    file = space.folder / f"Pulumi.{_STACK}.yaml"
    good = yaml.load(file.read_bytes(), file)
    seconds = defaultdict(list)
    for number in range(count + 1):  # the first round only warms up
        with screen.step(f"round {number} of {count}" if number else "warm-up"):
            for change, (config, _) in _CHANGES.items():
                for variant, skipped in _VARIANTS.items():
                    own = {**good["config"], **config, f"{settings.PROJECT}:skipServerChecks": skipped}
                    file.write_text(yaml.dump({**good, "config": own}))
                    begin = time.monotonic()
                    space.pulumi("preview", "--suppress-progress")
                    if number:
                        seconds[change, variant].append(time.monotonic() - begin)
    return seconds

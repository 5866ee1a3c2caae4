"""One rehearsal from beginning to end: toolchain, cluster, preview, up, an empty second preview, what came of it."""

import json
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from config import chart, settings
from rehearsal import changes, charts, preloaded, runs, stubs, workspace
from rehearsal.cluster import kwok
from rehearsal.errors import CommandError
from rehearsal.order import Order, Program, check, copies
from rehearsal.screen import Screen
from rehearsal.toolchain import layout
from rehearsal.workspace import Workspace


@dataclass
class Outcome:
    """What a rehearsal found, as `--json` prints it.

    `seconds` has a key for each step; `preview` are the lines that the preview of the working tree told; `revision` and
    `changed` are of upgrades, `kubeconfig` and `folder` of rehearsals that were kept; `provider` is the version of
    pulumi-kubernetes that ran; `differences` tells of other versions in the user's own environment.
    """

    stack: str
    ok: bool = False
    revision: str = ""
    chart: dict[str, str] = field(default_factory=dict)
    placeholders: list[str] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)
    stubs: list[str] = field(default_factory=list)
    preview: list[str] = field(default_factory=list)
    changed: list[dict[str, str]] | None = None
    provider: str = ""
    outputs: dict[str, Any] = field(default_factory=dict)
    objects: dict[str, int] = field(default_factory=dict)
    kubeconfig: str = ""
    folder: str = ""
    differences: list[str] = field(default_factory=list)

    def as_json(self) -> str:
        """Return the outcome as one JSON object."""
        return json.dumps({key: value for key, value in asdict(self).items() if value not in ("", None)}, indent=2)


def rehearse(order: Order, screen: Screen) -> Outcome:
    """Run a rehearsal and return what it found.

    Raises `UsageError` or `settings.SettingsError` before anything is started, another `RehearsalError` when a step
    fails; the cluster is gone then, too.
    """
    begin = time.monotonic()
    file, wanted = check(order)
    outcome = Outcome(order.stack, differences=workspace.differences(order.project))
    with runs.new(order.stack, order.project) as run, preloaded.running(run.folder) as python:
        programs = copies(order, file, run.folder)
        with screen.step("toolchain"):
            tools = layout.ensure(console=screen.console)
        for one in runs.sweep():
            screen.say(f"removed {one}")
        programs = _with_chart(wanted, programs, outcome, screen)
        stated = [leaf for program in programs for leaf in stubs.stated(program)]
        *earlier, space = _prepare(tools, run, python, order, programs, stubs.classes(stated), outcome, screen)
        try:
            if earlier:
                outcome.revision = programs[0].name
                _up(earlier[0], screen, "revision_", f"{outcome.revision}: ")
            _deploy(space, wanted.namespace, outcome, screen)
        except CommandError as error:
            if order.keep:  # a failed stack is what one wants to look at
                _keep(run, space, outcome)
                screen.look_around(outcome.folder, wanted.namespace)
            raise CommandError("\n\n".join(filter(None, [str(error), stubs.hint(stated, order.nodes)]))) from None
        if order.keep:
            _keep(run, space, outcome)
    outcome.seconds = {**screen.seconds, "total": round(time.monotonic() - begin, 2)}
    outcome.ok = True
    return outcome


def _with_chart(wanted: settings.Settings, programs: list[Program], outcome: Outcome, screen: Screen) -> list[Program]:
    """Choose the chart, and say what is not the stack's own: a stand-in, placeholders, files from elsewhere."""
    files = [program.file for program in programs]
    repository = wanted.chart.repository or chart.CHART_REPOSITORY
    reachable = partial(charts.repository_problem, repository)
    outcome.chart, reason = charts.choose_chart(wanted.chart, files, reachable)
    outcome.placeholders = sorted({path for file in files for path in file.secrets})
    if reason:
        screen.stand_in(repository, reason)
        programs = [replace(one, file=charts.with_chart(one.file, charts.STAND_IN)) for one in programs]
    if outcome.placeholders:
        secrets = ", ".join(outcome.placeholders)
        screen.say(f"placeholders stand for your secrets, which a rehearsal neither reads nor needs: {secrets}")
    for program in programs:
        if program.name and program.borrowed:
            screen.say(f"not in {program.name}, so taken from the working folder: {', '.join(program.borrowed)}")
    return programs


def _prepare(
    tools: layout.Toolchain,
    run: runs.Run,
    python: Path,
    order: Order,
    programs: list[Program],
    classes: list[stubs.ClassStub],
    outcome: Outcome,
    screen: Screen,
) -> list[Workspace]:
    """Start the cluster and, meanwhile, make the programs' one stack; return their workspaces."""
    environment = workspace.seal(tools, run.folder, run.folder / "kubeconfig", python)
    spaces = [Workspace(program.folder, run.folder, environment) for program in programs]
    storage = [one.name for one in classes if one.kind == "StorageClass"]
    # The working tree's first. Where the change is of the context, too, each program must find its own.
    contexts = [str(one.file.config.get("kubernetes:context") or "") for one in reversed(programs)]
    with screen.step("cluster"), ThreadPoolExecutor(1) as beside:
        cluster = beside.submit(kwok.start, tools, run.folder, list(filter(None, contexts)), storage)
        salt = ""
        for space, program in zip(spaces, programs, strict=True):
            salt = workspace.prepare(space, order.stack, program.file, salt)
        cluster.result()
    stubs.put(spaces[-1], classes, order.nodes)
    outcome.stubs = [str(one) for one in classes]
    if classes:
        screen.say(f"stubs, since only your cluster knows the real ones: {', '.join(outcome.stubs)}")
    return spaces


def _up(space: Workspace, screen: Screen, step: str, title: str) -> None:
    """Deploy a program, which must hold by itself: with nothing left to change."""
    with screen.step(f"{step}up", f"{title}up"):
        space.pulumi("up", "--yes", "--skip-preview")
    with screen.step(f"{step}second_preview", f"{title}second preview, nothing to change"):
        space.pulumi("preview", "--expect-no-changes")


def _deploy(space: Workspace, namespace: str, outcome: Outcome, screen: Screen) -> None:
    """Preview and deploy the working tree, and see what came of it."""
    prefix = "working tree: " if outcome.revision else ""
    before = changes.objects(space, namespace) if outcome.revision else {}
    with screen.step("preview", f"{prefix}preview"):
        touched, messages = changes.announced(space.pulumi("preview", "--json", check=False))
    outcome.preview = [*(touched if outcome.revision else ()), *messages]
    for line in outcome.preview:
        screen.say(f"          {line}")
    _up(space, screen, "", prefix)
    outcome.outputs, outcome.provider = changes.deployed(space.pulumi("stack", "export"))
    after = changes.objects(space, namespace)
    outcome.objects = dict(sorted(Counter(key.kind for key in after).items()))
    if outcome.revision:
        outcome.changed = [{"object": str(k), "what": v} for k, v in changes.between(before, after).items()]


def _keep(run: runs.Run, space: Workspace, outcome: Outcome) -> None:
    run.keep()
    (run.folder / "env.sh").write_text(space.shell())
    outcome.kubeconfig, outcome.folder = str(run.folder / "kubeconfig"), str(run.folder)

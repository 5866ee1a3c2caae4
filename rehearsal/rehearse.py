"""One rehearsal from beginning to end: toolchain, cluster, preview, up, an empty second preview, what came of it."""

import json
import time
from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

from config import chart, settings
from rehearsal import changes, charts, revision, runs, stubs, workspace
from rehearsal.charts import CHART, VALUES_FILE, ChosenChart
from rehearsal.cluster import kwok
from rehearsal.errors import CommandError
from rehearsal.order import Earlier, Order, check, find_earlier
from rehearsal.screen import Screen
from rehearsal.toolchain import layout
from rehearsal.workspace import StackFile, Workspace

# The copy's only kubeconfig is the throwaway one, and nothing lies there that could be taken over.
_OF_ITS_OWN_CLUSTER: Final = ("kubernetes:kubeconfig", f"{settings.PROJECT}:adoptRelease")
_CONTEXT: Final = "kubernetes:context"


@dataclass
class Outcome:
    """What a rehearsal found, as `--json` prints it.

    `seconds` has a key for each step; `preview` are the lines that the preview of the working tree told; `revision` and
    `changed` are of upgrades, `kubeconfig` and `folder` of rehearsals that were kept.
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
    outputs: dict[str, Any] = field(default_factory=dict)
    objects: dict[str, int] = field(default_factory=dict)
    kubeconfig: str = ""
    folder: str = ""

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
    earlier = find_earlier(order)
    outcome = Outcome(order.stack, revision=earlier.name if earlier else "")
    with screen.step("toolchain"):
        tools = layout.ensure(console=screen.console)
    for name in runs.sweep():
        screen.say(f"removed what a killed rehearsal had left: {name}")
    chosen = _choose(wanted, [file, *([earlier.file] if earlier else [])], outcome, screen)
    if earlier and earlier.borrowed:
        screen.say(f"not in {earlier.name}, so taken from the working folder: {', '.join(earlier.borrowed)}")
    with runs.new(order.stack) as run:
        stage = Stage(tools, run, order, wanted, chosen, outcome, screen)
        space, before = stage.prepare(file, earlier)
        try:
            if before:
                _deploy_earlier(before, stage)
            _deploy(space, stage)
        except CommandError as error:
            if order.keep:  # a failed stack is what one wants to look at
                _keep(run, space, outcome)
                screen.look_around(outcome.folder, wanted.namespace)
            raise CommandError("\n\n".join(filter(None, [str(error), stubs.hint(str(error))]))) from None
        if order.keep:
            _keep(run, space, outcome)
    outcome.seconds = {**screen.seconds, "total": round(time.monotonic() - begin, 2)}
    outcome.ok = True
    return outcome


def _choose(wanted: settings.Settings, files: list[StackFile], outcome: Outcome, screen: Screen) -> ChosenChart:
    """Choose the chart, and say what is not the stack's own: a stand-in, placeholders."""
    repository = wanted.chart.repository or chart.CHART_REPOSITORY
    chosen, reason = charts.choose_chart(wanted.chart, files, lambda: charts.repository_problem(repository))
    outcome.chart = asdict(chosen)
    if reason:
        screen.stand_in(repository, reason)
    outcome.placeholders = sorted({path for file in files for path in file.secrets})
    if outcome.placeholders:
        screen.say(f"placeholders stand for: {', '.join(outcome.placeholders)}")
    return chosen


@dataclass(frozen=True)
class Stage:
    """Where one rehearsal takes place, and all that its steps share."""

    tools: layout.Toolchain
    run: runs.Run
    order: Order
    wanted: settings.Settings
    chosen: ChosenChart
    outcome: Outcome
    screen: Screen

    def prepare(self, file: StackFile, earlier: Earlier | None) -> tuple[Workspace, Workspace | None]:
        """Start the cluster and, meanwhile, make the copies and their one stack.

        Returns the working tree's workspace and the revision's, if there is one.
        """
        environment = workspace.seal(self.tools, self.run.folder, self.run.folder / "kubeconfig")
        space = workspace.make(self.order.project, self.run.folder, environment)
        named = self._classes(file, space.folder)
        before: Workspace | None = None
        if earlier:
            before = Workspace(self.run.folder / "revision", self.run.folder, environment)
            revision.extract(self.order.project, earlier.name, before.folder)
            named |= self._classes(earlier.file, before.folder)
        with self.screen.step("cluster"), ThreadPoolExecutor(1) as beside:
            cluster = beside.submit(self._start, named, earlier)
            salt = ""
            if before and earlier:
                salt = workspace.prepare(before, self.order.stack, self._safe(earlier.file, before.folder))
            workspace.prepare(space, self.order.stack, self._safe(file, space.folder), salt)
            cluster.result()
        stubs.put(space, named, self.order.nodes)
        self.outcome.stubs = [str(one) for one in sorted(named)]
        if named:
            self.screen.say(f"stubs, since only your cluster knows the real ones: {', '.join(self.outcome.stubs)}")
        return space, before

    def _start(self, named: Collection[stubs.ClassStub], earlier: Earlier | None) -> None:
        storage = [one.name for one in named if one.kind == "StorageClass"]
        # Where the change is of the context, too, each program must find its own.
        aliases = [str(earlier.file.config[_CONTEXT])] if earlier and earlier.file.config.get(_CONTEXT) else []
        context = self.wanted.cluster.context
        kwok.start(self.tools, self.run.folder, context, aliases, storage)

    def _classes(self, file: StackFile, folder: Path) -> set[stubs.ClassStub]:
        path = charts.named(file, VALUES_FILE)
        own = stubs.own_values(charts.place(path, folder, self.order.project)) if path else None
        return stubs.classes(file.config, own)

    def _safe(self, file: StackFile, folder: Path) -> StackFile:
        """Return a stack's file that leads nowhere but into its copy; chart and values are put there."""
        path = str(charts.STAND_IN) if self.chosen.source == "stand-in" else charts.named(file, CHART)
        if path:
            file = charts.put_chart(charts.place(path, folder, self.order.project), folder, file)
        file = charts.put_values(self.order.project, folder, file)
        return StackFile({k: v for k, v in file.config.items() if k not in _OF_ITS_OWN_CLUSTER}, file.secrets)


def _deploy_earlier(space: Workspace, stage: Stage) -> None:
    """Deploy the revision, which must hold by itself: else what comes of the working tree means nothing."""
    outcome, screen = stage.outcome, stage.screen
    with screen.step("revision_up", f"{outcome.revision}: up"):
        space.pulumi("up", "--yes", "--skip-preview")
    with screen.step("revision_second_preview", f"{outcome.revision}: second preview, nothing to change"):
        space.pulumi("preview", "--expect-no-changes")


def _deploy(space: Workspace, stage: Stage) -> None:
    """Preview and deploy the working tree, and see what came of it."""
    outcome, screen = stage.outcome, stage.screen
    prefix = "working tree: " if outcome.revision else ""
    namespace = stage.wanted.namespace
    before = changes.objects(space, namespace) if outcome.revision else {}
    with screen.step("preview", f"{prefix}preview"):
        printed = space.pulumi("preview").out
    touched = changes.resources(printed) if outcome.revision else []
    outcome.preview = [*touched, *changes.diagnostics(printed)]
    for line in outcome.preview:
        screen.say(f"          {line}")
    with screen.step("up", f"{prefix}up"):
        space.pulumi("up", "--yes", "--skip-preview")
    with screen.step("second_preview", f"{prefix}second preview, nothing to change"):
        space.pulumi("preview", "--expect-no-changes")
    outcome.outputs = json.loads(space.pulumi("stack", "output", "--json").out)
    after = changes.objects(space, namespace)
    outcome.objects = changes.count(after)
    if outcome.revision:
        outcome.changed = [{"object": str(k), "what": v} for k, v in changes.between(before, after).items()]


def _keep(run: runs.Run, space: Workspace, outcome: Outcome) -> None:
    run.keep()
    lines = [f"export {name}='{value}'" for name, value in space.environment.items()]
    (run.folder / "env.sh").write_text("\n".join([*lines, f"cd '{space.folder}'", ""]))
    outcome.kubeconfig, outcome.folder = str(run.folder / "kubeconfig"), str(run.folder)

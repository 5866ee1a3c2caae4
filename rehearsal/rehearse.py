"""One rehearsal from beginning to end: toolchain, cluster, preview, up, an empty second preview, what came of it."""

import contextlib
import json
import shutil
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

import yaml

from components import chart, settings
from rehearsal import changes, cluster, pretend, revision, runs, toolchain, workspace
from rehearsal.screen import Screen
from rehearsal.workspace import CommandError, StackFile, Workspace

PROJECT: Final = Path(__file__).resolve().parent.parent
STAND_IN: Final = PROJECT / "tests" / "charts" / "binderhub"
# Where a chart from elsewhere lies in the copy; a path within it is the same on every machine.
_CHART_FOLDER: Final = "rehearsal-chart"
# The copy's only kubeconfig is the throwaway one, and nothing lies there that could be taken over.
_OF_ITS_OWN_CLUSTER: Final = ("kubernetes:kubeconfig", f"{settings.PROJECT}:adoptRelease")
_VALUES_FILE: Final = "rehearsal-values.yaml"


class UsageError(Exception):
    """Bad input: one message, and nothing was started."""


@dataclass(frozen=True, kw_only=True)
class Order:
    """What a person asked for.

    `chart` is "" for the stack's own; `revision` is deployed before the working tree, "" for none; `nodes` are labels
    for the simulated nodes, each with the values that they take in turns; `project` is the folder with Pulumi.yaml.
    """

    stack: str
    chart: str = ""
    revision: str = ""
    nodes: Mapping[str, Sequence[str]] = field(default_factory=dict)
    keep: bool = False
    project: Path = PROJECT


@dataclass(frozen=True)
class ChosenChart:
    """Which chart the rehearsal runs. `source` is published, path or stand-in; `path` is "" for a published one."""

    source: str
    version: str
    path: str = field(default="", repr=False)


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
    pretended: list[str] = field(default_factory=list)
    preview: list[str] = field(default_factory=list)
    changed: list[dict[str, str]] | str = ""
    outputs: dict[str, Any] = field(default_factory=dict)
    objects: dict[str, int] = field(default_factory=dict)
    kubeconfig: str = ""
    folder: str = ""

    def as_json(self) -> str:
        """Return the outcome as one JSON object."""
        return json.dumps({key: value for key, value in asdict(self).items() if value != ""}, indent=2)


def stacks(project: Path) -> list[str]:
    """Return the names of the stacks that have a file beside Pulumi.yaml."""
    return sorted(file.name.removeprefix("Pulumi.").removesuffix(".yaml") for file in project.glob("Pulumi.*.yaml"))


def check(order: Order) -> tuple[StackFile, settings.Settings]:
    """Check everything that can be known before anything is started.

    Returns the stripped stack file and the settings that the program will read from it. Raises `UsageError` for an
    unknown stack or a file that is none, `settings.SettingsError` for what the program itself would refuse.
    """
    known = stacks(order.project)
    if order.stack not in known:
        raise UsageError(
            f"there is no stack {order.stack!r}: no file Pulumi.{order.stack}.yaml in {order.project}\n"
            f"      expected: one of {', '.join(known) or 'none yet; write Pulumi.dev.yaml'}\n"
            f"      example:  make rehearse STACK={known[0] if known else 'dev'}"
        )
    try:
        file = workspace.strip((order.project / f"Pulumi.{order.stack}.yaml").read_text())
    except (ValueError, yaml.YAMLError) as error:
        raise UsageError(f"Pulumi.{order.stack}.yaml is not a stack file: {_first_line(error)}") from None
    if order.chart:
        # A path from the command line is meant from where the person stands, not from the project's folder.
        place = Path(order.chart).expanduser().absolute()
        try:
            chart.local(str(place), order.project)
        except chart.ChartError as error:
            raise UsageError(
                f"--chart {order.chart}: not a chart that can be rehearsed\n      expected: {error}\n"
                "      example:  make rehearse CHART=charts/binderhub.tgz"
            ) from None
        plain = {k: v for k, v in file.config.items() if k != f"{settings.PROJECT}:chartVersion"}
        file = StackFile({**plain, f"{settings.PROJECT}:chart": str(place)}, file.secrets, file.filled)
    return file, settings.read(_filled_in(file), _roots(file), order.stack, order.project)


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]


def _roots(file: StackFile) -> list[str]:
    return [path.split(".")[0].split("[")[0] for path in file.secrets]


def _filled_in(file: StackFile) -> dict[str, str]:
    whole_keys = {
        path: settings.placeholder(path, file.config) for path in file.secrets if "." not in path and "[" not in path
    }
    return workspace.as_engine({**file.config, **whole_keys})


def choose_chart(wanted: chart.Chart, reachable: Callable[[], str], project: Path) -> tuple[ChosenChart, str]:
    """Decide which chart the rehearsal runs.

    `reachable` returns "" when the chart repository answers, else why not. Returns the choice and, when it is the
    stand-in, that reason.
    """
    if not wanted.repository:
        return ChosenChart("path", wanted.version, str((project / wanted.reference).resolve())), ""
    if reason := reachable():
        return ChosenChart("stand-in", chart.local(str(STAND_IN), PROJECT).version, str(STAND_IN)), reason
    return ChosenChart("published", wanted.version), ""


def repository_problem(repository: str) -> str:
    """Ask a chart repository for its index; return "" if it answers, else the reason in a few words."""
    import requests  # slow to import, and needed only where a published chart is meant

    try:
        with requests.get(f"{repository.rstrip('/')}/index.yaml", timeout=(5, 10), stream=True) as answer:
            return "" if answer.ok else f"it answered with status {answer.status_code}"
    except requests.RequestException as error:
        return type(error).__name__


def put_chart(chosen: ChosenChart, folder: Path, file: StackFile) -> StackFile:
    """Copy a chart from the disk into the copy of the project and name it there, by a path within the project."""
    if not chosen.path:
        return file
    source = Path(chosen.path)
    place = folder / _CHART_FOLDER / source.name
    place.parent.mkdir()
    if source.is_dir():
        shutil.copytree(source, place)
    else:
        shutil.copy2(source, place)
    plain = {k: v for k, v in file.config.items() if k != f"{settings.PROJECT}:chartVersion"}
    named = {**plain, f"{settings.PROJECT}:chart": f"{_CHART_FOLDER}/{source.name}"}
    return StackFile(named, file.secrets, file.filled)


def put_values(project: Path, folder: Path, file: StackFile) -> StackFile:
    """Copy the stack's own values file into the copy of the project, wherever it lies and whatever git thinks of it."""
    key = f"{settings.PROJECT}:valuesFile"
    if not file.config.get(key):
        return file
    shutil.copy2(values_place(project, folder, file), folder / _VALUES_FILE)
    return StackFile({**file.config, key: _VALUES_FILE}, file.secrets, file.filled)


def elsewhere(file: StackFile) -> StackFile:
    """Return a stack's file without what holds on its own cluster alone: the kubeconfig, a release to take over."""
    plain = {k: v for k, v in file.config.items() if k not in _OF_ITS_OWN_CLUSTER}
    return StackFile(plain, file.secrets, file.filled)


def values_place(project: Path, folder: Path, file: StackFile) -> Path:
    """Return where a stack's own values file lies: in the copy, else (git may ignore it) in the project itself."""
    given = Path(str(file.config[f"{settings.PROJECT}:valuesFile"])).expanduser()
    return folder / given if (folder / given).is_file() else project / given


def rehearse(order: Order, screen: Screen) -> Outcome:
    """Run a rehearsal and return what it found.

    Raises `UsageError` or `settings.SettingsError` before anything is started, `toolchain.ToolchainError`,
    `cluster.ClusterError` or `workspace.CommandError` when a step fails; the cluster is gone then, too.
    """
    begin = time.monotonic()
    file, wanted = check(order)
    earlier = _earlier(order)
    outcome = Outcome(order.stack, placeholders=list(file.secrets), revision=earlier.name if earlier else "")
    with _timed(outcome, "toolchain"), screen.step("toolchain"):
        tools = toolchain.ensure(console=screen.console)
    for name in runs.sweep(tools):
        screen.say(f"removed what a killed rehearsal had left: {name}")
    chosen, reason = choose_chart(wanted.chart, lambda: repository_problem(wanted.chart.repository), order.project)
    outcome.chart = {"source": chosen.source, "version": chosen.version}
    if chosen.source == "stand-in":
        screen.stand_in(wanted.chart.repository, reason)
    if file.secrets:
        screen.say(f"placeholders stand for: {', '.join(sorted(file.secrets))}")
    with runs.new(tools, order.stack) as run:
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
            raise CommandError("\n\n".join(filter(None, [str(error), pretend.hint(str(error))]))) from None
        if order.keep:
            _keep(run, space, outcome)
    outcome.seconds["total"] = round(time.monotonic() - begin, 2)
    outcome.ok = True
    return outcome


@dataclass(frozen=True)
class Earlier:
    """The revision that is deployed first: its short name, and the stack's file in it."""

    name: str
    file: StackFile


def _earlier(order: Order) -> Earlier | None:
    """Look for the revision; raises `UsageError`."""
    if not order.revision:
        return None
    try:
        name = revision.name(order.project, order.revision)
        return Earlier(name, revision.stack_file(order.project, name, order.stack))
    except revision.RevisionError as error:
        raise UsageError(str(error)) from None


@dataclass(frozen=True)
class Stage:
    """Where one rehearsal takes place, and all that its steps share."""

    tools: toolchain.Toolchain
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
        with _timed(self.outcome, "cluster"), self.screen.step("cluster"), _beside(lambda: self._start(named)):
            salt = ""
            if before and earlier:
                salt = workspace.prepare(before, self.order.stack, self._safe(earlier.file, before.folder))
            workspace.prepare(space, self.order.stack, self._safe(file, space.folder), salt)
        pretend.put(space, named, self.order.nodes)
        self.outcome.pretended = [str(one) for one in sorted(named)]
        if named:
            self.screen.say(f"pretended, since only your cluster knows them: {', '.join(self.outcome.pretended)}")
        return space, before

    def _start(self, named: Collection[pretend.Class]) -> None:
        storage = [one.name for one in named if one.kind == "StorageClass"]
        cluster.start(self.tools, self.run.folder, self.run.name, self.wanted.cluster.context, storage)

    def _classes(self, file: StackFile, folder: Path) -> set[pretend.Class]:
        has_values = file.config.get(f"{settings.PROJECT}:valuesFile")
        own = pretend.own_values(values_place(self.order.project, folder, file)) if has_values else None
        return pretend.classes(file.config, own)

    def _safe(self, file: StackFile, folder: Path) -> StackFile:
        """Return a stack's file that leads nowhere but into its copy; chart and values are put there."""
        chart_there = put_chart(self._chart_of(file, folder), folder, file)
        safe = put_values(self.order.project, folder, chart_there)
        return elsewhere(safe)

    def _chart_of(self, file: StackFile, folder: Path) -> ChosenChart:
        """Return the chart that a copy runs: its own where its stack names one on the disk, else the one chosen."""
        given = file.config.get(f"{settings.PROJECT}:chart")
        if not given or self.order.chart:
            return self.chosen
        own = Path(str(given)).expanduser()
        place = folder / own if (folder / own).exists() else self.order.project / own
        return ChosenChart("path", self.chosen.version, str(place.resolve()))


@contextlib.contextmanager
def _beside(work: Callable[[], object]) -> Iterator[None]:
    """Do `work` in a thread during a `with` block, and raise what it raised at the block's end."""
    failed: list[BaseException] = []

    def guarded() -> None:
        try:
            work()
        except BaseException as error:
            failed.append(error)

    thread = threading.Thread(target=guarded)
    thread.start()
    try:
        yield
    finally:
        thread.join()
    if failed:
        raise failed[0]


def _deploy_earlier(space: Workspace, stage: Stage) -> None:
    """Deploy the revision, which must hold by itself: else what comes of the working tree means nothing."""
    name = stage.outcome.revision
    with _timed(stage.outcome, "revision_up"), stage.screen.step(f"{name}: up"):
        space.pulumi("up", "--yes", "--skip-preview")
    with (
        _timed(stage.outcome, "revision_second_preview"),
        stage.screen.step(f"{name}: second preview, nothing to change"),
    ):
        space.pulumi("preview", "--expect-no-changes")


def _deploy(space: Workspace, stage: Stage) -> None:
    """Preview and deploy the working tree, and see what came of it."""
    outcome, screen = stage.outcome, stage.screen
    prefix = "working tree: " if outcome.revision else ""
    namespace = stage.wanted.namespace
    before = changes.objects(space, namespace) if outcome.revision else {}
    with _timed(outcome, "preview"), screen.step(f"{prefix}preview"):
        printed = space.pulumi("preview").out
    touched = changes.resources(printed) if outcome.revision else []
    outcome.preview = [*touched, *changes.diagnostics(printed)]
    for line in outcome.preview:
        screen.say(f"          {line}")
    with _timed(outcome, "up"), screen.step(f"{prefix}up"):
        space.pulumi("up", "--yes", "--skip-preview")
    with _timed(outcome, "second_preview"), screen.step(f"{prefix}second preview, nothing to change"):
        space.pulumi("preview", "--expect-no-changes")
    outcome.outputs = json.loads(space.pulumi("stack", "output", "--json").out)
    after = changes.objects(space, namespace)
    outcome.objects = changes.count(after)
    if outcome.revision:
        outcome.changed = [{"object": str(one.key), "what": one.what} for one in changes.between(before, after)]


def _keep(run: runs.Run, space: Workspace, outcome: Outcome) -> None:
    run.keep()
    lines = [f"export {name}='{value}'" for name, value in space.environment.items()]
    (run.folder / "env.sh").write_text("\n".join([*lines, f"cd '{space.folder}'", ""]))
    outcome.kubeconfig, outcome.folder = str(run.folder / "kubeconfig"), str(run.folder)


@contextlib.contextmanager
def _timed(outcome: Outcome, name: str) -> Iterator[None]:
    begin = time.monotonic()
    yield
    outcome.seconds[name] = round(time.monotonic() - begin, 2)

"""One rehearsal from beginning to end: toolchain, cluster, preview, up, an empty second preview, what came of it."""

import contextlib
import json
import shutil
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

import yaml

from components import chart, labels, settings
from rehearsal import cluster, runs, toolchain, workspace
from rehearsal.screen import Screen
from rehearsal.workspace import CommandError, StackFile, Workspace

PROJECT: Final = Path(__file__).resolve().parent.parent
STAND_IN: Final = PROJECT / "tests" / "charts" / "binderhub"
# Where a chart from elsewhere lies in the copy; a path within it is the same on every machine.
_CHART_FOLDER: Final = "rehearsal-chart"
_VALUES_FILE: Final = "rehearsal-values.yaml"
# What moves by itself or follows from other objects.
_NOT_COUNTED: Final = ("events", "events.events.k8s.io", "leases.coordination.k8s.io", "componentstatuses", "endpoints")


class UsageError(Exception):
    """Bad input: one message, and nothing was started."""


@dataclass(frozen=True, kw_only=True)
class Order:
    """What a person asked for. `chart` is "" for the stack's own; `project` is the folder with Pulumi.yaml."""

    stack: str
    chart: str = ""
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
    """What a rehearsal found, as `--json` prints it. `seconds` has a key for each step; `kubeconfig` only if kept."""

    stack: str
    ok: bool = False
    chart: dict[str, str] = field(default_factory=dict)
    placeholders: list[str] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)
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
    shutil.copy2(Path(project, Path(file.config[key]).expanduser()), folder / _VALUES_FILE)
    return StackFile({**file.config, key: _VALUES_FILE}, file.secrets, file.filled)


def rehearse(order: Order, screen: Screen) -> Outcome:
    """Run a rehearsal and return what it found.

    Raises `UsageError` or `settings.SettingsError` before anything is started, `toolchain.ToolchainError`,
    `cluster.ClusterError` or `workspace.CommandError` when a step fails; the cluster is gone then, too.
    """
    begin = time.monotonic()
    file, wanted = check(order)
    outcome = Outcome(order.stack, placeholders=list(file.secrets))
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
        space = _prepared(tools, run, order, wanted, chosen, file, outcome, screen)
        try:
            _engine(space, outcome, screen)
        except CommandError:
            if order.keep:  # a failed stack is what one wants to look at
                _keep(run, space, outcome)
                screen.look_around(outcome.folder, wanted.namespace)
            raise
        if order.keep:
            _keep(run, space, outcome)
    outcome.seconds["total"] = round(time.monotonic() - begin, 2)
    outcome.ok = True
    return outcome


def _prepared(
    tools: toolchain.Toolchain,
    run: runs.Run,
    order: Order,
    wanted: settings.Settings,
    chosen: ChosenChart,
    file: StackFile,
    outcome: Outcome,
    screen: Screen,
) -> Workspace:
    """Start the cluster and, meanwhile, make the copy and its stack."""
    context = wanted.cluster.context
    with (
        _timed(outcome, "cluster"),
        screen.step("cluster"),
        _beside(lambda: cluster.start(tools, run.folder, run.name, context)),
    ):
        environment = workspace.seal(tools, run.folder, run.folder / "kubeconfig")
        space = workspace.make(order.project, run.folder, environment)
        safe = put_values(order.project, space.folder, put_chart(chosen, space.folder, file))
        # The copy's only kubeconfig is the throwaway one, wherever the person's lies.
        plain = {k: v for k, v in safe.config.items() if k != "kubernetes:kubeconfig"}
        workspace.prepare(space, order.stack, StackFile(plain, safe.secrets, safe.filled))
    return space


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


def _engine(space: Workspace, outcome: Outcome, screen: Screen) -> None:
    with _timed(outcome, "preview"), screen.step("preview"):
        space.pulumi("preview")
    with _timed(outcome, "up"), screen.step("up"):
        space.pulumi("up", "--yes", "--skip-preview")
    with _timed(outcome, "second_preview"), screen.step("second preview, nothing to change"):
        space.pulumi("preview", "--expect-no-changes")
    outcome.outputs = json.loads(space.pulumi("stack", "output", "--json").out)
    outcome.objects = count_objects(space)


def count_objects(space: Workspace) -> dict[str, int]:
    """Return how many objects of each kind the stack made, as the API server has them now: those of the Helm release
    and those of Pulumi itself, without what their controllers made of them (pods, replica sets, endpoints).
    """
    kinds = space.run("kubectl", "api-resources", "--verbs=list", "-o", "name").out.split()
    asked = ",".join(kind for kind in kinds if kind not in _NOT_COUNTED)
    got = space.run("kubectl", "get", asked, "-A", "-o", "json")
    if got.status:
        raise CommandError(got.err)
    return dict(sorted(Counter(o["kind"] for o in json.loads(got.out)["items"] if made_by_stack(o)).items()))


def made_by_stack(item: dict[str, Any]) -> bool:
    """Tell whether Helm or Pulumi itself made this object of the API."""
    about = item["metadata"]
    if about.get("ownerReferences"):
        return False  # made by a controller, which copies annotations on
    by_helm = "meta.helm.sh/release-name" in about.get("annotations", {})
    return by_helm or labels.OWN.items() <= about.get("labels", {}).items()


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

"""What a person asks of a rehearsal, and everything about it that can be checked before anything is started."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from components import chart, settings
from rehearsal import revision, sources, workspace
from rehearsal.workspace import StackFile


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
    project: Path = sources.PROJECT


@dataclass(frozen=True)
class Earlier:
    """The revision that is deployed first: its short name, and the stack's file in it.

    `borrowed` are the paths that this file gives and git does not have: they are taken from the working folder.
    """

    name: str
    file: StackFile
    borrowed: tuple[str, ...] = ()


def stacks(project: Path) -> list[str]:
    """Return the names of the stacks that have a file beside Pulumi.yaml."""
    return sorted(file.name.removeprefix("Pulumi.").removesuffix(".yaml") for file in project.glob("Pulumi.*.yaml"))


def check(order: Order) -> tuple[StackFile, settings.Settings]:
    """Check what is asked of the working tree.

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
        file = sources.with_chart(file, str(_chart_on_the_command_line(order)))
    return file, settings.read(_filled_in(file), _roots(file), order.stack, order.project)


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]


def _chart_on_the_command_line(order: Order) -> Path:
    # Its path is meant from where the person stands, not from the project's folder.
    place = Path(order.chart).expanduser().absolute()
    try:
        chart.local(str(place), order.project)
    except chart.ChartError as error:
        raise UsageError(
            f"--chart {order.chart}: not a chart that can be rehearsed\n      expected: {error}\n"
            "      example:  make rehearse CHART=charts/binderhub.tgz"
        ) from None
    return place


def _roots(file: StackFile) -> list[str]:
    return [path.split(".")[0].split("[")[0] for path in file.secrets]


def _filled_in(file: StackFile) -> dict[str, str]:
    whole_keys = {
        path: settings.placeholder(path, file.config) for path in file.secrets if "." not in path and "[" not in path
    }
    return workspace.as_engine({**file.config, **whole_keys})


def find_earlier(order: Order) -> Earlier | None:
    """Look for the revision that is asked for; None for none. Raises `UsageError`.

    Its stack's file is not judged: its own program reads it, and may know other keys than today's.
    """
    if not order.revision:
        return None
    try:
        name = revision.name(order.project, order.revision)
        file = revision.stack_file(order.project, name, order.stack)
    except revision.RevisionError as error:
        raise UsageError(str(error)) from None
    if order.chart:
        file = sources.with_chart(file, str(Path(order.chart).expanduser().absolute()))
    paths = [] if order.chart else [sources.named(file, sources.CHART)]
    paths = [path for path in (*paths, sources.named(file, sources.VALUES_FILE)) if path]
    borrowed = tuple(path for path in paths if not revision.has(order.project, name, path))
    for path in borrowed:
        if not sources.place(path, order.project, order.project).exists():
            raise UsageError(
                f"Pulumi.{order.stack}.yaml of revision {name} names {path}, which is neither in it nor in "
                f"{order.project}\n      expected: a file that git knows, or one that lies there\n"
                "      example:  make rehearse UPGRADE=1, or FROM=main"
            )
    return Earlier(name, file, borrowed)

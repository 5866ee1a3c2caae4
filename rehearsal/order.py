"""What the user asks of a rehearsal, and everything about it that can be checked before anything is started."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from config import keys, settings
from rehearsal import charts, revision, workspace
from rehearsal.errors import UsageError
from rehearsal.workspace import StackFile


@dataclass(frozen=True, kw_only=True)
class Order:
    """What the user asked for.

    `chart` is "" for the stack's own; `revision` is deployed before the working tree, "" for none; `nodes` are labels
    for the simulated nodes, each with the values that they take in turns; `project` is the folder with Pulumi.yaml.
    """

    stack: str
    chart: str = ""
    revision: str = ""
    nodes: Mapping[str, Sequence[str]] = field(default_factory=dict)
    keep: bool = False
    project: Path = charts.PROJECT


@dataclass(frozen=True)
class Earlier:
    """The revision that is deployed first: its short name, and the stack's file in it.

    `borrowed` are the paths that this file gives and git does not have: they are taken from the working folder.
    """

    name: str
    file: StackFile
    borrowed: tuple[str, ...] = ()


def check(order: Order) -> tuple[StackFile, settings.Settings]:
    """Check what is asked of the working tree.

    Returns the stripped stack file and the settings that the program will read from it. Raises `UsageError` for an
    unknown stack or a file that is none, `settings.SettingsError` for what the program itself would refuse.
    """
    known = sorted(file.name.split(".")[1] for file in order.project.glob("Pulumi.*.yaml"))
    if order.stack not in known:
        raise UsageError(
            f"there is no stack {order.stack!r}: no file Pulumi.{order.stack}.yaml in {order.project}",
            f"one of {', '.join(known) or 'none yet; write Pulumi.dev.yaml'}",
            f"make rehearse STACK={known[0] if known else 'dev'}",
        )
    try:
        file = workspace.strip((order.project / f"Pulumi.{order.stack}.yaml").read_text())
    except ValueError as error:
        raise UsageError(f"Pulumi.{order.stack}.yaml is not a stack file: {error}") from None
    file = _with_chart(order, file)
    roots = [re.split(r"[.\[]", path)[0] for path in file.secrets]
    return file, settings.read(_as_engine(file), roots, order.stack, order.project)


def _with_chart(order: Order, file: StackFile) -> StackFile:
    # The path on the command line is meant from where the user stands, not from the project's folder.
    return charts.with_chart(file, str(Path(order.chart).expanduser().absolute())) if order.chart else file


def _as_engine(file: StackFile) -> dict[str, str]:
    """Return the config as the engine gives it to a program: texts, structured values as JSON, placeholders."""
    plain = {key: value for key, value in file.config.items() if value is not None}
    whole = {path: keys.placeholder(path, file.config) for path in file.secrets if not re.search(r"[.\[]", path)}
    return {key: text if isinstance(text, str) else json.dumps(text) for key, text in (plain | whole).items()}


def find_earlier(order: Order) -> Earlier | None:
    """Look for the revision that is asked for; None for none. Raises `UsageError`.

    Its stack's file is not judged: its own program reads it, and may know other keys than today's.
    """
    if not order.revision:
        return None
    name = revision.name(order.project, order.revision)
    file = revision.stack_file(order.project, name, order.stack)
    file = _with_chart(order, file)
    keys = (charts.VALUES_FILE,) if order.chart else (charts.CHART, charts.VALUES_FILE)
    paths = filter(None, (charts.named(file, key) for key in keys))
    borrowed = tuple(path for path in paths if not revision.has(order.project, name, path))
    for path in borrowed:
        if not charts.place(path, order.project, order.project).exists():
            raise UsageError(
                f"Pulumi.{order.stack}.yaml of revision {name} names {path}, which is neither in it nor in "
                f"{order.project}",
                "a file that git knows, or one that lies there",
                revision.EXAMPLE,
            )
    return Earlier(name, file, borrowed)

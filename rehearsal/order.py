"""What the user asks of a rehearsal, all that can be checked before anything is started, and the programs to deploy."""

import json
import re
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from config import settings
from kube.run import run
from rehearsal import charts, workspace
from rehearsal.errors import UsageError
from rehearsal.workspace import StackFile

_EXAMPLE: Final = "make rehearse UPGRADE=1, or FROM=main"
VALUES_FILE: Final = f"{settings.PROJECT}:valuesFile"
# The copy's only kubeconfig is the throwaway one, and nothing lies there that could be taken over or used.
_OF_ITS_OWN_CLUSTER: Final = (
    "kubernetes:kubeconfig",
    *(f"{settings.PROJECT}:{name}" for name in ("adoptRelease", "existingNamespace")),
)


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
    project: Path = workspace.PROJECT


@dataclass(frozen=True)
class Program:
    """A program in a copy of its own, and the stack's file for it, which leads to no other cluster.

    `name` is the revision's short one, "" for the working tree. `borrowed` are the paths that the stack's file gives
    and the copy does not have: they are taken from the project itself, where git may ignore them.
    """

    name: str
    folder: Path
    file: StackFile
    borrowed: tuple[str, ...]


def stacks(folder: Path) -> list[str]:
    """Return the names of the stacks that have a file in a program's folder."""
    return sorted(file.name.split(".")[1] for file in folder.glob("Pulumi.*.yaml"))


def check(order: Order) -> tuple[StackFile, settings.Settings]:
    """Check what is asked of the working tree.

    Returns the stripped stack file and the settings that the program will read from it. Raises `UsageError` for an
    unknown stack or a file that is none, `settings.SettingsError` for what the program itself would refuse.
    """
    file = _stack_file(order, order.project, str(order.project))
    roots = [re.split(r"[.\[]", path)[0] for path in file.secrets]
    # As the engine gives it to a program: texts, structured values as JSON.
    plain = {key: value for key, value in file.config.items() if value is not None}
    config = {key: text if isinstance(text, str) else json.dumps(text) for key, text in plain.items()}
    return file, settings.read(config, roots, order.stack, order.project)


def copies(order: Order, file: StackFile, base: Path) -> list[Program]:
    """Copy the programs into folders below `base`: the revision, if one is asked for, and the working tree.

    `file` is the working tree's, of `check`. The revision's own is not judged: its own program reads it, and may know
    other keys than today's. Raises `UsageError`.
    """
    found = []
    if order.revision:
        name = extract(order.project, order.revision, base / "revision")
        before = _stack_file(order, base / "revision", f"revision {name}")
        found.append(_program(name, base / "revision", before, order.project))
    workspace.copy_project(order.project, base / "project")
    return [*found, _program("", base / "project", file, order.project)]


def _stack_file(order: Order, folder: Path, place: str) -> StackFile:
    """Return the stripped stack file of a program's folder, which errors call `place`."""
    known = stacks(folder)
    example = f"make rehearse STACK={known[0] if known else 'dev'}"
    name = f"Pulumi.{order.stack}.yaml"
    if order.stack not in known:
        expected = f"one of {', '.join(known) or 'none yet; write Pulumi.dev.yaml'}"
        raise UsageError(f"there is no stack {order.stack!r}: no file {name} in {place}", expected, example)
    try:
        file = workspace.strip((folder / name).read_text())
    except ValueError as error:
        raise UsageError(f"{name} in {place} is not a stack file: {error}", "a map with `config`", example) from None
    # The path on the command line is meant from where the user stands, not from the project's folder.
    return charts.with_chart(file, Path(order.chart).expanduser().absolute()) if order.chart else file


def _program(name: str, folder: Path, file: StackFile, project: Path) -> Program:
    config = {key: value for key, value in file.config.items() if key not in _OF_ITS_OWN_CLUSTER}
    borrowed = []
    for key in (charts.CHART, VALUES_FILE):
        path = str(config.get(key) or "")
        if path and not (folder / path).exists():
            borrowed.append(path)
            config[key] = str(project / Path(path).expanduser())
            if not Path(config[key]).exists():
                found = f"the stack's file of revision {name} names {path}, which is neither in it nor in {project}"
                raise UsageError(found, "a file that git knows, or one that lies there", _EXAMPLE)
    return Program(name, folder, replace(file, config=config), tuple(borrowed))


def extract(project: Path, revision: str, target: Path) -> str:
    """Write the project as it was committed at a revision into the folder `target`.

    Takes what `git rev-parse` understands; returns the revision's short name, a hash. Raises `UsageError`.
    """
    commit = f"{revision}^{{commit}}"
    name = _git(project, revision, "rev-parse", "--short", "--verify", "--end-of-options", commit).strip()
    packed = target.with_name(f"{target.name}.tar")
    _git(project, revision, "archive", "--output", str(packed), name)
    with tarfile.open(packed) as archive:
        # By name, since Python has the filters only from 3.11.4 on. Not the stricter "data": the program of the
        # revision is going to be run, so its own links are no new risk.
        archive.extraction_filter = getattr(tarfile, "tar_filter", None)
        archive.extractall(target)
    return name


def _git(project: Path, revision: str, *args: str) -> str:
    try:
        got = run(["git", "-C", project, *args])
    except FileNotFoundError:
        example = "make rehearse STACK=dev, which needs no revision"
        raise UsageError("there is no git on PATH", "git, to read the revision", example) from None
    if got.status:
        # Git's own words, since it also refuses a repository that belongs to somebody else.
        said = got.err.partition("\n")[0].removeprefix("fatal: ")
        found = f"git reads no revision {revision!r} in {project}: {said}"
        raise UsageError(found, "a branch, a tag or a commit of this repository", _EXAMPLE)
    return got.out

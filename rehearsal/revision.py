"""An earlier revision of the project, out of git, to deploy before the working tree."""

import tarfile
from pathlib import Path
from typing import Final

from kube.run import Result, run
from rehearsal import workspace
from rehearsal.errors import CommandError, UsageError
from rehearsal.workspace import StackFile

EXAMPLE: Final = "make rehearse UPGRADE=1, or FROM=main"


def name(project: Path, revision: str) -> str:
    """Return the short name (a hash) of a revision, as `git rev-parse` understands it. Raises `UsageError`."""
    got = _git(project, "rev-parse", "--short", "--verify", "--end-of-options", f"{revision}^{{commit}}")
    if got.status:
        # Git's own words, since it also refuses a repository that belongs to somebody else.
        said = got.err.partition("\n")[0].removeprefix("fatal: ")
        found = f"git reads no revision {revision!r} in {project}: {said}"
        raise UsageError(found, "a branch, a tag or a commit of this repository", EXAMPLE)
    return got.out.strip()


def extract(project: Path, revision: str, target: Path) -> None:
    """Write the project as it was committed at a revision into the folder `target`. Raises `CommandError`."""
    packed = target.with_name(f"{target.name}.tar")
    got = _git(project, "archive", "--output", str(packed), revision)
    if got.status:
        raise CommandError(f"revision {revision} cannot be read: {got.err.strip()}")
    with tarfile.open(packed) as archive:
        # By name, since Python has the filters only from 3.11.4 on. Not the stricter "data": the program of the
        # revision is going to be run, so its own links are no new risk.
        archive.extraction_filter = getattr(tarfile, "tar_filter", None)
        archive.extractall(target)


def has(project: Path, revision: str, path: str) -> bool:
    """Tell whether a revision has a file or folder; `path` is relative to the project."""
    return not Path(path).expanduser().is_absolute() and _is_there(project, revision, path)


def stack_file(project: Path, revision: str, stack: str) -> StackFile:
    """Return a stack's file as it was committed, stripped. Raises `UsageError`.

    It is not judged: the revision's own program reads it, and may know other keys than today's.
    """
    for file in ("Pulumi.yaml", f"Pulumi.{stack}.yaml"):
        if not _is_there(project, revision, file):
            raise UsageError(f"revision {revision} has no {file}", "a revision that has this stack", EXAMPLE)
    text = _git(project, "show", f"{revision}:./Pulumi.{stack}.yaml").out
    try:
        return workspace.strip(text)
    except ValueError as error:
        found = f"Pulumi.{stack}.yaml of revision {revision} is not a stack file: {error}"
        raise UsageError(found, "a revision in which it is one", EXAMPLE) from None


def _is_there(project: Path, revision: str, path: str) -> bool:
    return _git(project, "cat-file", "-e", f"{revision}:./{path}").status == 0


def _git(project: Path, *args: str) -> Result:
    try:
        return run(["git", "-C", project, *args])
    except FileNotFoundError:
        example = "make rehearse STACK=dev, which needs no revision"
        raise UsageError("there is no git on PATH", "git, to read the revision", example) from None

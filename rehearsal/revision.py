"""An earlier revision of the project, out of git, to deploy before the working tree."""

import io
import subprocess
import tarfile
from pathlib import Path
from typing import Final

import yaml

from rehearsal import workspace
from rehearsal.workspace import CommandError, StackFile


class RevisionError(Exception):
    """Why a revision cannot be rehearsed: what was found, what is expected, an example."""

    def __init__(self, found: str, expected: str, example: str = "make rehearse UPGRADE=1, or FROM=main") -> None:
        super().__init__(f"{found}\n      expected: {expected}\n      example:  {example}")


_WITHOUT: Final = "make rehearse STACK=dev, which needs no revision"


def name(project: Path, revision: str) -> str:
    """Return the short name (a hash) of a revision, as `git rev-parse` understands it. Raises `RevisionError`."""
    inside = _git(project, "rev-parse", "--is-inside-work-tree")
    if inside.returncode:
        # Git's own words, since it also refuses a repository that belongs to somebody else.
        said = (inside.stderr.decode(errors="replace").strip().splitlines() or ["git said nothing"])[0]
        found = f"git reads no revision {revision!r} in {project}: {said.removeprefix('fatal: ')}"
        raise RevisionError(found, "a checkout that git reads", _WITHOUT)
    got = _git(project, "rev-parse", "--short", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}")
    if got.returncode:
        raise RevisionError(f"there is no revision {revision!r} here", "a branch, a tag or a commit of this repository")
    return got.stdout.decode().strip()


def extract(project: Path, revision: str, target: Path) -> None:
    """Write the project as it was committed at a revision into the folder `target`. Raises `CommandError`."""
    got = _git(project, "archive", "--format=tar", revision)
    if got.returncode:
        raise CommandError(f"revision {revision} cannot be read: {got.stderr.decode(errors='replace').strip()}")
    target.mkdir(parents=True, exist_ok=True)
    with tarfile.open(fileobj=io.BytesIO(got.stdout)) as archive:
        # By name, since Python has the filters only from 3.11.4 on. Not the stricter "data": the program of the
        # revision is going to be run, so its own links are no new risk.
        archive.extraction_filter = getattr(tarfile, "tar_filter", None)
        archive.extractall(target)


def has(project: Path, revision: str, path: str) -> bool:
    """Tell whether a revision has a file or folder; `path` is relative to the project."""
    return not Path(path).expanduser().is_absolute() and _is_there(project, revision, path)


def stack_file(project: Path, revision: str, stack: str) -> StackFile:
    """Return a stack's file as it was committed, stripped. Raises `RevisionError`.

    It is not judged: the revision's own program reads it, and may know other keys than today's.
    """
    for file in ("Pulumi.yaml", f"Pulumi.{stack}.yaml"):
        if not _is_there(project, revision, file):
            raise RevisionError(f"revision {revision} has no {file}", "a revision that has this stack")
    text = _git(project, "show", f"{revision}:./Pulumi.{stack}.yaml").stdout.decode(errors="replace")
    try:
        return workspace.strip(text)
    except (ValueError, yaml.YAMLError):
        raise RevisionError(
            f"Pulumi.{stack}.yaml of revision {revision} is not a stack file", "a revision in which it is one"
        ) from None


def _is_there(project: Path, revision: str, path: str) -> bool:
    return _git(project, "cat-file", "-e", f"{revision}:./{path}").returncode == 0


def _git(project: Path, *args: str) -> subprocess.CompletedProcess[bytes]:
    try:
        return subprocess.run(["git", "-C", str(project), *args], capture_output=True, check=False)
    except FileNotFoundError:
        raise RevisionError("there is no git on PATH", "git, to read the revision", _WITHOUT) from None

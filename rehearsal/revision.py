"""An earlier revision of the project, out of git, to deploy before the working tree."""

import io
import subprocess
import tarfile
from pathlib import Path

import yaml

from rehearsal import workspace
from rehearsal.workspace import StackFile


class RevisionError(Exception):
    """Why a revision cannot be rehearsed: what was found, what is expected, an example."""

    def __init__(self, found: str, expected: str) -> None:
        super().__init__(f"{found}\n      expected: {expected}\n      example:  make rehearse UPGRADE=1, or FROM=main")


def name(project: Path, revision: str) -> str:
    """Return the short name (a hash) of a revision, as `git rev-parse` understands it. Raises `RevisionError`."""
    inside = _git(project, "rev-parse", "--is-inside-work-tree")
    if inside.returncode:
        raise RevisionError(f"{project} is no git repository, so there is no revision {revision!r}", "a git checkout")
    got = _git(project, "rev-parse", "--short", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}")
    if got.returncode:
        raise RevisionError(f"there is no revision {revision!r} here", "a branch, a tag or a commit of this repository")
    return got.stdout.decode().strip()


def extract(project: Path, revision: str, target: Path) -> None:
    """Write the project as it was committed at a revision into the folder `target`."""
    got = _git(project, "archive", "--format=tar", revision)
    if got.returncode:
        raise RevisionError(
            f"revision {revision} cannot be read: {got.stderr.decode().strip()}", "a revision with this folder in it"
        )
    target.mkdir(parents=True, exist_ok=True)
    with tarfile.open(fileobj=io.BytesIO(got.stdout)) as archive:
        archive.extractall(target, filter="data")


def stack_file(project: Path, revision: str, stack: str) -> StackFile:
    """Return a stack's file as it was committed, stripped. Raises `RevisionError`.

    It is not judged: the revision's own program reads it, and may know other keys than today's.
    """
    missing = [
        f
        for f in ("Pulumi.yaml", f"Pulumi.{stack}.yaml")
        if _git(project, "cat-file", "-e", f"{revision}:./{f}").returncode
    ]
    if missing:
        raise RevisionError(f"revision {revision} has no {missing[0]}", "a revision that has this stack")
    text = _git(project, "show", f"{revision}:./Pulumi.{stack}.yaml").stdout.decode(errors="replace")
    try:
        return workspace.strip(text)
    except (ValueError, yaml.YAMLError):
        raise RevisionError(
            f"Pulumi.{stack}.yaml of revision {revision} is not a stack file", "a revision in which it is one"
        ) from None


def _git(project: Path, *args: str) -> subprocess.CompletedProcess[bytes]:
    try:
        return subprocess.run(["git", "-C", str(project), *args], capture_output=True, check=False)
    except FileNotFoundError:
        raise RevisionError("there is no git on PATH", "git, to read the revision") from None

"""An earlier revision of the project, out of git, to deploy before the working tree."""

import tarfile
from pathlib import Path
from typing import Final

from kube.run import run
from rehearsal.errors import UsageError

EXAMPLE: Final = "make rehearse UPGRADE=1, or FROM=main"


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
        raise UsageError(found, "a branch, a tag or a commit of this repository", EXAMPLE)
    return got.out

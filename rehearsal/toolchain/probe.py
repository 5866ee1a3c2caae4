"""Asks programs for their version: those that are installed already, and those that were just got."""

import os
import re
import shutil
import sysconfig
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from kube import run
from kube.errors import TimeLimitError
from rehearsal.errors import UnavailableError
from rehearsal.toolchain.artifacts import Artifact
from rehearsal.toolchain.sources import copy_files

PROBE_SECONDS: Final = 10.0  # for a program of unknown origin on PATH
CHECK_SECONDS: Final = 60.0  # for one that we just got: a big program's first start on a busy machine is slow

# The first thing in a program's answer that looks like a version; what follows a plus is of no account.
VERSION: Final = re.compile(r"(?<![\d.])(\d+\.\d+\.\d+(?:-[0-9A-Za-z.-]+)?)")


def answer(command: Sequence[str], environment: Mapping[str, str], folder: Path, limit: float = PROBE_SECONDS) -> str:
    """Run a command and return its standard output, "" if it fails or takes longer than `limit` seconds."""
    with suppress(OSError, TimeLimitError):
        got = run.run(command, environment=environment, folder=folder, seconds=limit)
        return "" if got.status else got.out
    return ""


def version_in(text: str) -> str:
    """Return the first version in a program's answer, "" without one."""
    match = VERSION.search(text)
    return match.group(1) if match else ""


def copy_installed(artifact: Artifact, into: Path) -> None:
    """Copy all programs of an artifact that is installed into a folder; raises UnavailableError if it is not.

    They are looked for where the running Python keeps its scripts, then on PATH, in the exact version; an artifact's
    other programs lie beside its first or beside what that is a link to.
    """
    search = os.pathsep.join([sysconfig.get_path("scripts"), os.environ.get("PATH", os.defpath)])
    for program, *arguments in artifact.probes[:1]:
        path = shutil.which(program, path=search)
        if path and version_in(answer([path, *arguments], os.environ, Path("/"))) == artifact.version:
            for folder in (Path(path).parent, Path(path).resolve().parent):
                programs = [folder / file for file in artifact.files]
                if all(program.is_file() for program in programs):
                    copy_files(programs, folder, into)
                    return
    raise UnavailableError("not on PATH")


def check(artifact: Artifact, made: Path, home: Path) -> None:
    """Make the programs in the folder `made` executable and ask each for its version; raises UnavailableError.

    With a bare environment, because the copy must serve everywhere: a version manager's shim, which answers by the
    current folder or the home folder, is found out here.
    """
    for file in artifact.files:
        if not (made / file).exists():
            raise UnavailableError(f"{file} was missing")
        if (made / file).is_file():
            (made / file).chmod(0o755)
    bare = {"PATH": "/usr/bin:/bin", "HOME": str(home), "PULUMI_SKIP_UPDATE_CHECK": "1"}
    for program, *arguments in artifact.probes:
        command = [str(made / program), *arguments]
        version = version_in(answer(command, bare, home, CHECK_SECONDS))
        if version != artifact.version:
            raise UnavailableError(f"{program} answered with version {version!r}")

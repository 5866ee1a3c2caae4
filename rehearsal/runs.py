"""The folders of rehearsals: one per run, with everything it made, and gone when it ends.

A run holds a lock for as long as its process lives, so a folder without one was left by a killed run. `keep` marks
a folder that the user wanted to look at. All projects of a user have their runs in the one cache; each run knows its
project.
"""

import contextlib
import os
import re
import secrets
import shlex
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from filelock import FileLock, Timeout

from rehearsal.cluster import processes
from rehearsal.errors import UsageError
from rehearsal.toolchain.cache import CACHE_VARIABLE, cache_folder

_KEPT: Final = "kept"
_PROJECT: Final = "of-project"  # a link
# As `new` makes them; whatever else lies in the folder is no run, and is left alone.
_NAME: Final = re.compile(r"rehearsal-(.+)-\d+-[0-9a-f]{4}")


@dataclass(frozen=True)
class Run:
    """One rehearsal. Its folder's name is unique on the machine, and the cluster's, too."""

    folder: Path

    @property
    def kept(self) -> bool:
        """Whether the run was kept for the user to look at."""
        return (self.folder / _KEPT).exists()

    def keep(self) -> None:
        """Mark the run as kept: later runs leave it alone, `stop` removes it."""
        (self.folder / _KEPT).touch()

    @property
    def project(self) -> Path | None:
        """The folder of the project that was rehearsed; None for runs of earlier versions."""
        link = self.folder / _PROJECT
        return link.readlink() if link.is_symlink() else None

    @property
    def lock(self) -> Path:
        """The lock file, held for as long as the run's process lives."""
        return self.folder.with_name(f"{self.folder.name}.lock")

    def __str__(self) -> str:
        """Name the run and say what it is, for people."""
        (stack,) = _NAME.findall(self.folder.name)
        what = "the kept cluster" if self.kept else "what a killed rehearsal had left"
        return f"{self.folder.name}: {what} of stack {stack}, {self.project or 'an unknown project'}"

    def remove(self) -> None:
        """End the run's cluster and every other process of it, and remove its folder and (its holder's) lock file."""
        processes.end(self.folder)
        shutil.rmtree(self.folder, ignore_errors=True)
        self.lock.unlink(missing_ok=True)  # names are never used again


def runs_folder() -> Path:
    """Return the folder of all runs."""
    return cache_folder() / "runs"


@contextlib.contextmanager
def new(stack: str, project: Path) -> Iterator[Run]:
    """Open a run for the length of a `with` block; on every way out it is removed, cluster and all, unless kept.

    `project` is the folder of the project that is rehearsed. Raises `UsageError` where nothing can be written.
    """
    run = Run(runs_folder() / f"rehearsal-{stack}-{os.getpid()}-{secrets.token_hex(2)}")
    try:
        runs_folder().mkdir(parents=True, exist_ok=True)
        held = FileLock(run.lock).acquire()
    except OSError as error:
        found = f"{runs_folder()} cannot be written: {error.strerror}"
        expected = f"a folder of your own, named in {CACHE_VARIABLE}"
        raise UsageError(found, expected, f"{CACHE_VARIABLE}=/var/tmp/rehearsal make rehearse") from None
    with held:
        try:
            run.folder.mkdir(mode=0o700)
            (run.folder / _PROJECT).symlink_to(project)
            yield run
        finally:
            if not run.kept:
                run.remove()


def sweep() -> list[str]:
    """Remove what killed runs left, of all projects; return what was removed, for people."""
    return [said for run in _all() if not run.kept and (said := _removed(run))]


def stop(project: Path, name: str = "") -> list[str]:
    """Remove the runs of a project, kept ones and those that were killed; return what was removed, for people.

    With a `name` (a run's, or the path of its folder), only that one, which may also be one whose project is gone.
    Runs at work are left alone. Raises `UsageError` for a name that is not there, is at work, or is another project's.
    """
    own = [run for run in _all() if run.project == project]
    if not name:
        return [said for run in own if (said := _removed(run))]
    names = f"a run of {project}: {', '.join(run.folder.name for run in own) or 'there is none'}"
    found = [run for run in _all() if run.folder.name == Path(name).name]
    if not found:
        raise UsageError(f"there is no run {name!r} in {runs_folder()}", names, "make rehearse-stop, for all of them")
    (run,) = found
    if run.project and run.project != project and run.project.is_dir():
        example = f"make -C {shlex.quote(str(run.project))} rehearse-stop RUN={run.folder.name}"
        raise UsageError(f"{run.folder.name} is of another folder, {run.project}", names, example)
    if not (said := _removed(run)):
        raise UsageError(f"{run.folder.name} is still at work", "a run that has ended", "Ctrl-C in its own window")
    return [said]


def orphans() -> list[Run]:
    """Return the kept runs whose project is gone or unknown: no project's `stop` removes them without their name."""
    return [run for run in _all() if run.kept and not (run.project and run.project.is_dir())]


def _all() -> list[Run]:
    return [
        Run(folder)
        for folder in sorted(runs_folder().glob("rehearsal-*"))
        if folder.is_dir() and _NAME.fullmatch(folder.name)
    ]


def _removed(run: Run) -> str:
    """Remove a run and return what it was, "" if it is at work."""
    said = str(run)
    # A lock that is held: the run is at work.
    with contextlib.suppress(Timeout), FileLock(run.lock, timeout=0):
        run.remove()
        return said
    return ""

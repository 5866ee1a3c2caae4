"""The folders of rehearsals: one per run, with everything it made, and gone when it ends.

A run holds a lock for as long as its process lives, so a folder without one was left by a killed run. `keep` marks
a folder that the user wanted to look at.
"""

import contextlib
import os
import re
import secrets
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from filelock import FileLock, Timeout

from rehearsal.cluster import processes
from rehearsal.toolchain.cache import cache_folder

_KEPT: Final = "kept"
# As `new` makes them; whatever else lies in the folder is no run, and is left alone.
_NAME: Final = re.compile(r"rehearsal-.+-\d+-[0-9a-f]{4}")


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
    def lock(self) -> Path:
        """The lock file, held for as long as the run's process lives."""
        return self.folder.with_name(f"{self.folder.name}.lock")

    def remove(self) -> None:
        """End the run's cluster and every other process of it, and remove its folder and (its holder's) lock file."""
        processes.end(self.folder)
        shutil.rmtree(self.folder, ignore_errors=True)
        self.lock.unlink(missing_ok=True)  # names are never used again


def runs_folder() -> Path:
    """Return the folder of all runs."""
    return cache_folder() / "runs"


@contextlib.contextmanager
def new(stack: str) -> Iterator[Run]:
    """Open a run for the length of a `with` block; on every way out it is removed, cluster and all, unless kept."""
    run = Run(runs_folder() / f"rehearsal-{stack}-{os.getpid()}-{secrets.token_hex(2)}")
    runs_folder().mkdir(parents=True, exist_ok=True)
    with FileLock(run.lock):
        try:
            run.folder.mkdir(mode=0o700)
            yield run
        finally:
            if not run.kept:
                run.remove()


def sweep(include_kept: bool = False) -> list[str]:
    """Remove what killed runs left and, if asked, those that were kept; return their names."""
    gone = []
    for folder in sorted(runs_folder().glob("rehearsal-*")):
        run = Run(folder)
        if folder.is_dir() and _NAME.fullmatch(folder.name) and (include_kept or not run.kept):
            # A lock that is held: the run is at work.
            with contextlib.suppress(Timeout), FileLock(run.lock, timeout=0):
                run.remove()
                gone.append(folder.name)
    return gone

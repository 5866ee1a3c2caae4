"""The folders of rehearsals: one per run, with everything it made, and gone when it ends.

A run holds a lock for as long as its process lives, so a folder without one was left by a killed run. `keep` marks
a folder that a person wanted to look at.
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

from rehearsal import cluster
from rehearsal.toolchain import Toolchain, cache_folder

_KEPT: Final = "kept"
# As `new` makes them; whatever else lies in the folder is no run, and is left alone.
_NAME: Final = re.compile(r"rehearsal-.+-\d+-[0-9a-f]{4}")


@dataclass(frozen=True)
class Run:
    """One rehearsal's name (unique on the machine; the cluster's too) and folder."""

    name: str
    folder: Path

    @property
    def kept(self) -> bool:
        """Whether the run was kept for a person to look at."""
        return (self.folder / _KEPT).exists()

    def keep(self) -> None:
        """Mark the run as kept: later runs leave it alone, `stop` removes it."""
        (self.folder / _KEPT).touch()


def runs_folder() -> Path:
    """Return the folder of all runs."""
    return cache_folder() / "runs"


def _lock(name: str) -> FileLock:
    return FileLock(_lock_file(name))


@contextlib.contextmanager
def new(tools: Toolchain, stack: str) -> Iterator[Run]:
    """Open a run for the length of a `with` block; on every way out it is removed, cluster and all, unless kept."""
    name = f"rehearsal-{stack}-{os.getpid()}-{secrets.token_hex(2)}"
    runs_folder().mkdir(parents=True, exist_ok=True)
    with _lock(name):
        run = Run(name, runs_folder() / name)
        try:
            run.folder.mkdir(mode=0o700)
            yield run
        finally:
            if not run.kept:
                remove(tools, run)
            _lock_file(name).unlink(missing_ok=True)  # names are never used again


def _lock_file(name: str) -> Path:
    return runs_folder() / f"{name}.lock"


def remove(tools: Toolchain, run: Run) -> None:
    """Stop the run's cluster and every process of it, and remove its folder."""
    if run.folder.exists():
        cluster.stop(tools, cluster.Cluster(run.name, run.folder, run.folder / "kubeconfig"))
    shutil.rmtree(run.folder, ignore_errors=True)


def leftover(include_kept: bool = False) -> list[Run]:
    """Return the runs whose process is gone: those that were killed and, if asked, those that were kept."""
    there = [path for path in runs_folder().glob("rehearsal-*") if path.is_dir() == (path.suffix != ".lock")]
    names = sorted({path.name.removesuffix(".lock") for path in there})
    runs = [Run(name, runs_folder() / name) for name in names if _NAME.fullmatch(name)]
    return [run for run in runs if (include_kept or not run.kept) and _abandoned(run)]


def _abandoned(run: Run) -> bool:
    try:
        with _lock(run.name).acquire(timeout=0):
            return True
    except Timeout:
        return False


def sweep(tools: Toolchain, include_kept: bool = False) -> list[str]:
    """Remove what earlier runs left; return their names."""
    gone = []
    for run in leftover(include_kept):
        with contextlib.suppress(Timeout), _lock(run.name).acquire(timeout=0):
            remove(tools, run)
            _lock_file(run.name).unlink(missing_ok=True)
            gone.append(run.name)
    return gone

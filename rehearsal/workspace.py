"""A copy of the project in sealed surroundings, and the plain `pulumi` commands run there.

The person's kubeconfig, Pulumi login, passphrase and stack files are neither read by Pulumi nor changed. Why a copy,
and why stripped: facts, preview.md section 4.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from components import settings
from rehearsal import processes
from rehearsal.toolchain import Toolchain

_LOCKED: Final = ("encryptionsalt", "encryptedkey", "secretsprovider")
# A chart may have to be fetched through the person's proxy; nothing else of the environment goes in.
_PASSED_ON: Final = ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy", "SSL_CERT_FILE")
_NOT_COPIED: Final = (".git", ".venv*", "__pycache__", ".mypy_cache", ".ruff_cache", ".pytest_cache", "node_modules")


@dataclass(frozen=True)
class StackFile:
    """A stack's own file, made safe to use elsewhere.

    `config` holds the plain values; `secrets` names the paths (as `pulumi config set --path` takes them) that get a
    placeholder; `filled` those among them that the file lacks altogether.
    """

    config: dict[str, Any]
    secrets: tuple[str, ...]
    filled: tuple[str, ...]


def strip(text: str) -> StackFile:
    """Take the text of a `Pulumi.<stack>.yaml` and leave out what only its owner can read.

    Raises ValueError if it is no stack file.
    """
    content = yaml.safe_load(text) or {}
    if not isinstance(content, dict) or not isinstance(content.get("config") or {}, dict):
        raise ValueError("a stack file is a map with the key `config`")
    config = content.get("config") or {}
    locked = tuple(_locked_paths(config))
    plain = _without_locked(config)
    filled = tuple(key for key in settings.required_secrets(config) if key not in config)
    return StackFile(plain, (*locked, *filled), filled)


def _is_locked(value: Any) -> bool:
    return isinstance(value, dict) and set(value) == {"secure"}


def _locked_paths(value: Any, path: str = "") -> Iterator[str]:
    if _is_locked(value):
        yield path
    elif isinstance(value, dict):
        for key, below in value.items():
            yield from _locked_paths(below, path + _step(str(key), first=not path))
    elif isinstance(value, list):
        for index, below in enumerate(value):
            yield from _locked_paths(below, f"{path}[{index}]")


def _step(key: str, first: bool) -> str:
    """Return one step of a path; a name that holds the path's own signs is quoted."""
    if any(sign in key for sign in '.["'):
        return f"[{json.dumps(key)}]"
    return key if first else f".{key}"


def _without_locked(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _without_locked(v) for k, v in value.items() if not _is_locked(v)}
    if isinstance(value, list):
        # The place in a list is kept, since the placeholder is set by its index.
        return ["" if _is_locked(v) else _without_locked(v) for v in value]
    return value


def as_engine(config: Mapping[str, Any]) -> dict[str, str]:
    """Turn a stack file's config into what the engine gives a program: texts, structured values as JSON."""

    def text(value: Any) -> str:
        return value if isinstance(value, str) else json.dumps(value)

    return {key: text(value) for key, value in config.items() if value is not None}


def copy_project(source: Path, target: Path) -> None:
    """Copy what belongs to the project: the files that git knows or would take, else all but environments."""
    listed = _listed(source)
    if listed is None:
        shutil.copytree(source, target, ignore=shutil.ignore_patterns(*_NOT_COPIED), symlinks=True)
        return
    for name in listed:
        file = source / name
        if file.is_file():  # a deleted file is still listed
            place = target / name
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(file, place)


def _listed(source: Path) -> list[str] | None:
    """Return the files that git knows or would take; None where there is no repository, or no git."""
    try:
        got = subprocess.run(
            ["git", "-C", str(source), "ls-files", "-coz", "--exclude-standard"], capture_output=True, check=False
        )
    except FileNotFoundError:
        return None
    return None if got.returncode else [name for name in os.fsdecode(got.stdout).split("\0") if name]


class CommandError(Exception):
    """A command of the rehearsal failed; the text is what it printed."""


@dataclass(frozen=True)
class Workspace:
    """A folder with a Pulumi project, and the environment in which `pulumi` works on it.

    `folder` is the project, `base` the run's own folder: state, login, home and logs lie there.
    """

    folder: Path
    base: Path
    environment: Mapping[str, str]

    def pulumi(self, *args: str, check: bool = True, secrets: Mapping[str, str] | None = None) -> "Result":
        """Run `pulumi` and return its exit status and what it printed.

        With `check`, raises `CommandError` when it fails. `secrets` become `--secret name=value`; they are not logged.
        """
        command = [*args, "--non-interactive"]
        with (self.base / "pulumi.log").open("a") as log:
            log.write(f"$ pulumi {' '.join(command)}\n")
        hidden = [part for item in (secrets or {}).items() for part in ("--secret", "=".join(item))]
        # `-C` names the folder on the command line, by which a later run can find and end what a killed one left.
        result = self.run("pulumi", "-C", str(self.folder), *command, *hidden)
        with (self.base / "pulumi.log").open("a") as log:
            log.write(result.text)
        if check and result.status:
            raise CommandError(result.text.strip())
        return result

    def run(self, program: str, *args: str) -> "Result":
        """Run a program in the sealed surroundings; it is ended if this process is interrupted."""
        # A session of its own: Ctrl-C reaches this process alone, which then ends the program itself.
        with subprocess.Popen(
            [shutil.which(program, path=self.environment["PATH"]) or program, *args],
            cwd=self.folder, env=dict(self.environment), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True, start_new_session=True,
        ) as process:  # fmt: skip
            try:
                out, err = process.communicate()
            except BaseException:
                processes.end_session(process.pid)
                raise
        return Result(process.returncode, out, err)


@dataclass(frozen=True)
class Result:
    """What a command left: exit status, standard output, standard error."""

    status: int
    out: str
    err: str

    @property
    def text(self) -> str:
        """All that it printed."""
        return self.out + self.err


def seal(tools: Toolchain, base: Path, kubeconfig: Path) -> dict[str, str]:
    """Make the surroundings of a run below `base` and return the environment that leads there and nowhere else."""
    for name in ("home", "state", "pulumi-home"):
        (base / name).mkdir(parents=True, exist_ok=True)
    plugins = base / "pulumi-home" / "plugins"
    if not plugins.is_symlink():
        plugins.symlink_to(tools.plugins)
    return {
        "PATH": os.pathsep.join([str(tools.bin), "/usr/local/bin", "/usr/bin", "/bin"]),
        "HOME": str(base / "home"),
        "TMPDIR": os.environ.get("TMPDIR", "/tmp"),
        "LANG": os.environ.get("LANG", "C.UTF-8"),
        "KUBECONFIG": str(kubeconfig),
        "PULUMI_HOME": str(base / "pulumi-home"),
        "PULUMI_BACKEND_URL": f"file://{base / 'state'}",
        # Only placeholders are ever encrypted with it.
        "PULUMI_CONFIG_PASSPHRASE": "rehearsal",
        "PULUMI_PYTHON_CMD": sys.executable,
        "PULUMI_SKIP_UPDATE_CHECK": "1",
        "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "1",
        "PULUMI_OPTION_COLOR": "never",
        **{name: os.environ[name] for name in _PASSED_ON if name in os.environ},
    }


def make(source: Path, base: Path, environment: Mapping[str, str]) -> Workspace:
    """Copy the project at `source` to `base`/project and return it as a workspace."""
    copy_project(source, base / "project")
    return Workspace(base / "project", base, environment)


def prepare(workspace: Workspace, stack: str, file: StackFile, salt: str = "") -> str:
    """Make the stack in the workspace: the plain values as they are, a placeholder for each secret.

    With the `salt` of another copy's stack, that stack is used here as well. Returns the salt.
    """
    path = workspace.folder / f"Pulumi.{stack}.yaml"
    known = {"encryptionsalt": salt} if salt else {}
    path.write_text(yaml.safe_dump({**known, "config": file.config}, sort_keys=False))
    workspace.pulumi("stack", "select" if salt else "init", stack)
    if file.secrets:
        workspace.pulumi(
            "config",
            "set-all",
            "--path",
            secrets={path: settings.placeholder(path, file.config) for path in file.secrets},
        )
    return str(yaml.safe_load(path.read_text()).get("encryptionsalt") or "")

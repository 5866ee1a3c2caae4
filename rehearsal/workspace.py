"""A copy of the project in sealed surroundings, and the plain `pulumi` commands run there.

The user's kubeconfig, Pulumi login, passphrase and stack files are neither read by Pulumi nor changed. Why a copy,
and why stripped: facts, preview.md section 4.
"""

import importlib.metadata
import json
import os
import shlex
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from config import keys
from kube import run, yaml
from kube.run import Result
from rehearsal.cluster import kwok
from rehearsal.errors import CommandError
from rehearsal.toolchain import cache
from rehearsal.toolchain.layout import Toolchain

PROJECT: Final = Path(__file__).resolve().parent.parent
# A chart may have to be fetched through the user's proxy; nothing else of the environment goes in.
_PASSED_ON: Final = ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy", "SSL_CERT_FILE")
_NOT_COPIED: Final = (".git", ".venv*", "__pycache__", ".mypy_cache", ".ruff_cache", ".pytest_cache", "node_modules")

# What decides how the program deploys: each provider's package brings the version of its plugin.
PACKAGES: Final = ("pulumi", "pulumi-kubernetes", "pulumi-random")


@dataclass(frozen=True)
class StackFile:
    """A stack's own file, made safe to use elsewhere.

    `config` holds the plain values, and placeholders; `secrets` names the paths (as `pulumi config set --path` takes
    them) at which these stand: what is encrypted, and what the file lacks.
    """

    config: dict[str, Any]
    secrets: tuple[str, ...] = ()


def strip(text: str) -> StackFile:
    """Take the text of a `Pulumi.<stack>.yaml`, and placeholders for what only its owner can read.

    Raises ValueError if it is no stack file.
    """
    content = yaml.load(text, "its text") or {}
    if not isinstance(content, dict) or not isinstance(content.get("config") or {}, dict):
        raise ValueError("a stack file is a map with the key `config`")
    config = content.get("config") or {}
    secrets = []

    def opened(value: Any, path: str = "") -> Any:
        if isinstance(value, dict) and set(value) == {"secure"}:
            secrets.append(path)
            return keys.placeholder(path, config)
        if isinstance(value, dict):
            return {key: opened(below, path + _step(key, first=not path)) for key, below in value.items()}
        if isinstance(value, list):
            return [opened(below, f"{path}[{index}]") for index, below in enumerate(value)]
        return value

    missing = {key: {"secure": ""} for key in keys.required_secrets(config) if key not in config}
    return StackFile(opened({**config, **missing}), tuple(secrets))


def _step(key: str, first: bool) -> str:
    """Return one step of a path; a name that holds the path's own signs is quoted."""
    if any(sign in key for sign in '.["'):
        return f"[{json.dumps(key)}]"
    return key if first else f".{key}"


def copy_project(source: Path, target: Path) -> None:
    """Copy what belongs to the project: the files that git knows or would take, else all but environments."""
    try:
        listed = run.run(["git", "-C", source, "ls-files", "-coz", "--exclude-standard"])
    except FileNotFoundError:
        listed = Result(-1, "", "there is no git")
    if listed.status:
        shutil.copytree(source, target, ignore=shutil.ignore_patterns(*_NOT_COPIED), symlinks=True)
        return
    for name in listed.out.rstrip("\0").split("\0"):
        if (source / name).is_file():  # a deleted file is still listed
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source / name, target / name)


@dataclass(frozen=True)
class Workspace:
    """A folder with a Pulumi project, and the environment in which `pulumi` works on it.

    `folder` is the project, `base` the run's own folder: state, login, home and logs lie there.
    """

    folder: Path
    base: Path
    environment: Mapping[str, str]

    def pulumi(self, *args: str, check: bool = True, secrets: Mapping[str, str] | None = None) -> Result:
        """Run `pulumi` and return its exit status and what it printed.

        With `check`, raises `CommandError` when it fails. `secrets` become `--secret name=value`; they are not logged.
        """
        command = [*args, "--non-interactive"]
        hidden = [part for item in (secrets or {}).items() for part in ("--secret", "=".join(item))]
        # `-C` names the folder on the command line, by which a later run can find and end what a killed one left.
        result = self.run("pulumi", "-C", str(self.folder), *command, *hidden)
        with (self.base / "pulumi.log").open("a") as log:
            log.write(f"$ pulumi {' '.join(command)}\n{result.text}")
        if check and result.status:
            raise CommandError(result.text.strip())
        return result

    def kubectl(self, *args: str) -> str:
        """Run `kubectl` and return what it printed on standard output. Raises `CommandError`."""
        result = self.run("kubectl", *args)
        if result.status:
            raise CommandError(result.err)
        return result.out

    def shell(self) -> str:
        """Return lines for a person's shell: `kubectl` and `pulumi` then lead to the rehearsal from any folder.

        For all other programs the shell stays as it was; Pulumi alone gets the run's home.
        """
        own = {name: value for name, value in self.environment.items() if name.startswith(("KUBECONFIG", "PULUMI_"))}
        own[cache.CACHE_VARIABLE] = str(cache.cache_folder())  # where `make rehearse-stop` looks for runs
        programs = self.environment["PATH"].split(os.pathsep)[0]
        home, folder = shlex.quote(self.environment["HOME"]), shlex.quote(str(self.folder))
        lines = [f"export {name}={shlex.quote(value)}" for name, value in own.items()]
        return "\n".join(
            [
                *lines,
                f'export PATH={shlex.quote(programs)}:"$PATH"',
                f'pulumi() {{ env HOME={home} pulumi -C {folder} "$@"; }}',
                "",
            ]
        )

    def run(self, program: str, *args: str) -> Result:
        """Run a program in the sealed surroundings; it is ended if this process is interrupted."""
        return run.run([program, *args], environment=self.environment, folder=self.folder)


def seal(tools: Toolchain, base: Path, kubeconfig: Path, python: Path = Path(sys.executable)) -> dict[str, str]:
    """Make the surroundings of a run below `base` and return the environment that leads there and nowhere else."""
    for name in ("state", "pulumi-home"):
        (base / name).mkdir(parents=True, exist_ok=True)
    plugins = base / "pulumi-home" / "plugins"
    if not plugins.is_symlink():
        plugins.symlink_to(tools.plugins)
    return {
        **kwok.environment(tools, base),
        "KUBECONFIG": str(kubeconfig),
        "PULUMI_HOME": str(base / "pulumi-home"),
        "PULUMI_BACKEND_URL": f"file://{base / 'state'}",
        # Only placeholders are ever encrypted with it.
        "PULUMI_CONFIG_PASSPHRASE": "rehearsal",
        "PULUMI_PYTHON_CMD": str(python),
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
    """Make the stack in the workspace, its placeholders encrypted.

    With the `salt` of another copy's stack, that stack is used here as well. Returns the salt.
    """
    path = workspace.folder / f"Pulumi.{stack}.yaml"
    known = {"encryptionsalt": salt} if salt else {}
    path.write_text(yaml.dump({**known, "config": file.config}))
    workspace.pulumi("stack", "select" if salt else "init", stack)
    if file.secrets:
        placeholders = {path: keys.placeholder(path, file.config) for path in file.secrets}
        workspace.pulumi("config", "set-all", "--path", secrets=placeholders)
    return str(yaml.load(path.read_bytes(), path).get("encryptionsalt") or "")


def differences(project: Path) -> list[str]:
    """Compare the Pulumi packages here with the user's own environment; return a sentence for each that differs.

    That is the active environment, else the project's `.venv`, of which the first counts that has such packages.
    """
    active = filter(None, map(os.environ.get, ("VIRTUAL_ENV", "CONDA_PREFIX")))
    for folder in (*map(Path, active), project / ".venv"):
        path = [str(one) for one in folder.glob("lib/python3*/site-packages")]
        # By name, since its own spelling differs from release to release.
        found = {name: list(importlib.metadata.distributions(name=name, path=path)) for name in PACKAGES}
        theirs = {name: one[0].version for name, one in found.items() if one}
        if theirs:
            ours = {name: importlib.metadata.version(name) for name in theirs}
            return [
                f"rehearsed with {name} {ours[name]}; your environment has {theirs[name]} ({folder})"
                for name in theirs
                if theirs[name] != ours[name]
            ]
    return []

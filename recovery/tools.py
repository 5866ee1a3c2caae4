"""The person's own `pulumi` and `kubectl`, and the processes of this machine."""

import contextlib
import json
import os
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from components import cluster
from components.settings import ClusterSettings

_PROVIDER: Final = "pulumi-resource-kubernetes"
_LOCK: Final = re.compile(r"created by (?P<who>\S+)@(?P<host>\S+) \(pid (?P<process>\d+)\)")
_LOCKED: Final = ("currently locked", "currently in progress")
# Seconds in which a provider notices that its engine is gone.
_PATIENCE: Final = 15


class RecoveryError(Exception):
    """Why nothing more was done, what is expected, and a command to type."""

    def __init__(self, found: str, expected: str, example: str) -> None:
        super().__init__(f"{found}\n      expected: {expected}\n      example:  {example}")


class LockedError(Exception):
    """The stack is locked; the text is what Pulumi says of the lock."""


def run(command: Sequence[str], stdin: str = "", environment: Mapping[str, str] | None = None) -> tuple[int, str, str]:
    """Run a program; return its exit status and what it printed."""
    got = subprocess.run(
        [shutil.which(command[0]) or command[0], *command[1:]],
        input=stdin, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    return got.returncode, got.stdout, got.stderr


def require_programs() -> None:
    """Raise `RecoveryError` if `pulumi` or `kubectl` is not on PATH."""
    for program in ("pulumi", "kubectl"):
        if not shutil.which(program):
            raise RecoveryError(
                f"there is no {program} on PATH; nothing was touched",
                f"the {program} with which you work on this cluster",
                'PATH="$HOME/.pulumi/bin:$PATH" python -m recovery' if program == "pulumi" else "which kubectl",
            )


@dataclass(frozen=True)
class Pulumi:
    """Plain `pulumi` commands on one stack of the folder's project."""

    stack: str

    def __call__(self, *args: str, stdin: str = "") -> str:
        """Run a command and return its standard output. Raises `RecoveryError`, or `LockedError`."""
        options = ("--stack", self.stack, "--non-interactive", "--color", "never")
        code, out, err = run(["pulumi", *args, *options], stdin)
        if code:
            raise _refusal(args, self.stack, (err or out).strip())
        return out

    def export(self) -> dict[str, Any]:
        """Return the state; its secrets stay encrypted."""
        state: dict[str, Any] = json.loads(self("stack", "export"))
        return state

    def put(self, state: Mapping[str, Any]) -> None:
        """Write the state back. Pulumi first decrypts it, then takes the lock: a refusal leaves all as it was."""
        self("stack", "import", "--force", stdin=json.dumps(state))

    def cluster(self) -> cluster.Kubeconfig:
        """Return the stack's own cluster, as the program finds it. Raises `RunError` if it does not answer."""
        config = json.loads(self("config", "--json"))
        named = {key: config.get(f"kubernetes:{key}", {}).get("value") or "" for key in ("kubeconfig", "context")}
        found = cluster.read(ClusterSettings(**named, identifier=""))
        cluster.require_answer(found)
        return found


def selected_stack() -> str:
    """Return the stack that is selected in this folder."""
    code, out, err = run(["pulumi", "stack", "--show-name", "--non-interactive", "--color", "never"])
    if code or not out.strip():
        raise _refusal(("stack",), "", err.strip())
    return out.strip()


def _refusal(args: Sequence[str], stack: str, text: str) -> Exception:
    if any(words in text for words in _LOCKED):
        return LockedError(text)
    if "passphrase" in text:
        return RecoveryError(
            f"Pulumi cannot decrypt stack {stack}: the passphrase is missing or wrong; nothing was touched",
            "the passphrase of this stack in the environment",
            "read -rs PULUMI_CONFIG_PASSPHRASE && export PULUMI_CONFIG_PASSPHRASE",
        )
    if "no stack named" in text or "no stack selected" in text:
        return RecoveryError(
            f"there is no stack {stack!r} here; nothing was touched" if stack else "no stack is selected",
            "one of those that `pulumi stack ls` shows",
            "python -m recovery --stack dev",
        )
    return RecoveryError(
        f"`pulumi {' '.join(args[:2])}` failed: {text}", "that it works by hand", f"pulumi {' '.join(args[:2])}"
    )


@dataclass(frozen=True)
class Kubectl:
    """`kubectl` on one cluster, with the person's own rights."""

    kubeconfig: cluster.Kubeconfig

    def __call__(self, *args: str, stdin: str = "") -> str:
        """Run a command and return its standard output. Raises `RecoveryError`."""
        environment = {**os.environ, "KUBECONFIG": os.pathsep.join(self.kubeconfig.paths)}
        options = ("--context", self.kubeconfig.context, "--request-timeout=20s")
        code, out, err = run(["kubectl", *options, *args], stdin, environment)
        if code:
            command = f"kubectl --context {self.kubeconfig.context} {' '.join(args[:2])}"
            raise RecoveryError(f"`{command}` failed: {err.strip()}", "that it works by hand", command)
        return out

    def records(self, release: str) -> list[dict[str, Any]]:
        """Return Helm's records of a release (`namespace/name`)."""
        namespace, _, name = release.rpartition("/")
        out = self("-n", namespace, "get", "secrets", "-l", f"owner=helm,name={name}", "-o", "json")
        items: list[dict[str, Any]] = json.loads(out)["items"]
        return items

    def find(self, resource: Mapping[str, Any]) -> dict[str, Any] | None:
        """Return the object that a resource of the state stands for, if there is one."""
        group, _, version = resource["inputs"]["apiVersion"].rpartition("/")
        kind, metadata = f"{resource['inputs']['kind']}.{version}.{group}", resource["inputs"]["metadata"]
        where = ("-n", metadata["namespace"]) if metadata.get("namespace") else ()
        out = self(*where, "get", kind, metadata["name"], "--ignore-not-found", "--show-managed-fields", "-o", "json")
        return json.loads(out) if out.strip() else None


def killed_holder(text: str) -> str:
    """Return who left a lock, if it is a process of this machine that is gone. Raises `RecoveryError` in any doubt."""
    holders = list(_LOCK.finditer(text))
    doubtful = [h for h in holders if h["host"] != socket.gethostname() or _lives(int(h["process"]))]
    if not holders or doubtful:
        who = f"by process {doubtful[0]['process']} of {doubtful[0]['who']}@{doubtful[0]['host']}" if doubtful else ""
        raise RecoveryError(
            f"the stack is locked {who}".strip() + ", and that run may still be at work; nothing was touched",
            "that it has ended: wait for it. If you are sure that it was killed, take its lock away yourself",
            "pulumi cancel && python -m recovery",
        )
    return ", ".join(f"process {h['process']}" for h in holders)


def _lives(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def wait_for_orphans() -> None:
    """Wait until no provider lives on without its engine. Raises `RecoveryError` if one stays.

    Where only `pulumi` itself was killed, its provider goes on with its Helm operation (seen with 4.25.0), and would
    end it, or take it back, after we have put things in order.
    """
    limit = time.monotonic() + _PATIENCE
    while left := orphans(_processes()):
        if time.monotonic() > limit:
            ids = " ".join(map(str, left))
            raise RecoveryError(
                f"the killed run's provider is still at work for Helm (processes {ids}); nothing was touched",
                "that it has ended: wait for it, at most the stack's timeout, or end it",
                f"kill {ids}; python -m recovery",
            )
        time.sleep(0.5)


def _processes() -> str:
    with contextlib.suppress(FileNotFoundError):
        return run(["ps", "-axww", "-o", "pid=,ppid=,command="])[1]
    return ""


def orphans(listing: str) -> list[int]:
    """Return the Kubernetes providers without a `pulumi` above them, from lines of `pid parent command`."""
    lines = [line.split(None, 2) for line in listing.splitlines()]
    programs = {int(line[0]): Path(line[2].split()[0]).name for line in lines if len(line) == 3}
    parents = {int(line[0]): int(line[1]) for line in lines if len(line) == 3}
    return [
        process
        for process, program in programs.items()
        if program == _PROVIDER and programs.get(parents[process]) != "pulumi"
    ]

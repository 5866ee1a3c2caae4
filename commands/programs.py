"""The person's own `pulumi` and `kubectl`."""

import json
import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from commands.state import State
from components import cluster, record
from components.kubectl import Answer
from components.settings import ClusterSettings

_LOCKED: Final = ("currently locked", "currently in progress")


class RefusedError(Exception):
    """Why nothing more was done, what is expected, and a command to type."""

    def __init__(self, found: str, expected: str, example: str) -> None:
        super().__init__(f"{found}\n      expected: {expected}\n      example:  {example}")


class LockedError(Exception):
    """The stack is locked; the text is what Pulumi says of the lock."""


def run(command: Sequence[str], stdin: str = "", environment: Mapping[str, str] | None = None) -> Answer:
    """Run a program; return its exit status and what it printed."""
    got = subprocess.run(
        [shutil.which(command[0]) or command[0], *command[1:]],
        input=stdin, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    return Answer(got.returncode, got.stdout, got.stderr)


def require(command: str) -> None:
    """Raise `RefusedError` if `pulumi` or `kubectl` is not on PATH. `command` is what the person typed."""
    for program in ("pulumi", "kubectl"):
        if not shutil.which(program):
            raise RefusedError(
                f"there is no {program} on PATH; nothing was touched",
                f"the {program} with which you work on this cluster",
                f'PATH="$HOME/.pulumi/bin:$PATH" {command}' if program == "pulumi" else "which kubectl",
            )


@dataclass(frozen=True)
class Pulumi:
    """Plain `pulumi` commands on one stack of the folder's project. `command` is what the person typed."""

    stack: str
    command: str

    def __call__(self, *args: str, stdin: str = "") -> str:
        """Run a command and return its standard output. Raises `RefusedError`, or `LockedError`."""
        options = ("--stack", self.stack, "--non-interactive", "--color", "never")
        got = run(["pulumi", *args, *options], stdin)
        if got.status:
            raise _refusal(args, self.stack, (got.err or got.out).strip(), self.command)
        return got.out

    def export(self) -> State:
        """Return the state; its secrets stay encrypted."""
        state: State = json.loads(self("stack", "export"))
        return state

    def put(self, state: Mapping[str, Any]) -> None:
        """Write the state back. Pulumi first decrypts it, then takes the lock: a refusal leaves all as it was."""
        self("stack", "import", "--force", stdin=json.dumps(state))

    def cluster(self) -> cluster.Kubeconfig:
        """Return the stack's own cluster, as the program finds it. Raises `RunError` if it does not answer."""
        config = json.loads(self("config", "--json"))
        named = {key: config.get(f"kubernetes:{key}", {}).get("value") or "" for key in ("kubeconfig", "context")}
        return cluster.reach(ClusterSettings(**named, identifier=""))


def selected_stack(command: str) -> str:
    """Return the stack that is selected in this folder. `command` is what the person typed."""
    got = run(["pulumi", "stack", "--show-name", "--non-interactive", "--color", "never"])
    if got.status or not got.out.strip():
        raise _refusal(("stack",), "", got.err.strip(), command)
    return got.out.strip()


def _refusal(args: Sequence[str], stack: str, text: str, command: str) -> Exception:
    if any(words in text for words in _LOCKED):
        return LockedError(text)
    if "passphrase" in text:
        return RefusedError(
            f"Pulumi cannot decrypt stack {stack}: the passphrase is missing or wrong; nothing was touched",
            "the passphrase of this stack in the environment",
            "read -rs PULUMI_CONFIG_PASSPHRASE && export PULUMI_CONFIG_PASSPHRASE",
        )
    if "no stack named" in text or "no stack selected" in text:
        return RefusedError(
            f"there is no stack {stack!r} here; nothing was touched" if stack else "no stack is selected",
            "one of those that `pulumi stack ls` shows",
            f"{command} --stack dev",
        )
    return RefusedError(
        f"`pulumi {' '.join(args[:2])}` failed: {text}", "that it works by hand", f"pulumi {' '.join(args[:2])}"
    )


@dataclass(frozen=True)
class Kubectl:
    """`kubectl` on one cluster, with the person's own rights."""

    kubeconfig: cluster.Kubeconfig

    def ask(self, *args: str, stdin: str = "") -> Answer:
        """Run a command; a refusal is an answer like any other."""
        environment = {**os.environ, "KUBECONFIG": os.pathsep.join(self.kubeconfig.paths)}
        options = ("--context", self.kubeconfig.context, "--request-timeout=20s")
        return run(["kubectl", *options, *args], stdin, environment)

    def __call__(self, *args: str, stdin: str = "") -> str:
        """Run a command and return its standard output. Raises `RefusedError`."""
        got = self.ask(*args, stdin=stdin)
        if got.status:
            command = f"kubectl --context {self.kubeconfig.context} {' '.join(args[:2])}"
            raise RefusedError(f"`{command}` failed: {got.err.strip()}", "that it works by hand", command)
        return got.out

    def records(self, release: str) -> list[dict[str, Any]]:
        """Return Helm's records of a release (`namespace/name`). Raises `RefusedError`."""
        namespace, _, name = release.rpartition("/")
        out = self("-n", namespace, "get", "secrets", "-l", record.selector(name), "-o", "json")
        items: list[dict[str, Any]] = json.loads(out)["items"]
        return items

    def find(self, resource: Mapping[str, Any]) -> dict[str, Any] | None:
        """Return the object that a resource of the state stands for, if there is one."""
        group, _, version = resource["inputs"]["apiVersion"].rpartition("/")
        kind, metadata = f"{resource['inputs']['kind']}.{version}.{group}", resource["inputs"]["metadata"]
        where = ("-n", metadata["namespace"]) if metadata.get("namespace") else ()
        out = self(*where, "get", kind, metadata["name"], "--ignore-not-found", "--show-managed-fields", "-o", "json")
        return json.loads(out) if out.strip() else None

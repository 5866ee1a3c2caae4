"""The user's own `pulumi`, on one stack of the folder's project."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from kube.run import run
from operations.errors import LockedError, OperationError
from operations.state import State

_LOCKED: Final = ("currently locked", "currently in progress")


@dataclass(frozen=True)
class Pulumi:
    """Plain `pulumi` commands on a stack; "" is the selected one."""

    stack: str

    def __call__(self, *args: str, stdin: str = "") -> str:
        """Run a command and return its standard output. Raises `LockedError`, or `OperationError` with its words."""
        options = ("--non-interactive", "--color", "never", *(("--stack", self.stack) if self.stack else ()))
        try:
            got = run(["pulumi", *args, *options], stdin=stdin)
        except FileNotFoundError:
            raise OperationError("there is no pulumi on PATH") from None
        if not got.status:
            return got.out
        text = (got.err or got.out).strip()
        if any(words in text for words in _LOCKED):
            raise LockedError(text)
        raise OperationError(f"`pulumi {' '.join(args[:2])}` failed: {text}")

    def export(self) -> State:
        """Return the state; its secrets stay encrypted."""
        return dict(json.loads(self("stack", "export")))

    def put(self, state: Mapping[str, Any]) -> None:
        """Write the state back. Pulumi first decrypts it, then takes the lock: an error leaves all as it was."""
        self("stack", "import", "--force", stdin=json.dumps(state))

    def cluster(self) -> tuple[str, str]:
        """Return what the stack says of its cluster: path of a kubeconfig and name of a context, "" for the usual."""
        config = json.loads(self("config", "--json"))
        path, context = (config.get(f"kubernetes:{key}", {}).get("value") or "" for key in ("kubeconfig", "context"))
        return path, context

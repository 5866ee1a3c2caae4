"""kubectl, asked by the program: it knows every way to log in. Previews and waits look with it; nothing needs it."""

import asyncio
import contextlib
import os
import shutil
from dataclasses import dataclass, replace
from typing import Final

from components.cluster import Kubeconfig

# Seconds for one request: the server may wait 30 s for a webhook. It was asked for a sign of life before.
_PATIENCE: Final = 35


@dataclass(frozen=True)
class Answer:
    """What a command left: exit status, standard output, standard error."""

    status: int
    out: str
    err: str


@dataclass(frozen=True)
class Kubectl:
    """One kubectl and the cluster that it asks, with the person's own rights or as `account`.

    `program` is its path, `kubeconfigs` are files as in $KUBECONFIG, `account` is a user name to impersonate or "".
    """

    program: str
    kubeconfigs: str
    context: str
    account: str = ""

    def acting_as(self, account: str) -> "Kubectl":
        """Return one that does everything as `account`; "" is the person."""
        return replace(self, account=account)

    async def __call__(self, *args: str, stdin: str = "") -> Answer:
        """Run a command; a refusal is an answer like any other. What is secret goes in by `stdin`, not by `args`."""
        who = ("--as", self.account) if self.account else ()
        pipe = asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec(
            self.program, "--context", self.context, f"--request-timeout={_PATIENCE}s", *who, *args,
            stdin=pipe, stdout=pipe, stderr=pipe, env={**os.environ, "KUBECONFIG": self.kubeconfigs},
        )  # fmt: skip
        try:
            out, err = await process.communicate(stdin.encode())
        except BaseException:
            with contextlib.suppress(ProcessLookupError):
                process.kill()  # whoever asked has gone
            raise
        return Answer(process.returncode or 0, out.decode(errors="replace"), err.decode(errors="replace"))


def find(kubeconfig: Kubeconfig) -> Kubectl | None:
    """Return the kubectl on PATH, for the cluster of `kubeconfig`; None if there is none."""
    program = shutil.which("kubectl")
    return Kubectl(program, os.pathsep.join(kubeconfig.paths), kubeconfig.context) if program else None

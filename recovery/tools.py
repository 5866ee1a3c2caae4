"""The processes of this machine that a killed run may have left."""

import contextlib
import os
import re
import socket
import time
from pathlib import Path
from typing import Final

from commands.programs import RefusedError, run

_PROVIDER: Final = "pulumi-resource-kubernetes"
_LOCK: Final = re.compile(r"created by (?P<who>\S+)@(?P<host>\S+) \(pid (?P<process>\d+)\)")
# Seconds in which a provider notices that its engine is gone.
_PATIENCE: Final = 15


def killed_holder(text: str) -> str:
    """Return who left a lock, if it is a process of this machine that is gone. Raises `RefusedError` in any doubt."""
    holders = list(_LOCK.finditer(text))
    doubtful = [h for h in holders if h["host"] != socket.gethostname() or _lives(int(h["process"]))]
    if not holders or doubtful:
        who = f"by process {doubtful[0]['process']} of {doubtful[0]['who']}@{doubtful[0]['host']}" if doubtful else ""
        raise RefusedError(
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
    """Wait until no provider lives on without its engine. Raises `RefusedError` if one stays.

    Where only `pulumi` itself was killed, its provider goes on with its Helm operation (seen with 4.25.0), and would
    end it, or take it back, after we have put things in order.
    """
    limit = time.monotonic() + _PATIENCE
    while left := orphans(_processes()):
        if time.monotonic() > limit:
            ids = " ".join(map(str, left))
            raise RefusedError(
                f"the killed run's provider is still at work for Helm (processes {ids}); nothing was touched",
                "that it has ended: wait for it, at most the stack's timeout, or end it",
                f"kill {ids}; python -m recovery",
            )
        time.sleep(0.5)


def _processes() -> str:
    with contextlib.suppress(FileNotFoundError):
        return run(["ps", "-axww", "-o", "pid=,ppid=,command="]).out
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

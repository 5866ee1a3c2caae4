"""The processes of this machine that a killed run may have left."""

import re
import socket
import time
from typing import Final

import psutil

from operations.errors import BlockedError

_PROVIDER: Final = "pulumi-resource-kubernetes"
_LOCK: Final = re.compile(r"created by (?P<who>\S+)@(?P<host>\S+) \(pid (?P<process>\d+)\)")
# Seconds in which a provider notices that its engine is gone.
_PATIENCE: Final = 15


def killed_holder(text: str) -> str:
    """Return who left a lock, if it is a process of this machine that is gone. Raises `BlockedError` in any doubt."""
    holders = list(_LOCK.finditer(text))
    doubtful = [h for h in holders if h["host"] != socket.gethostname() or psutil.pid_exists(int(h["process"]))]
    if not holders or doubtful:
        who = "".join(f" by process {h['process']} of {h['who']}@{h['host']}" for h in doubtful[:1])
        raise BlockedError(
            f"the stack is locked{who}, and that run may still be at work; nothing was touched",
            "that it has ended: wait for it. If you are sure that it was killed, take its lock away yourself",
            "pulumi cancel && python -m operations recover",
        )
    return ", ".join(f"process {h['process']}" for h in holders)


def wait_for_orphans() -> None:
    """Wait until no provider lives on without its engine. Raises `BlockedError` if one stays.

    Where only `pulumi` itself was killed, its provider goes on with its Helm operation (seen with 4.25.0), and would
    end it, or roll it back, after we have put things in order.
    """
    limit = time.monotonic() + _PATIENCE
    while left := orphans():
        if time.monotonic() > limit:
            ids = " ".join(map(str, left))
            raise BlockedError(
                f"the killed run's provider is still at work for Helm (processes {ids}); nothing was touched",
                "that it has ended: wait for it, at most the stack's timeout, or end it",
                f"kill {ids}; python -m operations recover",
            )
        time.sleep(0.5)


def orphans() -> list[int]:
    """Return this user's Kubernetes providers without a `pulumi` above them."""
    found = psutil.process_iter(["name", "ppid", "username"])
    known = {one.pid: one.info for one in found if one.info["username"] == psutil.Process().username()}
    return [
        process
        for process, about in known.items()
        if about["name"] == _PROVIDER and known.get(about["ppid"], {}).get("name") != "pulumi"
    ]

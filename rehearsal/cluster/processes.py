"""Ends what a rehearsal started: by process id, and only what is really its own."""

import contextlib
import os
import time
from pathlib import Path
from typing import Final

import psutil

from kube.run import end_session
from rehearsal.toolchain.cache import cache_folder

_PATIENCE: Final = 5.0


def of_folder(folder: Path) -> list[psutil.Process]:
    """Return the processes that work in a run's `folder`.

    A process counts if its command line names the folder and its program lies in our cache (where the folder lies,
    too): a user who only reads a log there is left alone.
    """
    found = []
    for process in psutil.process_iter(["cmdline"]):
        words = process.info["cmdline"] or [""]  # none of a process that has ended, or is another user's
        if words[0].startswith(f"{cache_folder()}/") and any(f"{folder}/" in word for word in words):
            found.append(process)
    return found


def end(folder: Path) -> None:
    """End the processes of a run's folder by force, and wait until they are gone.

    By force, since nothing in a throwaway cluster needs to be put in order, and an API server whose etcd has gone waits
    for it. With their sessions: the engine's language hosts name no folder on their command lines.
    """
    limit = time.monotonic() + _PATIENCE
    while (found := of_folder(folder)) and time.monotonic() < limit:
        for process in found:
            with contextlib.suppress(psutil.Error, ProcessLookupError, PermissionError):
                if os.getsid(process.pid) == process.pid:
                    end_session(process.pid)
                process.kill()
        time.sleep(0.05)

"""Ends what a rehearsal started: by process id, and only what is really its own."""

import contextlib
import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Final

_PATIENCE: Final = 5.0


def of_folder(folder: Path, programs: Path) -> dict[int, str]:
    """Return the processes that work in a run's `folder`: id -> command line.

    A process counts if its command line names the folder and one of its first words is a program below `programs` or
    below the folder: a person who only reads a log there is left alone.
    """
    got = subprocess.run(["ps", "-axww", "-o", "pid=,command="], capture_output=True, text=True, check=False)
    found = {}
    for line in got.stdout.splitlines():
        pid, _, command = line.strip().partition(" ")
        own = any(word.startswith((f"{programs}/", f"{folder}/")) for word in command.split()[:3])
        if f"{folder}/" in command and own and int(pid) != os.getpid():
            found[int(pid)] = command
    return found


def sessions(folder: Path, programs: Path) -> set[int]:
    """Return which processes of a run's folder lead a session: the engines among them."""
    found = set()
    for pid in of_folder(folder, programs):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            if os.getsid(pid) == pid:
                found.add(pid)
    return found


def end_session(leader: int) -> None:
    """End by force every process of the session that a process leads.

    The engine puts its language hosts into groups of their own, and their command lines name no folder: only the
    session tells whose they are. Without an engine they would end by themselves after some minutes.
    """
    for _ in range(2):  # again, for what was started meanwhile
        for pid in _of_session(leader):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)


def _of_session(leader: int) -> list[int]:
    got = subprocess.run(["ps", "-ax", "-o", "pid="], capture_output=True, text=True, check=False)
    found = []
    for pid in map(int, got.stdout.split()):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            if os.getsid(pid) == leader:
                found.append(pid)
    return found


def end(folder: Path, programs: Path) -> None:
    """End the processes of a run's folder, gently and then by force, and wait until they are gone."""
    for how in (signal.SIGTERM, signal.SIGKILL):
        limit = time.monotonic() + _PATIENCE
        for pid in of_folder(folder, programs):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, how)
        while time.monotonic() < limit:
            if not of_folder(folder, programs):
                return
            time.sleep(0.05)

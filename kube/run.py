"""One way to run a program: within a time limit, and with nothing left behind when it is stopped."""

import contextlib
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import psutil

from kube.errors import TimeLimitError

# Seconds in which a program may put things in order before it is ended by force.
_GRACE: Final = 2


@dataclass(frozen=True)
class Result:
    """What a program left: exit status (-9: ended by signal 9), standard output, standard error."""

    status: int
    out: str
    err: str

    @property
    def text(self) -> str:
        """All that it printed."""
        return self.out + self.err


def run(
    command: Sequence[str | Path],
    *,
    stdin: str = "",
    environment: Mapping[str, str] | None = None,
    folder: Path | None = None,
    seconds: float | None = None,
) -> Result:
    """Run a program and return what it left, whatever its exit status: `run(["git", "status"], seconds=10).out`.

    The program is looked for on the PATH of `environment` (None: this process's own), works in `folder`, and reads
    `stdin`. It has a session of its own: Ctrl-C reaches this process alone, which then ends the whole session, as it
    does after `seconds` (None: no limit). Raises `TimeLimitError`, and `FileNotFoundError` where there is no program.
    """
    with subprocess.Popen(
        command, env=environment, cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True, errors="replace", start_new_session=True,
    ) as process:  # fmt: skip
        try:
            out, err = process.communicate(stdin, timeout=seconds)
        except subprocess.TimeoutExpired:
            raise TimeLimitError(f"{command[0]} did not end within {seconds:g} s and was stopped") from None
        finally:
            if process.returncode is None:
                _end(process)
    return Result(process.returncode, out, err)


def _end(process: "subprocess.Popen[str]") -> None:
    _send(process.pid, signal.SIGTERM)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.communicate(timeout=_GRACE)
    end_session(process.pid)
    process.communicate()


def end_session(leader: int) -> None:
    """End by force every process of the session that a process leads, or led.

    Pulumi's engine puts what it starts into groups of their own: only the session tells whose they are.
    """
    for _ in range(2):  # again, for what was started meanwhile
        _send(leader, signal.SIGKILL)


def _send(leader: int, signal_number: int) -> None:
    for pid in psutil.pids():
        with contextlib.suppress(ProcessLookupError, PermissionError):
            if os.getsid(pid) == leader:
                os.kill(pid, signal_number)

"""`kubectl proxy` on a private Unix socket: how it is started, asked, heard, and ended on every way out."""

import contextlib
import http.client
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Final

from kube.errors import ClusterUnreachableError, NoKubectlError
from kube.kubeconfig import Kubeconfig

# Seconds until kubectl serves at its socket; it talks to nobody before.
_START_LIMIT: Final = 15.0
# Seconds after which the user is told that a login takes its time.
_SILENT: Final = 3.0
# Seconds until kubectl has ended, else it is killed.
_STOP_LIMIT: Final = 5.0
# Below a folder with a longer path no socket fits: its own may have 103 bytes on macOS, 22 of them in our folder.
_LONGEST: Final = 80
_LONGEST_LINE: Final = 400
# How many of the last lines are shown with an error.
_LAST: Final = 5
# kubectl ends with this process however that ends: then the shell's standard input is at its end. TERM goes to the
# whole group, so that a login program ends as well. The shell keeps none of kubectl's pipes open.
_SCRIPT: Final = """
folder=$1; shift
"$@" </dev/null &
exec >/dev/null 2>&1
trap '' HUP INT TERM
read -r _
kill -TERM 0
wait
rm -rf -- "$folder"
kill -KILL 0
"""


class _Connection(http.client.HTTPConnection):
    """An HTTP connection to a Unix socket; no proxy of the environment stands between."""

    def __init__(self, path: str, limit: float) -> None:
        super().__init__("localhost", timeout=limit)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


class Proxy:
    """A running `kubectl proxy`, started for the context of a kubeconfig; it serves the API at the path `socket`.

    Raises `ClusterUnreachableError` if it does not start, and `NoKubectlError`.
    """

    def __init__(self, kubeconfig: Kubeconfig) -> None:
        program = shutil.which("kubectl")
        if program is None:
            raise NoKubectlError("there is no kubectl on PATH")
        self._kubeconfig = kubeconfig
        folder = tempfile.gettempdir()
        short = len(os.fsencode(folder)) <= _LONGEST
        # Nobody else can look into it.
        self._folder = Path(tempfile.mkdtemp(prefix="binderhub-", dir=folder if short else "/tmp"))
        self.socket = str(self._folder / "api")
        command = [program, "proxy", f"--unix-socket={self.socket}", "--context", kubeconfig.context]
        self._process = subprocess.Popen(
            ["/bin/sh", "-c", _SCRIPT, "kubectl-proxy", self._folder, *command],
            env={**os.environ, "KUBECONFIG": os.pathsep.join(kubeconfig.paths)},
            stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, start_new_session=True,
        )  # fmt: skip
        self._lines: list[str] = []
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()
        try:
            self._wait()
        except BaseException:
            self.stop()
            raise

    def _wait(self) -> None:
        limit = time.monotonic() + _START_LIMIT
        while not self._serves():
            # Nobody holds its standard error any more: it has ended, and said why.
            if (self._lines and not self._listener.is_alive()) or time.monotonic() > limit:
                raise ClusterUnreachableError(self._kubeconfig.context, self.said() or "kubectl proxy does not start")
            time.sleep(0.005)

    def _serves(self) -> bool:
        with socket.socket(socket.AF_UNIX) as trial:  # a socket is there before anybody listens at it
            return trial.connect_ex(self.socket) == 0

    def _listen(self) -> None:
        with self._process.stderr as stream:  # type: ignore[union-attr]
            for line in stream:
                self._lines.append(line.decode(errors="replace").rstrip())

    def said(self) -> str:
        """Return what kubectl, or its login program, printed last, in one line; "" for nothing."""
        return one_line(" ".join(self._lines[-_LAST:])).removeprefix("error: ")

    def send(
        self, method: str, path: str, body: str | None, headers: Mapping[str, str], limit: float
    ) -> tuple[int, list[str], bytes]:
        """Send one request, once, and return the answer's status, its `Warning` headers and its body.

        Each has a connection of its own: to a Unix socket that costs nothing, and none is ever stale. Raises
        `ClusterUnreachableError` if nothing comes for `limit` seconds, or if kubectl has ended.
        """
        login = self._kubeconfig.login_program
        with contextlib.closing(_Connection(self.socket, limit)) as connection:
            try:
                connection.request(method, path, body, headers)
                got = connection.getresponse()
                return got.status, got.headers.get_all("Warning") or [], got.read()
            except TimeoutError:
                cause = f"no answer within {limit:g} s" + (f"; {login} may still wait for a login" if login else "")
            except (OSError, http.client.HTTPException) as error:
                cause = f"kubectl proxy does not answer ({str(error) or type(error).__name__})"
        said = self.said()
        raise ClusterUnreachableError(self._kubeconfig.context, f"{cause}: {said}" if said else cause)

    @contextlib.contextmanager
    def telling(self) -> Iterator[None]:
        """Tell the user, during a `with` block, that a login takes its time, and what its program prints.

        On standard error: Pulumi's log waits until the program gives way, which it does not before the login's end.
        """
        over, say = threading.Event(), partial(print, file=sys.stderr, flush=True)

        def tell() -> None:
            if over.wait(_SILENT):
                return
            what = "the login of" if self._kubeconfig.login_program else "an answer of the API server of"
            say(f"waiting for {what} context {self._kubeconfig.context}")
            told = 0
            while not over.wait(0.1):
                for line in self._lines[told:]:
                    say(f"  {line}")
                    told += 1

        teller = threading.Thread(target=tell, daemon=True)
        teller.start()
        try:
            yield
        finally:
            over.set()
            teller.join()

    def stop(self) -> None:
        """End kubectl and its login program, and remove the folder. May be called again."""
        if self._process.returncode is not None:
            return
        self._process.stdin.close()  # type: ignore[union-attr]
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(_STOP_LIMIT)
        with contextlib.suppress(OSError):  # the shell may have been killed before its time, or wait for ever
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._listener.join(_STOP_LIMIT)
        shutil.rmtree(self._folder, ignore_errors=True)


def one_line(text: str) -> str:
    """Return a text in one line, without its middle where it is too long for an error."""
    line = " ".join(text.split())
    half = _LONGEST_LINE // 2
    return line if len(line) <= _LONGEST_LINE else f"{line[:half]} ... {line[-half:]}"

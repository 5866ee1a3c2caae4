"""A Python that has imported the program's packages: each run of the program is a fork of it.

A rehearsal runs the program three times, and most of what each run does is to import the same packages. The engine
starts a command of ours in place of Python (`PULUMI_PYTHON_CMD`). That hands its arguments, environment, folder and
streams to a server, which forks, and waits for the exit status. Nothing of the program itself is imported beforehand,
and the forks share nothing. This file is also that server and, without any package, that command.
"""

import array
import contextlib
import importlib
import json
import os
import runpy
import select
import shlex
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

_SOCKET = "python.sock"
_PACKAGES = ("pulumi", "pulumi_kubernetes.helm.v3", "pulumi_random", "psutil", "yaml")
# The engine asks before each run, in order to find plugins; the answer is the same each time.
_LIST = "-m pip list -v --format json"
_COMMAND = """#!/bin/sh
python={python} file={file} folder={folder}
case "$*" in
'{list}') [ -s "$folder/packages.json" ] && exec cat "$folder/packages.json" ;;
*/pulumi-language-python-exec*) exec "$python" -IS "$file" run "$folder" "$@" ;;
esac
exec "$python" "$@"
"""


@contextlib.contextmanager
def running(folder: Path) -> Iterator[Path]:
    """Start the server for the time of the `with`; give the command, to which Python's arguments go.

    Its files lie in `folder`, which exists. Without a server, as after the `with`, the command is plain Python.
    """
    command = folder / "python"
    places = {"python": sys.executable, "file": __file__, "folder": str(folder)}
    quoted = {name: shlex.quote(place) for name, place in places.items()}
    command.write_text(_COMMAND.format(list=_LIST, **quoted))
    command.chmod(0o700)
    arguments = [sys.executable, __file__, "serve", str(folder)]
    # It ends with its standard input, however this process ends.
    with subprocess.Popen(arguments, stdin=subprocess.PIPE, start_new_session=True) as server:
        try:
            yield command
        finally:
            server.kill()


def run(folder: str, arguments: list[str]) -> int:
    """Have the server run Python with these arguments; return the exit status."""
    here = str(Path.cwd())
    with socket.socket(socket.AF_UNIX) as connection:
        try:
            os.chdir(folder)  # the whole path may be too long for a socket
            connection.connect(_SOCKET)
        except OSError:
            os.chdir(here)
            os.execv(sys.executable, [sys.executable, *arguments])
        connection.sendmsg([b"!"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", (0, 1, 2)))])
        connection.sendall(json.dumps([arguments, here, dict(os.environ)]).encode() + b"\n")
        return int(connection.recv(8) or b"1")


def serve(folder: str) -> list[str]:
    """Fork for each connection until standard input ends. Returns in forks only: the arguments of a run."""
    listener = socket.socket(socket.AF_UNIX)
    os.chdir(folder)
    listener.bind(_SOCKET)
    listener.listen(16)
    signal.signal(signal.SIGCHLD, _reap)
    listing = f'"$0" {_LIST} > packages.tmp && mv packages.tmp packages.json'
    subprocess.Popen(["sh", "-c", listing, sys.executable])
    for name in _PACKAGES:
        importlib.import_module(name)
    while listener in select.select([listener, sys.stdin], [], [])[0]:
        connection, _ = listener.accept()
        if os.fork() == 0:
            listener.close()
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            return _attend(connection)
        connection.close()
    sys.exit(0)


def _reap(*_: object) -> None:
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def _attend(connection: socket.socket) -> list[str]:
    """Fork once more, and return the arguments of the run there; here, wait for its end or for the command's."""
    _, [(_, _, streams)], _, _ = connection.recvmsg(1, socket.CMSG_LEN(12))
    with connection.makefile("rb") as stream:
        arguments, place, environment = json.loads(stream.readline())
    child = os.fork()
    if child == 0:
        connection.close()
        for own, given in enumerate(array.array("i", streams)):
            os.dup2(given, own)
            os.close(given)
        os.chdir(place)
        os.environ.clear()
        os.environ.update(environment)
        return list(arguments)
    threading.Thread(target=_end_with_command, args=(connection, child), daemon=True).start()
    _, status = os.waitpid(child, 0)
    with contextlib.suppress(OSError):
        connection.sendall(str(os.waitstatus_to_exitcode(status)).encode())
    os._exit(0)


def _end_with_command(connection: socket.socket, child: int) -> None:
    connection.recv(1)
    with contextlib.suppress(ProcessLookupError):
        os.kill(child, signal.SIGKILL)


if __name__ == "__main__":
    mode, own_folder, *rest = sys.argv[1:]
    if mode == "run":
        sys.exit(run(own_folder, rest))
    sys.argv = serve(own_folder)
    sys.path[0] = str(Path(sys.argv[0]).resolve().parent)
    runpy.run_path(sys.argv[0], run_name="__main__")

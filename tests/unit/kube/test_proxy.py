"""`kubectl proxy`: what it says, how it is asked, and that nothing of it is left, however it or this process ends.

The kubectl of these tests is a script of a few lines, for which a socket and its process are as real as for kubectl.
"""

import ast
import os
import signal
import sys
import tempfile
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from kube import proxy
from kube.errors import ClusterUnreachableError, NoKubectlError
from kube.kubeconfig import Kubeconfig
from kube.proxy import Proxy

PRELUDE = """\
import os, socket, sys, time

def say(text):
    print(text, file=sys.stderr, flush=True)

def listen(wait=0):
    server = socket.socket(socket.AF_UNIX)
    server.bind(sys.argv[2].partition("=")[2])
    time.sleep(wait)
    server.listen()
    return server

def serve(body=b"{}", server=None):
    server = server or listen()
    head = f"HTTP/1.1 200 OK\\r\\nWarning: 299 - \\"old\\"\\r\\nContent-Length: {len(body)}\\r\\n\\r\\n"
    while True:
        connection, _ = server.accept()
        if connection.recv(65536):
            connection.sendall(head.encode() + body)
        connection.close()

"""
LIMIT = 5.0
Start = Callable[..., Proxy]


@pytest.fixture
def start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Start]:
    """Starts a proxy whose kubectl is the given script. After the test nothing may be left of it."""
    before, made = files(), list[Proxy]()
    threads = threading.enumerate()
    odd = tempfile.TemporaryDirectory(prefix="a 'b' $c ", dir="/tmp")  # short: a socket has to fit in
    monkeypatch.setattr(tempfile, "tempdir", odd.name)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)

    def begin(script: str, login: str = "") -> Proxy:
        (tmp_path / "kubectl.py").write_text(PRELUDE + textwrap.dedent(script))
        (tmp_path / "kubectl").write_text(f'#!/bin/sh\nexec {sys.executable} -SE {tmp_path}/kubectl.py "$@"\n')
        (tmp_path / "kubectl").chmod(0o755)
        made.append(Proxy(kubeconfig(login)))
        return made[-1]

    yield begin
    for one in made:
        one.stop()
        one.stop()
        assert not Path(one.socket).parent.exists()
    assert not family()
    left = [*Path(odd.name).iterdir()]
    odd.cleanup()
    assert not left
    assert not [thread for thread in threading.enumerate() if thread not in threads]
    assert files() <= before


def kubeconfig(login: str = "") -> Kubeconfig:
    user = {"exec": {"command": login}} if login else {}
    return Kubeconfig(paths=("/a", "/b"), context="dev", content={"users": [{"name": "me", "user": user}]})


def files() -> int:
    return len([*Path("/dev/fd").iterdir()])


def family() -> list[int]:
    """Return the ids of what runs below this process."""
    return [one.pid for one in psutil.Process().children(recursive=True)]


def ask(one: Proxy, method: str = "GET", limit: float = LIMIT) -> tuple[int, list[str], bytes]:
    return one.send(method, "/api", None, {}, limit)


def alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE  # whoever inherits it may take its time
    except psutil.NoSuchProcess:
        return False


def ended(*pids: int) -> bool:
    """Wait until these have ended."""
    limit = time.monotonic() + LIMIT
    while any(map(alive, pids)) and time.monotonic() < limit:
        time.sleep(0.005)
    return not any(map(alive, pids))


# --- an answer ----------------------------------------------------------------------------------------------------


def test_noise_and_proxies_of_the_environment_are_no_part_of_an_answer(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    """kubectl gets the proxies to find its way; what is asked of kubectl itself goes through none of them."""
    for name in ("http_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    monkeypatch.setenv("NO_PROXY", "10.0.0.0/8")
    one = start("""
        say("W1124 memcache.go:265] old version")
        names = ("KUBECONFIG", "HTTPS_PROXY", "NO_PROXY")
        serve(repr([sys.argv[1:], *map(os.environ.get, names), "x" * 5_000_000]).encode())
    """)
    code, warnings, body = ask(one)
    assert Path(one.socket).parent.parent == Path(tempfile.gettempdir())
    command = ["proxy", f"--unix-socket={one.socket}", "--context", "dev"]
    assert (code, warnings) == (200, ['299 - "old"'])
    assert ast.literal_eval(body.decode()) == [command, "/a:/b", "http://127.0.0.1:1", "10.0.0.0/8", "x" * 5_000_000]
    assert Path(one.socket).parent.stat().st_mode & 0o777 == 0o700
    assert {*map(os.getpgid, family())} == {family()[0]}, "Ctrl-C must not reach kubectl first"


def test_a_socket_has_a_short_path(start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ("long" * 30)).mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / ("long" * 30)))
    assert ask(start("serve()"))[0] == 200


@pytest.mark.parametrize("script", ["serve(server=listen(0.1))", "os.dup2(1, 2); time.sleep(0.1); serve()"])
def test_it_is_waited_for_until_it_serves(start: Start, script: str) -> None:
    """A socket is there before anybody listens at it; a wrapper may have sent standard error elsewhere."""
    assert ask(start(script))[0] == 200


def test_a_request_is_never_sent_twice(start: Start) -> None:
    one = start("""
        server = listen()
        while True:
            connection, _ = server.accept()
            asked = connection.recv(100)
            if asked:
                say(asked.split()[0].decode())
            connection.close()
    """)
    with pytest.raises(ClusterUnreachableError, match=r"does not answer \(Remote end closed"):
        ask(one, "POST")
    one.stop()
    assert one.said() == "POST"


# --- no answer ----------------------------------------------------------------------------------------------------


def test_without_kubectl(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(NoKubectlError):
        Proxy(kubeconfig())


@pytest.mark.parametrize(
    ("script", "cause"),
    [
        ('say("noise"); say("error: context dev does not exist"); sys.exit(1)', "noise error: context dev does not"),
        ("time.sleep(60)", "kubectl proxy does not start"),
    ],
)
def test_a_kubectl_that_does_not_start(start: Start, monkeypatch: pytest.MonkeyPatch, script: str, cause: str) -> None:
    monkeypatch.setattr(proxy, "_START_LIMIT", 0.3 if "sleep" in script else 2 * LIMIT)
    began = time.monotonic()
    with pytest.raises(ClusterUnreachableError) as caught:
        start(script)
    assert caught.value.cause.startswith(cause)
    assert caught.value.context == "dev"
    assert time.monotonic() - began < LIMIT


def test_a_kubectl_that_is_killed(start: Start) -> None:
    one = start('say("so long"); serve()')
    kubectl = family()[-1]
    os.kill(kubectl, signal.SIGKILL)
    assert ended(kubectl)
    with pytest.raises(ClusterUnreachableError, match=r"does not answer .*: so long"):
        ask(one)


def test_a_login_is_told_and_bounded(
    start: Start, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its program heeds no signal but the last one."""
    monkeypatch.setattr(proxy, "_SILENT", 0.05)
    one = start(
        """
        server = listen()
        login = "trap '' TERM INT HUP; echo 'enter CODE' >&2; sleep 60; sleep 60"
        while True:
            connection, _ = server.accept()
            if connection.recv(100):
                os.system(login)
        """,
        login="aws",
    )
    told = ""
    with one.telling():
        with pytest.raises(ClusterUnreachableError, match=r"no answer within 0\.1 s; aws may still wait for a login"):
            ask(one, limit=0.1)
        while told.count("\n") < 2 or len(family()) < 4:
            told += capsys.readouterr().err
            time.sleep(0.01)
    assert told == "waiting for the login of context dev\n  enter CODE\n"
    running = family()
    one.stop()
    assert ended(*running)


@pytest.mark.parametrize(
    ("silent", "told"), [(0.05, "waiting for an answer of the API server of context dev\n"), (3, "")]
)
def test_a_server_that_is_silent_is_told_and_bounded(
    start: Start, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], silent: float, told: str
) -> None:
    monkeypatch.setattr(proxy, "_SILENT", silent)
    one = start("server = listen(); time.sleep(60)")
    with one.telling(), pytest.raises(ClusterUnreachableError) as caught:
        ask(one, limit=0.2)
    assert caught.value.cause == "no answer within 0.2 s"
    assert capsys.readouterr().err == told


# --- every way out ------------------------------------------------------------------------------------------------


def test_it_ends_with_a_killed_process(start: Start) -> None:
    """What is left of a killed process is the end of a pipe. The shell heeds nothing else."""
    one = start("""
        import subprocess
        subprocess.Popen(["/bin/sh", "-c", "trap '' TERM; exec sleep 60"])
        serve()
    """)
    shell, kubectl, login = family()
    for sign in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        os.kill(shell, sign)
    assert ask(one)[0] == 200
    one._process.stdin.close()  # type: ignore[union-attr]
    assert ended(shell, kubectl, login)
    assert not Path(one.socket).parent.exists()


@pytest.mark.parametrize("shell_lives", [True, False])
def test_it_ends_though_it_heeds_no_signal(start: Start, monkeypatch: pytest.MonkeyPatch, shell_lives: bool) -> None:
    monkeypatch.setattr(proxy, "_STOP_LIMIT", 0.1)
    one = start("import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); serve()")
    shell, kubectl = family()
    if not shell_lives:
        os.kill(shell, signal.SIGKILL)
        assert ended(shell)
        assert ask(one)[0] == 200
    began = time.monotonic()
    one.stop()
    assert ended(shell, kubectl)
    assert time.monotonic() - began < LIMIT / 2

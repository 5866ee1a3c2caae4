"""Which cluster, and whether it answers; what a kubeconfig holds never stands in an error."""

import contextlib
import os
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pulumi
import pytest
import yaml
from conftest import Engine, kubeconfig_text

from components import cluster
from components.cluster import ClusterError, Kubeconfig
from components.settings import ClusterSettings

SERVER = "https://203.0.113.1:6443"


def chosen(kubeconfig: object = "", context: str = "") -> ClusterSettings:
    return ClusterSettings(kubeconfig=str(kubeconfig), context=context, identifier="binderhub-dev")


def written(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def refused(settings: ClusterSettings) -> str:
    with pytest.raises(ClusterError) as caught:
        cluster.read(settings)
    text = str(caught.value)
    assert "; nothing was touched\n      expected: " in text
    assert "\n      example:  " in text
    return text


# --- which file ---------------------------------------------------------------------------------------------------


def test_first_file_of_the_variable_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one = written(tmp_path / "one", kubeconfig_text("https://one", "a"))
    two = written(tmp_path / "two", kubeconfig_text("https://two", "a"))
    three = written(tmp_path / "three", kubeconfig_text("https://three", "c"))
    monkeypatch.setenv("KUBECONFIG", os.pathsep.join(["", str(tmp_path / "none"), str(one), str(two), str(three)]))
    got = cluster.read(chosen())
    assert (got.context, got.server) == ("a", "https://one")
    assert got.paths == (str(one), str(two), str(three))
    assert cluster.read(chosen(context="c")).server == "https://three"


def test_a_context_may_name_a_user_of_another_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = yaml.safe_load(kubeconfig_text(SERVER, "a"))
    users = {"users": whole.pop("users")}
    files = [written(tmp_path / "one", yaml.safe_dump(whole)), written(tmp_path / "two", yaml.safe_dump(users))]
    monkeypatch.setenv("KUBECONFIG", os.pathsep.join(map(str, files)))
    assert cluster.read(chosen()).content["users"][0]["user"] == {"token": "t0p-secret"}


def test_the_home_folders_file_is_the_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    written(tmp_path / ".kube" / "config", kubeconfig_text(SERVER))
    assert cluster.read(chosen()).paths == (str(tmp_path / ".kube" / "config"),)
    assert cluster.read(chosen("~/.kube/config")).server == SERVER


def test_the_settings_file_wins_over_the_variable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBECONFIG", str(written(tmp_path / "one", kubeconfig_text("https://one"))))
    two = written(tmp_path / "two", kubeconfig_text("https://two"))
    assert cluster.read(chosen(two)).server == "https://two"


def test_missing_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    text = refused(chosen())
    assert text.startswith(f"kubernetes:kubeconfig: there is no file {tmp_path}/.kube/config; nothing was touched")
    assert "minikube start" in text
    assert "pulumi config set kubernetes:kubeconfig" in text
    assert f"there is no file {tmp_path}/x" in refused(chosen(tmp_path / "x"))


BROKEN = {
    "syntax": "token: t0p-secret\nusers: [\n",
    "text": "t0p-secret",
    "nothing": "",
    "list": "[t0p-secret]",
    "no name": "users:\n- user: {token: t0p-secret}\n",
    "user is a text": "users:\n- {name: a, user: t0p-secret}\n",
    "users are a text": "users: t0p-secret\n",
    "context is a text": kubeconfig_text(SERVER, "a").replace(
        "context:\n    cluster: a-cluster\n    user: a-user", "context: t0p-secret"
    ),
    "no date": "users:\n- {name: a, user: {token: t0p-secret, expires: 2026-99-99}}\n",
    "no text": b"\xff\xfet0p-secret\x80",
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_file_is_named_and_not_quoted(tmp_path: Path, name: str) -> None:
    content = BROKEN[name]
    path = tmp_path / "config"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    text = refused(chosen(path))
    assert text.startswith(f"kubernetes:kubeconfig: {path} is not a kubeconfig")
    assert f"KUBECONFIG={path} kubectl config view" in text
    assert "t0p-secret" not in text


def test_no_cause_hangs_on_the_error(tmp_path: Path) -> None:
    """A traceback would print it, and the YAML parser quotes the file."""
    with pytest.raises(ClusterError) as caught:
        cluster.read(chosen(written(tmp_path / "c", BROKEN["syntax"])))  # type: ignore[arg-type]
    assert caught.value.__suppress_context__
    assert caught.value.__cause__ is None


# --- which context ------------------------------------------------------------------------------------------------


def test_missing_context(tmp_path: Path) -> None:
    path = written(tmp_path / "c", kubeconfig_text(SERVER, "kind-kind"))
    text = refused(chosen(path, "prod"))
    assert text.startswith(f"kubernetes:context: {path} has no context 'prod'")
    assert "one of its contexts: kind-kind" in text
    assert "pulumi config set kubernetes:context kind-kind" in text
    assert "t0p-secret" not in text


def test_no_current_context(tmp_path: Path) -> None:
    content = yaml.safe_load(kubeconfig_text(SERVER))
    del content["current-context"]
    path = written(tmp_path / "c", yaml.safe_dump(content))
    assert f"{path} has no current context" in refused(chosen(path))
    assert cluster.read(chosen(path, "minikube")).context == "minikube"


def test_a_file_without_contexts(tmp_path: Path) -> None:
    text = refused(chosen(written(tmp_path / "c", "apiVersion: v1\n")))
    assert "one of its contexts: it has none" in text
    assert "pulumi config set kubernetes:context minikube" in text


@pytest.mark.parametrize("part", ["clusters", "users"])
def test_a_context_that_names_nothing(tmp_path: Path, part: str) -> None:
    content = {**yaml.safe_load(kubeconfig_text(SERVER)), part: []}
    text = refused(chosen(written(tmp_path / "c", yaml.safe_dump(content))))
    assert "context minikube of" in text
    assert "names a cluster or user that is not there" in text
    assert "t0p-secret" not in text


def test_a_cluster_without_a_server(tmp_path: Path) -> None:
    assert "that is not there" in refused(chosen(written(tmp_path / "c", kubeconfig_text(""))))


# --- what is handed on --------------------------------------------------------------------------------------------


def test_only_one_context_is_handed_on(tmp_path: Path) -> None:
    content = yaml.safe_load(kubeconfig_text(SERVER, "a"))
    other = yaml.safe_load(kubeconfig_text("https://other", "b").replace("t0p-secret", "0ther-secret"))
    for part in ("clusters", "users", "contexts"):
        content[part] += other[part]
    text = cluster.read(chosen(written(tmp_path / "c", yaml.safe_dump(content)))).text()
    assert {part: [x["name"] for x in yaml.safe_load(text)[part]] for part in ("clusters", "users", "contexts")} == {
        "clusters": ["a-cluster"],
        "users": ["a-user"],
        "contexts": ["a"],
    }
    assert "0ther-secret" not in text


def test_files_are_named_absolutely(tmp_path: Path) -> None:
    content = yaml.safe_load(kubeconfig_text(SERVER, **{"certificate-authority": "pki/ca.crt"}))
    content["users"][0]["user"] = {
        "client-certificate": "me.crt",
        "client-key": "/keys/me.key",
        "tokenFile": "../token",
        "exec": {"command": "./bin/login", "args": ["./stays"]},
    }
    written(tmp_path / "kube" / "c", yaml.safe_dump(content))
    (tmp_path / "link").symlink_to(tmp_path / "kube")
    got = cluster.read(chosen(tmp_path / "kube" / "c")).content
    folder = (tmp_path / "kube").resolve()
    user = got["users"][0]["user"]
    assert got["clusters"][0]["cluster"]["certificate-authority"] == f"{folder}/pki/ca.crt"
    assert user["client-certificate"] == f"{folder}/me.crt"
    assert user["client-key"] == "/keys/me.key"
    assert Path(user["tokenFile"]).resolve() == tmp_path.resolve() / "token"


def test_a_login_program_beside_the_kubeconfig_is_named_absolutely(tmp_path: Path) -> None:
    """As client-go does: a command with a slash is relative to the file, one without is looked for on PATH."""
    content = yaml.safe_load(kubeconfig_text(SERVER))
    commands = []
    for command in ("bin/login", "aws"):
        content["users"][0]["user"] = {"exec": {"command": command, "args": ["./stays"]}}
        got = cluster.read(chosen(written(tmp_path / "c", yaml.safe_dump(content)))).content["users"][0]["user"]["exec"]
        assert got["args"] == ["./stays"]
        commands.append(got["command"])
    assert commands == [f"{tmp_path.resolve()}/bin/login", "aws"]


def test_text_is_deterministic(tmp_path: Path) -> None:
    content = yaml.safe_load(kubeconfig_text(SERVER))
    backwards = {k: content[k] for k in reversed(list(content))}
    texts = {
        cluster.read(chosen(written(tmp_path / name, yaml.safe_dump(c, sort_keys=False)))).text("me")
        for name, c in (("a", content), ("b", backwards))
    }
    assert len(texts) == 1


def test_text_as_an_account(tmp_path: Path) -> None:
    read = cluster.read(chosen(written(tmp_path / "c", kubeconfig_text(SERVER))))
    plain, impersonating = yaml.safe_load(read.text()), yaml.safe_load(read.text("system:serviceaccount:a:b"))
    assert plain["users"][0]["user"] == {"token": "t0p-secret"}
    assert impersonating["users"][0]["user"] == {"token": "t0p-secret", "as": "system:serviceaccount:a:b"}
    assert {**impersonating, "users": 0} == {**plain, "users": 0}
    assert yaml.safe_load(read.text()) == plain, "text(account) must not change the kubeconfig"


@pulumi.runtime.test
def test_both_providers(engine: Engine) -> pulumi.Output[None]:
    config = at("https://203.0.113.1")
    cluster.operator(chosen(), config)
    cluster.as_account(chosen(), config, "system:serviceaccount:a:b")

    def check() -> None:
        for name, account in (("operator", ""), ("tiller", "system:serviceaccount:a:b")):
            assert engine[name].inputs == {
                "kubeconfig": config.text(account),
                "clusterIdentifier": "binderhub-dev",
                "enableServerSideApply": "true",
            }
            marked = engine[name].request.object["kubeconfig"]
            assert "4dabf18193072939515e22adb298388d" in marked, "the kubeconfig must be a secret"

    return engine.then(check)


# --- does it answer -----------------------------------------------------------------------------------------------


def at(server: str, proxy: str = "") -> Kubeconfig:
    content: dict[str, Any] = {
        "clusters": [{"name": "c", "cluster": {"server": server}}],
        "users": [{"name": "u", "user": {"token": "t0p-secret"}}],
    }
    return Kubeconfig(paths=("/k",), context="minikube", server=server, proxy=proxy, content=content)


def silent(config: Kubeconfig) -> str:
    with pytest.raises(ClusterError) as caught:
        cluster.require_answer(config)
    return str(caught.value)


@pytest.mark.parametrize("status", [200, 401, 403, 500])
def test_any_answer_counts(serve: Callable[..., Any], status: int) -> None:
    server = serve(status)
    cluster.require_answer(at(f"http://127.0.0.1:{server.server_port}/"))
    assert server.asked == ["/version"]


@contextlib.contextmanager
def listening(talk: Callable[[socket.socket], object] | None = None) -> Iterator[int]:
    """A port that accepts; without `talk` nothing more comes of it."""
    with socket.create_server(("127.0.0.1", 0)) as listener, contextlib.ExitStack() as later:
        if talk:

            def serve_one() -> None:
                with listener.accept()[0] as connection:
                    talk(connection)

            thread = threading.Thread(target=serve_one)
            thread.start()
            later.callback(thread.join)
        yield int(listener.getsockname()[1])


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def test_closed_port() -> None:
    port = free_port()
    text = silent(at(f"https://127.0.0.1:{port}"))
    start = f"kubernetes:context: the API server of minikube (https://127.0.0.1:{port}) does not answer: "
    assert text.startswith(start)
    assert "refused" in text
    assert "minikube start, or kubectl --context minikube version" in text


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_port_that_never_answers(monkeypatch: pytest.MonkeyPatch, scheme: str) -> None:
    monkeypatch.setattr(cluster, "PATIENCE", 0.1)
    begin = time.monotonic()
    with listening() as port:
        assert "timed out" in silent(at(f"{scheme}://127.0.0.1:{port}"))
    assert time.monotonic() - begin < 2


def test_patience_leaves_time_to_tell() -> None:
    assert cluster.PATIENCE < 15


def test_a_port_that_speaks_something_else() -> None:
    with listening(lambda connection: connection.sendall(b"SSH-2.0-OpenSSH_9.6\r\n")) as port:
        assert "does not answer" in silent(at(f"http://127.0.0.1:{port}"))


@pytest.mark.parametrize("server", ["127.0.0.1:1", "https://127.0.0.1:none", "https://", "ftp//x"])
def test_an_address_that_is_none(server: str) -> None:
    assert f"({server}) does not answer" in silent(at(server))


def test_through_a_proxy(serve: Callable[..., Any]) -> None:
    proxy = serve(403)
    cluster.require_answer(at("http://cluster.example", f"http://127.0.0.1:{proxy.server_port}"))
    assert proxy.asked == ["http://cluster.example/version"]


def test_a_dead_proxy() -> None:
    assert "refused" in silent(at("http://cluster.example", f"http://127.0.0.1:{free_port()}"))


def test_a_socks_proxy_is_not_tried() -> None:
    cluster.require_answer(at(f"http://127.0.0.1:{free_port()}", "socks5://127.0.0.1:1"))


def test_a_kubeconfig_may_set_no_proxy(tmp_path: Path, serve: Callable[..., Any]) -> None:
    url = f"http://127.0.0.1:{serve().server_port}"
    for value in ("", None):
        config = cluster.read(chosen(written(tmp_path / "c", kubeconfig_text(url, **{"proxy-url": value}))))
        cluster.require_answer(config)
        assert config.proxy == ""


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("tls") / "both.pem"
    words = [
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
        "-nodes",
        "-days",
        "1",
        "-subj",
        "/CN=nobody",
    ]
    try:
        subprocess.run(["openssl", *words, "-keyout", path, "-out", f"{path}.crt"], check=True, capture_output=True)
    except FileNotFoundError:
        pytest.skip("no openssl here to make a certificate with")
    with path.open("a") as both:
        both.write(Path(f"{path}.crt").read_text())
    return path


def server_side(certificate: Path, newest: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.maximum_version = newest
    context.load_cert_chain(certificate)
    return context


def test_tls_with_a_certificate_that_nobody_knows(certificate: Path, serve: Callable[..., Any]) -> None:
    server = serve(401, lambda plain: server_side(certificate).wrap_socket(plain, server_side=True))
    cluster.require_answer(at(f"https://localhost:{server.server_port}"))
    assert server.asked == ["/version"]


@pytest.mark.parametrize("newest", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_tls_for_clients_with_a_certificate_only(certificate: Path, newest: ssl.TLSVersion) -> None:
    """It lives, and that is all that is asked; TLS 1.3 says no only after the request was sent."""
    context = server_side(certificate, newest)
    context.verify_mode = ssl.CERT_REQUIRED
    turned_away = []

    def talk(connection: socket.socket) -> None:
        came, goes = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = context.wrap_bio(came, goes, server_side=True)
        while not turned_away:
            came.write(connection.recv(65536))
            try:
                tls.do_handshake()
            except ssl.SSLWantReadError:
                connection.sendall(goes.read())
                time.sleep(0.05)  # by then the client has sent its request, too
            except ssl.SSLError as error:
                turned_away.append(error)
        connection.sendall(goes.read())
        connection.recv(65536)

    with listening(talk) as port:
        cluster.require_answer(at(f"https://localhost:{port}"))
    assert "PEER_DID_NOT_RETURN_A_CERTIFICATE" in str(turned_away)

"""Kubeconfigs: which file, which context, what is handed on; what they hold never stands in an error."""

import os
from pathlib import Path
from typing import Any

import pytest

from kube import kubeconfig, yaml
from kube.errors import KubeconfigError
from tests.unit.conftest import kubeconfig_text

SERVER = "https://203.0.113.1:6443"


def parsed(server: str = SERVER, context: str = "minikube", **more: Any) -> dict[str, Any]:
    content: dict[str, Any] = yaml.load(kubeconfig_text(server, context, **more), "text")
    return content


def written(path: Path, content: object) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else yaml.dump(content))
    return str(path)


def server(path: str = "", context: str = "") -> str:
    (cluster,) = kubeconfig.find(path, context).content["clusters"]
    return str(cluster["cluster"]["server"])


def refused(path: str = "", context: str = "") -> list[str]:
    """Return the lines of the error; none quotes the file, which a traceback would."""
    with pytest.raises(KubeconfigError) as caught:
        kubeconfig.find(path, context)
    error = caught.value
    assert "t0p-secret" not in str(error)
    assert error.__suppress_context__ or error.__context__ is None
    return str(error).split("\n      ")


# --- which file ---------------------------------------------------------------------------------------------------


def test_first_file_of_the_variable_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    servers = (("one", "a"), ("two", "a"), ("three", "c"))
    files = [written(tmp_path / name, parsed(f"https://{name}", context)) for name, context in servers]
    monkeypatch.setenv("KUBECONFIG", os.pathsep.join(["", str(tmp_path / "none"), *files]))
    got = kubeconfig.find()
    assert (got.context, server(), got.paths) == ("a", "https://one", tuple(files))
    assert server(context="c") == "https://three"


def test_a_context_may_name_a_user_of_another_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = parsed()
    users = {"users": whole.pop("users")}
    monkeypatch.setenv("KUBECONFIG", os.pathsep.join([written(tmp_path / "1", whole), written(tmp_path / "2", users)]))
    assert kubeconfig.find().content["users"][0]["user"] == {"token": "t0p-secret"}


def test_the_given_file_wins_then_the_variable_then_the_home_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert refused() == [
        f"kubernetes:kubeconfig: there is no file {tmp_path}/.kube/config; nothing was touched",
        "expected: a kubeconfig: start your cluster (`minikube start`), or name the file",
        "example:  pulumi config set kubernetes:kubeconfig ~/.kube/config",
    ]
    assert f"there is no file {tmp_path}/x;" in refused(f"{tmp_path}/x")[0]
    home = written(tmp_path / ".kube" / "config", parsed())
    assert kubeconfig.find().paths == kubeconfig.find("~/.kube/config").paths == (home,)
    monkeypatch.setenv("KUBECONFIG", written(tmp_path / "one", parsed("https://one")))
    assert (server(), server(home)) == ("https://one", SERVER)


@pytest.mark.parametrize(
    "content",
    [
        b"token: t0p-secret\nusers: [\n", b"t0p-secret", b"", b"[t0p-secret]", b"users:\n- user: {token: t0p-secret}\n",
        b"users:\n- {name: a, user: t0p-secret}\n", b"users: t0p-secret\n", b"\xff\xfet0p-secret\x80",
        b"contexts:\n- {name: a, context: t0p-secret}\n", b"users: []\nusers: t0p-secret\n",
    ],
)  # fmt: skip
def test_a_broken_file_is_named_and_not_quoted(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "config"
    path.write_bytes(content)
    found, _, example = refused(str(path))
    assert found.startswith(f"kubernetes:kubeconfig: {path} is not a kubeconfig")
    assert example == f"example:  KUBECONFIG={path} kubectl config view"
    assert ("(line 2: key `users` is given twice, first in line 1)" in found) == content.startswith(b"users: []")


# --- which context ------------------------------------------------------------------------------------------------

BROKEN = ("names a cluster or user that is not there", "can use", "kubectl --context minikube version")


@pytest.mark.parametrize(
    ("content", "context", "told"),
    [
        (parsed(context="kind"), "prod", ("has no context 'prod'", "contexts: kind", "kubernetes:context kind")),
        ({"apiVersion": "v1"}, "", ("has no current context", "it has none", "kubernetes:context minikube")),
        ({**parsed(), "clusters": []}, "", BROKEN),
        ({**parsed(), "users": []}, "", BROKEN),
        (parsed(""), "", BROKEN),
    ],
)
def test_a_context_that_is_not_there(tmp_path: Path, content: object, context: str, told: tuple[str, ...]) -> None:
    lines = refused(written(tmp_path / "c", content), context)
    assert lines[0].startswith("kubernetes:context: ")
    assert [part in line for part, line in zip(told, lines, strict=True)] == [True] * 3


# --- what is handed on --------------------------------------------------------------------------------------------


def test_only_one_context_is_handed_on_and_files_are_named_absolutely(tmp_path: Path) -> None:
    """As client-go does: a command with a slash is relative to the file, one without is looked for on PATH."""
    content, other = parsed(context="a", **{"certificate-authority": "pki/ca.crt"}), parsed(context="b")
    content["users"][0]["user"] = {
        "client-certificate": "me.crt",
        "client-key": "/keys/me.key",
        "tokenFile": "../token",
        "exec": {"command": "./bin/login", "args": ["./stays"]},
    }
    other["users"][0]["user"] = {"exec": {"command": "aws"}}
    both = {part: content[part] + other[part] for part in ("clusters", "users", "contexts")}
    written(tmp_path / "kube" / "c", {**content, **both})
    (tmp_path / "link").symlink_to(tmp_path / "kube")
    folder = (tmp_path / "kube").resolve()
    cluster = {"server": SERVER, "certificate-authority": f"{folder}/pki/ca.crt"}
    user = {
        "client-certificate": f"{folder}/me.crt",
        "client-key": "/keys/me.key",
        "tokenFile": f"{folder}/../token",
        "exec": {"command": f"{folder}/bin/login", "args": ["./stays"]},
    }
    assert yaml.load(kubeconfig.find(f"{tmp_path}/link/c").text(), "text") == {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "a",
        "clusters": [{"name": "a-cluster", "cluster": cluster}],
        "users": [{"name": "a-user", "user": user}],
        "contexts": [{"name": "a", "context": {"cluster": "a-cluster", "user": "a-user"}}],
    }
    assert kubeconfig.find(f"{tmp_path}/link/c", "b").login_program == "aws"


def test_text_is_deterministic(tmp_path: Path) -> None:
    """It stands in the state: another order of the keys would be a change."""
    orders = (parsed(), dict(reversed(parsed().items())))
    assert len({kubeconfig.find(written(tmp_path / "c", content)).text("me") for content in orders}) == 1


def test_another_identity_takes_nothing_over_from_the_users_own_impersonation(tmp_path: Path) -> None:
    content = parsed()
    own = {"as": "root", "as-groups": ["system:masters"], "as-uid": "0", "as-user-extra": {"scopes": ["x"]}}
    content["users"][0]["user"] |= own
    read = kubeconfig.find(written(tmp_path / "c", content))
    plain, acting = yaml.load(read.text(), "text"), yaml.load(read.text("system:serviceaccount:a:b"), "text")
    assert acting["users"][0]["user"] == {"token": "t0p-secret", "as": "system:serviceaccount:a:b"}
    assert plain["users"][0]["user"] == {"token": "t0p-secret", **own}, "the user is who the kubeconfig says"
    assert {**acting, "users": 0} == {**plain, "users": 0}
    assert yaml.load(read.text(), "text") == plain, "text(account) must not change the kubeconfig"

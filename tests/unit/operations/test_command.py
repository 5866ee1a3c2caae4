"""The command line: what ends it early, its exit status, and that nothing is left open."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from kube.errors import ClusterUnreachableError
from operations import __main__ as operations
from operations.errors import LockedError
from operations.pulumi_cli import Pulumi
from tests.unit.fake_api import FakeApi, refused
from tests.unit.operations.stack import ACCOUNT, STATE

PULUMI = f"case \"$*\" in *export*) echo '{json.dumps(STATE)}' ;; *) echo '{{}}' ;; esac"
UNREACHABLE = {("GET", "Secret", "*"): ClusterUnreachableError("minikube", "the login has expired")}
FORBIDDEN = {("GET", "*", "*"): refused("Forbidden", "not yours")}


def add(name: str, script: str) -> None:
    """Put a program on PATH, which is the working folder."""
    Path(name).write_text(f"#!/bin/sh\n{script}\n")
    Path(name).chmod(0o755)


@pytest.fixture(autouse=True)
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty folder with a kubeconfig, and a PATH with nothing but what a test puts there."""
    parts = {"cluster": {"server": "https://x"}, "user": {}, "context": {"cluster": "minikube", "user": "minikube"}}
    config = {f"{part}s": [{"name": "minikube", part: what}] for part, what in parts.items()}
    (tmp_path / "config").write_text(yaml.safe_dump({**config, "current-context": "minikube"}))
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "config"))
    monkeypatch.chdir(tmp_path)


def test_what_is_missing_is_one_error_with_its_cause(capsys: pytest.CaptureFixture[str]) -> None:
    def error() -> str:
        assert operations.main(["drift", "--stack", "dev"]) == 2
        printed = capsys.readouterr()
        assert printed.out == ""
        return printed.err

    assert error() == "error: there is no pulumi on PATH\n"
    add("pulumi", 'echo "error: no stack named dev found" >&2; exit 255')
    assert error() == "error: `pulumi config --json` failed: error: no stack named dev found\n"
    add("pulumi", PULUMI)
    assert error() == "error: there is no kubectl on PATH\n"
    add("kubectl", 'echo "error: the login has expired" >&2; exit 1')
    first, _, last = error().splitlines()
    assert first == "error: the cluster of context minikube cannot be asked: the login has expired"
    assert last == "      example:  kubectl --context minikube version"
    add("pulumi", PULUMI.replace("'{}'", """'{"kubernetes:context": {"value": "other"}}'"""))
    assert "config has no context 'other'" in error()


@pytest.mark.parametrize(
    "words", ["the stack is currently locked by 1 lock(s)", "[409] Conflict: Another update is currently in progress."]
)
def test_a_lock_is_told_from_other_errors(words: str) -> None:
    add("pulumi", f'echo "error: {words}" >&2; exit 255')
    with pytest.raises(LockedError, match=re.escape(words)):
        Pulumi("dev").export()


@pytest.mark.parametrize(
    ("name", "answers", "status", "out", "err"),
    [
        ("drift", {("GET", "ServiceAccount", "*"): ACCOUNT}, 1, "1 difference at 1", ""),
        ("drift", {("PATCH", "*", "*"): refused("Forbidden"), ("GET", "ServiceAccount", "*"): ACCOUNT}, 1, "1 diff",
         "note: of 1 object (no right to patch) what was taken out is not seen"),
        ("drift", FORBIDDEN, 2, "No drift in 0 objects", "error: cannot read Helm's record of binder/hub: not yours\n"),
        ("drift", UNREACHABLE, 2, "", "error: the cluster of context minikube"),
        ("recover", {}, 0, "nothing to put in order", ""),
        ("recover", UNREACHABLE, 1, "", "error: the cluster of context minikube"),
        ("recover", FORBIDDEN, 1, "", "error: cannot read Helm's records of binder/hub: not yours\n"),
    ],
)  # fmt: skip
def test_the_exit_status_and_that_the_api_is_closed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
    name: str, answers: Any, status: int, out: str, err: str,
) -> None:  # fmt: skip
    add("pulumi", PULUMI)
    api = FakeApi(answers)
    monkeypatch.setattr(operations, "connect", lambda *_: api)
    monkeypatch.setattr("operations.recovery.command.wait_for_orphans", lambda: None)
    assert (operations.main([name, "--stack", "dev"]), api.closed) == (status, True)
    printed = capsys.readouterr()
    assert printed.out.startswith(out)
    assert printed.err.startswith(err) if err else printed.err == ""
    assert "nothing was touched" not in printed.err  # nobody knows, in the midst of a command

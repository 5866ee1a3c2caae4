"""Previews under odd conditions: few rights, a strange kubectl, a login that waits, a proxy of the network."""

import os
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest

from rehearsal.workspace import Workspace
from tests.engine.support import Bench, Stack, diagnostics

pytestmark = pytest.mark.xdist_group("dev")
LINE = "binderhub: 3 of 24 objects change: Deployment/binder (pods restart), Secret/binder-secret, Service/binder"
PLUGIN = {"apiVersion": "client.authentication.k8s.io/v1", "interactiveMode": "Never"}


@pytest.fixture
def changed(dev: Stack) -> Iterator[Stack]:
    dev.set("imagePrefix", "examplelab/binder-looks-")
    yield dev
    dev.set("imagePrefix", "examplelab/binder-dev-")


def warnings(text: str) -> list[str]:
    """Return the warnings among the diagnostics, each once."""
    return list(dict.fromkeys(line.strip() for line in text.splitlines() if line.strip().startswith("warning: ")))


def within(stack: Stack, **environment: str) -> Workspace:
    return replace(stack.space, environment={**stack.space.environment, **environment})


def login(stack: Stack, bench: Bench, user: Mapping[str, Any]) -> Workspace:
    """Return the stack's workspace with another user in its kubeconfig."""
    return within(stack, KUBECONFIG=str(bench.kubeconfig_at(stack.space.base / "own-kubeconfig", user)))


def test_without_kubectl_the_chart_alone_is_checked(changed: Stack, tmp_path: Path) -> None:
    # A machine may have a kubectl anywhere on its PATH.
    for folder in changed.space.environment["PATH"].split(os.pathsep):
        for program in Path(folder).iterdir():
            place = tmp_path / program.name
            if program.name != "kubectl" and not place.is_symlink():
                place.symlink_to(program)
    text = within(changed, PATH=str(tmp_path)).pulumi("preview").text
    assert warnings(text) == [
        "warning: server checks skipped: there is no kubectl on PATH; the chart alone was checked"
    ]
    assert "objects change" not in text


def test_who_may_do_nothing_but_act_as_tiller(changed: Stack, bench: Bench) -> None:
    """Records and objects are asked about as tiller; nodes and pods, which only the user could, are left out."""
    text = login(changed, bench, {"as": "limited"}).pulumi("preview").text
    assert LINE in text
    (warning,) = warnings(text)
    assert warning.startswith("warning: not looked at: ")
    assert 'User "limited" cannot list resource "nodes"' in warning


def test_who_may_only_read_is_told_which_rights_are_lacking(changed: Stack, bench: Bench) -> None:
    bench.space.kubectl("-n", "default", "create", "serviceaccount", "reader")
    bench.space.kubectl(
        "create", "clusterrolebinding", "reader", "--clusterrole=view", "--serviceaccount=default:reader"
    )
    token = bench.space.kubectl("-n", "default", "create", "token", "reader").strip()
    got = login(changed, bench, {"token": token}).pulumi("preview", check=False)
    assert got.status != 0
    for lacking in (
        'cannot list resource "secrets"',
        "you cannot impersonate system:serviceaccount:kube-system:tiller",
    ):
        assert lacking in got.text
    assert token not in got.text


@pytest.mark.parametrize("odd", ["noise", "proxy"])
def test_what_kubectl_bears_the_preview_bears(changed: Stack, bench: Bench, tmp_path: Path, odd: str) -> None:
    """A kubectl that prints and succeeds; a proxy that is dead, from which a range of addresses is excepted."""
    noisy = tmp_path / "kubectl"
    noisy.write_text(f'#!/bin/sh\necho "W1124 memcache.go:265] old" >&2\nexec {bench.tools.bin}/kubectl "$@"\n')
    noisy.chmod(0o755)
    path = f"{tmp_path}{os.pathsep}{changed.space.environment['PATH']}"
    noise, proxy = {"PATH": path}, {"HTTPS_PROXY": "http://127.0.0.1:1", "NO_PROXY": "127.0.0.0/8"}
    text = within(changed, **(noise if odd == "noise" else proxy)).pulumi("preview").text
    assert LINE in text
    assert warnings(text) == []
    assert "memcache" not in text


def test_a_login_that_hangs_is_told_and_ended(dev: Stack, bench: Bench, tmp_path: Path) -> None:
    (tmp_path / "waits").symlink_to("/bin/sleep")
    program = tmp_path / "sign-in"
    program.write_text(f'#!/bin/sh\necho "enter the code ABCD" >&2\n{tmp_path}/waits 300\n')
    program.chmod(0o755)
    dev.set("loginTimeout", "5")
    try:
        got = login(dev, bench, {"exec": {**PLUGIN, "command": str(program)}}).pulumi("preview", check=False)
    finally:
        dev.pulumi("config", "rm", "loginTimeout")
    assert got.status != 0
    assert "waiting for the login of context minikube" in got.text
    assert "enter the code ABCD" in got.text
    (error,) = [line for line in diagnostics(got).splitlines() if "error: kubernetes:context" in line]
    assert "the cluster of context minikube cannot be asked: no answer within 5 s" in error
    assert str(program) in error
    running = psutil.process_iter(["cmdline"])
    assert [one for one in running if str(tmp_path) in " ".join(one.info["cmdline"] or [])] == []

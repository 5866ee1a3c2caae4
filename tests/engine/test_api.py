"""The API through the real kubectl, of a real server: who acts, what a refusal holds, and which logins fail how."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import psutil
import pytest

from kube import kubeconfig
from kube.api import Api, connect
from kube.errors import ClusterUnreachableError
from tests.engine.support import PROJECT, Bench

PLUGIN = {"apiVersion": "client.authentication.k8s.io/v1", "interactiveMode": "Never", "installHint": "brew it"}
WHO_AM_I = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview", "metadata": {}}
Open = Callable[..., Api]


@pytest.fixture
def opened(bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Open]:
    """Connects by the bench's kubeconfig, with another user, and a cluster that differs."""
    monkeypatch.setenv("PATH", str(bench.tools.bin), prepend=os.pathsep)
    apis: list[Api] = []

    def connected(user: Mapping[str, Any] | None = None, **cluster: str) -> Api:
        file = bench.kubeconfig_at(tmp_path / "kubeconfig", user, **cluster)
        apis.append(connect(kubeconfig.find(str(file))))
        return apis[-1]

    yield connected
    for api in apis:
        api.close()


def who(api: Api) -> dict[str, Any]:
    return dict(api.create(WHO_AM_I, dry_run=False).body["status"]["userInfo"])


def left(folder: Path) -> list[Any]:
    """Return what lies in a folder, and the processes that were told of it."""
    running = psutil.process_iter(["cmdline"])  # None for those that have just ended
    return [*folder.iterdir(), *(p for p in running if str(folder) in " ".join(p.info["cmdline"] or []))]


def deployment(**labels: str) -> dict[str, Any]:
    container = {"name": "a", "image": "a", "resources": {"requests": {"cpu": "1", "memory": "1"}}}
    template = {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [container]}}
    about = {"name": "binder", "namespace": "default", "labels": labels}
    spec = {"selector": {"matchLabels": {"a": "b"}}, "template": template}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": about, "spec": spec}


def test_an_impersonated_account_has_nothing_of_the_kubeconfigs_own(opened: Open) -> None:
    own = {"as": "boss", "as-uid": "7", "as-groups": ["system:masters"], "as-user-extra": {"team": ["a"]}}
    api = opened(own)
    assert who(api) == {
        "username": "boss", "uid": "7", "groups": ["system:masters", "system:authenticated"], "extra": {"team": ["a"]},
    }  # fmt: skip
    assert who(api.acting_as("tiller")) == {"username": "tiller", "groups": ["system:authenticated"]}
    assert api.may("create", "", "secrets", "default")
    assert not api.acting_as("tiller").may("create", "", "secrets", "default")


def test_a_refusal_has_a_cause_for_each_fault_and_a_warning_is_none(opened: Open) -> None:
    api = opened()
    faulty = deployment(a="b c")
    faulty["spec"]["template"]["spec"]["containers"][0]["resources"]["limits"] = {"cpu": "500m"}
    got = api.apply(faulty, "helm", dry_run=True, force=True)
    assert (got.code, got.reason) == (422, "Invalid")
    assert [(one["reason"], one["field"]) for one in got.causes] == [
        ("FieldValueInvalid", "metadata.labels"),
        ("FieldValueInvalid", "spec.template.spec.containers[0].resources.requests"),
    ]
    odd = deployment()
    odd["spec"]["größe"] = 1
    got = api.create(odd, dry_run=True)
    assert (got.ok, got.warnings) == (True, ('unknown field "spec.größe"',))
    assert api.get("apps/v1", "Deployment", "binder", "default").reason == "NotFound"


@pytest.mark.parametrize(
    ("user", "cluster", "cause"),
    [
        ({"token": "expired"}, {}, "does not accept the login"),
        ({"exec": {**PLUGIN, "command": "no-such-login"}}, {}, "executable no-such-login not found .* brew it"),
        ({"exec": {**PLUGIN, "command": "false"}}, {}, "executable false failed with exit code 1"),
        ({"client-certificate": "/none", "client-key": "/none"}, {}, "unable to read client-cert"),
        (None, {"certificate-authority": "", "certificate-authority-data": ""}, "certificate signed by unknown auth"),
        (None, {"server": "https://127.0.0.1:1"}, "connection refused"),
    ],
)
def test_a_login_that_fails_is_told_by_its_cause(opened: Open, user: Any, cluster: dict[str, str], cause: str) -> None:
    with pytest.raises(ClusterUnreachableError, match=cause):
        opened(user, **cluster)


def test_nothing_is_left_of_a_killed_process(bench: Bench, tmp_path: Path) -> None:
    script = (
        "import os, signal; from kube import api, kubeconfig; "
        f"print(api.connect(kubeconfig.find({str(bench.kubeconfig)!r})).list('v1', 'Node').code, flush=True); "
        f"os.kill(os.getpid(), signal.{signal.SIGKILL.name})"
    )
    path = os.pathsep.join([str(bench.tools.bin), os.environ["PATH"]])
    got = subprocess.run(
        [sys.executable, "-c", script],
        cwd=PROJECT, env={**os.environ, "PATH": path, "TMPDIR": str(tmp_path)}, capture_output=True, text=True,
    )  # fmt: skip
    assert (got.stdout, got.returncode) == ("200\n", -signal.SIGKILL), got.stderr
    limit = time.monotonic() + 5
    while left(tmp_path) and time.monotonic() < limit:
        time.sleep(0.05)
    assert not left(tmp_path)

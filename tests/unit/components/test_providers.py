"""The cluster of a stack: how it is reached, what it tells, and the two providers made from one kubeconfig."""

from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pulumi
import pytest

from components import providers
from components.providers import Cluster
from config.settings import ClusterSettings
from kube import api
from kube.errors import ClusterUnreachableError, NoKubectlError
from kube.kubeconfig import Kubeconfig
from tests.unit.conftest import Engine, kubeconfig_text
from tests.unit.fake_api import FakeApi, refused

GONE = ClusterUnreachableError("minikube", "no answer within 10 s")


def chosen(folder: Path, context: str = "") -> ClusterSettings:
    file = folder / "config"
    file.write_text(kubeconfig_text("https://203.0.113.1"))
    return ClusterSettings(kubeconfig=str(file), context=context, identifier="binderhub-dev", login_timeout=7)


def test_a_cluster_that_answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: Any) -> None:
    connected = FakeApi()
    later: list[Any] = []
    monkeypatch.setattr("atexit.register", later.append)

    def connect(found: Kubeconfig, say: Any, limit: float) -> FakeApi:
        assert (found.context, limit) == ("minikube", 7)
        say("waiting for the login")
        return connected

    monkeypatch.setattr(api, "connect", connect)
    got = providers.connect(chosen(tmp_path))
    assert (got.api, got.kubeconfig.server) == (connected, "https://203.0.113.1")
    assert later == [connected.close]
    assert capfd.readouterr().err == "waiting for the login\n"


@pytest.mark.parametrize(
    ("context", "error", "cause", "command"),
    [
        ("", GONE, "no answer within 10 s", "kubectl --context minikube version"),
        ("nope", None, "has no context 'nope'", "pulumi config set kubernetes:context minikube"),
    ],
)
def test_a_cluster_that_cannot_be_asked_is_one_error_with_its_cause_and_the_next_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, context: str, error: Exception | None, cause: str, command: str
) -> None:
    monkeypatch.setattr(api, "connect", Mock(side_effect=error))
    with pytest.raises(pulumi.RunError) as caught:
        providers.connect(chosen(tmp_path, context))
    assert cause in str(caught.value)
    assert command in str(caught.value)


def test_without_kubectl_nobody_is_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api, "connect", Mock(side_effect=NoKubectlError))
    got = providers.connect(chosen(tmp_path))
    assert (got.api, got.kubeconfig.context, got.container_runtimes()) == (None, "minikube", set())


def cluster(connected: FakeApi | None = None) -> Cluster:
    content: dict[str, Any] = {"users": [{"name": "u", "user": {"token": "t0p-secret"}}]}
    config = Kubeconfig(paths=("/k",), context="c", server="https://203.0.113.1", proxy="", content=content)
    settings = ClusterSettings(kubeconfig="", context="", identifier="binderhub-dev", login_timeout=60)
    return Cluster(settings=settings, kubeconfig=config, api=connected)


def node(runtime: str) -> dict[str, Any]:
    return {"metadata": {"name": "n"}, "status": {"nodeInfo": {"containerRuntimeVersion": runtime}}}


def test_container_runtimes() -> None:
    nodes = [node("docker://28.3"), node("docker://28.4"), node("containerd://2.1")]
    assert cluster(FakeApi({("GET", "Node", ""): nodes})).container_runtimes() == {"docker", "containerd"}
    assert cluster(FakeApi({("GET", "Node", ""): refused("Forbidden")})).container_runtimes() == set()
    with pytest.raises(pulumi.RunError, match="no answer within 10 s"):
        cluster(FakeApi({("GET", "Node", ""): GONE})).container_runtimes()


@pulumi.runtime.test
def test_both_providers(engine: Engine) -> pulumi.Output[None]:
    both = cluster()
    both.operator()
    both.as_account("system:serviceaccount:a:b")

    def check() -> None:
        for name, account in (("operator", ""), ("tiller", "system:serviceaccount:a:b")):
            assert engine[name].inputs == {
                "kubeconfig": both.kubeconfig.text(account),
                "clusterIdentifier": "binderhub-dev",
                "enableServerSideApply": "true",
            }
            marked = engine[name].request.object["kubeconfig"]
            assert "4dabf18193072939515e22adb298388d" in marked, "the kubeconfig must be a secret"

    return engine.then(check)

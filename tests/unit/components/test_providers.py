"""The cluster of a stack: how it is reached, what it tells, and the two providers made from one kubeconfig."""

import importlib.metadata
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pulumi
import pytest

from components.providers import Cluster
from config.settings import ClusterSettings
from kube import api
from kube.errors import ClusterUnreachableError, NoKubectlError
from tests.unit.conftest import Engine, kubeconfig_text
from tests.unit.fake_api import FakeApi, refused

GONE = ClusterUnreachableError("minikube", "no answer within 10 s")
NODES = [
    {"status": {"nodeInfo": {"containerRuntimeVersion": f"{name}://2.1"}}} for name in ("docker", "docker", "cri-o")
]


@pytest.fixture
def connect(monkeypatch: pytest.MonkeyPatch) -> Mock:
    mock = Mock(return_value=FakeApi())
    monkeypatch.setattr(api, "connect", mock)
    return mock


def cluster(folder: Path, context: str = "") -> Cluster:
    file = folder / "config"
    file.write_text(kubeconfig_text("https://203.0.113.1"))
    return Cluster(ClusterSettings(kubeconfig=str(file), context=context, identifier="ours", login_timeout=7))


def test_a_cluster_that_answers(tmp_path: Path, connect: Mock, monkeypatch: pytest.MonkeyPatch) -> None:
    later: list[Any] = []
    monkeypatch.setattr("atexit.register", later.append)
    got = cluster(tmp_path)
    connect.assert_called_once_with(got.kubeconfig, 7)
    assert (got.api, got.kubeconfig.context, later) == (connect(), "minikube", [connect().close])


def test_a_cluster_that_cannot_be_asked_is_one_error_with_its_cause_and_the_next_command(
    tmp_path: Path, connect: Mock
) -> None:
    connect.side_effect = GONE
    with pytest.raises(pulumi.RunError, match=r"(?s)no answer within 10 s.*kubectl --context minikube version"):
        cluster(tmp_path)
    with pytest.raises(pulumi.RunError, match=r"(?s)no context 'nope'.*config set kubernetes:context minikube"):
        cluster(tmp_path, "nope")


def test_without_kubectl_nobody_is_asked(tmp_path: Path, connect: Mock) -> None:
    connect.side_effect = NoKubectlError
    got = cluster(tmp_path)
    assert (got.api, got.kubeconfig.context, got.container_runtimes()) == (None, "minikube", set())


def test_container_runtimes(tmp_path: Path, connect: Mock) -> None:
    nodes = connect.return_value.answers
    for answer, names in ((NODES, {"docker", "cri-o"}), (refused("Forbidden"), set())):
        nodes["GET", "Node", ""] = answer
        before, one = len(connect.return_value.asked), cluster(tmp_path)
        assert one.container_runtimes() == names
        assert (one.nodes().ok, len(connect.return_value.asked)) == (bool(names), before + 1), "they are read once"
    nodes["GET", "Node", ""] = GONE
    with pytest.raises(pulumi.RunError, match="no answer within 10 s"):
        cluster(tmp_path).container_runtimes()


@pulumi.runtime.test
def test_both_providers(engine: Engine, tmp_path: Path, connect: Mock) -> pulumi.Output[None]:
    both = cluster(tmp_path)
    accounts = {"operator": "", "tiller": "system:serviceaccount:a:b"}
    for name, account in accounts.items():
        both.provider(name, account)

    def check() -> None:
        for name, account in accounts.items():
            assert engine[name].inputs == {
                "kubeconfig": both.kubeconfig.text(account),
                "clusterIdentifier": "ours",
                "enableServerSideApply": "true",
            }
            marked = engine[name].request.object["kubeconfig"]
            assert "4dabf18193072939515e22adb298388d" in marked, "the kubeconfig must be a secret"

    return engine.then(check)


@pytest.mark.parametrize("take_over", [False, True])
@pulumi.runtime.test
def test_what_exists_is_taken_over_on_purpose_alone_whatever_the_version(
    engine: Engine, tmp_path: Path, connect: Mock, take_over: bool
) -> pulumi.Output[None]:
    """Before 4.29 there is no such option, and each provider takes over; from then on none does without it."""
    version = tuple(map(int, importlib.metadata.version("pulumi-kubernetes").split(".")[:2]))
    cluster(tmp_path).provider("operator", take_over=take_over)

    def check() -> None:
        expected = "true" if take_over and version >= (4, 29) else None
        assert engine["operator"].inputs.get("upsertExistingObjects") == expected

    return engine.then(check)

"""Bad input: one clear error, and nothing is touched."""

import socket

import pytest
import yaml

from kube.api import ANSWER_LIMIT
from tests.engine.support import PASSWORD, Bench, Stack

pytestmark = pytest.mark.xdist_group("bad input")


@pytest.fixture(scope="module")
def stack(bench: Bench) -> Stack:
    return bench.stack("bad", {})


def refusal(stack: Stack, key: str, value: str | None) -> str:
    """Preview with a changed stack file (None takes the key away); return the error. Nothing may be touched."""
    file = stack.space.folder / "Pulumi.bad.yaml"
    good = file.read_text()
    content = yaml.safe_load(good)
    config = {**content["config"], key: value}
    file.write_text(yaml.safe_dump({**content, "config": {k: v for k, v in config.items() if v is not None}}))
    try:
        result = stack.pulumi("preview", check=False)
    finally:
        file.write_text(good)
    assert result.status != 0
    assert "Traceback" not in result.text
    assert PASSWORD not in result.text
    assert "+  kubernetes" not in result.text
    return result.text


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("binderhub:imagePrefix", None, "binderhub:imagePrefix: missing"),
        ("binderhub:chart", "no/such/chart", "binderhub:chart: found 'no/such/chart'"),
        ("binderhub:registryPassword", PASSWORD, "binderhub:registryPassword: found a secret in clear"),
        ("kubernetes:kubeconfig", "/no/such/file", "kubernetes:kubeconfig: there is no file /no/such/file"),
        ("kubernetes:context", "nowhere", "has no context 'nowhere'; nothing was touched"),
    ],
)
def test_refused(stack: Stack, key: str, value: str | None, expected: str) -> None:
    assert expected in refusal(stack, key, value)


def test_a_broken_kubeconfig_is_not_quoted(stack: Stack) -> None:
    broken = stack.space.base / "broken-kubeconfig"
    broken.write_text(f"users: [{{name: a, user: {{token: {PASSWORD}}}\n")
    assert f"{broken} is not a kubeconfig" in refusal(stack, "kubernetes:kubeconfig", str(broken))


def test_an_api_server_that_does_not_answer_is_told_soon(stack: Stack, bench: Bench) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        server = f"https://127.0.0.1:{silent.getsockname()[1]}"
        dead = bench.kubeconfig_at(stack.space.base / "dead-kubeconfig", server=server)
        text = refusal(stack, "kubernetes:kubeconfig", str(dead))
    assert "waiting for an answer of the API server of context minikube" in text
    assert f"no answer within {ANSWER_LIMIT:g} s" in text
    assert "a running cluster that this machine can reach" in text

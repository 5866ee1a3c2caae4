"""Bad input: one clear error, and nothing is touched."""

import socket
from collections.abc import Callable, Iterator

import pytest
import yaml

from kube.api import ANSWER_LIMIT
from rehearsal.workspace import Workspace
from tests.engine.support import PASSWORD, Bench, Stack

pytestmark = pytest.mark.xdist_group("bad input")


@pytest.fixture(scope="module")
def stack(bench: Bench) -> Stack:
    return bench.stack("bad", {})


@pytest.fixture
def silent_port() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def refusal(stack: Stack, change: Callable[[dict], None]) -> str:
    """Preview with a changed stack file; return the error. Nothing may be in the state afterwards."""
    file = stack.space.folder / "Pulumi.bad.yaml"
    good = file.read_text()
    content = yaml.safe_load(good)
    change(content["config"])
    file.write_text(yaml.safe_dump(content))
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
    ("change", "expected"),
    [
        ({"binderhub:imagePrefix": ""}, "binderhub:imagePrefix: missing"),
        ({"binderhub:imagePrefix": "binder-dev-"}, "<docker-id or organisation>/<prefix>-"),
        ({"binderhub:chart": "no/such/chart"}, "binderhub:chart: found 'no/such/chart'"),
        ({"binderhub:chart": "components"}, "a Helm chart (.tgz or folder with a Chart.yaml)"),
        ({"binderhub:registryPassword": PASSWORD}, "binderhub:registryPassword: found a secret in clear"),
        ({"kubernetes:kubeconfig": "/no/such/file"}, "kubernetes:kubeconfig: there is no file /no/such/file"),
        ({"kubernetes:context": "nowhere"}, "has no context 'nowhere'; nothing was touched"),
    ],
)
def test_refused(stack: Stack, change: dict[str, str], expected: str) -> None:
    assert expected in refusal(stack, lambda config: config.update(change))


def test_a_broken_kubeconfig_is_not_quoted(stack: Stack) -> None:
    broken = stack.space.base / "broken-kubeconfig"
    broken.write_text(f"users: [{{name: a, user: {{token: {PASSWORD}}}\n")
    text = refusal(stack, lambda config: config.update({"kubernetes:kubeconfig": str(broken)}))
    assert f"{broken} is not a kubeconfig" in text


def test_an_api_server_that_does_not_answer_is_told_soon(stack: Stack, bench: Bench, silent_port: int) -> None:
    dead = stack.space.base / "dead-kubeconfig"
    content = yaml.safe_load(bench.kubeconfig.read_text())
    content["clusters"][0]["cluster"]["server"] = f"https://127.0.0.1:{silent_port}"
    dead.write_text(yaml.safe_dump(content))
    text = refusal(stack, lambda config: config.update({"kubernetes:kubeconfig": str(dead)}))
    assert "waiting for an answer of the API server of context minikube" in text
    assert f"no answer within {ANSWER_LIMIT:g} s" in text
    assert "a running cluster that this machine can reach" in text


def test_all_problems_come_at_once(stack: Stack) -> None:
    bad = {"binderhub:imagePrefix": "Binder", "binderhub:timeout": "soon", "binderhub:imageprefix": "x/y-"}
    text = refusal(stack, lambda config: config.update(bad))
    assert "3 problems in the settings of stack bad (Pulumi.bad.yaml); nothing was touched" in text


def test_a_stack_nobody_described(stack: Stack) -> None:
    space: Workspace = stack.space
    space.pulumi("stack", "init", "unknown")
    try:
        result = space.pulumi("preview", check=False)
    finally:
        space.pulumi("stack", "rm", "--yes", "unknown")
        space.pulumi("stack", "select", "bad")
    assert "binderhub:imagePrefix: missing" in result.text
    assert "example:  pulumi config set imagePrefix my-org/binder-dev-" in result.text

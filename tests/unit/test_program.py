"""The program as a whole, under mocks: what it registers, what it exports, and that it stays a list of parts."""

import ast
import asyncio
import json
import runpy
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pulumi
import pytest
from pulumi.runtime.settings import set_root_resource
from pulumi.runtime.stack import run_in_stack

from components import binderhub
from components.progress import Explained, unready_pods
from kube import api
from kube.errors import ClusterUnreachableError
from kube.manifests import OWN_LABELS
from tests.unit.conftest import ROOT, Engine, kubeconfig_text
from tests.unit.fake_api import FakeApi

PROGRAM = ROOT / "__main__.py"
CONFIG = {
    "binderhub:imagePrefix": "acme/binder-dev-",
    "binderhub:registryUsername": "acme",
    "binderhub:registryPassword": "pa55-Word",
    "kubernetes:context": "minikube",
}
KUBERNETES = "kubernetes:core/v1"
TOKENS = [f"tokens-{name}" for name in ("api", "proxy", "cookie", "crypt", "build")]
COMPONENTS = {"Tiller": "tiller", "Tokens": "tokens", "Address": "address", "BinderHub": "binderhub"}
EXPECTED = {
    *(("pulumi:providers:kubernetes", name) for name in ("operator", "tiller")),
    *((f"binderhub:components:{kind}", name) for kind, name in COMPONENTS.items()),
    *(("random:index/randomPassword:RandomPassword", name) for name in TOKENS),
    *((f"{KUBERNETES}:Service", name) for name in ("proxy-public-external", "binder-external")),
    (f"{KUBERNETES}:ServiceAccount", "tiller"),
    (f"{KUBERNETES}:Namespace", "binderhub"),
    ("kubernetes:rbac.authorization.k8s.io/v1:ClusterRoleBinding", "tiller"),
    ("kubernetes:helm.sh/v3:Release", "binderhub"),
}
# What tiller's role may do: everything.
RULES = [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}]
OUTPUTS = {
    "proxy_public_ip": "203.0.113.7",
    "hub_url": "http://203.0.113.7",
    "binder_url": "http://203.0.113.7",
    "namespace": "binderhub",
    "release": "binderhub",
    "chart_version": "1.0.0-0.dev.git.3958.haf9ca8b1",
    "image_prefix": "acme/binder-dev-",
}

COMPONENT_OUTPUTS = {
    "tiller": {"account": "system:serviceaccount:kube-system:tiller", "bound": "tiller-id"},
    "tokens": {},
    "address": {"hub": "203.0.113.7", "hub_url": OUTPUTS["hub_url"], "binder_url": OUTPUTS["binder_url"]},
    "binderhub": {name: OUTPUTS[name] for name in ("namespace", "release", "chart_version")},
}
Run = Callable[..., dict[str, Any]]


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> FakeApi:
    """The cluster that the program reaches."""
    fake = FakeApi({("GET", "ClusterRole", "cluster-admin"): {"rules": RULES}})
    monkeypatch.setattr(api, "connect", lambda *_: fake)
    return fake


@pytest.fixture
def run(
    engine: Engine, cluster: FakeApi, loop: asyncio.AbstractEventLoop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Run:
    """Run the program as the language host does, and return what it exports."""
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.write_text(kubeconfig_text("https://203.0.113.1"))
    monkeypatch.setenv("KUBECONFIG", str(kubeconfig))
    monkeypatch.chdir(ROOT)

    def start(stack: str = "dev", preview: bool = False, **changes: str) -> dict[str, Any]:
        engine.start(stack, preview)
        set_root_resource(None)  # type: ignore[arg-type]  # `run_in_stack` makes its own
        given = {**CONFIG, **{f"binderhub:{k}": v for k, v in changes.items()}}
        pulumi.runtime.set_all_config(given, ["binderhub:registryPassword"])
        try:
            loop.run_until_complete(run_in_stack(lambda: runpy.run_path(str(PROGRAM), run_name="__main__") and None))
        finally:
            pulumi.runtime.set_all_config({}, [])
        return engine.outputs[f"binderhub-{stack}"]

    return start


def test_what_is_registered_and_exported(engine: Engine, run: Run) -> None:
    assert run() == OUTPUTS
    assert engine.outputs == {**COMPONENT_OUTPUTS, "binderhub-dev": OUTPUTS}
    assert found(engine, "Namespace").inputs["metadata"] == {"name": "binderhub", "labels": OWN_LABELS}
    assert sorted((r.type, r.name) for r in engine.registered) == sorted(EXPECTED)
    assert len({*engine.hooks.names}) == len(engine.hooks.names) == 15


def test_a_preview_registers_and_exports_the_same_and_checks_it(engine: Engine, run: Run, cluster: FakeApi) -> None:
    run()
    run(preview=True, skipServerChecks="true")
    assert (engine.answers.called, cluster.asked) == ([], [])
    engine.registered.clear()
    got = run(preview=True)
    assert (got.keys(), got["image_prefix"]) == (OUTPUTS.keys(), "acme/binder-dev-")
    assert got["hub_url"] != OUTPUTS["hub_url"], "an address in a preview is made up"
    assert sorted((r.type, r.name) for r in engine.registered) == sorted(EXPECTED)
    (call,) = engine.answers.called
    given = json.loads(call.args["jsonOpts"])
    assert (given["chart"], given["release_name"], given["namespace"]) == ("binderhub", "binderhub", "binderhub")
    assert given["values"]["registry"]["password"] == "pa55-Word"
    assert given["values"]["jupyterhub"]["proxy"]["secretToken"] == "x" * 64, "not known before it is made"
    assert ("GET", "Secret", "binderhub") in [(one.method, one.kind, one.namespace) for one in cluster.asked]


def found(engine: Engine, kind: str) -> Any:
    (one,) = [r for r in engine.registered if r.type.endswith(f":{kind}")]
    return one


def test_who_installs_what(engine: Engine, run: Run) -> None:
    """The release is tiller's work, all else the operator's; and tiller's rights outlive the release."""
    run()
    for resource in engine.registered:
        if resource.type.startswith("kubernetes:"):
            installer = "tiller" if resource.type.endswith(":Release") else "operator"
            assert f":kubernetes::{installer}::" in resource.request.provider, resource
    needed = {urn.split("$")[-1] for urn in found(engine, "Release").request.dependencies}
    assert {
        f"{KUBERNETES}:ServiceAccount::tiller",
        "kubernetes:rbac.authorization.k8s.io/v1:ClusterRoleBinding::tiller",
        f"{KUBERNETES}:Namespace::binderhub",
    } <= needed


def test_what_the_release_is_made_of(
    engine: Engine, run: Run, cluster: FakeApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its values have the address, the tokens, and a builder for these nodes; its wait asks this cluster."""
    explained = Mock(side_effect=Explained)
    monkeypatch.setattr(binderhub, "Explained", explained)
    cluster.answers["GET", "Node", ""] = [{"status": {"nodeInfo": {"containerRuntimeVersion": "docker://28.3"}}}]
    run(builder="auto")
    values = found(engine, "Release").inputs["values"]
    assert values["config"]["BinderHub"]["hub_url"] == "http://203.0.113.7"
    assert values["jupyterhub"]["proxy"]["secretToken"] == b"tokens-proxy".hex().ljust(64, "0")
    assert values["registry"] == {"username": "acme", "password": "pa55-Word"}
    assert values["imageBuilderType"] == "host"
    collect = explained.call_args.args[-1]
    assert (collect.func, collect.args) == (unready_pods, (cluster, "binderhub"))


def test_a_namespace_of_others_is_used_and_the_rest_is_made(engine: Engine, run: Run) -> None:
    assert run(existingNamespace="true", adoptRelease="true") == OUTPUTS
    missing = {*EXPECTED} - {(r.type, r.name) for r in engine.registered}
    assert missing == {(f"{KUBERNETES}:Namespace", "binderhub")}


@pytest.mark.parametrize(("stack", "protected"), [("dev", False), ("prod", True)])
def test_what_holds_data_is_protected_in_prod(engine: Engine, run: Run, stack: str, protected: bool) -> None:
    run(stack)
    expected = {"Namespace", "Release"} if protected else set()
    assert {r.type.split(":")[-1] for r in engine.registered if r.request.protect} == expected


@pytest.mark.parametrize(
    ("more", "told"), [({"timeout": "soon", "imagePrefix": ""}, "2 problems"), ({}, "context minikube cannot be asked")]
)
def test_an_early_end_registers_nothing(
    engine: Engine, run: Run, monkeypatch: pytest.MonkeyPatch, more: dict[str, str], told: str
) -> None:
    monkeypatch.setattr(api, "connect", Mock(side_effect=ClusterUnreachableError("minikube", "no answer")))
    with pytest.raises(pulumi.RunError, match=told):
        run(**more)
    assert engine.registered == []


def test_main_only_composes() -> None:
    text = PROGRAM.read_text()
    assert len(text.splitlines()) < 50
    branches = (ast.If, ast.IfExp, ast.Match, ast.For, ast.While, ast.Try, ast.FunctionDef, ast.Lambda, ast.BoolOp)
    assert [type(node).__name__ for node in ast.walk(ast.parse(text)) if isinstance(node, branches)] == []

"""The program as a whole, under mocks: what it registers, what it exports, and that it stays a list of parts."""

import ast
import asyncio
import json
import runpy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pulumi
import pytest
from conftest import ROOT, Engine, kubeconfig_text
from pulumi.runtime.settings import set_root_resource
from pulumi.runtime.stack import run_in_stack

from components import kubectl
from components.cluster import ClusterError
from components.settings import SettingsError

PROGRAM = ROOT / "__main__.py"
CONFIG = {
    "binderhub:imagePrefix": "acme/binder-dev-",
    "binderhub:registryUsername": "acme",
    "binderhub:registryPassword": "pa55-Word",
    "kubernetes:context": "minikube",
}
KUBERNETES = "kubernetes:core/v1"
EXPECTED = {
    ("pulumi:providers:kubernetes", "operator"),
    ("pulumi:providers:kubernetes", "tiller"),
    ("binderhub:components:Tiller", "tiller"),
    (f"{KUBERNETES}:ServiceAccount", "tiller"),
    ("kubernetes:rbac.authorization.k8s.io/v1:ClusterRoleBinding", "tiller"),
    ("binderhub:components:Tokens", "tokens"),
    *(
        ("random:index/randomPassword:RandomPassword", f"tokens-{name}")
        for name in ("api", "proxy", "cookie", "crypt", "build")
    ),
    (f"{KUBERNETES}:Namespace", "binderhub"),
    ("binderhub:components:Address", "address"),
    (f"{KUBERNETES}:Service", "proxy-public-external"),
    (f"{KUBERNETES}:Service", "binder-external"),
    ("binderhub:components:BinderHub", "binderhub"),
    ("kubernetes:helm.sh/v3:Release", "binderhub"),
}
OUTPUTS = {
    "proxy_public_ip": "203.0.113.7",
    "hub_url": "http://203.0.113.7",
    "binder_url": "http://203.0.113.7",
    "namespace": "binderhub",
    "release": "binderhub",
    "chart_version": "1.0.0-0.dev.git.3958.haf9ca8b1",
    "image_prefix": "acme/binder-dev-",
}

Run = Callable[..., dict[str, Any]]


@pytest.fixture
def run(
    engine: Engine,
    loop: asyncio.AbstractEventLoop,
    serve: Callable[..., Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Run:
    """Run the program as the language host does, and return what it exports."""
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.write_text(kubeconfig_text(f"http://127.0.0.1:{serve(403).server_port}"))
    monkeypatch.setenv("KUBECONFIG", str(kubeconfig))
    monkeypatch.setattr(kubectl, "find", lambda _: None)
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
    assert sorted((r.type, r.name) for r in engine.registered) == sorted(EXPECTED)


def test_a_preview_registers_and_exports_the_same(engine: Engine, run: Run) -> None:
    assert run(preview=True).keys() == OUTPUTS.keys()
    assert sorted((r.type, r.name) for r in engine.registered) == sorted(EXPECTED)


def test_a_preview_checks_the_chart_with_the_real_values_and_an_update_does_not(engine: Engine, run: Run) -> None:
    run()
    assert engine.answers.called == []
    run(preview=True)
    (call,) = engine.answers.called
    given = json.loads(call.args["jsonOpts"])
    assert (given["chart"], given["release_name"], given["namespace"]) == ("binderhub", "binderhub", "binderhub")
    assert given["values"]["registry"]["password"] == "pa55-Word"
    assert given["values"]["jupyterhub"]["proxy"]["secretToken"] == "x" * 64, "not known before it is made"


def test_who_wants_no_check_gets_none(engine: Engine, run: Run) -> None:
    run(preview=True, skipServerChecks="true")
    assert engine.answers.called == []


def test_a_preview_knows_what_it_can_know(run: Run) -> None:
    got = run(preview=True)
    assert got["image_prefix"] == "acme/binder-dev-"
    assert got["hub_url"] != OUTPUTS["hub_url"], "an address in a preview is made up"


def test_no_secret_is_exported(run: Run) -> None:
    tokens = [f"tokens-{name}".encode().hex() for name in ("api", "proxy", "cookie", "crypt", "build")]
    exported = str(run())
    for secret in ("pa55-Word", "t0p-secret", *tokens):
        assert secret not in exported


@pytest.mark.parametrize("name", ["operator", "tiller"])
def test_both_providers_name_the_cluster(engine: Engine, run: Run, name: str) -> None:
    run()
    (provider,) = [r for r in engine.registered if (r.type, r.name) == ("pulumi:providers:kubernetes", name)]
    assert provider.inputs["clusterIdentifier"] == "binderhub-dev"


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


def test_the_release_gets_address_and_tokens(engine: Engine, run: Run) -> None:
    run()
    values = found(engine, "Release").inputs["values"]
    assert values["config"]["BinderHub"]["hub_url"] == "http://203.0.113.7"
    assert values["jupyterhub"]["proxy"]["secretToken"] == b"tokens-proxy".hex().ljust(64, "0")
    assert values["registry"] == {"username": "acme", "password": "pa55-Word"}


@pytest.mark.parametrize(("stack", "protected"), [("dev", False), ("prod", True)])
def test_what_holds_data_is_protected_in_prod(engine: Engine, run: Run, stack: str, protected: bool) -> None:
    run(stack)
    assert {r.type.split(":")[-1] for r in engine.registered if r.request.protect} == (
        {"Namespace", "Release"} if protected else set()
    )


def test_bad_settings_register_nothing(engine: Engine, run: Run) -> None:
    with pytest.raises(SettingsError, match="2 problems"):
        run(timeout="soon", imagePrefix="")
    assert engine.registered == []


def test_a_dead_cluster_registers_nothing(
    engine: Engine, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "kubeconfig").write_text(kubeconfig_text("http://127.0.0.1:1"))
    with pytest.raises(ClusterError, match="does not answer"):
        run()
    assert engine.registered == []


def test_main_only_composes() -> None:
    text = PROGRAM.read_text()
    assert len(text.splitlines()) < 50
    branches = (ast.If, ast.IfExp, ast.Match, ast.For, ast.While, ast.Try, ast.FunctionDef, ast.Lambda, ast.BoolOp)
    assert [type(node).__name__ for node in ast.walk(ast.parse(text)) if isinstance(node, branches)] == []

"""What unit tests share: a pretended engine, and a shell without the person's own settings."""

import asyncio
import contextvars
import os
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pulumi
import pytest
import yaml
from pulumi.runtime import mocks, rpc
from pulumi.runtime.settings import SETTINGS, set_root_resource
from pulumi.runtime.stack import wait_for_rpcs

ROOT = Path(__file__).parents[2]
HEX = "0123456789abcdef" * 4
PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY")


@pytest.fixture(autouse=True)
def bare_shell(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test sees the person's cluster, proxy or Pulumi settings."""
    for name in list(os.environ):
        if name == "KUBECONFIG" or name.startswith("PULUMI_") or name.upper() in PROXIES:
            monkeypatch.delenv(name)


@dataclass(frozen=True)
class Registered:
    """A resource as it reached the engine: inputs by the provider's names, secrets opened; options in `request`."""

    type: str
    name: str
    inputs: dict[str, Any]
    request: Any


def opened(value: Any) -> Any:
    """Take the secret marks off a value that came over the wire."""
    if rpc.is_rpc_secret(value):
        return opened(rpc.unwrap_rpc_secret(value))
    if isinstance(value, dict):
        return {k: opened(v) for k, v in value.items()}
    return [opened(v) for v in value] if isinstance(value, list) else value


class Mocks(pulumi.runtime.Mocks):
    """Answers as the providers would.

    `status` is what each Release gets; a chart renders to nothing.
    """

    def __init__(self) -> None:
        self.status = "deployed"
        self.called: list[mocks.MockCallArgs] = []
        self.preview = False

    def call(self, args: mocks.MockCallArgs) -> dict[str, Any]:
        self.called.append(args)
        return {"result": []} if args.token == "kubernetes:helm:template" else {}

    def new_resource(self, args: mocks.MockResourceArgs) -> tuple[str, dict[str, Any]]:
        if self.preview:
            return "", args.inputs
        return f"{args.name}-id", {**args.inputs, **self._made(args)}

    def _made(self, args: mocks.MockResourceArgs) -> dict[str, Any]:
        match args.typ:
            case "random:index/randomPassword:RandomPassword":
                return {"result": pulumi.Output.secret(args.name.encode().hex().ljust(64, "0"))}
            case "kubernetes:core/v1:Service":
                return {"status": {"loadBalancer": {"ingress": [{"ip": "203.0.113.7"}]}}}
            case "kubernetes:helm.sh/v3:Release":
                inputs = opened(args.inputs)
                names = {"name": inputs["name"], "namespace": inputs["namespace"], "version": inputs["version"]}
                return {"status": {**names, "status": self.status}}
        return {}


class Hooks:
    """Stands where the SDK has its callback server, which mocks lack: without it no hook can be registered."""

    def __init__(self) -> None:
        self.names: list[str] = []

    def register_resource_hook(self, hook: pulumi.ResourceHook | pulumi.ErrorHook) -> None:
        self.names.append(hook.name)

    register_error_hook = register_resource_hook


class Engine(mocks.MockMonitor):
    """The SDK's own mock monitor, which also keeps what it was sent."""

    def __init__(self) -> None:
        self.answers = Mocks()
        super().__init__(self.answers)
        self.hooks = Hooks()
        self.registered: list[Registered] = []
        self.outputs: dict[str, dict[str, Any]] = {}

    def start(self, stack: str = "dev", preview: bool = False) -> None:
        """Begin a run: what is built from here on is registered here."""
        self.answers.preview = preview
        set_root_resource(None)  # type: ignore[arg-type]
        pulumi.runtime.set_mocks(self.answers, project="binderhub", stack=stack, preview=preview, monitor=self)
        SETTINGS.callbacks = self.hooks

    def RegisterResource(self, request: Any) -> Any:  # noqa: N802
        if request.type != "pulumi:pulumi:Stack":
            inputs = opened(rpc.deserialize_properties(request.object, keep_unknowns=True))
            self.registered.append(Registered(request.type, request.name, inputs, request))
        return super().RegisterResource(request)

    def RegisterResourceOutputs(self, request: Any) -> Any:  # noqa: N802
        name = request.urn.split("::")[-1]
        self.outputs[name] = opened(rpc.deserialize_properties(request.outputs, keep_unknowns=True))
        return super().RegisterResourceOutputs(request)

    def __getitem__(self, name: str) -> Registered:
        """Return the one resource of that name that a provider makes."""
        (found,) = [r for r in self.registered if r.name == name and r.request.custom]
        return found

    def then(self, check: Callable[[], None]) -> pulumi.Output[None]:
        """Return an output that runs `check` when everything built so far is registered: for a test to return."""
        return pulumi.Output.from_input(wait_for_rpcs(await_all_outstanding_tasks=False)).apply(lambda _: check())


class Worker(ThreadPoolExecutor):
    """A thread that sees the run's settings, as the mock monitor needs: they are context variables."""

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        return super().submit(contextvars.copy_context().run, fn, *args, **kwargs)


@pytest.fixture(scope="session")
def worker() -> Iterator[Worker]:
    """The one thread that serves the mock monitor; the SDK wants an event loop in it, and closes none."""
    executor = Worker(1, initializer=lambda: asyncio.set_event_loop(asyncio.new_event_loop()))
    yield executor
    executor.submit(lambda: asyncio.get_event_loop().close()).result()
    executor.shutdown()


@pytest.fixture
def loop(worker: Worker) -> Iterator[asyncio.AbstractEventLoop]:
    loop = asyncio.new_event_loop()
    loop.set_default_executor(worker)
    asyncio.set_event_loop(loop)
    yield loop
    left = asyncio.all_tasks(loop)
    for task in left:
        task.cancel()
    loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
    # The SDK waits at a program's end for every output ever made, also for those of a loop that is gone.
    SETTINGS.outputs.clear()
    loop._default_executor = None  # type: ignore[attr-defined]  # `close` would shut the session's worker
    loop.close()
    asyncio.set_event_loop(None)


@pytest.fixture
def engine(loop: asyncio.AbstractEventLoop) -> Iterator[Engine]:
    engine = Engine()
    engine.start()
    yield engine
    # Without the decorator `pulumi.runtime.test`, a wrong assertion inside `apply` would pass.
    assert not asyncio.all_tasks(loop), "the test did not wait for what it built"


def kubeconfig_text(server: str, context: str = "minikube", **more: Any) -> str:
    """Return a kubeconfig of one context; `more` goes into its cluster."""
    return yaml.safe_dump(
        {
            "current-context": context,
            "clusters": [{"name": f"{context}-cluster", "cluster": {"server": server, **more}}],
            "users": [{"name": f"{context}-user", "user": {"token": "t0p-secret"}}],
            "contexts": [{"name": context, "context": {"cluster": f"{context}-cluster", "user": f"{context}-user"}}],
        }
    )

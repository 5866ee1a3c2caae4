"""The waits: what they name, what they say while waiting, and what they say in the end."""

import asyncio
import json
import os
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pulumi
import pytest
from conftest import Engine

from components import waits
from components.cluster import Kubeconfig
from components.waits import Explained, nothing_to_see, reasons, unready_pods

KIND = Kubeconfig(paths=("/a", "/b"), context="kind", server="https://127.0.0.1", proxy="", content={})
URN = "urn:pulumi:dev::binderhub::kubernetes:core/v1:Service::x"


def pod(name: str, **status: Any) -> dict[str, Any]:
    return {"kind": "Pod", "metadata": {"name": name}, "status": status}


def conditions(**given: str | tuple[str, str, str]) -> list[dict[str, str]]:
    whole = {k: v if isinstance(v, tuple) else (v, "", "") for k, v in given.items()}
    return [{"type": k, "status": s, "reason": r, "message": m} for k, (s, r, m) in whole.items()]


def waiting(container: str, reason: str, message: str | None = None) -> dict[str, Any]:
    return {"name": container, "state": {"waiting": {"reason": reason, **({"message": message} if message else {})}}}


def event(name: str, reason: str, message: str) -> dict[str, Any]:
    return {
        "kind": "Event",
        "metadata": {"name": f"{name}.1"},
        "reason": reason,
        "involvedObject": {"kind": "ReplicaSet", "name": name},
        "message": message,
    }


UNREADY = conditions(PodScheduled="True", Ready="False")
RUNNING = {"name": "hub", "state": {"running": {"startedAt": "2026-01-01T00:00:00Z"}}}
FULL = "0/3 nodes are available: 3 Insufficient memory."


@pytest.mark.parametrize(
    ("item", "lines"),
    [
        (
            pod("hub-1", phase="Pending", conditions=conditions(PodScheduled=("False", "Unschedulable", FULL))),
            [f"pod hub-1: Unschedulable: {FULL}"],
        ),
        (
            pod(
                "binder-1",
                phase="Pending",
                conditions=UNREADY,
                containerStatuses=[waiting("binder", "ImagePullBackOff", 'Back-off pulling image "x"')],
            ),
            ['pod binder-1: container binder: ImagePullBackOff Back-off pulling image "x"'],
        ),
        (
            pod(
                "hub-1",
                phase="Running",
                conditions=UNREADY,
                containerStatuses=[RUNNING, waiting("side", "CrashLoopBackOff", "back-off 40s")],
            ),
            ["pod hub-1: container side: CrashLoopBackOff back-off 40s"],
        ),
        (
            pod(
                "hub-1",
                phase="Pending",
                conditions=UNREADY,
                initContainerStatuses=[waiting("init", "ErrImagePull")],
                containerStatuses=[waiting("hub", "PodInitializing")],
            ),
            ["pod hub-1: container init: ErrImagePull"],
        ),
        (
            pod("hub-1", phase="Running", conditions=UNREADY, containerStatuses=[RUNNING]),
            ["pod hub-1: not ready yet"],
        ),
        (pod("new"), ["pod new: not ready yet"]),
        ({"kind": "Pod", "metadata": {"name": "newer"}}, ["pod newer: not ready yet"]),
        (pod("hub-1", phase="Running", conditions=conditions(PodScheduled="True", Ready="True")), []),
        (pod("hook", phase="Succeeded", conditions=UNREADY), []),
        (
            event("hub-7d9", "FailedCreate", 'pods "hub-7d9-" is forbidden: exceeded quota: q'),
            ['hub-7d9: pods "hub-7d9-" is forbidden: exceeded quota: q'],
        ),
        (event("hub-7d9", "SuccessfulCreate", "Created pod: hub-7d9-x"), []),
    ],
)
def test_reasons(item: dict[str, Any], lines: list[str]) -> None:
    assert reasons([item]) == lines


def test_at_most_five_reasons_pods_first_none_twice() -> None:
    items = [event("rs", "FailedCreate", "no"), event("rs", "FailedCreate", "no"), *(pod(f"p{n}") for n in range(6))]
    assert reasons(items) == [*(f"pod p{n}: not ready yet" for n in range(5)), "and 2 more"]
    assert len(reasons(items[3:])) == 5


# --- Explained ----------------------------------------------------------------------------------------------------


class Log:
    """Stands for `pulumi.log`; keeps what is said, and at which resource."""

    def __init__(self) -> None:
        self.said: list[tuple[str, str, str, bool]] = []
        self.tasks: list[asyncio.Future[None]] = []

    def _keep(self, level: str) -> Callable[..., None]:
        def say(text: str, resource: Any, ephemeral: bool = False) -> None:
            async def keep() -> None:
                self.said.append((level, text, await resource.urn.future(), ephemeral))

            self.tasks.append(asyncio.ensure_future(keep()))

        return say

    def __getattr__(self, level: str) -> Callable[..., None]:
        return self._keep(level)


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> Log:
    log = Log()
    monkeypatch.setattr(pulumi, "log", log)
    return log


class Sights:
    """A look that shows one sight after another, the last one for ever."""

    def __init__(self, *sights: list[str]) -> None:
        self.sights, self.looks = list(sights), 0

    async def __call__(self) -> list[str]:
        self.looks += 1
        return self.sights.pop(0) if len(self.sights) > 1 else self.sights[0]


def told(
    log: Log, loop: asyncio.AbstractEventLoop, look: Any, looks: int, end: str, *errors: str
) -> list[tuple[str, str, str, bool]]:
    """Wait through some looks, end the wait by the hook of that kind, and return what was said."""

    async def wait() -> None:
        wait = Explained("w", "waiting for pods", "a hint", look)
        args: Any = SimpleNamespace(urn=URN, errors=errors)
        wait.hooks.before_create[0](args)
        while getattr(look, "looks", 1) < looks:
            await asyncio.sleep(0.001)
        await asyncio.sleep(0.001)
        answer = getattr(wait.hooks, end)[0](args)
        if end == "on_error":
            assert await answer is False, "a retry would hide the failure"
        looks_then = getattr(look, "looks", 0)
        await asyncio.sleep(0.005)
        assert getattr(look, "looks", 0) == looks_then, "the wait goes on after its end"

    loop.run_until_complete(wait())
    return log.said


@pytest.fixture
def quick(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waits, "_PAUSE", 0.0005)


@pytest.mark.usefixtures("quick")
def test_failure_is_explained_with_the_last_sight(log: Log, loop: asyncio.AbstractEventLoop) -> None:
    said = told(
        log, loop, Sights(["pod a: old"], ["pod a: no image", "pod b: full"], []), 4, "on_error", "timed out waiting"
    )
    assert [entry for entry in said if entry[0] == "error"] == [
        ("error", "a hint\nLast seen:\n  pod a: no image\n  pod b: full", URN, False)
    ]


@pytest.mark.usefixtures("quick")
def test_failure_without_a_sight_gives_the_hint_alone(log: Log, loop: asyncio.AbstractEventLoop) -> None:
    said = told(log, loop, nothing_to_see, 1, "on_error", "context deadline exceeded")
    assert ("error", "a hint", URN, False) in said


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("looks", [[], ["pod a: no image"]])
def test_what_was_refused_at_once_needs_no_hint(log: Log, loop: asyncio.AbstractEventLoop, looks: list[str]) -> None:
    said = told(log, loop, Sights(looks), 1, "on_error", "field conflict detected")
    errors = [text for sort, text, *_ in said if sort == "error"]
    assert errors == (["Last seen:\n  pod a: no image"] if looks else [])


@pytest.mark.usefixtures("quick")
def test_progress_names_the_first_reason(log: Log, loop: asyncio.AbstractEventLoop) -> None:
    said = told(log, loop, Sights([], ["pod a: no image", "pod b: full"]), 3, "after_create")
    assert said[:2] == [
        ("info", "0 s: waiting for pods", URN, True),
        ("info", "0 s: waiting for pods: pod a: no image", URN, True),
    ]
    assert {level for level, *_ in said} == {"info"}


@pytest.mark.usefixtures("engine")
def test_a_short_wait_is_silent(log: Log, loop: asyncio.AbstractEventLoop) -> None:
    assert told(log, loop, Sights(["pod a: not ready yet"]), 0, "after_update") == []


@pulumi.runtime.test
def test_hooks_have_names_of_their_own(engine: Engine) -> pulumi.Output[None]:
    Explained("one", "p", "h")
    Explained("two", "p", "h")

    def check() -> None:
        kinds = ("start", "restart", "stop", "restop", "explain")
        assert sorted(engine.hooks.names) == sorted(f"{name}-{kind}" for name in ("one", "two") for kind in kinds)

    return engine.then(check)


# --- the look at the pods -----------------------------------------------------------------------------------------


def with_kubectl(folder: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    (folder / "kubectl").write_text(f"#!/bin/sh\n{script}\n")
    (folder / "kubectl").chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}/usr/bin{os.pathsep}/bin")


def test_unready_pods_asks_kubectl(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, loop: asyncio.AbstractEventLoop
) -> None:
    (tmp_path / "answer").write_text(json.dumps({"items": [pod("hub-1")]}))
    script = f'echo "$KUBECONFIG $*" > {tmp_path}/asked; echo noise >&2; cat {tmp_path}/answer'
    with_kubectl(tmp_path, monkeypatch, script)
    assert loop.run_until_complete(unready_pods(KIND, "ns")()) == ["pod hub-1: not ready yet"]
    asked = (tmp_path / "asked").read_text().split()
    assert asked == [
        "/a:/b",
        *["--context", "kind", "--request-timeout=35s", "-n", "ns", "get", "pods,events", "-o", "json"],
    ]


def test_a_kubectl_that_fails_shows_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, loop: asyncio.AbstractEventLoop
) -> None:
    with_kubectl(tmp_path, monkeypatch, 'echo "{"; exit 1')
    assert loop.run_until_complete(unready_pods(KIND, "ns")()) == []


def test_without_kubectl_there_is_nothing_to_see(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, loop: asyncio.AbstractEventLoop
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert loop.run_until_complete(unready_pods(KIND, "ns")()) == []


def test_a_look_that_nobody_waits_for_leaves_no_kubectl_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, loop: asyncio.AbstractEventLoop
) -> None:
    with_kubectl(tmp_path, monkeypatch, f"echo $$ > {tmp_path}/pid; exec sleep 60")

    async def interrupted() -> None:
        task = asyncio.ensure_future(unready_pods(KIND, "ns")())
        while not (tmp_path / "pid").exists() or not (tmp_path / "pid").read_text().strip():
            await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.sleep(0.1)  # until it is gone

    loop.run_until_complete(interrupted())
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)

"""The waits: what they name, what they say while waiting, and what they say in the end."""

import asyncio
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any
from unittest.mock import Mock, call

import pulumi
import pytest

from components import progress
from components.progress import Explained, reasons, unready_pods
from kube.errors import ClusterUnreachableError
from tests.unit.conftest import Engine
from tests.unit.fake_api import FakeApi, refused

URN = "urn:pulumi:dev::binderhub::kubernetes:core/v1:Service::x"
NEW = "not ready yet"


def pod(name: str, **status: Any) -> dict[str, Any]:
    return {"kind": "Pod", "metadata": {"name": name}, "status": status}


def waiting(container: str, **why: str) -> dict[str, Any]:
    return {"name": container, "state": {"waiting": why}}


def event(name: str, reason: str, message: str) -> dict[str, Any]:
    return {"kind": "Event", "reason": reason, "involvedObject": {"name": name}, "message": message}


SCHEDULED = {"type": "PodScheduled", "status": "True"}
UNREADY, READY = ([SCHEDULED, {"type": "Ready", "status": status}] for status in ("False", "True"))
FULL = [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/3 nodes"}]
RUNNING = {"name": "hub", "state": {"running": {"startedAt": "2026-01-01T00:00:00Z"}}}
IMAGE = waiting("hub", reason="ImagePullBackOff", message="no image")
CRASH = waiting("side", reason="CrashLoopBackOff")
INIT = {"initContainerStatuses": [waiting("init", reason="ErrImagePull")]}
QUOTA = 'pods "hub-7d9-" is forbidden: exceeded quota: q'


@pytest.mark.parametrize(
    ("item", "lines"),
    [
        (pod("a", conditions=FULL), ["pod a: Unschedulable: 0/3 nodes"]),
        (pod("a", conditions=UNREADY, containerStatuses=[IMAGE]), ["pod a: container hub: ImagePullBackOff no image"]),
        (pod("a", conditions=UNREADY, containerStatuses=[RUNNING, CRASH]), ["pod a: container side: CrashLoopBackOff"]),
        (pod("a", conditions=UNREADY, **INIT, containerStatuses=[IMAGE]), ["pod a: container init: ErrImagePull"]),
        (pod("a", phase="Running", conditions=UNREADY, containerStatuses=[RUNNING]), ["pod a: not ready yet"]),
        ({"kind": "Pod", "metadata": {"name": "new"}}, ["pod new: not ready yet"]),
        (pod("a", phase="Running", conditions=READY), []),
        (pod("hook", phase="Succeeded", conditions=UNREADY), []),
        (event("hub-7d9", "FailedCreate", QUOTA), [f"hub-7d9: {QUOTA}"]),
        (event("hub-7d9", "SuccessfulCreate", "Created pod: hub-7d9-x"), []),
    ],
)  # fmt: skip
def test_reasons(item: dict[str, Any], lines: list[str]) -> None:
    assert reasons([item]) == lines


def test_at_most_five_reasons_none_twice() -> None:
    items = [*(pod(f"p{n}") for n in range(6)), *[event("rs", "FailedCreate", "no")] * 2]
    assert reasons(items) == [*(f"pod p{n}: not ready yet" for n in range(5)), "and 2 more"]
    assert reasons(items[2:])[4:] == ["rs: no"]


# --- Explained ----------------------------------------------------------------------------------------------------

Wait = Callable[..., list[Any]]


@pytest.fixture
def wait(engine: Engine, loop: asyncio.AbstractEventLoop, monkeypatch: pytest.MonkeyPatch) -> Wait:
    """Wait until some answers were collected, end the wait by a hook of that kind, and return what was logged."""
    log = Mock()
    monkeypatch.setattr(pulumi, "log", log)
    monkeypatch.setattr(progress, "DependencyResource", str)

    def start(*answers: list[str], times: int, end: str, error: str = "", pause: float = 0.0005) -> list[Any]:
        monkeypatch.setattr(progress, "_PAUSE", pause)
        asked: list[int] = []

        async def collect() -> list[str]:
            asked.append(0)
            return answers[min(len(asked), len(answers)) - 1]

        async def run() -> None:
            explained = Explained("w", "waiting for pods", "a hint", collect if answers else None)
            args: Any = SimpleNamespace(urn=URN, errors=[error])
            explained.hooks.before_create[0](args)
            while len(asked) < times:
                await asyncio.sleep(0.001)
            await asyncio.sleep(0.001)
            answer = getattr(explained.hooks, end)[0](args)
            if end == "on_error":
                assert await answer is False, "a retry would hide the failure"
            before = len(asked)
            await asyncio.sleep(0.005)
            assert len(asked) == before, "the wait goes on after its end"
            # What the SDK still does about the hooks.
            left = asyncio.all_tasks() - {asyncio.current_task()}
            await asyncio.gather(*left, return_exceptions=True)

        loop.run_until_complete(run())
        return log.mock_calls

    return start


@pytest.mark.parametrize(
    ("answers", "times", "error", "told"),
    [
        (
            [["pod a: old"], ["pod a: no image", "pod b: full"], []], 4, "timed out waiting",
            ["a hint\nLast seen:\n  pod a: no image\n  pod b: full"],
        ),
        ([], 0, "context deadline exceeded", ["a hint"]),
        # What was refused at once says why by itself, and needs no hint.
        ([[]], 1, "field conflict detected", []),
        ([["pod a: no image"]], 1, "field conflict detected", ["Last seen:\n  pod a: no image"]),
    ],
)  # fmt: skip
def test_a_failure_is_explained_with_what_was_collected_last(
    wait: Wait, answers: list[list[str]], times: int, error: str, told: list[str]
) -> None:
    logged = wait(*answers, times=times, end="on_error", error=error)
    assert [one for one in logged if one[0] == "error"] == [call.error(text, resource=URN) for text in told]


def test_progress_names_the_first_reason(wait: Wait) -> None:
    first, second, *_ = logged = wait([], ["pod a: no image", "pod b: full"], times=3, end="after_create")
    assert first == call.info("0 s: waiting for pods", resource=URN, ephemeral=True)
    assert second == call.info("0 s: waiting for pods: pod a: no image", resource=URN, ephemeral=True)
    assert {level for level, *_ in logged} == {"info"}


def test_a_short_wait_is_silent(wait: Wait) -> None:
    assert wait(["pod a: not ready yet"], times=0, end="after_update", pause=5) == []


# --- the pods that are not ready ----------------------------------------------------------------------------------

PODS = {("GET", "Pod", ""): [pod("a")]}


@pytest.mark.parametrize(
    ("api", "lines"),
    [
        (FakeApi({**PODS, ("GET", "Event", ""): [event("rs", "FailedCreate", "no")]}), [f"pod a: {NEW}", "rs: no"]),
        (FakeApi({**PODS, ("GET", "Event", ""): refused("Forbidden")}), [f"pod a: {NEW}"]),
        (FakeApi({("GET", "*", "*"): ClusterUnreachableError("c", "no answer")}), []),
        (None, []),
    ],
)
def test_pods_and_events_of_the_namespace_are_asked_for(
    api: FakeApi | None, lines: list[str], loop: asyncio.AbstractEventLoop
) -> None:
    assert loop.run_until_complete(unready_pods(api, "ns")) == lines
    assert {asked.namespace for asked in (api.asked if api else [])} <= {"ns"}

"""The waits: what they name, what they say while waiting, and what they say in the end."""

import asyncio
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pulumi
import pytest

from components import progress
from components.progress import Explained, nothing, reasons, unready_pods
from kube.errors import ClusterUnreachableError
from tests.unit.conftest import Engine
from tests.unit.fake_api import FakeApi, refused

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
READY = conditions(PodScheduled="True", Ready="True")
RUNNING = {"name": "hub", "state": {"running": {"startedAt": "2026-01-01T00:00:00Z"}}}
FULL = conditions(PodScheduled=("False", "Unschedulable", "0/3 nodes"))
IMAGE, CRASH = waiting("hub", "ImagePullBackOff", "no image"), waiting("side", "CrashLoopBackOff", "40s")
SIDE = "container side: CrashLoopBackOff 40s"
INIT = {"initContainerStatuses": [waiting("init", "ErrImagePull")]}
QUOTA = 'pods "hub-7d9-" is forbidden: exceeded quota: q'


@pytest.mark.parametrize(
    ("item", "lines"),
    [
        (pod("a", conditions=FULL), ["pod a: Unschedulable: 0/3 nodes"]),
        (pod("a", conditions=UNREADY, containerStatuses=[IMAGE]), ["pod a: container hub: ImagePullBackOff no image"]),
        (pod("a", conditions=UNREADY, containerStatuses=[RUNNING, CRASH]), [f"pod a: {SIDE}"]),
        (pod("a", conditions=UNREADY, **INIT, containerStatuses=[IMAGE]), ["pod a: container init: ErrImagePull"]),
        (pod("a", phase="Running", conditions=UNREADY, containerStatuses=[RUNNING]), ["pod a: not ready yet"]),
        (pod("new"), ["pod new: not ready yet"]),
        ({"kind": "Pod", "metadata": {"name": "newer"}}, ["pod newer: not ready yet"]),
        (pod("a", phase="Running", conditions=READY), []),
        (pod("hook", phase="Succeeded", conditions=UNREADY), []),
        (event("hub-7d9", "FailedCreate", QUOTA), [f"hub-7d9: {QUOTA}"]),
        (event("hub-7d9", "SuccessfulCreate", "Created pod: hub-7d9-x"), []),
    ],
)  # fmt: skip
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


class Seen:
    """Collects one answer after another, the last one for ever."""

    def __init__(self, *answers: list[str]) -> None:
        self.answers, self.asked = list(answers), 0

    async def __call__(self) -> list[str]:
        self.asked += 1
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


Wait = Callable[..., list[tuple[str, str, str, bool]]]


@pytest.fixture
def wait(engine: Engine, log: Log, loop: asyncio.AbstractEventLoop, monkeypatch: pytest.MonkeyPatch) -> Wait:
    """Wait until some answers were collected, end the wait by a hook of that kind, and return what was said."""

    def start(*answers: list[str], times: int, end: str, error: str = "", pause: float = 0.0005) -> Any:
        monkeypatch.setattr(progress, "_PAUSE", pause)
        seen = Seen(*answers)

        async def run() -> None:
            explained = Explained("w", "waiting for pods", "a hint", seen if answers else nothing)
            args: Any = SimpleNamespace(urn=URN, errors=[error])
            explained.hooks.before_create[0](args)
            while seen.asked < times:
                await asyncio.sleep(0.001)
            await asyncio.sleep(0.001)
            answer = getattr(explained.hooks, end)[0](args)
            if end == "on_error":
                assert await answer is False, "a retry would hide the failure"
            asked = seen.asked
            await asyncio.sleep(0.005)
            assert seen.asked == asked, "the wait goes on after its end"
            # What the SDK still does about the hooks.
            left = asyncio.all_tasks() - {asyncio.current_task()}
            await asyncio.gather(*left, return_exceptions=True)

        loop.run_until_complete(run())
        return log.said

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
    said = wait(*answers, times=times, end="on_error", error=error)
    assert [entry for entry in said if entry[0] == "error"] == [("error", text, URN, False) for text in told]


def test_progress_names_the_first_reason(wait: Wait) -> None:
    said = wait([], ["pod a: no image", "pod b: full"], times=3, end="after_create")
    assert said[:2] == [
        ("info", "0 s: waiting for pods", URN, True),
        ("info", "0 s: waiting for pods: pod a: no image", URN, True),
    ]
    assert {level for level, *_ in said} == {"info"}


def test_a_short_wait_is_silent(wait: Wait) -> None:
    assert wait(["pod a: not ready yet"], times=0, end="after_update", pause=5) == []


@pulumi.runtime.test
def test_hooks_have_names_of_their_own(engine: Engine) -> pulumi.Output[None]:
    Explained("one", "p", "h")
    Explained("two", "p", "h")

    def check() -> None:
        kinds = ("start", "restart", "stop", "restop", "explain")
        assert sorted(engine.hooks.names) == sorted(f"{name}-{kind}" for name in ("one", "two") for kind in kinds)

    return engine.then(check)


# --- the pods that are not ready ----------------------------------------------------------------------------------


def test_pods_and_events_of_the_namespace_are_asked_for(loop: asyncio.AbstractEventLoop) -> None:
    api = FakeApi({("GET", "Pod", ""): [pod("hub-1")], ("GET", "Event", ""): [event("rs", "FailedCreate", "no")]})
    assert loop.run_until_complete(unready_pods(api, "ns")()) == ["pod hub-1: not ready yet", "rs: no"]
    assert sorted((asked.kind, asked.namespace) for asked in api.asked) == [("Event", "ns"), ("Pod", "ns")]


NEW = "not ready yet"
GONE = ClusterUnreachableError("c", "no answer")


@pytest.mark.parametrize(
    ("api", "lines"),
    [
        (None, []),
        (FakeApi({("GET", "*", "*"): GONE}), []),
        (FakeApi({("GET", "Event", ""): refused("Forbidden"), ("GET", "Pod", ""): [pod("a")]}), [f"pod a: {NEW}"]),
    ],
)  # fmt: skip
def test_what_cannot_be_asked_shows_nothing(
    api: FakeApi | None, lines: list[str], loop: asyncio.AbstractEventLoop
) -> None:
    assert loop.run_until_complete(unready_pods(api, "ns")()) == lines

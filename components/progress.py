"""Waits that say what they wait for, and failures that say why.

Both ride on resource hooks, which run in this process beside the provider's own wait. What holds of them was found on
the real engine (facts: failures.md section 5): only an asyncio task may log while the provider waits, an `ephemeral`
line is gone from the final report, and an error must be logged at a `DependencyResource` of the URN, since the
resource whose registration failed never gets one.
"""

import asyncio
import re
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from functools import partial
from typing import Any, Final

import pulumi
from pulumi.resource import DependencyResource

from kube.api import Api, side_by_side
from kube.errors import KubeError

# Seconds between two collections; the first comes early enough that a short wait stays silent.
_PAUSE: Final = 5
_SHOWN: Final = 5
# How the provider and Helm say that the time was up.
_WAITED: Final = re.compile(r"timed out|deadline exceeded|timeout", re.IGNORECASE)
Collect = Callable[[], Awaitable[list[str]]]


class Explained:
    """Explains the wait for one resource: pass `hooks` as that resource's option `hooks`.

    `name` is unique in the program, `progress` the line shown while waiting, `hint` what a user can do when it has
    failed for want of time; `collect` returns the lines that name what is not ready, unless that is nothing here.
    """

    def __init__(self, name: str, progress: str, hint: str, collect: Collect | None = None) -> None:
        self._progress, self._hint, self._collect = progress, hint, collect
        self._last: list[str] = []
        self._task: asyncio.Task[None] | None = None
        self.hooks = pulumi.ResourceHookBinding(
            before_create=[pulumi.ResourceHook(f"{name}-start", self._start)],
            before_update=[pulumi.ResourceHook(f"{name}-restart", self._start)],
            after_create=[pulumi.ResourceHook(f"{name}-stop", self._stop)],
            after_update=[pulumi.ResourceHook(f"{name}-restop", self._stop)],
            on_error=[pulumi.ErrorHook(f"{name}-explain", self._explain)],
        )

    def _start(self, args: pulumi.ResourceHookArgs) -> None:
        self._task = asyncio.ensure_future(self._watch(args.urn))

    def _stop(self, _: object) -> None:
        if self._task:
            self._task.cancel()

    async def _watch(self, urn: str) -> None:
        begin = time.monotonic()
        while True:
            await asyncio.sleep(_PAUSE)
            now = await self._collect() if self._collect else []
            # `atomic` removes the evidence before the error hook runs, so what was collected last is kept.
            self._last = now or self._last
            more = f": {now[0]}" if now else ""
            text = f"{time.monotonic() - begin:.0f} s: {self._progress}{more}"
            pulumi.log.info(text, resource=DependencyResource(urn), ephemeral=True)

    async def _explain(self, args: pulumi.ErrorHookArgs) -> bool:
        self._stop(args)
        seen = ["Last seen:", *(f"  {line}" for line in self._last)] if self._last else []
        # What the server refused at once says why by itself.
        waited = [self._hint] if any(map(_WAITED.search, args.errors)) else []
        if waited or seen:
            pulumi.log.error("\n".join([*waited, *seen]), resource=DependencyResource(args.urn))
            await asyncio.sleep(0)  # lets this text go out before the engine's own error
        return False  # no retry: the user decides


async def unready_pods(api: Api | None, namespace: str) -> list[str]:
    """Return the pods of a namespace that are not ready, each with its reason; nothing without an API to ask."""
    if api is None:
        return []
    ask = partial(api.list, "v1", namespace=namespace)
    try:
        answers = await asyncio.to_thread(side_by_side, ask, ("Pod", "Event"))
    except KubeError:  # what cannot be asked shows nothing, and the wait goes on
        return []
    return reasons([one for answer in answers for one in answer.items])


def reasons(items: Iterable[Mapping[str, Any]]) -> list[str]:
    """Turn pods and events (as the API gives them) into at most five lines, one for each thing that is not ready."""
    lines = []
    for item in items:
        if item["kind"] == "Pod" and (why := _why_not_ready(item.get("status", {}))):
            lines.append(f"pod {item['metadata']['name']}: {why}")
        if item["kind"] == "Event" and item.get("reason") == "FailedCreate":
            lines.append(f"{item['involvedObject']['name']}: {item.get('message', '')}")
    lines = list(dict.fromkeys(lines))
    return lines[:_SHOWN] + ([f"and {len(lines) - _SHOWN} more"] if len(lines) > _SHOWN else [])


def _why_not_ready(status: Mapping[str, Any]) -> str:
    conditions = {c["type"]: c for c in status.get("conditions") or []}
    if status.get("phase") == "Succeeded" or conditions.get("Ready", {}).get("status") == "True":
        return ""
    scheduled = conditions.get("PodScheduled", {})
    if scheduled.get("status") == "False":
        return f"{scheduled.get('reason', 'not scheduled')}: {scheduled.get('message', '')}"
    for container in [*(status.get("initContainerStatuses") or []), *(status.get("containerStatuses") or [])]:
        if waiting := container.get("state", {}).get("waiting"):
            return f"container {container['name']}: {waiting.get('reason', '')} {waiting.get('message', '')}".strip()
    return "not ready yet"

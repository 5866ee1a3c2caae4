"""Helm values hold outputs, which tests of this room compare as they are, without waiting for what is in them."""

import asyncio
from collections.abc import Iterator

import pytest


@pytest.fixture
def loop(loop: asyncio.AbstractEventLoop) -> Iterator[asyncio.AbstractEventLoop]:
    """Work off what a test left, so that a wrong assertion inside `apply` fails here."""
    yield loop
    while left := asyncio.all_tasks(loop):
        loop.run_until_complete(asyncio.gather(*left))

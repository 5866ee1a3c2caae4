"""One throwaway cluster for all engine tests; each test has its own namespace, stack and state.

The tests mostly wait, so several workers (pytest-xdist) share the machine. The cluster belongs to the process that
the user started; it reaches the workers by the environment.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from rehearsal import preloaded, runs
from rehearsal.cluster import kwok
from rehearsal.toolchain import layout
from tests.engine.support import PROJECT, Bench, Stack

_FOLDER = "BINDERHUB_TESTS_FOLDER"
_exits = ExitStack()


@pytest.hookimpl(tryfirst=True)  # before the workers are started, who inherit the environment
def pytest_sessionstart(session: pytest.Session) -> None:
    if hasattr(session.config, "workerinput") or session.config.option.collectonly:
        return
    tools = layout.ensure()
    runs.sweep()
    run = _exits.enter_context(runs.new("tests", PROJECT))
    _exits.enter_context(preloaded.running(run.folder))
    kwok.start(tools, run.folder, ["minikube"])
    os.environ[_FOLDER] = str(run.folder)


def pytest_unconfigure() -> None:
    _exits.close()


@pytest.fixture(scope="session")
def bench() -> Bench:
    folder = Path(os.environ[_FOLDER])
    return Bench(layout.ensure(), folder, folder / "kubeconfig")


@pytest.fixture(scope="session")
def dev(bench: Bench) -> Stack:
    """The dev stack as it is in the repository, brought up once. Tests that change it put it back.

    Whoever uses it is in the group `dev`, so that one worker runs them all.
    """
    stack = bench.stack("dev", {})
    stack.up()
    return stack


@pytest.fixture
def new_stack(bench: Bench) -> Iterator[Callable[..., Stack]]:
    """Makes stacks for one test, with names of their own, and destroys them after it."""
    made: list[Stack] = []

    def make(name: str, **config: str) -> Stack:
        made.append(bench.own_stack(name, **config))
        return made[-1]

    yield make
    for stack in made:
        stack.pulumi("destroy", "--yes", "--skip-preview")

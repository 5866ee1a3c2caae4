"""The last words of a rehearsal: what came of it, and what to do next."""

import io

import pytest
from rich.console import Console

from rehearsal import __main__ as command
from rehearsal.rehearse import Outcome
from rehearsal.screen import Screen


def last_words(**more: object) -> str:
    outcome = Outcome(
        "dev",
        ok=True,
        chart={"version": "1.0.0", "source": "published"},
        provider="4.25.0",
        seconds={"total": 7.04},
        outputs={"namespace": "hub"},
        **more,  # type: ignore[arg-type]
    )
    screen = Screen(Console(file=io.StringIO(), width=200))
    assert command._show(outcome, screen, as_json=False) == 0
    return screen.console.file.getvalue()  # type: ignore[attr-defined,no-any-return]


def test_a_stranger_is_told_what_holds_and_what_to_do_next() -> None:
    assert last_words().endswith(
        """
Stack dev deploys: Pulumi brought it up on a real Kubernetes API, and a second preview found nothing to change.
Chart 1.0.0 (published), pulumi-kubernetes 4.25.0, 7.0 s in all.
No container ran, so it is open whether your cluster can pull the images.

Next
  look around             make rehearse STACK=dev KEEP=1
  try prod                make rehearse STACK=prod
  go to your own cluster  README.md, "On your own cluster"
"""
    )


def test_who_looks_around_already_is_told_how_and_how_to_end_it() -> None:
    said = last_words(folder="/a cache/runs/rehearsal-dev-1-aaaa")
    assert "  source '/a cache/runs/rehearsal-dev-1-aaaa/env.sh'\n" in said
    assert "  make rehearse-stop RUN=rehearsal-dev-1-aaaa\n" in said
    assert "KEEP=1" not in said


@pytest.mark.parametrize("found", [[], ["rehearsed with pulumi 1; your environment has 2 (.venv)"]])
def test_another_environment_is_told_with_the_way_to_the_same(found: list[str]) -> None:
    said = last_words(differences=found)
    assert all(one in said for one in found)
    assert ("pip install '.[rehearsal]'" in said) == bool(found)

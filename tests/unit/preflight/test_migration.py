"""A change of JupyterHub across a migration of the user database: said on the way on, refused on the way back."""

from typing import Any

import pytest

from config.versions import HUB_IMAGE
from kube.manifests import by_key
from preflight import report
from preflight.violations import Violation
from tests.unit.preflight.test_check import RECORDS, World, record, world  # noqa: F401  (the fixture)
from tests.unit.preflight.test_dry_run import plain

CLAIM = plain("PersistentVolumeClaim", "hub-db-dir")
BACK = "JupyterHub 4.1.6 cannot read the user database of 5.3.0, and would not start"


def hub(tag: str, *beside: dict[str, Any], name: str = HUB_IMAGE) -> list[dict[str, Any]]:
    containers = [{"name": "sidecar", "image": "a:1"}, {"name": "hub", "image": f"{name}:{tag}"}]
    spec = {"template": {"metadata": {}, "spec": {"containers": containers}}}
    return [{**plain("Deployment", "hub", "apps/v1"), "spec": spec}, *beside]


def said(old: list[dict[str, Any]], new: list[dict[str, Any]]) -> str:
    got = report.migration(by_key(old, "binder"), by_key(new, "binder"))
    return f"refused: {got.reason}" if isinstance(got, Violation) else got


def test_the_way_on_is_said_with_what_the_way_back_needs() -> None:
    assert said(hub("3.3.8", CLAIM), hub("4.4.0", CLAIM)) == (
        "the user database is migrated (JupyterHub 4.1.6 to 5.5.0); going back, Helm's own way back after a failure "
        "too, needs the copy that the hub leaves on the volume: docs/recovery.md"
    )


def test_the_way_back_is_refused() -> None:
    assert said(hub("4.2.0", CLAIM), hub("3.3.8", CLAIM)) == f"refused: {BACK}"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (hub("4.2.0", CLAIM), hub("4.4.0", CLAIM)),  # of one schema
        (hub("4.4.0", CLAIM), hub("4.2.0", CLAIM)),
        (hub("3.3.8"), hub("4.4.0")),  # a database in memory begins anew each time
        (hub("4.4.0"), hub("3.3.8")),
        (hub("4.4.0"), hub("3.3.8", CLAIM)),  # so does a new volume
        (hub("4.4.0", CLAIM), hub("3.3.8")),
        ([], hub("4.4.0", CLAIM)),
        (hub("4.4.0", CLAIM), [CLAIM]),
        (hub("7", CLAIM, name="lab/our-hub"), hub("3.3.8", CLAIM)),  # nobody knows
    ],
)
def test_else_not_a_word(old: list[dict[str, Any]], new: list[dict[str, Any]]) -> None:
    assert said(old, new) == ""


THERE = ("GET", "PersistentVolumeClaim", "")


def test_a_preview_refuses_the_way_back_until_it_is_accepted(world: World) -> None:  # noqa: F811
    world.rendered = [hub("3.3.8", CLAIM)]
    rows = {RECORDS: [record(live=hub("4.2.0", CLAIM))], THERE: [CLAIM]}
    text = world.error(rows)
    assert f"Deployment/hub: {BACK}" in text
    assert 'acceptedRisks.olderHub "why"' in text
    (line,) = world.run(acceptedRisks='{"olderHub": "the copy of the database is back"}')
    assert line.startswith("info: ")


def test_a_preview_says_the_way_on_as_a_warning(world: World) -> None:  # noqa: F811
    world.rendered = [hub("4.4.0", CLAIM)]
    line, warning = world.run({RECORDS: [record(live=hub("3.3.8", CLAIM))], THERE: [CLAIM]})
    assert line.startswith("info: binderhub: 1 of 2 objects change: Deployment/hub (pods restart)")
    assert warning.startswith("warning: binderhub: the user database is migrated (JupyterHub 4.1.6 to 5.5.0)")

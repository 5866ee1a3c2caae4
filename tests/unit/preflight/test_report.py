"""The one line of a preview, and whose release it is."""

from typing import Any

import pytest

from kube.helm_releases import RECOVERED, History
from kube.manifests import ObjectKey
from preflight import report
from preflight.diff import Change
from preflight.violations import Violation

OWN = "pulumi binderhub/dev"
RESTART, NEW = "pods restart", "new"
HUB, PROXY, SECRET = ObjectKey("Deployment", "hub"), ObjectKey("Deployment", "proxy"), ObjectKey("Secret", "hub")
DIND, DATABASE = ObjectKey("DaemonSet", "x-dind"), ObjectKey("PersistentVolumeClaim", "hub-db-dir")


def changes(*names: str, what: str = "changed") -> list[Change]:
    return [Change(ObjectKey(*name.split("/")), what) for name in names]


def line(found: list[Change], old: Any = None, new: Any = None) -> str:
    keys = {c.key: {} for c in found}
    return report.line("hub", found, keys if old is None else old, keys if new is None else new)


# --- the line -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [1, 12])
def test_up_to_twelve_changes_are_named(count: int) -> None:
    names = [f"Secret/s{n:02}" for n in range(count)]
    assert line(changes(*names)) == f"hub: {count} of {count} objects change: {', '.join(names)}"


def test_the_rest_is_counted_by_what_becomes_of_it() -> None:
    found = [
        *changes(*(f"A/a{n:02}" for n in range(12))),
        *changes(*(f"B/b{n}" for n in range(3)), what=NEW),
        *changes(*(f"C/c{n}" for n in range(2)), what="deleted"),
        *changes("D/d", what="left behind"),
        *changes("E/e"),
    ]
    assert line(found).endswith("A/a11, and 7 more (3 new, 2 deleted, 1 left behind, 1 changed)")


def test_restarts_are_named_however_many_and_the_order_stays() -> None:
    restarts = changes(*(f"Deployment/d{n:02}" for n in range(14)), what=RESTART)
    told = line([*changes("ConfigMap/a"), *restarts, *changes("Secret/b", what="deleted")])
    assert told.startswith("hub: 16 of 16 objects change: Deployment/d00 (pods restart), ")
    assert told.endswith("Deployment/d13 (pods restart), and 2 more (1 deleted, 1 changed)")
    assert line(restarts).endswith("Deployment/d13 (pods restart)"), "nothing is left to count"
    few = [*changes(*(f"A/a{n:02}" for n in range(15))), *changes("Deployment/b", what=RESTART), *changes("Z/z")]
    assert line(few).endswith("A/a09, A/a10, Deployment/b (pods restart), and 5 more (5 changed)")
    assert line([few[15], *few[:15]]).count("Deployment/b") == 1


def test_the_count_is_of_all_objects_before_and_after() -> None:
    old = {ObjectKey("Secret", name): {} for name in "abc"}
    new = {ObjectKey("Secret", name): {} for name in "bcd"}
    found = [*changes("Secret/a", what="deleted"), *changes("Secret/d", what=NEW)]
    assert line(found, old, new) == "hub: 2 of 4 objects change: Secret/a (deleted), Secret/d (new)"


def test_what_users_notice_ends_the_line() -> None:
    found = [Change(HUB, RESTART), Change(PROXY, RESTART), Change(ObjectKey("DaemonSet", "hub-pink"), "deleted")]
    assert line(found) == (
        "hub: 3 of 3 objects change: Deployment/hub (pods restart), Deployment/proxy (pods restart), "
        "DaemonSet/hub-pink (deleted); the hub restarts and forgets its database in memory: users are logged out, "
        "running sessions are dropped; the proxy restarts: running sessions are cut off for a moment; "
        "the builder restarts: running builds are lost"
    )


def test_a_first_install_breaks_nothing() -> None:
    found = [Change(HUB, NEW), Change(PROXY, NEW)]
    assert line(found, {}, {HUB: {}, PROXY: {}}) == "hub: first install, 2 objects"
    assert report.consequences(found, {}, {HUB: {}, PROXY: {}}) == []


# --- what users notice --------------------------------------------------------------------------------------------


def cookie(value: str) -> dict[str, Any]:
    return {"data": {"hub.config.JupyterHub.cookie_secret": value}}


BUILDER = "the builder restarts: running builds are lost"


@pytest.mark.parametrize(
    ("key", "what", "told"),
    [
        (PROXY, RESTART, "the proxy restarts: running sessions are cut off for a moment"),
        (DIND, RESTART, BUILDER),
        (DIND, "deleted", BUILDER),
        (ObjectKey("DaemonSet", "x-pink"), RESTART, BUILDER),
        (ObjectKey("DaemonSet", "x-image-cleaner"), RESTART, ""),
        (ObjectKey("DaemonSet", "x-dind-more"), "deleted", ""),
        (ObjectKey("Deployment", "x-dind"), RESTART, ""),
        (ObjectKey("Deployment", "binder"), RESTART, ""),
        (ObjectKey("Deployment", "hub", "other"), RESTART, ""),
        (ObjectKey("StatefulSet", "hub"), RESTART, ""),
        *((key, what, "") for key in (HUB, PROXY, DIND) for what in ("changed", NEW)),
    ],
)
def test_what_users_notice_of_each_object(key: ObjectKey, what: str, told: str) -> None:
    assert report.consequences([Change(key, what)], {key: {}}, {key: {}}) == ([told] if told else [])


KEPT: dict[ObjectKey, Any] = {DATABASE: {}, SECRET: cookie("a")}
QUIETLY = "the hub restarts: nobody can log in or launch meanwhile, running sessions stay"
COOKIE = "the hub restarts with a new cookie secret: all users are logged out"
FORGETS = "the hub restarts and forgets its database in memory: users are logged out, running sessions are dropped"


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        (KEPT, KEPT, QUIETLY),
        ({DATABASE: {}}, {DATABASE: {}}, QUIETLY),
        ({DATABASE: {}, SECRET: {}}, {DATABASE: {}, SECRET: {"data": None}}, QUIETLY),
        ({DATABASE: {}, SECRET: {"data": {"other": "a"}}}, {DATABASE: {}, SECRET: {"data": {"other": "b"}}}, QUIETLY),
        (KEPT, {**KEPT, SECRET: cookie("b")}, COOKIE),
        (KEPT, {DATABASE: {}}, COOKIE),
        ({DATABASE: {}}, KEPT, COOKIE),
        (KEPT, {SECRET: cookie("a")}, FORGETS),
        ({SECRET: cookie("a")}, KEPT, FORGETS),
        ({}, {}, FORGETS),
        ({SECRET: cookie("a")}, {SECRET: cookie("b")}, FORGETS),
        (KEPT, {**KEPT, DATABASE: {"changed": True}}, QUIETLY),
    ],
)
def test_what_a_restart_of_the_hub_means(old: dict[ObjectKey, Any], new: dict[ObjectKey, Any], words: str) -> None:
    assert report.consequences([Change(HUB, RESTART)], old, new) == [words]


# --- whose release it is ------------------------------------------------------------------------------------------


def test_a_release_that_is_worked_on() -> None:
    assert report.unfinished(History(None, "pending-upgrade", 3, OWN), "x/hub") == Violation(
        "",
        "release x/hub is pending-upgrade: another run is at work, or was killed",
        "wait for it; if it was killed: python -m operations recover (docs/recovery.md)",
    )


TAKE_OVER = "another setting release, or take it over on purpose: pulumi config set adoptRelease true"


@pytest.mark.parametrize(
    ("owner", "installed", "reason"),
    [
        ("pulumi binderhub/lab", False,
         "release x/hub exists already and belongs to pulumi binderhub/lab; "
         "pulumi up would fail: cannot re-use a name that is still in use"),
        ("Upgrade complete", True,
         "release x/hub exists already and belongs to somebody else (Helm says: Upgrade complete); "
         "pulumi up would overwrite it"),
        (f"{OWN}-two", True,
         f"release x/hub exists already and belongs to {OWN}-two; pulumi up would overwrite it"),
    ],
)  # fmt: skip
def test_a_release_of_somebody_else_is_refused_in_these_words(owner: str, installed: bool, reason: str) -> None:
    history = History(None, "deployed", 1, owner)
    assert report.ownership(history, "x/hub", OWN, installed, adopt=False) == [Violation("", reason, TAKE_OVER)]
    assert report.ownership(history, "x/hub", OWN, installed, adopt=True) == []
    assert report.ownership(History(), "x/hub", OWN, installed, adopt=False) == []


@pytest.mark.parametrize("status", ["deployed", "failed", "superseded", "uninstalled"])
@pytest.mark.parametrize(
    ("owner", "installed", "mine"), [(OWN, False, True), (RECOVERED, True, True), (RECOVERED, False, False)]
)
def test_whose_it_is_does_not_depend_on_how_it_is(status: str, owner: str, installed: bool, mine: bool) -> None:
    found = report.ownership(History(None, status, 1, owner), "x/hub", OWN, installed, adopt=False)
    assert (found == []) is mine

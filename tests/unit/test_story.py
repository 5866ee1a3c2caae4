"""The one line of a preview, and whose release it is."""

from typing import Any

import pytest

from components import objects, story
from components.objects import Change, Key
from components.record import RECOVERED, History
from components.refusals import Refusal

OWN = "pulumi binderhub/dev"
RESTART, NEW = "pods restart", "new"


def changes(*names: str, what: str = "changed") -> list[Change]:
    return [Change(Key(*name.split("/")), what) for name in names]


def line(found: list[Change], old: Any = None, new: Any = None) -> str:
    keys = {c.key: {} for c in found}
    return story.line("hub", found, keys if old is None else old, keys if new is None else new)


def test_a_short_list_is_told_whole() -> None:
    found = [*changes("Deployment/binder", what=RESTART), *changes("Secret/a"), *changes("Secret/b", what=NEW)]
    assert line(found) == "hub: 3 of 3 objects change: Deployment/binder (pods restart), Secret/a, Secret/b (new)"


def test_of_a_long_list_restarts_are_named_and_the_rest_is_counted() -> None:
    many = changes(*(f"Secret/s{n:02}" for n in range(20)), what=NEW)
    told = line([*many, *changes("StatefulSet/x", what=RESTART)])
    assert told.startswith("hub: 21 of 21 objects change: Secret/s00 (new), ")
    assert told.endswith("StatefulSet/x (pods restart), and 9 more (9 new)")


def test_a_first_install() -> None:
    assert (
        story.line("hub", changes("Secret/a", what=NEW), {}, {Key("Secret", "a"): {}})
        == "hub: first install, 1 objects"
    )


HUB, PROXY, SECRET = Key("Deployment", "hub"), Key("Deployment", "proxy"), Key("Secret", "hub")
DATABASE = Key("PersistentVolumeClaim", "hub-db-dir")


def told(*restarting: Key, old: Any = (), new: Any = ()) -> str:
    return "; ".join(story.consequences([Change(k, RESTART) for k in restarting], dict(old), dict(new)))


def cookie(value: str) -> dict[str, Any]:
    return {"data": {"hub.config.JupyterHub.cookie_secret": value}}


def test_what_users_notice() -> None:
    kept = {DATABASE: {}, SECRET: cookie("a")}
    assert "forgets its database in memory: users are logged out, running sessions are dropped" in told(HUB)
    assert told(HUB, old=kept, new=kept) == (
        "the hub restarts: nobody can log in or launch meanwhile, running sessions stay"
    )
    assert "all users are logged out" in told(HUB, old=kept, new={**kept, SECRET: cookie("b")})
    assert told(PROXY) == "the proxy restarts: running sessions are cut off for a moment"
    assert told(Key("DaemonSet", "hub-dind")) == "the builder restarts: running builds are lost"
    assert told(Key("Deployment", "binder")) == ""


@pytest.mark.parametrize(
    ("owner", "installed", "adopt", "words"),
    [
        (OWN, True, False, ""),
        (OWN, False, False, ""),
        ("pulumi binderhub/lab", False, False, "belongs to pulumi binderhub/lab; pulumi up would fail: cannot re-use"),
        ("pulumi binderhub/lab", True, False, "belongs to pulumi binderhub/lab; pulumi up would overwrite it"),
        ("Install complete", False, False, "belongs to somebody else (Helm says: Install complete)"),
        ("Install complete", False, True, ""),
        (RECOVERED, True, False, ""),
        (RECOVERED, False, False, "belongs to somebody else"),
    ],
)
def test_whose_release_it_is(owner: str, installed: bool, adopt: bool, words: str) -> None:
    found = story.ownership(History(None, "deployed", 1, owner), "x/hub", OWN, installed, adopt)
    assert [words in r.reason for r in found] == ([True] if words else [])
    assert story.ownership(History(), "x/hub", OWN, installed, adopt) == []


# --- what a chart draws by lot ------------------------------------------------------------------------------------


def release(token: str, checksum: str, text: str = "a") -> dict[Key, dict[str, Any]]:
    pod = {"template": {"metadata": {"annotations": {"checksum": checksum}}}}
    return {SECRET: {"data": {"token": token}}, Key("ConfigMap", "hub"): {"data": {"a": text}}, HUB: {"spec": pod}}


def test_what_is_drawn_by_lot_counts_as_it_is_now() -> None:
    old, new = release("kept", "sum-kept"), release("one", "sum-one")
    settled = {**new, **objects.settled(old, new, release("two", "sum-two"))}
    assert objects.changes(old, settled) == []


def test_a_checksum_over_what_really_changes_is_a_restart() -> None:
    old, new = release("kept", "sum-kept"), release("one", "sum-one", "b")
    settled = {**new, **objects.settled(old, new, release("two", "sum-two", "b"))}
    assert [str(c) for c in objects.changes(old, settled)] == ["ConfigMap/hub", "Deployment/hub (pods restart)"]


def test_what_is_new_and_drawn_by_lot_stays_new() -> None:
    new = release("one", "sum-one")
    assert objects.settled({}, new, release("two", "sum-two")) == {}


@pytest.mark.parametrize("count", [1, 11, 12])
def test_up_to_twelve_changes_are_named(count: int) -> None:
    names = [f"Secret/s{n:02}" for n in range(count)]
    assert line(changes(*names)) == f"hub: {count} of {count} objects change: {', '.join(names)}"


def test_from_thirteen_on_they_are_counted() -> None:
    names = [f"Secret/s{n:02}" for n in range(13)]
    assert line(changes(*names)) == f"hub: 13 of 13 objects change: {', '.join(names[:12])}, and 1 more (1 changed)"


def test_the_rest_is_counted_by_what_becomes_of_it() -> None:
    found = [
        *changes(*(f"A/a{n:02}" for n in range(12))),
        *changes(*(f"B/b{n}" for n in range(3)), what=NEW),
        *changes(*(f"C/c{n}" for n in range(2)), what="deleted"),
        *changes("D/d"),
    ]
    assert line(found).endswith("A/a11, and 6 more (3 new, 2 deleted, 1 changed)")


def test_restarts_are_named_however_many_and_the_order_stays() -> None:
    restarts = changes(*(f"Deployment/d{n:02}" for n in range(14)), what=RESTART)
    told = line([*changes("ConfigMap/a"), *restarts, *changes("Secret/b", what="deleted")])
    assert told.startswith("hub: 16 of 16 objects change: Deployment/d00 (pods restart), ")
    assert told.endswith("Deployment/d13 (pods restart), and 2 more (1 deleted, 1 changed)")
    few = [*changes(*(f"A/a{n:02}" for n in range(15))), *changes("Deployment/b", what=RESTART), *changes("Z/z")]
    assert line(few).endswith("A/a09, A/a10, Deployment/b (pods restart), and 5 more (5 changed)")
    first = [*changes("DaemonSet/b", what=RESTART), *few[:15]]
    assert line(first).endswith(
        "change: DaemonSet/b (pods restart), " + ", ".join(map(str, few[:11])) + ", and 4 more (4 changed)"
    )


def test_the_count_is_of_all_objects_before_and_after() -> None:
    old = {Key("Secret", name): {} for name in "abc"}
    new = {Key("Secret", name): {} for name in "bcd"}
    found = [*changes("Secret/a", what="deleted"), *changes("Secret/d", what=NEW)]
    assert line(found, old, new) == "hub: 2 of 4 objects change: Secret/a (deleted), Secret/d (new)"


def test_what_users_notice_ends_the_line() -> None:
    found = [Change(HUB, RESTART), Change(PROXY, RESTART), Change(Key("DaemonSet", "hub-pink"), "deleted")]
    assert line(found) == (
        "hub: 3 of 3 objects change: Deployment/hub (pods restart), Deployment/proxy (pods restart), "
        "DaemonSet/hub-pink (deleted); the hub restarts and forgets its database in memory: users are logged out, "
        "running sessions are dropped; the proxy restarts: running sessions are cut off for a moment; "
        "the builder restarts: running builds are lost"
    )


def test_a_first_install_breaks_nothing() -> None:
    found = [Change(HUB, NEW), Change(PROXY, NEW)]
    assert line(found, {}, {HUB: {}, PROXY: {}}) == "hub: first install, 2 objects"
    assert story.consequences(found, {}, {HUB: {}, PROXY: {}}) == []


@pytest.mark.parametrize("what", ["changed", "new"])
@pytest.mark.parametrize("key", [HUB, PROXY, Key("DaemonSet", "hub-dind")])
def test_what_does_not_restart_is_not_noticed(key: Key, what: str) -> None:
    assert story.consequences([Change(key, what)], {}, {}) == []


@pytest.mark.parametrize(
    ("key", "what", "builder"),
    [
        (Key("DaemonSet", "x-dind"), RESTART, True),
        (Key("DaemonSet", "x-pink"), RESTART, True),
        (Key("DaemonSet", "x-dind"), "deleted", True),
        (Key("DaemonSet", "x-pink"), "changed", False),
        (Key("DaemonSet", "x-image-cleaner"), RESTART, False),
        (Key("DaemonSet", "x-dind-more"), "deleted", False),
        (Key("Deployment", "x-dind"), RESTART, False),
        (Key("ServiceAccount", "x-dind"), "deleted", False),
    ],
)
def test_builds_are_lost_with_their_builder_alone(key: Key, what: str, builder: bool) -> None:
    told = story.consequences([Change(key, what)], {key: {}}, {key: {}})
    assert told == (["the builder restarts: running builds are lost"] if builder else [])


KEPT: dict[Key, Any] = {DATABASE: {}, SECRET: cookie("a")}
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
        ({}, {}, FORGETS),
        ({SECRET: cookie("a")}, {SECRET: cookie("b")}, FORGETS),
        (KEPT, {**KEPT, DATABASE: {"changed": True}}, QUIETLY),
    ],
)
def test_what_a_restart_of_the_hub_means(old: dict[Key, Any], new: dict[Key, Any], words: str) -> None:
    assert told(HUB, old=old, new=new) == words


@pytest.mark.parametrize(
    "key", [Key("Deployment", "hub", "other"), Key("StatefulSet", "hub"), Key("Deployment", "hub2")]
)
def test_only_the_hub_itself_is_the_hub(key: Key) -> None:
    assert told(key) == ""


def test_a_release_that_is_worked_on() -> None:
    assert story.unfinished(History(None, "pending-upgrade", 3, OWN), "x/hub") == Refusal(
        "",
        "release x/hub is pending-upgrade: another run is at work, or was killed",
        "wait for it; if it was killed: python -m recovery (docs/recovery.md)",
    )


TAKE_OVER = "another setting release, or take it over on purpose: pulumi config set adoptRelease true"


@pytest.mark.parametrize(
    ("owner", "installed", "reason"),
    [
        ("pulumi binderhub/lab", False,
         "release x/hub exists already and belongs to pulumi binderhub/lab; "
         "pulumi up would fail: cannot re-use a name that is still in use"),
        ("pulumi binderhub/lab", True,
         "release x/hub exists already and belongs to pulumi binderhub/lab; pulumi up would overwrite it"),
        ("Upgrade complete", True,
         "release x/hub exists already and belongs to somebody else (Helm says: Upgrade complete); "
         "pulumi up would overwrite it"),
        (f"{OWN}-two", True,
         f"release x/hub exists already and belongs to {OWN}-two; pulumi up would overwrite it"),
        ("", False,
         "release x/hub exists already and belongs to somebody else (Helm says: ); "
         "pulumi up would fail: cannot re-use a name that is still in use"),
    ],
)  # fmt: skip
def test_a_release_of_somebody_else_is_refused_in_these_words(owner: str, installed: bool, reason: str) -> None:
    history = History(None, "deployed", 1, owner)
    assert story.ownership(history, "x/hub", OWN, installed, adopt=False) == [Refusal("", reason, TAKE_OVER)]
    assert story.ownership(history, "x/hub", OWN, installed, adopt=True) == []


@pytest.mark.parametrize("status", ["deployed", "failed", "superseded", "uninstalled"])
@pytest.mark.parametrize(
    ("owner", "installed", "mine"), [(OWN, False, True), (RECOVERED, True, True), (RECOVERED, False, False)]
)
def test_whose_it_is_does_not_depend_on_how_it_is(status: str, owner: str, installed: bool, mine: bool) -> None:
    found = story.ownership(History(None, status, 1, owner), "x/hub", OWN, installed, adopt=False)
    assert (found == []) is mine


def test_a_hub_that_moves_its_database_from_memory_to_a_volume_forgets_it() -> None:
    secret = {SECRET: cookie("a")}
    found = [Change(HUB, RESTART), Change(DATABASE, NEW)]
    (words,) = story.consequences(found, secret, {**secret, DATABASE: {}})
    assert "forgets its database in memory" in words


def test_a_long_list_of_nothing_but_restarts_has_no_rest() -> None:
    assert line(changes(*(f"Deployment/d{n:02}" for n in range(13)), what=RESTART)).endswith("d12 (pods restart)")

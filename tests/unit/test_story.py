"""The one line of a preview, and whose release it is."""

from typing import Any

import pytest

from components import objects, story
from components.objects import Change, Key
from components.record import RECOVERED, History

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

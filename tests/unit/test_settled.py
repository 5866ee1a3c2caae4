"""What a chart draws by lot counts as it is in the cluster, so that a preview is silent where Helm changes nothing."""

import copy
from typing import Any

import pytest

from components import objects
from components.objects import Key

SECRET, CONFIG, HUB = Key("Secret", "hub"), Key("ConfigMap", "hub"), Key("Deployment", "hub")
Objects = dict[Key, dict[str, Any]]


def data(**content: Any) -> dict[str, Any]:
    return {"data": content}


def workload(checksum: str, image: str = "a") -> dict[str, Any]:
    pod = {"metadata": {"annotations": {"checksum": checksum}}, "spec": {"containers": [{"image": image}]}}
    return {"spec": {"template": pod}}


def told(old: Objects, new: Objects, again: Objects) -> list[str]:
    """Return the changes that a preview lists."""
    return [str(change) for change in objects.changes(old, {**new, **objects.settled(old, new, again)})]


def test_a_chart_that_draws_nothing_has_nothing_to_settle() -> None:
    new = {SECRET: data(token="a"), HUB: workload("b")}
    assert objects.settled({SECRET: data(token="x"), HUB: workload("y")}, new, copy.deepcopy(new)) == {}


def test_a_token_and_the_checksum_over_it_stay_as_they_are() -> None:
    old, new, again = ({SECRET: data(token=one), HUB: workload(one)} for one in ("live", "one", "two"))
    assert objects.settled(old, new, again) == old
    assert told(old, new, again) == []


def test_what_is_not_drawn_is_told_beside_what_is() -> None:
    old = {SECRET: data(token="live", password="old")}
    new, again = ({SECRET: data(token=one, password="new")} for one in ("one", "two"))
    assert objects.settled(old, new, again) == {SECRET: data(token="live", password="new")}
    assert told(old, new, again) == ["Secret/hub"]


@pytest.mark.parametrize("kind", ["ConfigMap", "Secret"])
@pytest.mark.parametrize("workload_kind", objects.WORKLOADS)
def test_pods_restart_where_what_their_checksum_covers_really_changes(kind: str, workload_kind: str) -> None:
    other, pods = Key(kind, "other"), Key(workload_kind, "hub")
    old = {SECRET: data(token="live"), other: data(text="a"), pods: workload("live")}
    new, again = ({SECRET: data(token=one), other: data(text="b"), pods: workload(one)} for one in ("one", "two"))
    assert set(told(old, new, again)) == {f"{pods} (pods restart)", str(other)}


@pytest.mark.parametrize(
    ("before", "after"),
    [({}, data(text="a")), (data(text="a"), {})],
    ids=["new", "deleted"],
)
def test_a_config_map_that_comes_or_goes_is_a_change_under_a_checksum(
    before: dict[str, Any], after: dict[str, Any]
) -> None:
    extra = [{CONFIG: one} if one else {} for one in (before, after, after)]
    old, new, again = ({HUB: workload(lot), **more} for lot, more in zip(("live", "one", "two"), extra, strict=True))
    assert "Deployment/hub (pods restart)" in told(old, new, again)


def test_another_kind_of_object_that_changes_is_under_no_checksum() -> None:
    role = Key("Role", "hub")
    old = {HUB: workload("live"), role: {"rules": ["a"]}}
    new, again = ({HUB: workload(one), role: {"rules": ["b"]}} for one in ("one", "two"))
    assert told(old, new, again) == ["Role/hub"]


def test_a_workload_that_changes_by_itself_restarts_and_keeps_what_is_drawn() -> None:
    old, new, again = {HUB: workload("live")}, {HUB: workload("one", "b")}, {HUB: workload("two", "b")}
    assert objects.settled(old, new, again) == {HUB: workload("live", "b")}
    assert told(old, new, again) == ["Deployment/hub (pods restart)"]


def test_what_was_not_there_stays_new() -> None:
    new, again = {SECRET: data(token="one")}, {SECRET: data(token="two")}
    assert objects.settled({}, new, again) == {}
    assert told({}, new, again) == ["Secret/hub (new)"]


@pytest.mark.parametrize(
    "live",
    [
        {},
        {"data": None},
        {"data": {}},
        {"data": {"tokens": "text"}},
        {"data": {"tokens": []}},
        {"data": {"tokens": None}},
    ],
)
def test_where_the_cluster_has_nothing_in_its_place_what_is_drawn_is_a_change(live: dict[str, Any]) -> None:
    new, again = ({SECRET: data(tokens={"a": one})} for one in ("one", "two"))
    assert objects.settled({SECRET: live}, new, again) == {}
    assert told({SECRET: live}, new, again) == ["Secret/hub"]


def test_of_several_drawn_texts_those_that_are_there_stay() -> None:
    old = {SECRET: data(first="live")}
    new, again = ({SECRET: data(first=one, second=one)} for one in ("one", "two"))
    assert objects.settled(old, new, again) == {SECRET: data(first="live", second="one")}


def test_items_of_lists_are_drawn_one_by_one_and_lists_of_other_lengths_as_a_whole() -> None:
    old = {SECRET: data(keys=["a", "live", "c"])}
    new, again = ({SECRET: data(keys=["a", one, "changed"])} for one in ("one", "two"))
    assert objects.settled(old, new, again) == {SECRET: data(keys=["a", "live", "changed"])}
    longer = {SECRET: data(keys=["two"])}
    assert objects.settled({SECRET: data(keys=["x", "y"])}, new, longer) == {SECRET: data(keys=["x", "y"])}


@pytest.mark.parametrize(
    ("one", "two"), [({"b": "x"}, "x"), ("x", {"b": "x"}), (["x"], "x"), ("x", ["x"]), (["x"], ["x", "y"]), (None, 1)]
)
def test_what_is_drawn_may_differ_in_its_form(one: object, two: object) -> None:
    old = {SECRET: data(a="live")}
    assert objects.settled(old, {SECRET: data(a=one)}, {SECRET: data(a=two)}) == old


def test_an_object_that_the_second_rendering_lacks_is_taken_as_it_is() -> None:
    assert objects.settled({SECRET: data(token="live")}, {SECRET: data(token="one")}, {}) == {}


def test_a_key_that_only_one_rendering_has_is_taken_as_it_is() -> None:
    old, new, again = ({SECRET: {"data": content}} for content in ({}, {"a": "x", "b": "y"}, {"a": "x"}))
    assert objects.settled(old, new, again) == {}


def test_an_object_elsewhere_is_not_taken_for_one_of_that_name_here() -> None:
    away = Key("Secret", "hub", "other")
    assert objects.settled({SECRET: data(a="live")}, {away: data(a="one")}, {away: data(a="two")}) == {}


def test_nothing_that_it_is_given_is_changed() -> None:
    old, new, again = ({SECRET: data(token=one, list=[one]), HUB: workload(one)} for one in ("live", "one", "two"))
    before = copy.deepcopy((old, new, again))
    objects.settled(old, new, again)
    assert (old, new, again) == before


def test_what_changes_in_a_text_beside_what_is_drawn_is_told() -> None:
    old = {CONFIG: data(values="token: live\nlimit: 1\n")}
    new, again = ({CONFIG: data(values=f"token: {one}\nlimit: 2\n")} for one in ("one", "two"))
    assert told(old, new, again) == ["ConfigMap/hub"]


@pytest.mark.parametrize(
    ("live", "one", "two"),
    [
        ("key = 'live'\n", "key = 'once'\n", "key = 'onto'\n"),  # what two draws share by chance is drawn as well
        ("a: ab+cd=\nb: 1", "a: xy+zz=\nb: 1", "a: xy+uv=\nb: 1"),
        ("bGl2ZQ==", "b25l", "dHdv"),
    ],
)
def test_a_text_is_the_same_but_for_what_is_drawn(live: str, one: str, two: str) -> None:
    old, new, again = ({CONFIG: data(text=text)} for text in (live, one, two))
    assert told(old, new, again) == []


@pytest.mark.parametrize("live", ["a: live\nb: 2", "c: live\nb: 1", "a:", "b: 1"])
def test_a_text_that_is_otherwise_different_is_a_change(live: str) -> None:
    old, new, again = ({CONFIG: data(text=text)} for text in (live, "a: one\nb: 1", "a: two\nb: 1"))
    assert told(old, new, again) == ["ConfigMap/hub"]

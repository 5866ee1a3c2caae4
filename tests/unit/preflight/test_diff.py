"""What changes in a release. What is random in its chart counts as it is, so that a preview is silent where Helm is."""

import copy
from typing import Any

import pytest

from kube import manifests
from kube.manifests import ObjectKey
from preflight import diff

SECRET, CONFIG, HUB = ObjectKey("Secret", "hub"), ObjectKey("ConfigMap", "hub"), ObjectKey("Deployment", "hub")
Objects = dict[ObjectKey, dict[str, Any]]


def data(**content: Any) -> dict[str, Any]:
    return {"metadata": {}, "data": content}


def workload(checksum: str, image: str = "a", replicas: int = 1) -> dict[str, Any]:
    pod = {"metadata": {"annotations": {"checksum": checksum}}, "spec": {"containers": [{"image": image}]}}
    return {"metadata": {}, "spec": {"replicas": replicas, "template": pod}}


def told(old: Objects, new: Objects, again: Objects | None = None) -> list[str]:
    """Return the changes that a preview lists."""
    return [str(one) for one in diff.changes(old, {**new, **(diff.without_random(old, new, again) if again else {})})]


def kept(policy: str) -> dict[str, Any]:
    return {"metadata": {"annotations": {"helm.sh/resource-policy": policy}}}


@pytest.mark.parametrize("kind", manifests.WORKLOADS)
@pytest.mark.parametrize(
    ("old", "new", "change"),
    [
        (workload("a"), workload("b"), " (pods restart)"),
        (workload("a"), workload("a", replicas=2), ""),
        (None, workload("a"), " (new)"),
        (workload("a"), None, " (deleted)"),
        ({"metadata": {"annotations": None}}, None, " (deleted)"),
        (kept("delete"), None, " (deleted)"),
        (kept("keep"), None, " (left behind)"),
    ],
)
def test_what_becomes_of_an_object(kind: str, old: Any, new: Any, change: str) -> None:
    same, key = {SECRET: data(a="b")}, ObjectKey(kind, "a")
    assert told(*({**same, **({key: one} if one else {})} for one in (old, new))) == [f"{key}{change}"]


def test_changes_are_sorted_and_what_has_no_pods_only_changes() -> None:
    old, new = ({ObjectKey("Secret", name): data(a=one) for name in "gfedcba"} for one in ("1", "2"))
    found = ["ConfigMap/hub (deleted)", "Deployment/hub (new)", *(f"Secret/{name}" for name in "abcdefg")]
    assert told({**old, CONFIG: data()}, {**new, HUB: workload("a")}) == found


def test_a_token_and_the_checksum_over_it_stay_as_they_are() -> None:
    old, new, again = ({SECRET: data(token=one), HUB: workload(one)} for one in ("live", "one", "two"))
    assert diff.without_random(old, new, again) == old
    assert told(old, new, again) == []


@pytest.mark.parametrize("kind", ["ConfigMap", "Secret"])
@pytest.mark.parametrize("workload_kind", manifests.WORKLOADS)
@pytest.mark.parametrize(
    ("before", "after", "what"),
    [(data(text="a"), data(text="b"), ""), (None, data(text="a"), " (new)"), (data(text="a"), None, " (deleted)")],
)
def test_pods_restart_where_what_their_checksum_covers_really_changes(
    kind: str, workload_kind: str, before: Any, after: Any, what: str
) -> None:
    other, pods = ObjectKey(kind, "other"), ObjectKey(workload_kind, "hub")
    old, new, again = (
        {SECRET: data(token=one), pods: workload(one), **({other: content} if content else {})}
        for one, content in (("live", before), ("one", after), ("two", after))
    )
    assert set(told(old, new, again)) == {f"{pods} (pods restart)", f"{other}{what}"}


def test_another_kind_of_object_that_changes_is_under_no_checksum() -> None:
    role = ObjectKey("Role", "hub")
    old = {HUB: workload("live"), role: {"rules": ["a"]}}
    new, again = ({HUB: workload(one), role: {"rules": ["b"]}} for one in ("one", "two"))
    assert told(old, new, again) == ["Role/hub"]


def test_a_workload_that_changes_by_itself_restarts_and_keeps_what_is_random() -> None:
    old, new, again = {HUB: workload("live")}, {HUB: workload("one", "b")}, {HUB: workload("two", "b")}
    assert diff.without_random(old, new, again) == {HUB: workload("live", "b")}
    assert told(old, new, again) == ["Deployment/hub (pods restart)"]


@pytest.mark.parametrize("content", [{}, None, {"tokens": {}}, {"tokens": "text"}, {"tokens": []}, {"tokens": None}])
def test_where_the_cluster_has_nothing_in_its_place_what_is_random_is_a_change(content: Any) -> None:
    live = {SECRET: {**data(), "data": content}}
    new, again = ({SECRET: data(tokens={"a": one})} for one in ("one", "two"))
    assert diff.without_random(live, new, again) == {}
    assert told(live, new, again) == ["Secret/hub"]


ODD = ({"b": "x"}, ["x"], ["x", "y"], "x", None, 1)


@pytest.mark.parametrize(
    ("live", "one", "two", "found"),
    [
        ({"a": "live", "b": "old"}, {"a": "1", "b": "new"}, {"a": "2", "b": "new"}, {"a": "live", "b": "new"}),
        ({"a": "live"}, {"a": "1", "b": "1"}, {"a": "2", "b": "2"}, {"a": "live", "b": "1"}),
        ({"a": "live", "b": "live"}, {"a": "1", "b": "1"}, {"a": "2", "b": "2"}, {"a": "live", "b": "live"}),
        ({"a": ["a", "live", "c"]}, {"a": ["a", "1", "z"]}, {"a": ["a", "2", "z"]}, {"a": ["a", "live", "z"]}),
        ({"a": ["x", "y"]}, {"a": ["1"]}, {"a": ["2", "3"]}, {"a": ["x", "y"]}),
        ({"a": [{"b": "live"}]}, {"a": [{"b": 1}]}, {"a": [{"b": 2}]}, {"a": [{"b": "live"}]}),
        ({"a": ""}, {"a": "1"}, {"a": "2"}, {"a": ""}),
        *(({"a": "live"}, {"a": one}, {"a": two}, {"a": "live"}) for one in ODD for two in ODD if one is not two),
    ],
)  # fmt: skip
def test_a_random_leaf_is_as_it_is_in_the_cluster(live: Any, one: Any, two: Any, found: Any) -> None:
    old, new, again = ({SECRET: data(**content)} for content in (live, one, two))
    before = copy.deepcopy((old, new, again))
    assert diff.without_random(old, new, again) == {SECRET: data(**found)}
    assert (old, new, again) == before, "nothing that it is given is changed"


AWAY = ObjectKey("Secret", "hub", "other")


@pytest.mark.parametrize(
    ("old", "new", "again"),
    [
        ({SECRET: data(a="live")}, {SECRET: data(a="1", b=["c"])}, {SECRET: data(a="1", b=["c"])}),
        ({}, {SECRET: data(a="1")}, {SECRET: data(a="2")}),
        ({SECRET: data(a="live")}, {SECRET: data(a="1")}, {}),
        ({SECRET: data(a="live")}, {}, {SECRET: data(a="1")}),
        ({SECRET: data(a="live")}, {AWAY: data(a="1")}, {AWAY: data(a="2")}),
        ({SECRET: data(b="live")}, {SECRET: data(a="x", b="y")}, {SECRET: data(a="x")}),
        ({SECRET: data(b="live")}, {SECRET: data(a="x")}, {SECRET: data(a="x", b="y")}),
    ],
)
def test_what_is_the_same_or_not_in_all_three_is_taken_as_it_is(old: Objects, new: Objects, again: Objects) -> None:
    assert diff.without_random(old, new, again) == {}

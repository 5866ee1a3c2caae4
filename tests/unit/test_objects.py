"""Objects of a chart: how they are read, and what counts as a change."""

from typing import Any

import pytest

from components import objects
from components.objects import Change, Key


def deployment(name: str, image: str = "a", **metadata: Any) -> dict[str, Any]:
    template = {"spec": {"containers": [{"image": image}]}}
    return {"kind": "Deployment", "metadata": {"name": name, **metadata}, "spec": {"replicas": 1, "template": template}}


def secret(name: str, **metadata: Any) -> dict[str, Any]:
    return {"kind": "Secret", "metadata": {"name": name, **metadata}, "data": {"a": "YQ=="}}


def test_the_release_namespace_makes_no_difference() -> None:
    old, new = [secret("hub")], [secret("hub", namespace="binderhub")]
    assert objects.changes(objects.by_key(old, "binderhub"), objects.by_key(new, "binderhub")) == []


def test_an_object_elsewhere_is_another_one() -> None:
    found = objects.by_key([secret("hub"), secret("hub", namespace="other")], "binderhub")
    assert [str(key) for key in found] == ["Secret/hub", "Secret/hub in other"]


def test_what_changes_and_which_pods_restart() -> None:
    old = [deployment("hub"), deployment("proxy"), secret("gone"), secret("same"), secret("told")]
    scaled = deployment("proxy")
    scaled["spec"]["replicas"] = 2
    new = [deployment("hub", image="b"), scaled, secret("same"), secret("fresh"), secret("told", labels={"a": "b"})]
    got = objects.changes(objects.by_key(old, "x"), objects.by_key(new, "x"))
    assert [str(change) for change in got] == [
        "Deployment/hub (pods restart)",
        "Deployment/proxy",
        "Secret/fresh (new)",
        "Secret/gone (deleted)",
        "Secret/told",
    ]
    assert got[0] == Change(Key("Deployment", "hub"), "pods restart")


def test_hooks_for_tests_are_no_part_of_a_release() -> None:
    found = [
        secret("probe", annotations={"helm.sh/hook": "test"}),
        secret("old-probe", annotations={"helm.sh/hook": "test-success, test-failure"}),
        secret("puller", annotations={"helm.sh/hook": "pre-install,pre-upgrade"}),
    ]
    assert [key.name for key in objects.by_key(found, "x")] == ["puller"]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("12:30", "12:30"),
        ("2020-01-01", "2020-01-01"),
        ("on", "on"),
        ("no", "no"),
        ("0777", 511),
        ("1e+06", 1000000.0),
        ("1_000", 1000),
        ("0x10", 16),
        ("true", True),
        ("~", None),
        ("", None),
        ("99.0", 99),
        ("-1", -1),
        ('"1"', "1"),
        ("1.2.3", "1.2.3"),
        ("500m", "500m"),
    ],
)
def test_scalars_are_read_as_kubernetes_reads_them(text: str, value: object) -> None:
    (found,) = objects.parse(f"a: {text}\n---\n# nothing but a comment\n")
    assert found == {"a": value}
    assert isinstance(found["a"], str) == isinstance(value, str)


def test_what_a_chart_draws_by_lot_is_found_and_can_be_put_back() -> None:
    one = {"data": {"token": "abc", "name": "hub"}, "list": [{"sum": "1"}, "x"]}
    other = {"data": {"token": "xyz", "name": "hub"}, "list": [{"sum": "2"}, "x"]}
    paths = list(objects.random_leaves(one, other))
    assert sorted(map(str, paths)) == ["('data', 'token')", "('list', 0, 'sum')"]
    for path in paths:
        other = objects.with_leaf(other, path, objects.leaf(one, path))
    assert other == one


def test_what_helm_is_told_to_keep_is_left_behind() -> None:
    kept = {Key("Secret", "a"): {"metadata": {"annotations": {"helm.sh/resource-policy": "keep"}}}}
    (change,) = objects.changes(kept, {})
    assert str(change) == "Secret/a (left behind)"
    other = {Key("Secret", "a"): {"metadata": {"annotations": {"helm.sh/resource-policy": "delete"}}}}
    assert [c.what for c in objects.changes(other, {})] == ["deleted"]

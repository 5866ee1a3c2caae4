"""What counts as a change of an object."""

from typing import Any

from kube import manifests
from kube.manifests import ObjectKey
from preflight import diff
from preflight.diff import Change


def deployment(name: str, image: str = "a", **metadata: Any) -> dict[str, Any]:
    template = {"spec": {"containers": [{"image": image}]}}
    return {"kind": "Deployment", "metadata": {"name": name, **metadata}, "spec": {"replicas": 1, "template": template}}


def secret(name: str, **metadata: Any) -> dict[str, Any]:
    return {"kind": "Secret", "metadata": {"name": name, **metadata}, "data": {"a": "YQ=="}}


def test_what_changes_and_which_pods_restart() -> None:
    old = [deployment("hub"), deployment("proxy"), secret("gone"), secret("same"), secret("told")]
    scaled = deployment("proxy")
    scaled["spec"]["replicas"] = 2
    new = [deployment("hub", image="b"), scaled, secret("same"), secret("fresh"), secret("told", labels={"a": "b"})]
    got = diff.changes(manifests.by_key(old, "x"), manifests.by_key(new, "x"))
    assert [str(change) for change in got] == [
        "Deployment/hub (pods restart)",
        "Deployment/proxy",
        "Secret/fresh (new)",
        "Secret/gone (deleted)",
        "Secret/told",
    ]
    assert got[0] == Change(ObjectKey("Deployment", "hub"), "pods restart")


def test_what_helm_is_told_to_keep_is_left_behind() -> None:
    kept = {ObjectKey("Secret", "a"): {"metadata": {"annotations": {"helm.sh/resource-policy": "keep"}}}}
    (change,) = diff.changes(kept, {})
    assert str(change) == "Secret/a (left behind)"
    other = {ObjectKey("Secret", "a"): {"metadata": {"annotations": {"helm.sh/resource-policy": "delete"}}}}
    assert [c.what for c in diff.changes(other, {})] == ["deleted"]

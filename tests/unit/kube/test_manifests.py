"""Objects of a chart: how they are read and named."""

import pytest

from kube import manifests


@pytest.mark.parametrize(
    ("event", "installed"),
    [("", True), ("pre-install,pre-upgrade", True), ("test", False), ("test-success, test-failure", False)],
)
def test_hooks_for_tests_are_no_part_of_a_release(event: str, installed: bool) -> None:
    secret = {"kind": "Secret", "metadata": {"name": "hub", "namespace": "x", "annotations": {"helm.sh/hook": event}}}
    assert [str(key) for key in manifests.by_key([secret], "binderhub")] == ["Secret/hub in x"] * installed


def test_a_field_that_is_null_is_not_there() -> None:
    """Charts write nulls, Helm's record keeps them, and a rendering through the provider may not."""
    strategy = {"type": "Recreate", "rollingUpdate": None}
    rule = {"apiGroups": None, "resources": ["pods"], "verbs": ["get", None]}
    one = {
        "kind": "Role",
        "metadata": {"name": "a", "labels": None},
        "strategy": strategy,
        "rules": [rule],
        "empty": {},
    }
    (found,) = manifests.by_key([one], "binderhub").values()
    left = {"resources": ["pods"], "verbs": ["get", None]}
    rest = {"strategy": {"type": "Recreate"}, "rules": [left], "empty": {}}
    assert found == {"kind": "Role", "metadata": {"name": "a"}, **rest}


@pytest.mark.parametrize(
    ("spec", "pods"),
    [(None, False), ({}, True), ({"replicas": None}, True), ({"replicas": 0, "template": None}, False)],
)
def test_a_workload_may_be_empty(spec: object, pods: bool) -> None:
    workload = {"kind": "Deployment", "spec": spec}
    assert (manifests.has_pods(workload), manifests.pod_template(workload)) == (pods, {})
    assert not manifests.has_pods({"kind": "Secret", "spec": spec})


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("Service", "services"), ("NetworkPolicy", "networkpolicies"), ("Gateway", "gateways"),
        ("Ingress", "ingresses"), ("Endpoints", "endpoints"),
    ],
)  # fmt: skip
def test_plurals(kind: str, name: str) -> None:
    assert manifests.plural(kind) == name

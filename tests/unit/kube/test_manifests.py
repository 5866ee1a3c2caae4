"""Objects of a chart: how they are read and named."""

from typing import Any

import pytest

from kube import manifests


def secret(name: str, **metadata: Any) -> dict[str, Any]:
    return {"kind": "Secret", "metadata": {"name": name, **metadata}, "data": {"a": "YQ=="}}


def test_the_release_namespace_makes_no_difference() -> None:
    old, new = [secret("hub")], [secret("hub", namespace="binderhub")]
    assert manifests.by_key(old, "binderhub") == manifests.by_key(new, "binderhub")


def test_an_object_elsewhere_is_another_one() -> None:
    found = manifests.by_key([secret("hub"), secret("hub", namespace="other")], "binderhub")
    assert [str(key) for key in found] == ["Secret/hub", "Secret/hub in other"]


def test_hooks_for_tests_are_no_part_of_a_release() -> None:
    found = [
        secret("probe", annotations={"helm.sh/hook": "test"}),
        secret("old-probe", annotations={"helm.sh/hook": "test-success, test-failure"}),
        secret("puller", annotations={"helm.sh/hook": "pre-install,pre-upgrade"}),
    ]
    assert [key.name for key in manifests.by_key(found, "x")] == ["puller"]


def test_a_manifest_is_read_as_kubernetes_takes_it() -> None:
    assert manifests.parse("a: 1\na: on\n8080: x\n---\n# nothing but a comment\n") == [{"a": True, "8080": "x"}]


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("Service", "services"), ("NetworkPolicy", "networkpolicies"), ("Gateway", "gateways"),
        ("Ingress", "ingresses"), ("Endpoints", "endpoints"),
    ],
)  # fmt: skip
def test_plurals(kind: str, name: str) -> None:
    assert manifests.plural(kind) == name

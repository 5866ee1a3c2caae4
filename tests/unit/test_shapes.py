"""Objects that have the form which the API gives them, and those that have not."""

from typing import Any

import pytest

from components import nodes, quotas, references, shapes


def workload(kind: str = "Deployment", **spec: Any) -> dict[str, Any]:
    return {"kind": kind, "metadata": {"name": "a"}, "spec": {"template": {"spec": spec}}}


WELL: list[dict[str, Any]] = [
    {},
    {"containers": None, "volumes": None, "nodeSelector": None, "tolerations": []},
    {"containers": [{"resources": {"limits": {"memory": "4Gi"}}, "env": [{"name": "a", "value": "b"}]}]},
    {"containers": [{"resources": None, "env": None}], "volumes": [{"emptyDir": {}}, {"secret": {"secretName": "x"}}]},
    {"affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [
        {"matchExpressions": [{"key": "a", "operator": "In", "values": ["b"]}]}]}}}},
    {"nodeSelector": {"pool": 5}, "somethingElse": "x"},
]  # fmt: skip
ILL: list[dict[str, Any]] = [
    {"containers": {"name": "a"}},
    {"containers": ["a"]},
    {"containers": [{"resources": "lots"}]},
    {"containers": [{"resources": {"limits": "4Gi"}}]},
    {"initContainers": [{"resources": {"requests": ["4Gi"]}}]},
    {"containers": [{"env": {"A": "b"}}]},
    {"containers": [{"env": ["A=b"]}]},
    {"containers": [{"env": [{"valueFrom": "x"}]}]},
    {"containers": [{"envFrom": [{"secretRef": "x"}]}]},
    {"nodeSelector": "pool=core"},
    {"tolerations": {"key": "core"}},
    {"tolerations": ["core"]},
    {"imagePullSecrets": ["mine"]},
    {"imagePullSecrets": "mine"},
    {"volumes": {"name": "a"}},
    {"volumes": [{"secret": "x"}]},
    {"volumes": [{"projected": {"sources": {"secret": {}}}}]},
    {"serviceAccountName": ["a"]},
    {"affinity": "none"},
    {"affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [{}]}}},
]


@pytest.mark.parametrize("spec", WELL)
def test_what_has_its_form_can_be_looked_into(spec: dict[str, Any]) -> None:
    one = workload(**spec)
    assert shapes.fits(one)
    assert shapes.fits_pod(one["spec"]["template"])
    node = {"metadata": {}, "spec": {}, "status": {"allocatable": {"cpu": "1"}}}
    nodes.why_none(one["spec"]["template"], [node])
    references.of_pods(references.templates([one]))
    quotas.of_pods([(None, {**one, "apiVersion": "apps/v1"})])


@pytest.mark.parametrize("kind", ["DaemonSet", "Deployment", "StatefulSet"])
@pytest.mark.parametrize("spec", ILL)
def test_what_has_not(kind: str, spec: dict[str, Any]) -> None:
    one = workload(kind, **spec)
    assert not shapes.fits(one)
    assert not shapes.fits_pod(one["spec"]["template"])


@pytest.mark.parametrize(
    ("kind", "content", "fits"),
    [
        ("Deployment", {"spec": {"replicas": "two"}}, False),
        ("Deployment", {"spec": {"replicas": 2.0}}, True),
        ("Service", {"spec": {"ports": {"port": 80}}}, False),
        ("Service", {"spec": {"ports": [{"port": 80}]}}, True),
        ("PersistentVolumeClaim", {"spec": {"resources": {"requests": "1Gi"}}}, False),
        ("PersistentVolumeClaim", {"spec": {"resources": {"requests": {"storage": "1Gi"}}}}, True),
        ("Role", {"rules": {"verbs": ["get"]}}, False),
        ("ClusterRole", {"rules": [{"verbs": "get"}]}, False),
        ("ClusterRole", {"rules": [{"verbs": ["get"]}]}, True),
        ("Ingress", {"spec": {"ingressClassName": 5}}, False),
        ("ConfigMap", {"data": "anything"}, True),
    ],
)
def test_other_kinds(kind: str, content: dict[str, Any], fits: bool) -> None:
    assert shapes.fits({"kind": kind, **content}) is fits

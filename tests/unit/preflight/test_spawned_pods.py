"""The pods that a hub makes later, as far as settings and values decide them."""

from typing import Any

import pytest

from preflight import dependencies, scheduling, spawned_pods
from preflight.spawned_pods import BUILD, USER


def pod(name: str, **values: Any) -> dict[str, Any]:
    """Return the spec of one of the two pods."""
    spec: dict[str, Any] = spawned_pods.pods(values)[name]["spec"]
    return spec


def server(**singleuser: Any) -> dict[str, Any]:
    return pod(USER, jupyterhub={"singleuser": singleuser})


def resources(spec: dict[str, Any]) -> dict[str, Any]:
    (container,) = spec["containers"]
    found: dict[str, Any] = container["resources"]
    return found


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"jupyterhub": None, "config": None},
        {"jupyterhub": {"singleuser": None}, "config": {"KubernetesBuildExecutor": None}},
        {"jupyterhub": {"singleuser": {"memory": None, "cpu": {}, "nodeSelector": None, "extraTolerations": None}}},
        {"jupyterhub": {"singleuser": {"extraLabels": None}}, "imageBuilderType": "dind", "dind": None},
        {"jupyterhub": {"singleuser": ["a"]}, "config": {"KubernetesBuildExecutor": "text", "BinderHub": "text"}},
        {"config": {"KubernetesBuildExecutor": {"image_pull_secrets": "mine"}}},
    ],
)
def test_values_that_decide_nothing_leave_two_plain_pods(values: dict[str, Any]) -> None:
    found = spawned_pods.pods(values)
    assert list(found) == ["users-server", "build"], "these names stand in the warnings"
    for template in found.values():
        assert template["metadata"] == {"labels": {}}
        assert (template["spec"]["nodeSelector"], template["spec"]["imagePullSecrets"]) == ({}, [])
        assert template["spec"]["containers"] == [{"name": "main", "image": "preview", "resources": {}}]
        assert template["spec"]["automountServiceAccountToken"] is False
    assert dependencies.references(found) == []


@pytest.mark.parametrize(
    ("given", "asked"),
    [
        ("1K", "1Ki"), ("512M", "512Mi"), ("1.5G", "1.5Gi"), ("2T", "2Ti"),
        ("1Gi", "1Gi"), ("1", "1"), (536870912, 536870912), (0, 0), (0.5, 0.5),
    ],
)  # fmt: skip
def test_an_amount_of_jupyterhub_is_one_of_kubernetes(given: object, asked: object) -> None:
    found = resources(server(memory={"limit": given, "guarantee": given}))
    assert found == {"limits": {"memory": asked}, "requests": {"memory": asked}}


GPU = {"nvidia.com/gpu": "1"}


@pytest.mark.parametrize(
    ("singleuser", "found"),
    [
        ({"memory": {"limit": "1G"}}, {"limits": {"memory": "1Gi"}}),
        ({"memory": {"limit": "1G", "guarantee": None}}, {"limits": {"memory": "1Gi"}}),
        ({"cpu": {"guarantee": 0.05}}, {"requests": {"cpu": 0.05}}),
        ({"cpu": {"limit": 2, "guarantee": 0}, "memory": {"guarantee": "256M"}},
         {"limits": {"cpu": 2}, "requests": {"cpu": 0, "memory": "256Mi"}}),
        ({"extraResource": {"limits": GPU, "guarantees": GPU}}, {"limits": GPU, "requests": GPU}),
        ({"cpu": {"limit": 2}, "extraResource": {"limits": GPU}}, {"limits": {"cpu": 2, **GPU}}),
    ],
)  # fmt: skip
def test_a_users_server_asks_for_what_is_given(singleuser: dict[str, Any], found: dict[str, Any]) -> None:
    assert resources(server(**singleuser)) == found
    assert resources(pod(BUILD, jupyterhub={"singleuser": singleuser})) == {}, "a build is no user's server"
    assert resources(pod(BUILD, config={"KubernetesBuildExecutor": {"resources": found}})) == found, (
        "its executor is given it as it is"
    )


@pytest.mark.parametrize("sign", ["/", "_"])
@pytest.mark.parametrize("name", [USER, BUILD])
def test_a_node_kept_for_users_takes_both(name: str, sign: str) -> None:
    taint = {"key": f"hub.jupyter.org{sign}dedicated", "value": "user", "effect": "NoSchedule"}
    node = {"metadata": {}, "spec": {"taints": [taint]}, "status": {}}
    assert scheduling.explain_unschedulable(spawned_pods.pods({})[name], [node]) == ""


def test_tolerations_of_users_servers_may_be_more_or_others() -> None:
    own = {"key": "gpu", "operator": "Exists"}
    usual = server()["tolerations"]
    assert server(extraTolerations=[own])["tolerations"] == [*usual, own]
    assert pod(BUILD, jupyterhub={"singleuser": {"extraTolerations": [own]}})["tolerations"] == usual
    assert pod(USER, jupyterhub={"scheduling": {"userPods": {"tolerations": [own]}}})["tolerations"] == [own]


def test_each_has_a_node_selector_and_labels_of_its_own() -> None:
    values = {
        "nodeSelector": {"pool": "core"},
        "jupyterhub": {"singleuser": {"nodeSelector": {"pool": "users"}, "extraLabels": {"team": "a"}}},
        "config": {"KubernetesBuildExecutor": {"node_selector": {"pool": "builds"}}},
    }
    found = spawned_pods.pods(values).values()
    assert [one["spec"]["nodeSelector"] for one in found] == [{"pool": "users"}, {"pool": "builds"}]
    assert [one["metadata"]["labels"] for one in found] == [{"team": "a"}, {}]


@pytest.mark.parametrize(
    ("values", "path"),
    [
        ({}, "/var/run"),
        ({"imageBuilderType": "host", "dind": {"hostSocketDir": "/run/a"}}, "/var/run"),
        ({"imageBuilderType": "dind"}, "/var/run"),
        ({"imageBuilderType": "dind", "dind": {"hostSocketDir": "/run/a"}}, "/run/a"),
        ({"imageBuilderType": "pink", "pink": {"hostSocketDir": "/run/b"}, "dind": {"hostSocketDir": "/run/a"}},
         "/run/b"),
    ],
)  # fmt: skip
def test_a_build_mounts_its_builders_socket_from_the_node(values: dict[str, Any], path: str) -> None:
    assert pod(BUILD, **values)["volumes"] == [{"name": "docker", "hostPath": {"path": path}}]
    assert pod(USER, **values)["volumes"] == [], "pod security judges users' servers without it"


def test_the_values_stay_as_they_are() -> None:
    selector, labels, tolerations = {"a": "b"}, {"c": "d"}, [{"operator": "Exists"}]
    given = {"nodeSelector": selector, "extraLabels": labels, "extraTolerations": tolerations}
    template = spawned_pods.pods({"jupyterhub": {"singleuser": given}})[USER]
    template["spec"]["nodeSelector"]["x"] = template["metadata"]["labels"]["x"] = "y"
    template["spec"]["tolerations"].clear()
    assert (selector, labels, tolerations) == ({"a": "b"}, {"c": "d"}, [{"operator": "Exists"}])
    assert len(server()["tolerations"]) == 2


PURPOSE = {"matchExpressions": [{"key": "hub.jupyter.org/node-purpose", "operator": "In", "values": ["user"]}]}
OWN = {"matchExpressions": [{"key": "gpu", "operator": "Exists"}]}


@pytest.mark.parametrize(
    ("match", "own", "terms"),
    [
        ("prefer", None, []), (None, [], []), ("require", None, [PURPOSE]), ("ignore", [OWN], [OWN]),
        ("require", [OWN], [OWN, PURPOSE]),
    ],
)  # fmt: skip
def test_users_servers_may_be_held_to_nodes_of_their_own(match: object, own: Any, terms: list[Any]) -> None:
    scheduled = {"userPods": {"nodeAffinity": {"matchNodePurpose": match}}}
    hub = {"scheduling": scheduled, "singleuser": {"extraNodeAffinity": {"required": own}}}
    required = {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms}}
    assert pod(USER, jupyterhub=hub)["affinity"] == ({"nodeAffinity": required} if terms else {})


def test_what_the_pods_refer_to() -> None:
    executor: dict[str, Any] = {"image_pull_secrets": ["four"]}
    values = {
        "jupyterhub": {
            "imagePullSecrets": ["one", {"name": "two"}],
            "singleuser": {"serviceAccountName": "users", "image": {"pullSecrets": ["three"]}},
        },
        "config": {"KubernetesBuildExecutor": executor, "BinderHub": {"push_secret": "five"}},
    }
    wanted = dependencies.references(spawned_pods.pods(values))
    assert [(one.user, one.key.kind, one.key.name) for one in wanted] == [
        *(("users-server", "Secret", name) for name in ("one", "two", "three")),
        ("users-server", "ServiceAccount", "users"),
        ("build", "Secret", "four"),
        ("build", "Secret", "five"),
    ]
    executor["push_secret"] = "six"
    assert [one.key.name for one in dependencies.references(spawned_pods.pods(values))][-1] == "six"


def test_what_operators_add_to_users_pods_is_in_them() -> None:
    spec = server(extraPodConfig={"runtimeClassName": "gvisor", "nodeSelector": {"a": "b"}})
    assert (spec["runtimeClassName"], spec["nodeSelector"]) == ("gvisor", {"a": "b"})

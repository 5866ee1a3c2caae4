"""The pods that a hub makes later, as far as settings and values decide them."""

from typing import Any

import pytest

from components import launches, nodes, references, shapes


def pod(name: str, **values: Any) -> dict[str, Any]:
    """Return the spec of one of the two pods."""
    spec: dict[str, Any] = launches.pods(values)[name]["spec"]
    return spec


def server(**singleuser: Any) -> dict[str, Any]:
    return pod(launches.USER, jupyterhub={"singleuser": singleuser})


def build(**executor: Any) -> dict[str, Any]:
    return pod(launches.BUILD, config={"KubernetesBuildExecutor": executor})


def resources(spec: dict[str, Any]) -> dict[str, Any]:
    (container,) = spec["containers"]
    found: dict[str, Any] = container["resources"]
    return found


EMPTY: list[dict[str, Any]] = [
    {},
    {"jupyterhub": None, "config": None},
    {"jupyterhub": {"singleuser": None}, "config": {"KubernetesBuildExecutor": None}},
    {"jupyterhub": {"singleuser": {"memory": None, "cpu": {}, "nodeSelector": None, "extraTolerations": None}}},
    {"jupyterhub": {"singleuser": {"extraLabels": None}}, "imageBuilderType": "dind", "dind": None},
]


@pytest.mark.parametrize("values", EMPTY)
def test_values_that_decide_nothing_leave_two_plain_pods(values: dict[str, Any]) -> None:
    found = launches.pods(values)
    assert list(found) == ["users-server", "build"], "these names stand in the warnings"
    for template in found.values():
        assert template["metadata"] == {"labels": {}}
        assert template["spec"]["nodeSelector"] == {}
        assert template["spec"]["containers"] == [{"name": "main", "image": "preview", "resources": {}}]
        assert template["spec"]["automountServiceAccountToken"] is False


@pytest.mark.parametrize(
    ("given", "asked"),
    [
        ("1K", "1Ki"), ("512M", "512Mi"), ("1G", "1Gi"), ("1.5G", "1.5Gi"), ("2T", "2Ti"),
        ("1Gi", "1Gi"), ("1", "1"), (536870912, 536870912), (0, 0), (0.5, 0.5),
    ],
)  # fmt: skip
def test_an_amount_of_jupyterhub_is_one_of_kubernetes(given: object, asked: object) -> None:
    found = resources(server(memory={"limit": given, "guarantee": given}))
    assert found == {"limits": {"memory": asked}, "requests": {"memory": asked}}


def test_a_gigabyte_of_jupyterhub_has_1024_megabytes() -> None:
    spec = server(memory={"guarantee": "1G"})
    assert nodes.requests({"spec": spec}) == {"memory": 2**30}


@pytest.mark.parametrize(
    ("singleuser", "found"),
    [
        ({"memory": {"limit": "1G"}}, {"limits": {"memory": "1Gi"}}),
        ({"memory": {"limit": "1G", "guarantee": None}}, {"limits": {"memory": "1Gi"}}),
        ({"cpu": {"guarantee": 0.05}}, {"requests": {"cpu": 0.05}}),
        ({"cpu": {"limit": 2, "guarantee": 0}, "memory": {"guarantee": "256M"}},
         {"limits": {"cpu": 2}, "requests": {"cpu": 0, "memory": "256Mi"}}),
    ],
)  # fmt: skip
def test_what_is_not_given_is_not_asked_for(singleuser: dict[str, Any], found: dict[str, Any]) -> None:
    assert resources(server(**singleuser)) == found
    assert resources(pod(launches.BUILD, jupyterhub={"singleuser": singleuser})) == {}, "a build is no user's server"


DEDICATED = [
    {"key": "hub.jupyter.org/dedicated", "operator": "Equal", "value": "user", "effect": "NoSchedule"},
    {"key": "hub.jupyter.org_dedicated", "operator": "Equal", "value": "user", "effect": "NoSchedule"},
]


def test_both_pods_may_go_to_the_nodes_that_are_kept_for_users() -> None:
    own = {"key": "gpu", "operator": "Exists"}
    assert server(extraTolerations=[own])["tolerations"] == [*DEDICATED, own]
    assert pod(launches.BUILD, jupyterhub={"singleuser": {"extraTolerations": [own]}})["tolerations"] == DEDICATED


@pytest.mark.parametrize("sign", ["/", "_"])
@pytest.mark.parametrize("name", [launches.USER, launches.BUILD])
def test_a_node_kept_for_users_takes_them(name: str, sign: str) -> None:
    taint = {"key": f"hub.jupyter.org{sign}dedicated", "value": "user", "effect": "NoSchedule"}
    node = {"metadata": {}, "spec": {"taints": [taint]}, "status": {}}
    assert nodes.why_none(launches.pods({})[name], [node]) == ""


def test_each_has_a_node_selector_of_its_own() -> None:
    values = {
        "nodeSelector": {"pool": "core"},
        "jupyterhub": {"singleuser": {"nodeSelector": {"pool": "users"}, "extraLabels": {"team": "a"}}},
        "config": {"KubernetesBuildExecutor": {"node_selector": {"pool": "builds"}}},
    }
    found = launches.pods(values)
    assert found[launches.USER]["spec"]["nodeSelector"] == {"pool": "users"}
    assert found[launches.BUILD]["spec"]["nodeSelector"] == {"pool": "builds"}
    assert [pod["metadata"]["labels"] for pod in found.values()] == [{"team": "a"}, {}]


@pytest.mark.parametrize(
    ("values", "path"),
    [
        ({}, "/var/run"),
        ({"imageBuilderType": "host"}, "/var/run"),
        ({"imageBuilderType": "dind"}, "/var/run"),
        ({"imageBuilderType": "dind", "dind": {"hostSocketDir": "/run/a"}}, "/run/a"),
        ({"imageBuilderType": "pink", "pink": {"hostSocketDir": "/run/b"}, "dind": {"hostSocketDir": "/run/a"}},
         "/run/b"),
        ({"imageBuilderType": "host", "dind": {"hostSocketDir": "/run/a"}}, "/var/run"),
    ],
)  # fmt: skip
def test_a_build_mounts_its_builders_socket_from_the_node(values: dict[str, Any], path: str) -> None:
    assert pod(launches.BUILD, **values)["volumes"] == [{"name": "docker", "hostPath": {"path": path}}]
    assert pod(launches.USER, **values)["volumes"] == [], "pod security judges users' servers without it"


def test_the_values_stay_as_they_are() -> None:
    selector, labels, tolerations = {"a": "b"}, {"c": "d"}, [{"operator": "Exists"}]
    given = {"nodeSelector": selector, "extraLabels": labels, "extraTolerations": tolerations}
    template = launches.pods({"jupyterhub": {"singleuser": given}})[launches.USER]
    template["spec"]["nodeSelector"]["x"] = template["metadata"]["labels"]["x"] = "y"
    template["spec"]["tolerations"].clear()
    assert (selector, labels, tolerations) == ({"a": "b"}, {"c": "d"}, [{"operator": "Exists"}])
    assert server()["tolerations"] == DEDICATED


def test_a_build_asks_for_what_its_executor_is_given() -> None:
    given = {"limits": {"memory": "4Gi"}, "requests": {"memory": "2Gi"}}
    assert resources(build(resources=given)) == given


def test_a_users_server_asks_for_extra_resources() -> None:
    extra = {"limits": {"nvidia.com/gpu": "1"}, "guarantees": {"nvidia.com/gpu": "1"}}
    gpu = {"nvidia.com/gpu": "1"}
    assert resources(server(extraResource=extra)) == {"limits": gpu, "requests": gpu}


def test_users_servers_may_be_held_to_nodes_of_their_own() -> None:
    def found(match: object, **singleuser: Any) -> Any:
        hub = {"scheduling": {"userPods": {"nodeAffinity": {"matchNodePurpose": match}}}, "singleuser": singleuser}
        return pod(launches.USER, jupyterhub=hub)["affinity"]

    purpose = {"matchExpressions": [{"key": "hub.jupyter.org/node-purpose", "operator": "In", "values": ["user"]}]}
    own = {"matchExpressions": [{"key": "gpu", "operator": "Exists"}]}
    assert found("prefer") == found(None) == found("ignore", extraNodeAffinity={"required": []}) == {}
    for terms, given in (
        ([purpose], found("require")),
        ([own], found("ignore", extraNodeAffinity={"required": [own]})),
        ([own, purpose], found("require", extraNodeAffinity={"required": [own]})),
    ):
        assert given["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"] == {"nodeSelectorTerms": terms}


def test_tolerations_of_users_servers_may_be_others() -> None:
    other = {"key": "a", "operator": "Exists"}
    assert pod(launches.USER, jupyterhub={"scheduling": {"userPods": {"tolerations": [other]}}})["tolerations"] == [
        other
    ]


def test_what_the_pods_refer_to() -> None:
    values = {
        "jupyterhub": {
            "imagePullSecrets": ["one", {"name": "two"}],
            "singleuser": {"serviceAccountName": "users", "image": {"pullSecrets": ["three"]}},
        },
        "config": {"KubernetesBuildExecutor": {"image_pull_secrets": ["four"]}, "BinderHub": {"push_secret": "five"}},
    }
    wanted = references.of_pods(launches.pods(values))
    assert [(one.user, one.key.kind, one.key.name) for one in wanted] == [
        *(("users-server", "Secret", name) for name in ("one", "two", "three")),
        ("users-server", "ServiceAccount", "users"),
        ("build", "Secret", "four"),
        ("build", "Secret", "five"),
    ]
    values["config"]["KubernetesBuildExecutor"]["push_secret"] = "six"
    assert "six" in [one.key.name for one in references.of_pods(launches.pods(values))]
    assert references.of_pods(launches.pods({})) == []


def test_what_operators_add_to_users_pods_is_in_them() -> None:
    spec = server(extraPodConfig={"runtimeClassName": "gvisor", "nodeSelector": {"a": "b"}})
    assert (spec["runtimeClassName"], spec["nodeSelector"]) == ("gvisor", {"a": "b"})


@pytest.mark.parametrize("executor", ["text", ["a"], {"node_selector": "a=b", "image_pull_secrets": "mine"}])
def test_what_nobody_checks_may_have_any_form(executor: object) -> None:
    found = launches.pods({"config": {"KubernetesBuildExecutor": executor, "BinderHub": "text"}})[launches.BUILD]
    assert found["spec"]["imagePullSecrets"] == []
    assert shapes.fits_pod(found) is not isinstance(executor, dict), "of the others, nothing is left"

"""The pods that a hub makes later, as far as settings and values decide them."""

from typing import Any

import pytest

from preflight import dependencies, scheduling, spawned_pods
from preflight.spawned_pods import BUILD, USER


def pod(name: str, **values: Any) -> dict[str, Any]:
    """Return the spec of one of the two pods."""
    spec: dict[str, Any] = spawned_pods.pods(values, "hub")[name]["spec"]
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
    found = spawned_pods.pods(values, "hub")
    assert list(found) == ["users-server", "build"], "these names stand in the warnings"
    for template in found.values():
        assert (template["spec"]["nodeSelector"], template["spec"]["imagePullSecrets"]) == ({}, [])
        (container,) = template["spec"]["containers"]
        assert container["resources"] == {}
        assert template["spec"]["automountServiceAccountToken"] is False
    assert dependencies.references(found) == []


GPU = {"nvidia.com/gpu": "1"}


@pytest.mark.parametrize(
    ("singleuser", "found"),
    [
        # An amount of JupyterHub is one of Kubernetes.
        *(({"memory": {"limit": given}}, {"limits": {"memory": asked}}) for given, asked in (
            ("1K", "1Ki"), ("512M", "512Mi"), ("1.5G", "1.5Gi"), ("2T", "2Ti"),
            ("1Gi", "1Gi"), ("1", "1"), (536870912, 536870912), (0, 0), (0.5, 0.5),
        )),
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
    assert scheduling.explain_unschedulable(spawned_pods.pods({}, "hub")[name], [node]) is None


GPU_TOO, USUAL = {"key": "gpu", "operator": "Exists"}, server()["tolerations"]
PURPOSE = {"matchExpressions": [{"key": "hub.jupyter.org/node-purpose", "operator": "In", "values": ["user"]}]}
OWN = {"matchExpressions": [{"key": "gpu", "operator": "Exists"}]}
SELECTORS = {
    "nodeSelector": {"pool": "core"}, "jupyterhub": {"singleuser": {"nodeSelector": {"pool": "users"}}},
    "config": {"KubernetesBuildExecutor": {"node_selector": {"pool": "builds"}}},
}  # fmt: skip
EXTRA = {"jupyterhub": {"singleuser": {"extraTolerations": [GPU_TOO]}}}
POD = {"jupyterhub": {"singleuser": {"extraPodConfig": {"runtimeClassName": "gvisor", "nodeSelector": {"a": "b"}}}}}


def held_to(match: Any, own: Any) -> dict[str, Any]:
    scheduled = {"userPods": {"nodeAffinity": {"matchNodePurpose": match}}}
    return {"jupyterhub": {"scheduling": scheduled, "singleuser": {"extraNodeAffinity": {"required": own}}}}


def affinity(*terms: Any) -> dict[str, Any]:
    required = {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [*terms]}}
    return {"affinity": {"nodeAffinity": required} if terms else {}}


def socket(path: str) -> dict[str, Any]:
    return {"volumes": [{"name": "docker", "hostPath": {"path": path}}]}


@pytest.mark.parametrize(
    ("name", "values", "found"),
    [
        (USER, SELECTORS, {"nodeSelector": {"pool": "users"}}),
        (BUILD, SELECTORS, {"nodeSelector": {"pool": "builds"}}),
        (USER, EXTRA, {"tolerations": [*USUAL, GPU_TOO]}), (BUILD, EXTRA, {"tolerations": USUAL}),
        (USER, {"jupyterhub": {"scheduling": {"userPods": {"tolerations": [GPU_TOO]}}}}, {"tolerations": [GPU_TOO]}),
        (USER, POD, POD["jupyterhub"]["singleuser"]["extraPodConfig"]),
        (USER, held_to("prefer", None), affinity()), (USER, held_to(None, []), affinity()),
        (USER, held_to("require", None), affinity(PURPOSE)), (USER, held_to("ignore", [OWN]), affinity(OWN)),
        (USER, held_to("require", [OWN]), affinity(OWN, PURPOSE)),
        # A build talks to its builder by a socket of the node; pod security judges users' servers without it.
        (BUILD, {}, socket("/var/run")), (USER, {}, {"volumes": []}),
        (BUILD, {"imageBuilderType": "host", "dind": {"hostSocketDir": "/run/a"}}, socket("/var/run")),
        (BUILD, {"imageBuilderType": "dind"}, socket("/var/run")),
        (BUILD, {"imageBuilderType": "pink", "pink": {"hostSocketDir": "/run/b"}, "dind": {"hostSocketDir": "/run/a"}},
         socket("/run/b")),
    ],
)  # fmt: skip
def test_what_stands_in_a_pod(name: str, values: dict[str, Any], found: dict[str, Any]) -> None:
    assert found.items() <= pod(name, **values).items()


# What policies look at: as kubespawner and BinderHub make them.
HUBS = {
    "app": "jupyterhub", "component": "singleuser-server", "heritage": "jupyterhub", "release": "hub",
    "app.kubernetes.io/name": "jupyterhub", "app.kubernetes.io/instance": "hub",
    "app.kubernetes.io/component": "singleuser-server", "app.kubernetes.io/managed-by": "kubespawner",
    "hub.jupyter.org/username": "binder-examples-requirements-preview", "hub.jupyter.org/servername": "",
    "hub.jupyter.org/network-access-hub": "true",
}  # fmt: skip
NOTES = {"hub.jupyter.org/username": "binder-examples-requirements-preview", "hub.jupyter.org/servername": ""}
BUILDS = {
    "labels": {"name": "build-binder-examples-requirements-preview", "component": "binderhub-build"},
    "annotations": {"binder-repo": "https://github.com/binder-examples/requirements"},
}


@pytest.mark.parametrize(
    ("singleuser", "labels", "notes"),
    [
        ({}, HUBS, NOTES),
        ({"extraLabels": {"team": "a", "app": "b", "hub.jupyter.org/network-access-hub": "false"}},
         {**HUBS, "team": "a", "hub.jupyter.org/network-access-hub": "false"}, NOTES),
        ({"extraAnnotations": {"cost": "1", "hub.jupyter.org/servername": "x"}}, HUBS,
         {**NOTES, "cost": "1", "hub.jupyter.org/servername": "x"}),
    ],
)  # fmt: skip
def test_labels_and_annotations_are_those_of_the_hub(
    singleuser: dict[str, Any], labels: dict[str, str], notes: dict[str, str]
) -> None:
    found = spawned_pods.pods({"jupyterhub": {"singleuser": singleuser}}, "hub")
    assert found[USER]["metadata"] == {"labels": labels, "annotations": notes}
    assert found[BUILD]["metadata"] == BUILDS


EXAMPLE = "binder-2dexamples-2drequirements-55ab5c:b8259dac9eb4aa5f2d65d8881f2da94a4952a195"


@pytest.mark.parametrize(
    ("config", "images"),
    [
        (
            {"BinderHub": {"image_prefix": "ghcr.io/lab/b-"}},
            [f"ghcr.io/lab/b-{EXAMPLE}", "quay.io/jupyterhub/repo2docker"],
        ),
        ({"BinderHub": {"build_image": "a:1"}}, [EXAMPLE, "a:1"]),
        ({"BinderHub": {"build_image": "a:1"}, "KubernetesBuildExecutor": {"build_image": "b:2"}}, [EXAMPLE, "b:2"]),
    ],
)
def test_images_are_those_that_will_be_pulled(config: dict[str, Any], images: list[str]) -> None:
    found = [pod(name, config=config)["containers"][0]["image"] for name in (USER, BUILD)]
    assert [one.partition(":2024")[0] for one in found] == images


@pytest.mark.parametrize(("given", "user", "group"), [({}, 1000, 100), ({"uid": 7, "fsGid": 0}, 7, 0)])
def test_users_are_no_administrators(given: dict[str, int], user: int, group: int) -> None:
    spec = server(**given)
    inside = {"runAsUser": user, "allowPrivilegeEscalation": False}
    assert (spec["containers"][0]["securityContext"], spec["securityContext"]) == (inside, {"fsGroup": group})
    assert (spec["restartPolicy"], pod(BUILD)["restartPolicy"]) == ("OnFailure", "Never")


def test_what_the_pods_refer_to() -> None:
    executor: dict[str, Any] = {"image_pull_secrets": ["four"]}
    values = {
        "jupyterhub": {
            "imagePullSecrets": ["one", {"name": "two"}],
            "singleuser": {"serviceAccountName": "users", "image": {"pullSecrets": ["three"]}},
        },
        "config": {"KubernetesBuildExecutor": executor, "BinderHub": {"push_secret": "five"}},
    }
    wanted = dependencies.references(spawned_pods.pods(values, "hub"))
    assert [(one.user, one.key.kind, one.key.name) for one in wanted] == [
        ("users-server", "ServiceAccount", "users"),
        *(("users-server", "Secret", name) for name in ("one", "two", "three")),
        ("build", "Secret", "five"),
        ("build", "Secret", "four"),
    ]
    executor["push_secret"] = "six"
    assert [one.key.name for one in dependencies.references(spawned_pods.pods(values, "hub"))][-2:] == ["six", "four"]

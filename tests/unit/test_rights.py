"""What tiller may do with a role that is not bound yet; the pods that a hub makes later."""

from typing import Any

import pytest

from components import launches, rights
from components.settings import TillerSettings

TILLER = TillerSettings(namespace="kube-system", name="tiller", binding="tiller", role="view")
DEPLOYMENT = {"apiVersion": "apps/v1", "kind": "Deployment"}
WANTED = rights.needed([DEPLOYMENT, DEPLOYMENT])


def rule(groups: str, resources: str, verbs: str, **more: Any) -> dict[str, Any]:
    return {"apiGroups": groups.split(","), "resources": resources.split(","), "verbs": verbs.split(","), **more}


def test_helm_needs_its_records_and_each_kind_once() -> None:
    assert ("", "secrets", "update") in WANTED
    assert WANTED.count(("apps", "deployments", "create")) == 1


@pytest.mark.parametrize(
    ("rules", "enough"),
    [
        ([rule("*", "*", "*")], True),
        ([rule(",apps", "secrets,deployments", "get,list,create,update,patch,delete")], True),
        ([rule("*", "*", "get,list,watch")], False),
        ([rule("apps", "*", "*")], False),
        ([rule("*", "*", "*", resourceNames=["hub"])], False),
        ([], False),
    ],
)
def test_what_a_role_gives(rules: list[dict[str, Any]], enough: bool) -> None:
    assert (rights.lacking({"rules": rules}, WANTED) == []) is enough


def test_all_that_is_lacking_is_one_refusal() -> None:
    (told,) = rights.refusals("view", rights.lacking({"rules": [rule("*", "*", "get,list")]}, WANTED))
    what = "cannot create, update, delete, patch secrets, deployments.apps"
    assert told.reason == f"tiller's role view is too small for this chart: it {what}"
    assert list(rights.refusals("view", [])) == []


def binding(name: str, namespace: str = "kube-system") -> dict[str, Any]:
    return {
        "metadata": {"name": name},
        "subjects": [{"kind": "ServiceAccount", "name": "tiller", "namespace": namespace}],
    }


@pytest.mark.parametrize(
    ("bindings", "elsewhere"),
    [
        ([binding("tiller"), binding("tiller-view")], False),
        ([binding("given-by-somebody")], True),
        ([binding("given-by-somebody", "other")], False),
        ([{"metadata": {"name": "nobody"}}], False),
    ],
)
def test_bindings_of_others(bindings: list[dict[str, Any]], elsewhere: bool) -> None:
    assert rights.bound_elsewhere(bindings, TILLER) is elsewhere


def test_users_servers_and_builds_as_settings_decide_them() -> None:
    values = {
        "imageBuilderType": "dind",
        "dind": {"hostSocketDir": "/var/run/dind/x"},
        "config": {"KubernetesBuildExecutor": {"node_selector": {"pool": "builds"}}},
        "jupyterhub": {
            "singleuser": {
                "memory": {"limit": "2G", "guarantee": "512M"},
                "cpu": {"limit": 2},
                "nodeSelector": {"pool": "users"},
                "extraLabels": {"team": "a"},
            }
        },
    }
    server, build = launches.pods(values)[launches.USER], launches.pods(values)[launches.BUILD]
    assert server["spec"]["containers"][0]["resources"] == {
        "limits": {"memory": "2Gi", "cpu": 2},
        "requests": {"memory": "512Mi"},
    }, "JupyterHub's G is a power of two"
    assert (server["spec"]["nodeSelector"], server["metadata"]["labels"]) == ({"pool": "users"}, {"team": "a"})
    assert build["spec"]["nodeSelector"] == {"pool": "builds"}
    assert build["spec"]["volumes"] == [{"name": "docker", "hostPath": {"path": "/var/run/dind/x"}}]
    assert {t["key"] for t in server["spec"]["tolerations"]} == {
        "hub.jupyter.org/dedicated",
        "hub.jupyter.org_dedicated",
    }
    assert launches.pods({})[launches.USER]["spec"]["containers"][0]["resources"] == {}

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


def one(kind: str, version: str = "v1") -> dict[str, Any]:
    return {"apiVersion": version, "kind": kind}


def test_the_rights_that_helm_needs() -> None:
    assert rights.needed([]) == [("", "secrets", verb) for verb in ("get", "list", "create", "update", "delete")]
    got = rights.needed([one("NetworkPolicy", "networking.k8s.io/v1"), one("Secret"), one("Service"), one("Secret")])
    assert got[5:] == [
        *(("", "secrets", verb) for verb in ("get", "create", "patch", "delete")),
        *(("", "services", verb) for verb in ("get", "create", "patch", "delete")),
        *(("networking.k8s.io", "networkpolicies", verb) for verb in ("get", "create", "patch", "delete")),
    ]


RIGHT = ("apps", "deployments", "patch")


@pytest.mark.parametrize(
    ("rules", "given"),
    [
        ([rule("apps", "deployments", "patch")], True),
        ([rule("*", "deployments", "patch")], True),
        ([rule("apps", "*", "patch")], True),
        ([rule("apps", "deployments", "*")], True),
        ([rule(",apps,batch", "jobs,deployments", "get,patch")], True),
        ([rule("", "deployments", "patch")], False),
        ([rule("apps", "deployments/scale", "patch")], False),
        ([rule("apps", "statefulsets", "patch")], False),
        ([rule("apps", "deployments", "get,create")], False),
        ([rule("apps", "deployments", "get"), rule("batch", "*", "patch"), rule("apps", "jobs", "*")], False),
        ([rule("batch", "jobs", "get"), rule("apps", "deployments", "patch")], True),
        ([rule("apps", "deployments", "patch", resourceNames=["hub"])], False),
        ([rule("apps", "deployments", "patch", resourceNames=["hub"]), rule("*", "*", "*")], True),
        ([rule("apps", "deployments", "patch", resourceNames=[])], True),
        ([rule("apps", "deployments", "patch", resourceNames=None)], True),
        ([{"nonResourceURLs": ["*"], "verbs": ["*"]}], False),
        ([{"apiGroups": None, "resources": ["*"], "verbs": ["*"]}], False),
    ],
)
def test_what_a_rule_gives(rules: list[dict[str, Any]], given: bool) -> None:
    assert rights.lacking({"rules": rules}, [RIGHT]) == ([] if given else [RIGHT])


@pytest.mark.parametrize("role", [{}, {"rules": None}, {"rules": []}])
def test_a_role_without_rules_gives_nothing(role: dict[str, Any]) -> None:
    assert rights.lacking(role, WANTED) == WANTED


def test_only_what_is_lacking_is_told() -> None:
    found = rights.lacking({"rules": [rule("", "*", "*"), rule("apps", "*", "get,create,patch")]}, WANTED)
    assert found == [("apps", "deployments", "delete")]
    (told,) = rights.refusals("deployer", found)
    assert told.about == "ClusterRole/deployer"
    assert told.reason.endswith("role deployer is too small for this chart: it cannot delete deployments.apps")
    assert told.advice == "pulumi config set --path tiller.role cluster-admin"


@pytest.mark.parametrize(
    ("count", "kinds"),
    [(1, "r0"), (6, "r0, r1, r2, r3, r4, r5"), (9, "r0, r1, r2, r3, r4, r5 and 3 more")],
)
def test_of_many_kinds_six_are_named(count: int, kinds: str) -> None:
    lacking = [("", f"r{n}", verb) for n in range(count) for verb in ("get", "patch")]
    (told,) = rights.refusals("view", lacking)
    assert told.reason == f"tiller's role view is too small for this chart: it cannot get, patch {kinds}"


def test_a_role_that_is_not_there() -> None:
    told = rights.no_role("nobody")
    assert (told.about, told.advice) == ("ClusterRole/nobody", "pulumi config set --path tiller.role cluster-admin")
    assert told.reason == "cluster role nobody does not exist, so tiller would have no rights"


def test_a_person_who_may_not_act_as_tiller() -> None:
    told = rights.no_acting("serviceaccounts/tiller")
    assert (told.about, told.advice) == ("", "the right to act as tiller, which cluster administrators have")
    assert told.reason == "you cannot impersonate serviceaccounts/tiller, and the release is installed as tiller"


ACCOUNT = {"kind": "ServiceAccount", "name": "tiller", "namespace": "kube-system"}
OTHER = {"kind": "ServiceAccount", "name": "other", "namespace": "kube-system"}


@pytest.mark.parametrize(
    ("name", "subjects", "elsewhere"),
    [
        ("x", [ACCOUNT], True),
        ("x", [OTHER, {**ACCOUNT, "apiGroup": ""}], True),
        ("x", [OTHER], False),
        ("x", [{**ACCOUNT, "namespace": "other"}], False),
        ("x", [{**ACCOUNT, "kind": "User"}], False),
        ("x", [{"kind": "ServiceAccount", "name": "tiller"}], False),
        ("x", [], False),
        ("x", None, False),
        ("tiller", [ACCOUNT], False),
        ("tiller-deployer", [ACCOUNT], False),
        ("tillers", [ACCOUNT], True),
        ("my-tiller", [ACCOUNT], True),
    ],
)
def test_rights_that_somebody_else_gave(name: str, subjects: Any, elsewhere: bool) -> None:
    found = {"metadata": {"name": name}, "subjects": subjects}
    assert rights.bound_elsewhere([found], TILLER) is elsewhere
    assert rights.bound_elsewhere([{"metadata": {"name": "z"}}, found], TILLER) is elsewhere
    assert rights.bound_elsewhere([], TILLER) is False


EVERY_ACCOUNT = {"kind": "Group", "name": "system:serviceaccounts"}


@pytest.mark.parametrize(
    ("name", "subject"),
    [
        ("system:service-account-issuer-discovery", EVERY_ACCOUNT),
        ("system:discovery", {"kind": "Group", "name": "system:authenticated"}),
        ("x", {"kind": "Group", "name": "system:masters"}),
        ("x", {"kind": "Group", "name": "system:serviceaccounts:other"}),
        ("x", {"kind": "User", "name": "system:serviceaccount:other:tiller"}),
    ],
)
def test_what_every_cluster_binds_says_nothing_of_tiller(name: str, subject: dict[str, str]) -> None:
    assert rights.bound_elsewhere([{"metadata": {"name": name}, "subjects": [subject]}], TILLER) is False


@pytest.mark.parametrize(
    "subject",
    [
        EVERY_ACCOUNT,
        {"kind": "Group", "name": "system:serviceaccounts:kube-system"},
        {"kind": "User", "name": "system:serviceaccount:kube-system:tiller"},
    ],
)
def test_rights_that_tiller_has_by_its_group_or_user_name(subject: dict[str, str]) -> None:
    found = {"metadata": {"name": "permissive-binding"}, "subjects": [subject]}
    assert rights.bound_elsewhere([found], TILLER) is True


def chart_role(*rules: dict[str, Any], kind: str = "Role") -> dict[str, Any]:
    return {**one(kind, "rbac.authorization.k8s.io/v1"), "rules": list(rules)}


NAMED = {**rule("", "secrets", "get"), "resourceNames": ["a"]}


@pytest.mark.parametrize(
    ("own", "given", "told"),
    [
        ([rule("", "pods,secrets", "*")], rule("", "pods", "get,list"), ""),
        ([rule("*", "*", "*")], rule("", "pods", "get"), ""),
        ([rule("", "pods", "get")], rule("", "pods", "get,list"), "list pods"),
        ([rule("", "pods", "get")], rule("apps", "pods", "get"), "get pods.apps"),
        ([rule("", "pods", "get"), rule("", "pods", "list")], rule("", "pods", "get,list"), ""),
        ([rule("", "secrets", "get")], NAMED, ""),
        ([NAMED], NAMED, ""),
        ([NAMED], {**NAMED, "resourceNames": ["a", "b"]}, "get secrets"),
        ([NAMED], rule("", "secrets", "get"), "get secrets"),
        ([rule("rbac.authorization.k8s.io", "roles", "escalate")], rule("", "pods", "get"), ""),
        ([rule("rbac.authorization.k8s.io", "clusterroles", "escalate")], rule("", "pods", "get"), "get pods"),
        ([], {"nonResourceURLs": ["/metrics"], "verbs": ["get"]}, ""),
        ([], {}, ""),
    ],
)
def test_nobody_gives_rights_that_he_has_not(own: list[Any], given: dict[str, Any], told: str) -> None:
    found = [r.reason for r in rights.withheld("deployer", {"rules": own}, [one("Secret"), chart_role(given)])]
    assert found == ([f"tiller's role deployer has not itself what the chart's roles give: {told}"] if told else [])
    assert list(rights.withheld("deployer", {"rules": None}, [chart_role()])) == []


def test_roles_of_the_cluster_are_looked_at_by_themselves() -> None:
    objects = [chart_role(rule("", "pods", "get"), kind=kind) for kind in ("Role", "ClusterRole")]
    role = {"rules": [rule("rbac.authorization.k8s.io", "roles", "escalate")]}
    (found,) = rights.withheld("deployer", role, objects)
    assert "the chart's clusterroles give: get pods" in found.reason
    assert found.advice == "pulumi config set --path tiller.role cluster-admin"

"""What tiller may do with a role that is not bound yet."""

from typing import Any

import pytest

from config.settings import TillerSettings
from preflight import rbac
from tests.unit.fake_api import FakeApi, Row, may_not, refused

TILLER = TillerSettings(namespace="kube-system", name="tiller", binding="tiller", role="view")
TILLER_NAME = "system:serviceaccount:kube-system:tiller"
GROUP = "rbac.authorization.k8s.io"
ENOUGH = "pulumi config set --path tiller.role cluster-admin"


def thing(kind: str, version: str = "v1") -> dict[str, Any]:
    return {"apiVersion": version, "kind": kind}


DEPLOYMENT = thing("Deployment", "apps/v1")


def rule(groups: str, resources: str, verbs: str, **more: Any) -> dict[str, Any]:
    return {"apiGroups": groups.split(","), "resources": resources.split(","), "verbs": verbs.split(","), **more}


def short(rules: Any, *objects: dict[str, Any]) -> list[str]:
    """Return what is told of a role with these rules."""
    found = list(rbac.shortfalls("view", {"rules": rules}, objects))
    assert {(v.about, v.advice) for v in found} <= {("ClusterRole/view", ENOUGH)}
    return [v.reason for v in found]


@pytest.mark.parametrize(
    ("rules", "told"),
    [
        ([rule("*", "*", "*")], ""),
        ([rule(",apps,batch", "jobs,deployments,secrets", "*")], ""),
        ([rule("", "secrets", "get,list,create,update,delete"), rule("apps", "*", "get,create,patch,delete")], ""),
        ([rule("batch", "jobs", "get"), rule("", "secrets", "*"), rule("apps", "deployments", "*")], ""),
        ([rule("*", "*", "*", resourceNames=["hub"]), rule("*", "*", "*", resourceNames=None)], ""),
        ([rule("", "*", "*"), rule("apps", "*", "get,create,patch")], "delete deployments.apps"),
        ([rule("", "secrets,deployments", "*"), rule("apps", "deployments/scale", "*")],
         "get, create, patch, delete deployments.apps"),
        ([rule("*", "*", "get,list")], "create, update, delete, patch secrets, deployments.apps"),
        *((none, "get, list, create, update, delete, patch secrets, deployments.apps") for none in (
            [rule("*", "*", "*", resourceNames=["hub"])], [{"nonResourceURLs": ["*"], "verbs": ["*"]}],
            [{"apiGroups": None, "resources": ["*"], "verbs": ["*"]}], [], None,
        )),
    ],
)  # fmt: skip
def test_all_that_a_role_lacks_is_one_violation(rules: Any, told: str) -> None:
    what = f"tiller's role view is too small for this chart: it cannot {told}"
    assert short(rules, DEPLOYMENT, DEPLOYMENT) == ([what] if told else [])


ACCOUNT = {"kind": "ServiceAccount", "name": "tiller", "namespace": "kube-system"}
EVERY_ACCOUNT = {"kind": "Group", "name": "system:serviceaccounts"}


def subject(kind: str, name: str) -> dict[str, str]:
    return {"kind": kind, "name": name}


@pytest.mark.parametrize(
    ("name", "subject", "elsewhere"),
    [
        *((name, ACCOUNT, elsewhere) for name, elsewhere in (
            ("x", True), ("tillers", True), ("my-tiller", True), ("tiller", False), ("tiller-deployer", False),
        )),
        *(("x", one, True) for one in (
            {**ACCOUNT, "apiGroup": ""}, EVERY_ACCOUNT, subject("User", TILLER_NAME),
            subject("Group", "system:serviceaccounts:kube-system"),
        )),
        *(("x", one, False) for one in (
            {**ACCOUNT, "name": "other"}, {**ACCOUNT, "namespace": "other"}, {**ACCOUNT, "kind": "User"},
            subject("ServiceAccount", "tiller"), subject("Group", "system:masters"),
            subject("Group", "system:serviceaccounts:other"), subject("User", "system:serviceaccount:other:tiller"),
        )),
        ("system:service-account-issuer-discovery", EVERY_ACCOUNT, False),
    ],
)  # fmt: skip
def test_rights_that_somebody_else_gave(name: str, subject: dict[str, str], elsewhere: bool) -> None:
    nobody = [{"metadata": {"name": "z"}, **more} for more in ({}, {"subjects": None}, {"subjects": []})]
    found = {"metadata": {"name": name}, "subjects": [{**ACCOUNT, "name": "other"}, subject]}
    assert rbac.bound_elsewhere(nobody, TILLER) is False
    assert rbac.bound_elsewhere([*nobody, found], TILLER) is elsewhere


def chart_role(*rules: dict[str, Any], kind: str = "Role") -> dict[str, Any]:
    return {**thing(kind, f"{GROUP}/v1"), "rules": list(rules)}


MAKES_ROLES = [rule(GROUP, "roles", "get,create,patch,delete")]
NAMED = rule("", "secrets", "get", resourceNames=["a"])


@pytest.mark.parametrize(
    ("own", "given", "told"),
    [
        ([rule("", "pods,secrets", "*")], rule("", "pods", "get,list"), ""),
        ([rule("", "pods", "get")], rule("", "pods", "get,list"), "list pods"),
        ([rule("", "pods", "get")], rule("apps", "pods", "get"), "get pods.apps"),
        ([rule("", "pods", "get"), rule("", "pods", "list")], rule("", "pods", "get,list"), ""),
        ([rule("", "secrets", "get")], NAMED, ""),
        ([NAMED], NAMED, ""),
        ([NAMED], {**NAMED, "resourceNames": ["a", "b"]}, "get secrets"),
        ([{**NAMED, "resourceNames": ["a", "b"]}], NAMED, ""),
        ([NAMED], rule("", "secrets", "get"), "get secrets"),
        ([rule(GROUP, "roles", "escalate")], rule("", "pods", "get"), ""),
        ([rule("apps", "roles", "escalate")], rule("", "pods", "get"), "get pods"),
        ([rule(GROUP, "clusterroles", "escalate")], rule("", "pods", "get"), "get pods"),
        ([], {"nonResourceURLs": ["/metrics"], "verbs": ["get"]}, ""),
        ([], {}, ""),
    ],
)
def test_nobody_gives_rights_that_he_has_not(own: Any, given: dict[str, Any], told: str) -> None:
    roles = [{**chart_role(), "rules": None}, chart_role(given)]
    found = short([*own, rule("", "secrets", "create,update,delete,list"), *MAKES_ROLES], *roles)
    what = f"tiller's role view has not itself what the chart's roles give: {told}"
    assert [text for text in found if "too small" not in text] == ([what] if told else [])


def test_roles_of_the_cluster_are_looked_at_by_themselves() -> None:
    objects = [chart_role(rule("", "pods", "get"), kind=kind) for kind in ("Role", "ClusterRole")]
    own = [rule("", "secrets", "*"), rule(GROUP, "*", "get,create,patch,delete"), rule(GROUP, "roles", "*")]
    assert short(own, *objects) == ["tiller's role view has not itself what the chart's clusterroles give: get pods"]


def test_who_may_act_as_tiller() -> None:
    api = FakeApi()
    assert rbac.no_acting(api, api) is None, "everybody may act as himself"
    assert api.asked == []
    assert rbac.no_acting(api, api.acting_as(TILLER_NAME)) is None
    (asked,) = api.asked
    about = asked.body["spec"]["resourceAttributes"]
    assert (asked.account, about["group"], about["namespace"], about["name"]) == ("", "", "kube-system", "tiller")


READ = ("GET", "ClusterRole", "view")
ELSEWHERE = {"metadata": {"name": "given-by-somebody"}, "subjects": [ACCOUNT]}
MANY = {"rules": [rule("", "secrets", "*"), rule("apps", "*", "get,create,patch"), rule(GROUP, "*", "*")]}
LITTLE = {"rules": [*MANY["rules"][:2], rule(GROUP, "*", "get,create,patch,delete")]}
TOO_SMALL = "tiller's role view is too small for this chart: it cannot delete deployments.apps"


@pytest.mark.parametrize(
    ("answers", "told"),
    [
        ({READ: {"rules": [rule("*", "*", "*")]}}, []),
        ({READ: MANY}, [TOO_SMALL]),
        ({READ: LITTLE}, [TOO_SMALL, "tiller's role view has not itself what the chart's roles give: get pods"]),
        ({READ: LITTLE, ("GET", "ClusterRoleBinding", "*"): [ELSEWHERE]}, []),
        ({READ: LITTLE, ("GET", "RoleBinding", "*"): [ELSEWHERE]}, []),
        ({READ: LITTLE, ("GET", "RoleBinding", "*"): refused("Forbidden")}, []),
        ({READ: refused("Forbidden")}, []),
        ({READ: refused("NotFound")}, ["cluster role view does not exist, so tiller would have no rights"]),
    ],
)
@pytest.mark.parametrize("may", [True, False])
def test_what_stands_in_tillers_way(answers: dict[tuple[str, str, str], Row], told: list[str], may: bool) -> None:
    api = FakeApi({**answers, **({} if may else {("POST", "SelfSubjectAccessReview", "*"): may_not})})
    found = list(rbac.of_role(api, TILLER, [DEPLOYMENT, chart_role(rule("", "pods", "get"))]))
    acting = [] if may else [f"you cannot impersonate {TILLER_NAME}, and the release is installed as tiller"]
    assert [v.reason for v in found] == [*acting, *told]
    assert {asked.account for asked in api.asked} == {""}, "nobody can be asked as tiller yet"
    act = [("", "the right to act as tiller, which cluster administrators have")] * len(acting)
    assert [(v.about, v.advice) for v in found] == [*act, *[("ClusterRole/view", ENOUGH)] * len(told)]

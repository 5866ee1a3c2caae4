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
WANTED = rbac.needed([DEPLOYMENT, DEPLOYMENT])


def rule(groups: str, resources: str, verbs: str, **more: Any) -> dict[str, Any]:
    return {"apiGroups": groups.split(","), "resources": resources.split(","), "verbs": verbs.split(","), **more}


def test_helm_needs_its_records_and_each_kind_once() -> None:
    assert rbac.needed([]) == [("", "secrets", verb) for verb in ("get", "list", "create", "update", "delete")]
    policy = thing("NetworkPolicy", "networking.k8s.io/v1")
    assert rbac.needed([policy, thing("Secret"), thing("Service"), thing("Secret")])[5:] == [
        (group, resource, verb)
        for group, resource in (("", "secrets"), ("", "services"), ("networking.k8s.io", "networkpolicies"))
        for verb in ("get", "create", "patch", "delete")
    ]


RIGHT = ("apps", "deployments", "patch")


@pytest.mark.parametrize(
    ("rules", "given"),
    [
        *(([rule(*parts)], True) for parts in (RIGHT, ("*", *RIGHT[1:]), ("apps", "*", "patch"), (*RIGHT[:2], "*"))),
        ([rule(",apps,batch", "jobs,deployments", "get,patch")], True),
        ([rule("batch", "jobs", "get"), rule(*RIGHT)], True),
        ([rule("*", "*", "*", resourceNames=["hub"]), rule("*", "*", "*")], True),
        ([rule(*RIGHT, resourceNames=None)], True),
        ([rule("", "deployments", "patch")], False),
        ([rule("apps", "deployments/scale", "patch")], False),
        ([rule("apps", "deployments", "get"), rule("batch", "*", "patch"), rule("apps", "jobs", "*")], False),
        ([rule("*", "*", "*", resourceNames=["hub"])], False),
        ([{"nonResourceURLs": ["*"], "verbs": ["*"]}], False),
        ([{"apiGroups": None, "resources": ["*"], "verbs": ["*"]}], False),
        *((none, False) for none in ([], None)),
    ],
)
def test_what_a_role_gives(rules: Any, given: bool) -> None:
    assert rbac.lacking({"rules": rules}, [RIGHT]) == ([] if given else [RIGHT])


@pytest.mark.parametrize(
    ("lacking", "told"),
    [
        (rbac.lacking({"rules": [rule("", "*", "*"), rule("apps", "*", "get,create,patch")]}, WANTED),
         "delete deployments.apps"),
        (rbac.lacking({"rules": [rule("*", "*", "get,list")]}, WANTED),
         "create, update, delete, patch secrets, deployments.apps"),
        *(([("", f"r{n}", verb) for n in range(count) for verb in ("get", "patch")], f"get, patch {kinds}")
          for count, kinds in ((1, "r0"), (6, "r0, r1, r2, r3, r4, r5"), (9, "r0, r1, r2, r3, r4, r5 and 3 more"))),
        ([], ""),
    ],
)  # fmt: skip
def test_all_that_is_lacking_is_one_violation(lacking: list[rbac.Right], told: str) -> None:
    what = f"tiller's role view is too small for this chart: it cannot {told}"
    assert [(v.about, v.reason, v.advice) for v in rbac.too_small("view", lacking)] == (
        [("ClusterRole/view", what, ENOUGH)] if told else []
    )


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
        (None, {}, ""),
    ],
)
def test_nobody_gives_rights_that_he_has_not(own: Any, given: dict[str, Any], told: str) -> None:
    objects = [thing("Secret"), {**chart_role(), "rules": None}, chart_role(given)]
    found = [(v.about, v.reason, v.advice) for v in rbac.withheld("deployer", {"rules": own}, objects)]
    what = f"tiller's role deployer has not itself what the chart's roles give: {told}"
    assert found == ([("ClusterRole/deployer", what, ENOUGH)] if told else [])


def test_roles_of_the_cluster_are_looked_at_by_themselves() -> None:
    objects = [chart_role(rule("", "pods", "get"), kind=kind) for kind in ("Role", "ClusterRole")]
    role = {"rules": [rule(GROUP, "roles", "escalate")]}
    assert ["clusterroles give: get pods" in v.reason for v in rbac.withheld("deployer", role, objects)] == [True]


@pytest.mark.parametrize("allowed", [True, False])
def test_who_may_act_as_tiller(allowed: bool) -> None:
    right = ("POST", "SelfSubjectAccessReview", "impersonate serviceaccounts")
    api = FakeApi({} if allowed else {right: may_not})
    assert rbac.may_act(api, api) is True, "everybody may act as himself"
    assert api.asked == []
    assert rbac.may_act(api, api.acting_as(TILLER_NAME)) is allowed
    (asked,) = api.asked
    about = asked.body["spec"]["resourceAttributes"]
    assert (asked.account, about["group"], about["namespace"], about["name"]) == ("", "", "kube-system", "tiller")


READ = ("GET", "ClusterRole", "view")
NO_ACTING = f"you cannot impersonate {TILLER_NAME}, and"
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
    found = rbac.of_role(api, TILLER, [DEPLOYMENT, chart_role(rule("", "pods", "get"))])
    acting = [] if may else [f"{NO_ACTING} the release is installed as tiller"]
    assert [v.reason for v in found] == [*acting, *told]
    assert {asked.account for asked in api.asked} == {""}, "nobody can be asked as tiller yet"
    expected = [("", "the right to act as tiller, which cluster administrators have")] if acting else []
    assert [(v.about, v.advice) for v in found] == [*expected, *(("ClusterRole/view", ENOUGH) for _ in told)]

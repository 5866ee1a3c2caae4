"""The questions to the API server: what is asked, as whom, and what the answers come to."""

import copy
from collections.abc import Callable
from typing import Any

import pytest

from kube import manifests
from kube.api import Answer
from preflight import diff, dry_run
from preflight.dry_run import Findings
from preflight.questions import Question
from tests.unit.fake_api import Asked, FakeApi, may_not, refused
from tests.unit.kube.test_helm_releases import secret

TILLER = "system:serviceaccount:kube-system:tiller"
IMPERSONATE = ("POST", "SelfSubjectAccessReview", "impersonate serviceaccounts")
MAKE_PODS = ("POST", "SelfSubjectAccessReview", "create pods")
NODE = {"metadata": {"name": "n"}, "spec": {}, "status": {"allocatable": {"memory": "1Gi"}}}
FULL = "exceeded quota: q, requested: x=1"


def plain(kind: str, name: str, version: str = "v1", **more: Any) -> dict[str, Any]:
    return {"apiVersion": version, "kind": kind, "metadata": {"name": name, **more}}


def role(name: str) -> dict[str, Any]:
    return plain("ClusterRole", name, "rbac.authorization.k8s.io/v1")


def deployment(name: str, kind: str = "Deployment", image: str = "a", **pod: Any) -> dict[str, Any]:
    template = {"metadata": {}, "spec": {"containers": [{"name": name, "image": image}], **pod}}
    return {**plain(kind, name, "apps/v1"), "spec": {"template": template}}


def quota(**hard: str) -> list[dict[str, Any]]:
    return [{"metadata": {"name": "q"}, "spec": {"hard": {k.replace("_", "."): v for k, v in hard.items()}}}]


def ask(api: FakeApi, old: list[Any], new: list[Any], **more: Any) -> Findings:
    before, after = manifests.by_key(old, "binder"), manifests.by_key(new, "binder")
    given: dict[str, Any] = {
        "user": api, "account": api.acting_as(TILLER), "release": "hub", "namespace": "binder", "exists": True,
        "old": before, "new": after, "changes": diff.changes(before, after), "next_revision": 4,
    }  # fmt: skip
    return dry_run.ask(Question(**{**given, **more}))


def reasons(findings: Findings) -> list[str]:
    return [f"{one.about}: {one.reason}" for one in findings.violations]


def sent(api: FakeApi, *methods: str) -> list[Asked]:
    return [one for one in api.asked if one.method in methods and not one.kind.startswith("Self")]


def names(asked: list[Asked]) -> list[str]:
    return [f"{one.kind}/{one.name}" for one in asked]


def labelled(one: dict[str, Any], **labels: str) -> dict[str, Any]:
    return {**one, "metadata": {**one["metadata"], "labels": labels or {"b": "c"}}}


def pods_of(api: FakeApi) -> list[Any]:
    return [one.body for one in sent(api, "POST") if one.kind == "Pod"]


# --- what is read before ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("may", [("", TILLER), (TILLER,), ()])
def test_the_records_are_read_as_the_user_and_only_if_need_be_as_tiller(may: tuple[str, ...]) -> None:
    def answer(asked: Asked) -> Any:
        return [secret(3, "deployed")] if asked.account in may else refused("Forbidden", asked.account or "user")

    api = FakeApi({("GET", "Secret", "*"): answer})
    got = dry_run.read_history(api, api.acting_as(TILLER), "hub", "binder")
    assert (got.message if isinstance(got, Answer) else got.newest) == (3 if may else "user")
    assert [one.account for one in api.asked] == ["", TILLER][: 1 if "" in may else 2]
    assert {one.query["labelSelector"] for one in api.asked} == {"owner=helm,name=hub"}


@pytest.mark.parametrize(("answer", "exists"), [({}, True), (refused("Forbidden"), True), (refused("NotFound"), False)])
def test_a_namespace_that_nobody_may_look_at_is_there(answer: Any, exists: bool) -> None:
    assert dry_run.namespace_exists(FakeApi({("GET", "Namespace", "binder"): answer}), "binder") is exists


# --- what is asked, and as whom -----------------------------------------------------------------------------------


def test_tiller_asks_about_objects_and_the_user_about_pods() -> None:
    api = FakeApi()
    old, kept = plain("ConfigMap", "a"), plain("Secret", "same")
    found = ask(api, [old, kept, plain("Secret", "gone")], [labelled(old), kept, deployment("hub")])
    assert found == Findings()
    by_method = {method: [(one.kind, one.account) for one in sent(api, method)] for method in ("POST", "PATCH", "PUT")}
    assert by_method["POST"] == [("Deployment", TILLER), ("Secret", TILLER), ("Pod", "")]
    assert (by_method["PATCH"], by_method["PUT"]) == ([("ConfigMap", TILLER)], [])
    assert [(one.name, one.account) for one in sent(api, "DELETE")] == [("gone", TILLER)]
    assert all(one.dry_run and one.namespace == "binder" for one in sent(api, "POST", "PATCH", "DELETE"))
    (applied,) = sent(api, "PATCH")
    assert (applied.query["fieldManager"], applied.query["force"]) == ("helm", "true")


@pytest.mark.parametrize(("number", "record"), [(1, True), (10, True), (11, False)])
def test_helms_next_record_is_asked_about_unless_helm_makes_room_first(number: int, record: bool) -> None:
    api = FakeApi()
    ask(api, [], [plain("ConfigMap", "a")], next_revision=number)
    assert names(sent(api, "POST")) == ["ConfigMap/a", *[f"Secret/sh.helm.release.v1.hub.v{number}"] * record]


@pytest.mark.parametrize("brought", [True, False])
def test_pods_are_asked_about_without_what_the_release_is_about_to_make(brought: bool) -> None:
    api, new = FakeApi(), deployment("hub", serviceAccountName="hub", serviceAccount="hub", priorityClassName="own")
    none = {**deployment("idle"), "spec": {**deployment("idle")["spec"], "replicas": 0}}
    ask(api, [], [new, none, *[plain("PriorityClass", "own", "scheduling.k8s.io/v1")] * brought, role("r")])
    (pod,) = pods_of(api)
    assert pod["metadata"]["name"] == "hub-preview"
    assert pod["spec"]["serviceAccountName"] == "default"
    assert "serviceAccount" not in pod["spec"], "the field's old name"
    assert ("priorityClassName" in pod["spec"]) is not brought


def test_a_namespace_still_to_be_made_is_asked_about_in_default_under_names_of_its_own() -> None:
    api = FakeApi()
    new = [plain("ConfigMap", "a", namespace="binder"), role("r"), plain("ConfigMap", "b", namespace="other")]
    ask(api, [plain("Secret", "gone")], new, exists=False)
    asked = [(one.kind, one.name, one.namespace) for one in sent(api, "POST", "DELETE")]
    assert asked[:3] == [("ClusterRole", "r", ""), ("ConfigMap", "a-preview", "default"), ("ConfigMap", "b", "other")]
    assert [kind for kind, *_ in asked[3:]] == ["Secret"], "Helm's record"


@pytest.mark.parametrize(
    "message",
    [
        FULL, "failed quota: q: must specify cpu", 'violates PodSecurity "x"', "maximum cpu usage per Pod is 1",
        "cpu max limit to request ratio per Pod is 2",
    ],
)  # fmt: skip
def test_what_default_alone_would_refuse_is_left_out_there(message: str) -> None:
    api = FakeApi({("POST", kind, "*"): refused("Forbidden", message) for kind in ("ConfigMap", "ClusterRole", "Pod")})
    new = [plain("ConfigMap", "a"), role("r"), plain("ConfigMap", "b", namespace="other"), deployment("hub")]
    everywhere = ["ClusterRole/r", "ConfigMap/b in other"]
    assert [one.about for one in ask(api, [], new, exists=False).violations] == everywhere
    here = {"ConfigMap/a", "Deployment/hub (its pods)"}
    assert {one.about for one in ask(api, [], new).violations} == {*everywhere, *here}


def test_a_hook_is_replaced_each_time_so_a_new_one_is_asked_about_by_another_name() -> None:
    api, hook = FakeApi(), plain("Job", "puller", "batch/v1", annotations={"helm.sh/hook": "pre-upgrade"})
    ask(
        api,
        [hook, labelled(hook) | plain("Job", "gone", annotations=hook["metadata"]["annotations"])],
        [hook | {"spec": {}}],
    )
    ask(api, [], [hook])
    assert [one for one in names(sent(api, "POST", "PATCH", "PUT", "DELETE")) if "Job" in one] == ["Job/puller-preview"]


# --- what the answers come to -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("applied", "replaced", "told"),
    [
        (refused("Invalid", "kept a volume"), {}, []),
        (refused("Invalid", "first"), refused("Invalid", "second"), ["Service/hub: first"]),
        (
            Answer(500, {"message": "typed patch"}),
            Answer(400, {"reason": "BadRequest", "message": "a Service"}),
            ["Service/hub: a Service"],
        ),
    ],
)
def test_a_refused_change_counts_only_if_the_whole_object_is_refused_too(
    applied: Any, replaced: Any, told: list[str]
) -> None:
    rows = {("PATCH", "Service", "hub"): applied, ("PUT", "Service", "hub"): replaced or (lambda asked: asked.body)}
    old = plain("Service", "hub") | {"spec": {}}
    api = FakeApi(rows)
    assert reasons(ask(api, [old], [labelled(old)])) == told
    (again,) = sent(api, "PUT")
    assert (again.account, again.dry_run) == (TILLER, True)
    assert "SelfSubjectAccessReview" not in {one.kind for one in api.asked}, "nothing is forbidden"


@pytest.mark.parametrize("reason", ["Forbidden", "unknown"])
def test_what_is_forbidden_or_of_no_known_type_is_not_asked_again(reason: str) -> None:
    known = reason == "Forbidden"
    api = FakeApi({("PATCH", "Route", "a"): refused("Forbidden", "no")}, unknown=[] if known else ["Route"])
    old = plain("Route", "a", "x/v1")
    told = "no" if known else 'no matches for kind "Route" in version "x/v1"'
    assert reasons(ask(api, [old], [labelled(old)])) == [f"Route/a: {told}"]
    assert sent(api, "PUT") == []


HELMS = {"meta.helm.sh/release-name": "hub", "meta.helm.sh/release-namespace": "binder"}


@pytest.mark.parametrize(
    ("notes", "labels", "told"),
    [
        ({}, {}, "belongs to somebody else (no release of Helm)"),
        ({**HELMS, "meta.helm.sh/release-name": "x"}, {"app.kubernetes.io/managed-by": "Helm"}, "belongs to binder/x"),
        (HELMS, {}, "belongs to binder/hub"),
        (HELMS, {"app.kubernetes.io/managed-by": "Helm"}, ""),
    ],
)
def test_a_name_that_is_taken(notes: dict[str, str], labels: dict[str, str], told: str) -> None:
    live = plain("Secret", "a", annotations=notes, labels=labels)
    api = FakeApi({("POST", "Secret", "a"): refused("AlreadyExists"), ("GET", "Secret", "a"): live})
    found = reasons(ask(api, [], [plain("Secret", "a")]))
    assert [told in text for text in found] == ([True] if told else [])
    (read,) = [one for one in sent(api, "GET") if one.kind == "Secret"]
    assert (read.namespace, read.account) == ("binder", "")


def test_a_policy_that_cannot_be_dry_run_is_a_warning_whatever_it_is_about() -> None:
    text = 'admission webhook "a.b" does not support dry run'
    api = FakeApi({(method, "*", "*"): refused("Invalid", text) for method in ("POST", "DELETE")})
    api.answers[MAKE_PODS] = lambda asked: asked.body
    found = ask(api, [plain("Secret", "gone")], [deployment("hub")], spawned={"build": {"spec": {"containers": []}}})
    assert found == Findings([], [f"a policy could not be asked: {text}"])


@pytest.mark.parametrize("may", [True, False])
def test_who_may_make_no_pods_learns_nothing_of_them(may: bool) -> None:
    api = FakeApi({("POST", "Pod", "*"): refused("Forbidden", "no pods")})
    if not may:
        api.answers[MAKE_PODS] = may_not
    found = ask(api, [], [deployment("hub")], spawned={"build": {"spec": {"containers": []}}})
    assert reasons(found) == ["Deployment/hub (its pods): no pods"] * may
    assert found.warnings == ["every build would be refused: no pods"] * may
    (review,) = [one for one in api.asked if one.kind == "SelfSubjectAccessReview"]
    assert review.body["spec"]["resourceAttributes"]["namespace"] == "binder"


def test_who_may_not_act_as_tiller_is_told_once_and_of_the_rest() -> None:
    def answer(asked: Asked) -> Any:
        return refused("Forbidden", "cannot impersonate") if asked.account else asked.body

    api = FakeApi(
        {(method, "*", "*"): answer for method in ("POST", "PATCH", "DELETE")} | {IMPERSONATE: may_not}, ["Route"]
    )
    api.answers["POST", "Service", "*"] = refused("Forbidden", "cannot create services")
    old = plain("Secret", "a")
    found = ask(
        api,
        [old, plain("Secret", "b")],
        [labelled(old), role("r"), plain("Route", "r", "x/v1")],
        own=[plain("Service", "own")],
    )
    assert reasons(found) == [
        f": you cannot impersonate {TILLER}, and the release is installed as tiller",
        'Route/r: no matches for kind "Route" in version "x/v1"',
        "Service/own: cannot create services",
    ]
    assert found.warnings == []


@pytest.mark.parametrize("reason", ["Invalid", "BadRequest", ""])
def test_a_workload_without_its_form_tells_it_once_and_nothing_else_looks_at_it(reason: str) -> None:
    ill, well = deployment("hub", nodeSelector={"a": "b"}), deployment("proxy", nodeSelector={"a": "b"})
    ill["spec"]["template"]["spec"]["containers"] = [{"resources": {"limits": "4Gi"}, "image": "No Image"}]
    answer = Answer(400, {"reason": reason, "message": "json: no"})
    rows = {("POST", "Deployment", "hub"): answer, ("POST", "Pod", "hub-preview"): answer}
    found = ask(
        FakeApi({**rows, ("GET", "Node", "*"): [NODE], ("GET", "ResourceQuota", "*"): quota(pods="9")}), [], [ill, well]
    )
    assert reasons(found) == [
        "Deployment/hub: json: no",
        "Deployment/proxy: its pods cannot be scheduled: no node has the labels {'a': 'b'}",
    ]
    rows["POST", "Pod", "hub-preview"] = refused("Forbidden", "violates a policy")
    assert "Deployment/hub (its pods): violates a policy" in reasons(ask(FakeApi(rows), [], [ill]))


@pytest.mark.parametrize("spec", ["no", {"template": "no"}, {"template": {"spec": ["no"], "metadata": "no"}}])
def test_whatever_form_a_workload_has_the_server_tells(spec: Any) -> None:
    api = FakeApi({("POST", "Deployment", "hub"): Answer(400, {"reason": "BadRequest", "message": "json: no"})})
    assert reasons(ask(api, [], [{**plain("Deployment", "hub", "apps/v1"), "spec": spec}])) == [
        "Deployment/hub: json: no"
    ]


def test_local_checks_look_at_objects_as_the_server_returned_them() -> None:
    def mutated(asked: Asked) -> Any:
        one = copy.deepcopy(asked.body)
        one["spec"]["template"]["spec"] |= {"nodeSelector": {"pool": "core"}, "imagePullSecrets": [{"name": "mine"}]}
        one["spec"]["template"]["spec"]["containers"][0]["image"] = "No"
        return one

    found = ask(FakeApi({("POST", "Deployment", "*"): mutated, ("GET", "Node", "*"): [NODE]}), [], [deployment("hub")])
    assert reasons(found) == [
        'Deployment/hub: no image can be called "No": small letters, digits, single signs between them',
        "Deployment/hub: its pods cannot be scheduled: no node has the labels {'pool': 'core'}",
        "Deployment/hub: pull secret mine does not exist, and its pods need it",
    ]


def test_the_servers_warnings_are_told_once_with_the_objects_that_they_hold_for() -> None:
    def warns(asked: Asked) -> Answer:
        return Answer(201, asked.body or {}, ("old version",))

    kinds = ("Deployment", "Pod", "ConfigMap")
    api = FakeApi({("POST", kind, "*"): warns for kind in kinds} | {("DELETE", "*", "*"): warns})
    new = [deployment("hub"), *(plain("ConfigMap", name) for name in "abcde")]
    found = ask(api, [plain("Secret", "gone")], new)
    told = "ConfigMap/a, ConfigMap/b, ConfigMap/c, ConfigMap/d, and 2 more: old version"
    assert found == Findings([], [told])


# --- quotas -------------------------------------------------------------------------------------------------------


def test_a_full_quota_has_room_for_a_pod_whose_predecessor_goes_first() -> None:
    api = FakeApi({("POST", "Pod", "*"): refused("Forbidden", FULL)})
    old = [deployment("hub"), deployment("proxy"), deployment("binder")]
    old[0]["spec"]["strategy"] = old[1]["spec"]["strategy"] = {"type": "Recreate"}
    new = copy.deepcopy(old)
    for one in (new[0], new[2]):
        one["spec"]["template"]["spec"]["containers"][0]["image"] = "b"
    assert [one.about for one in ask(api, old, new).violations] == ["Deployment/binder (its pods)"]
    api.answers["POST", "Pod", "*"] = refused("Forbidden", "violates a policy")
    assert [one.about for one in ask(api, old, [labelled(one) for one in old]).violations] == [], "no pod restarts"
    assert len(ask(api, old, new).violations) == 2
    api.answers["POST", "Pod", "*"] = refused("Forbidden", FULL)
    assert len(ask(api, [], [new[0]]).violations) == 1, "a new one takes nobody's place"


def test_a_quota_is_reckoned_over_all_objects_and_not_said_twice() -> None:
    def limited(asked: Asked) -> Any:
        pod = copy.deepcopy(asked.body)
        pod["spec"]["containers"][0]["resources"] = {"limits": {"memory": "1Gi"}}  # by a LimitRange
        return pod

    rows = {
        ("GET", "ResourceQuota", "*"): quota(pods="2", services="0", secrets="1", limits_memory="2Gi"),
        ("POST", "Service", "*"): refused("Forbidden", FULL.replace("x=", "services=")),
        ("POST", "Pod", "*"): limited,
    }
    pods = [deployment(name, nodeSelector={"a": "b"}) for name in "abc"]  # without any node, nothing is said of nodes
    new = [*pods, plain("Secret", "s"), plain("Service", "s") | {"spec": {}}]
    assert reasons(ask(FakeApi(rows), [], new)) == [
        f"Service/s: {FULL.replace('x=', 'services=')}",
        "ResourceQuota/q: 3 new pods do not fit: 2 allowed, 0 in use",
        "ResourceQuota/q: 2 new secrets do not fit: 1 allowed, 0 in use",  # one is Helm's own record
        "ResourceQuota/q: 3Gi new limits.memory do not fit: 2Gi allowed, 0 in use",
    ]


@pytest.mark.parametrize("reason", ["", "Forbidden"])
def test_pods_that_run_give_way_and_those_that_nobody_may_ask_about_count(reason: str) -> None:
    rows = {("GET", "ResourceQuota", "*"): quota(pods="1")}
    if reason:
        rows |= {("POST", "Pod", "*"): refused(reason), MAKE_PODS: may_not}
    old, new = deployment("hub"), deployment("hub", image="b")
    old["spec"]["selector"] = new["spec"]["selector"] = {"matchLabels": {"app": "hub"}}
    new["spec"]["replicas"] = 2
    api = FakeApi(rows)
    assert reasons(ask(api, [old], [new])) == ["ResourceQuota/q: 2 new pods do not fit: 1 allowed, 0 in use"]
    api.answers["GET", "Pod", "*"] = [{"metadata": {"labels": {"app": "hub"}}}]
    assert reasons(ask(api, [old], [new])) == []


def test_what_may_not_be_read_is_named_in_one_warning_and_stops_nobody() -> None:
    rows = {("GET", kind, "*"): refused("Forbidden", f"no {kind}") for kind in ("Node", "ResourceQuota", "Secret")}
    found = ask(FakeApi(rows), [], [deployment("hub", imagePullSecrets=[{"name": name} for name in "ab"])])
    assert found == Findings([], ["not looked at: no Node; no ResourceQuota; no Secret"])


# --- nodes, classes and what pods refer to ------------------------------------------------------------------------


def test_a_daemon_set_on_no_node_is_a_warning_since_helm_is_content() -> None:
    api = FakeApi({("GET", "Node", "*"): [NODE]})
    found = ask(api, [], [deployment("hub", "DaemonSet", nodeSelector={"pool": "users"})])
    assert found == Findings([], ["DaemonSet/hub would have no pod: no node has the labels {'pool': 'users'}"])
    large = [{"resources": {"requests": {"memory": "2Gi"}}}]
    found = ask(api, [], [deployment("hub", "DaemonSet", containers=large)])
    assert "a pod asks for 2Gi memory, the largest node has 1Gi" in reasons(found)[0]
    assert found.warnings == []


def test_a_node_in_a_passing_state_is_a_warning() -> None:
    taint = {"key": "node.kubernetes.io/not-ready", "effect": "NoSchedule"}
    found = ask(FakeApi({("GET", "Node", "*"): [{**NODE, "spec": {"taints": [taint]}}]}), [], [deployment("hub")])
    assert (found.violations, len(found.warnings)) == ([], 1)


def test_the_hubs_own_pods_are_warned_of_and_do_not_stop_the_release() -> None:
    node = {("GET", "Node", "*"): [NODE]}
    pod = {"spec": {"containers": [], "nodeSelector": {"pool": "u"}, "imagePullSecrets": [{"name": "nope"}]}}
    pod["spec"]["serviceAccountName"] = "users"
    api = FakeApi(node)
    found = ask(api, [], [plain("Secret", "a")], spawned={"build": pod})
    assert [one.account for one in api.asked if one.kind == "Pod"] == [""]
    assert found == Findings([], [
        "no build can be scheduled: no node has the labels {'pool': 'u'}",
        "every build: pull secret nope does not exist, and its pods need it",
        "every build: service account users does not exist, and its pods need it",
    ])  # fmt: skip
    accounts = [plain("ServiceAccount", "users"), plain("Secret", "nope")]
    assert len(ask(FakeApi(node), [], accounts, spawned={"build": pod}).warnings) == 1
    no = FakeApi({**node, ("POST", "Pod", "build-preview"): refused("Forbidden", 'violates PodSecurity "x"')})
    found = ask(no, [], [plain("Secret", "a")], spawned={"build": pod})
    assert found == Findings([], ['every build would be refused: violates PodSecurity "x"'])


def test_pools_that_may_be_empty_are_not_looked_at() -> None:
    api, new = FakeApi({("GET", "Node", "*"): [NODE]}), [deployment("hub", nodeSelector={"pool": "core"})]
    assert len(ask(api, [], new).violations) == 1
    assert ask(api, [], new, empty_pools=True) == Findings()


def test_what_pods_need_in_a_namespace_still_to_be_made_is_a_warning() -> None:
    new = [deployment("hub", imagePullSecrets=[{"name": "mine"}])]
    told = "Deployment/hub: pull secret mine does not exist, and its pods need it"
    found = ask(FakeApi(), [], new)
    assert (reasons(found), found.warnings) == ([told], [])
    assert ask(FakeApi(), [], new, exists=False) == Findings([], [told])


def test_entries_are_looked_for_in_what_is_there_and_in_what_the_release_brings() -> None:
    env = [{"valueFrom": {"secretKeyRef": {"name": name, "key": "tokn"}}} for name in ("mine", "own")]
    new = [deployment("hub", containers=[{"env": env}]), plain("Secret", "own") | {"data": {"tokn": ""}}]
    api = FakeApi({("GET", "Secret", "mine"): plain("Secret", "mine") | {"data": {"token": "t0p"}}})
    why = "Deployment/hub: secret mine has no key tokn, and its pods need it (it has: token)"
    assert reasons(ask(api, [], new)) == [why]


def test_an_old_claim_may_name_a_class_that_is_gone_and_a_new_one_may_not() -> None:
    claim = plain("PersistentVolumeClaim", "db") | {"spec": {"storageClassName": "gone"}}
    assert ask(FakeApi(), [claim], [labelled(claim)]) == Findings()
    assert len(ask(FakeApi(), [], [claim]).violations) == 1
    unread = FakeApi({("GET", "StorageClass", "*"): refused("Forbidden", "no classes")})
    assert ask(unread, [], [claim]) == Findings([], ["not looked at: no classes"])
    ingress = plain("Ingress", "i", "networking.k8s.io/v1") | {"spec": {"ingressClassName": "gone"}}
    assert len(ask(FakeApi(), [ingress], [labelled(ingress)]).violations) == 1


# --- what Pulumi makes beside the release -------------------------------------------------------------------------

ACCOUNT = plain("ServiceAccount", "tiller", namespace="kube-system")
LOADBALANCER = plain("Service", "external", namespace="binder") | {"spec": {"type": "LoadBalancer"}}
CHART = [plain("ConfigMap", "a")]


def test_what_pulumi_makes_beside_the_release_is_asked_about_as_the_user() -> None:
    api = FakeApi()
    ask(api, [], CHART, own=[ACCOUNT, LOADBALANCER])
    asked = [(one.kind, one.namespace) for one in sent(api, "POST") if not one.account]
    assert asked == [("ServiceAccount", "kube-system"), ("Service", "binder")]


@pytest.mark.parametrize("there", [True, False])
def test_it_counts_for_quotas_unless_it_is_there(there: bool) -> None:
    api = FakeApi({("GET", "ResourceQuota", "*"): quota(services_loadbalancers="0")})
    if there:
        api.answers["POST", "Service", "*"] = refused("AlreadyExists")
    found = reasons(ask(api, [], CHART, own=[LOADBALANCER]))
    told = "ResourceQuota/q: 1 new services.loadbalancers do not fit: 0 allowed, 0 in use"
    assert found == ([] if there else [told])


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (lambda asked: asked.body, []),
        (refused("Conflict", "1 conflict"),
         ["Service/external exists already, and is not like this stack's: 1 conflict"]),
        (refused("Forbidden", "no"), ["no"]),
    ],
)  # fmt: skip
def test_what_is_there_is_taken_over_unless_somebody_else_set_it_otherwise(
    answer: Answer | Callable[[Asked], Any], told: list[str]
) -> None:
    rows = {("POST", "Service", "*"): refused("AlreadyExists"), ("PATCH", "Service", "external"): answer}
    api = FakeApi(rows)
    found = ask(api, [], CHART, own=[ACCOUNT, LOADBALANCER])
    assert reasons(found) == [f"Service/external: {text}" for text in told]
    (applied,) = sent(api, "PATCH")
    assert (applied.account, applied.query["force"]) == ("", "false")
    assert (applied.query["fieldManager"], applied.dry_run) == ("pulumi-kubernetes", True)


def test_a_namespace_for_tiller_that_is_not_there() -> None:
    api = FakeApi({("POST", "ServiceAccount", "*"): refused("NotFound", 'namespaces "nowhere" not found')})
    found = reasons(ask(api, [], CHART, own=[ACCOUNT], exists=False))
    assert found == ['ServiceAccount/tiller in kube-system: namespaces "nowhere" not found']


# --- what goes ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("reason", "told"), [("Forbidden", True), ("NotFound", False)])
def test_what_cannot_be_deleted_is_left_behind_and_stops_nobody(reason: str, told: bool) -> None:
    kept = plain("Secret", "kept", annotations={"helm.sh/resource-policy": "keep"})
    api = FakeApi({("DELETE", "Secret", "*"): refused(reason, "no")})
    found = ask(api, [plain("Secret", "a"), kept], [plain("Secret", "b")])
    assert found == Findings([], ["Secret/a would be left behind: no"] * told)
    assert names(sent(api, "DELETE")) == ["Secret/a"], "what Helm keeps by itself is not asked about"

"""The questions to the API server: what is asked, as whom, and what the answers come to."""

import copy
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from kube import manifests
from kube.api import Answer
from preflight import diff, dry_run
from preflight.questions import Question
from preflight.violations import Violation
from tests.unit.fake_api import Asked, FakeApi, may_not, refused
from tests.unit.kube.test_helm_releases import secret

TILLER = "system:serviceaccount:kube-system:tiller"
IMPERSONATE = ("POST", "SelfSubjectAccessReview", "impersonate serviceaccounts")
MAKE_PODS = ("POST", "SelfSubjectAccessReview", "create pods")
NODE = {"metadata": {"name": "n"}, "spec": {}, "status": {"allocatable": {"memory": "1Gi"}}}
QUOTAS = ("GET", "ResourceQuota", "*")
FULL = "exceeded quota: q, requested: x=1"


def plain(kind: str, name: str, version: str = "v1", **more: Any) -> dict[str, Any]:
    return {"apiVersion": version, "kind": kind, "metadata": {"name": name, **more}}


def role(name: str) -> dict[str, Any]:
    return plain("ClusterRole", name, "rbac.authorization.k8s.io/v1")


def deployment(name: str, **pod: Any) -> dict[str, Any]:
    template = {"metadata": {}, "spec": {"containers": [{"name": name, "image": "a"}], **pod}}
    return {**plain("Deployment", name, "apps/v1"), "spec": {"template": template}}


def quota(**hard: str) -> list[dict[str, Any]]:
    spec = {"hard": {name.replace("_", "."): amount for name, amount in hard.items()}}
    return [{"metadata": {"name": "q", "namespace": "binder"}, "spec": spec}]


def ask(api: FakeApi, old: list[Any], new: list[Any], **more: Any) -> tuple[list[str], list[str]]:
    """Return what is told: violations with what they are about, and warnings."""
    before, after = manifests.by_key(old, "binder"), manifests.by_key(new, "binder")
    given: dict[str, Any] = {
        "user": api, "account": api.acting_as(TILLER), "nodes": partial(api.list, "v1", "Node"),
        "release": "hub", "namespace": "binder", "exists": True, "old": before, "new": after,
        "changes": diff.changes(before, after), "next_revision": 4,
    }  # fmt: skip
    found = dry_run.ask(Question(**{**given, **more}))
    violations = [f"{one.about}: {one.reason}" for one in found if isinstance(one, Violation)]
    return violations, [one for one in found if isinstance(one, str)]


def sent(api: FakeApi, *methods: str) -> list[Asked]:
    return [one for one in api.asked if one.method in methods and not one.kind.startswith("Self")]


def names(asked: list[Asked]) -> list[str]:
    return [f"{one.kind}/{one.name}" for one in asked]


def labelled(one: dict[str, Any]) -> dict[str, Any]:
    return {**one, "metadata": {**one["metadata"], "labels": {"b": "c"}}}


@pytest.mark.parametrize("may", [("", TILLER), (TILLER,), ()])
def test_the_records_are_read_as_the_user_and_only_if_need_be_as_tiller(may: tuple[str, ...]) -> None:
    def answer(asked: Asked) -> Any:
        return [secret(3, "deployed")] if asked.account in may else refused("Forbidden", asked.account or "user")

    api = FakeApi({("GET", "Secret", "*"): answer})
    got = dry_run.read_history(api, api.acting_as(TILLER), "hub", "binder")
    assert (got.message if isinstance(got, Answer) else got.newest) == (3 if may else "user")
    assert [one.account for one in api.asked] == ["", TILLER][: 1 if "" in may else 2]
    assert {one.query["labelSelector"] for one in api.asked} == {"owner=helm,name=hub"}


# --- what is asked, and as whom -----------------------------------------------------------------------------------

ACCOUNT = plain("ServiceAccount", "tiller", namespace="kube-system")
LOADBALANCER = plain("Service", "external", namespace="binder") | {"spec": {"type": "LoadBalancer"}}
CHART = [plain("ConfigMap", "a")]


def test_tiller_asks_about_objects_and_the_user_about_pods_and_what_pulumi_makes() -> None:
    api = FakeApi()
    old, kept = plain("ConfigMap", "a"), plain("Secret", "same")
    left = plain("Secret", "left", annotations={"helm.sh/resource-policy": "keep"})
    new = [labelled(old), kept, deployment("hub")]
    assert ask(api, [old, kept, plain("Secret", "gone"), left], new, own=[ACCOUNT, LOADBALANCER]) == ([], [])
    assert sorted((one.kind, one.account) for one in sent(api, "POST")) == [  # side by side
        ("Deployment", TILLER), ("Pod", ""), ("Secret", TILLER), ("Service", ""), ("ServiceAccount", ""),
    ]  # fmt: skip
    (applied,) = sent(api, "PATCH")
    assert (applied.name, applied.account) == ("a", TILLER)
    assert (applied.query["fieldManager"], applied.query["force"]) == ("helm", "true")
    assert [(one.name, one.account) for one in sent(api, "DELETE")] == [("gone", TILLER)]
    asked = sent(api, "POST", "PATCH", "DELETE", "PUT")
    assert all(one.dry_run for one in asked)
    assert {one.namespace for one in asked if one.kind != "ServiceAccount"} == {"binder"}


def test_helms_next_record_is_as_large_as_it_will_be() -> None:
    api = FakeApi()
    ask(api, [], CHART, record=lambda: "H4sI")
    (asked,) = [one.body for one in sent(api, "POST") if one.kind == "Secret"]
    assert (asked["type"], asked["data"]) == ("helm.sh/release.v1", {"release": "H4sI"})


@pytest.mark.parametrize(("number", "record"), [(1, True), (10, True), (11, False)])
def test_helms_next_record_is_asked_about_unless_helm_makes_room_first(number: int, record: bool) -> None:
    api = FakeApi()
    ask(api, [], CHART, next_revision=number)
    assert names(sent(api, "POST")) == ["ConfigMap/a", *[f"Secret/sh.helm.release.v1.hub.v{number}"] * record]


CLASSES = [plain("PriorityClass", "own", "scheduling.k8s.io/v1"), plain("RuntimeClass", "box", "node.k8s.io/v1")]
HOOK, LATE = ({"annotations": {"helm.sh/hook": f"{when}-upgrade"}} for when in ("pre", "post"))


def hooked(one: dict[str, Any], hook: dict[str, Any]) -> dict[str, Any]:
    return {**one, "metadata": {**one["metadata"], **hook}}


@pytest.mark.parametrize(
    ("old", "classes", "hook", "brought"),
    [
        ([], CLASSES, {}, True), ([], [], {}, False), (CLASSES, CLASSES, {}, True),
        # A hook before the install has only what other hooks bring, or what was there.
        ([], CLASSES, HOOK, False), (CLASSES, CLASSES, HOOK, True),
        ([], [hooked(one, HOOK) for one in CLASSES], HOOK, True),
        ([], CLASSES, LATE, True),
    ],
)  # fmt: skip
def test_pods_are_asked_about_without_what_the_release_itself_makes(
    old: list[Any], classes: list[Any], hook: dict[str, Any], brought: bool
) -> None:
    api = FakeApi()
    named = {"serviceAccountName": "hub", "serviceAccount": "hub"}
    new = hooked(deployment("hub", priorityClassName="own", runtimeClassName="box", **named), hook)
    none = {**deployment("idle"), "spec": {**deployment("idle")["spec"], "replicas": 0}}
    ask(api, old, [new, none, *classes, role("r")])
    (pod,) = [one.body for one in sent(api, "POST") if one.kind == "Pod"]
    assert pod["metadata"]["name"] == "hub-preview"
    assert pod["spec"]["serviceAccountName"] == "default"
    assert "serviceAccount" not in pod["spec"], "the field's old name"
    assert [field in pod["spec"] for field in ("priorityClassName", "runtimeClassName")] == [not brought] * 2


def test_a_hub_beside_this_one_is_told_in_one_sentence() -> None:
    """Nothing of it is to be deleted, least of all its Services."""
    theirs = {**HELMS, "meta.helm.sh/release-name": "other"}

    def taken(asked: Asked) -> Any:
        return plain(asked.kind, asked.name, annotations=theirs, labels=MANAGED)

    rows: dict[Any, Any] = {("POST", kind, "*"): refused("AlreadyExists") for kind in ("Deployment", "Service")}
    rows |= {("POST", "Secret", name): refused("AlreadyExists") for name in "abc"}
    rows |= {("PATCH", "Service", "*"): refused("Conflict", "1 conflict")}
    api = FakeApi({**rows, **{("GET", kind, "*"): taken for kind in ("Secret", "Deployment")}})
    new = [deployment("binder"), deployment("hub"), plain("Secret", "a"), plain("Secret", "b"), plain("Secret", "c")]
    sentence = "release other is in namespace binder already, with objects of the same names"
    named = "Deployment/binder, Deployment/hub, Secret/a, Secret/b, and 1 more"
    assert ask(api, [], new, own=[LOADBALANCER]) == ([f": {sentence}: {named}"], [])


def test_a_namespace_still_to_be_made_is_asked_about_in_default_under_names_of_its_own() -> None:
    api = FakeApi()
    new = [plain("ConfigMap", "a", namespace="binder"), role("r"), plain("ConfigMap", "b", namespace="other")]
    ask(api, [], new, exists=False)
    asked = [(one.kind, one.name, one.namespace) for one in sent(api, "POST")]
    assert set(asked) >= {("ClusterRole", "r", ""), ("ConfigMap", "a-preview", "default"), ("ConfigMap", "b", "other")}


def test_a_hook_is_replaced_each_time_so_a_new_one_is_asked_about_by_another_name() -> None:
    api, hook = FakeApi(), plain("Job", "puller", "batch/v1", annotations={"helm.sh/hook": "pre-upgrade"})
    gone = {**hook, "metadata": {**hook["metadata"], "name": "gone"}}
    ask(api, [hook, gone], [hook | {"spec": {}}])
    ask(api, [], [hook])
    assert [one for one in names(sent(api, "POST", "PATCH", "PUT", "DELETE")) if "Job" in one] == ["Job/puller-preview"]


# --- what the answers come to -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("applied", "replaced", "told"),
    [
        (refused("Invalid", "kept a volume"), {}, []),
        (refused("Invalid", "first"), refused("Invalid", "second"), ["Service/hub: first"]),
        (Answer(500, {"message": "typed patch"}), Answer(400, {"reason": "BadRequest", "message": "a Service"}),
         ["Service/hub: a Service"]),
    ],
)  # fmt: skip
def test_a_refused_change_counts_only_if_the_whole_object_is_refused_too(
    applied: Any, replaced: Any, told: list[str]
) -> None:
    rows = {("PATCH", "Service", "hub"): applied, ("PUT", "Service", "hub"): replaced or (lambda asked: asked.body)}
    old, api = plain("Service", "hub") | {"spec": {}}, FakeApi(rows)
    assert ask(api, [old], [labelled(old)]) == (told, [])
    (again,) = sent(api, "PUT")
    assert (again.account, again.dry_run) == (TILLER, True)
    assert "SelfSubjectAccessReview" not in {one.kind for one in api.asked}, "nothing is forbidden"


@pytest.mark.parametrize("reason", ["Forbidden", "unknown"])
def test_what_is_forbidden_or_of_no_known_type_is_not_asked_again(reason: str) -> None:
    known = reason == "Forbidden"
    api = FakeApi({("PATCH", "Route", "a"): refused("Forbidden", "no")}, unknown=[] if known else ["Route"])
    old = plain("Route", "a", "x/v1")
    told = "no" if known else 'no matches for kind "Route" in version "x/v1"'
    assert ask(api, [old], [labelled(old)]) == ([f"Route/a: {told}"], [])
    assert sent(api, "PUT") == []


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (lambda asked: asked.body, []),
        (refused("Conflict", "1 conflict"),
         ["Service/external exists already, and is not like this stack's: 1 conflict"]),
        (refused("Forbidden", "no"), ["no"]),
    ],
)  # fmt: skip
def test_what_pulumi_takes_over_on_purpose_must_be_like_its_own(
    answer: Answer | Callable[[Asked], Any], told: list[str]
) -> None:
    rows = {("POST", "Service", "*"): refused("AlreadyExists"), ("PATCH", "Service", "external"): answer}
    api = FakeApi(rows)
    told = [f"Service/external: {text}" for text in told]
    assert ask(api, [], CHART, own=[ACCOUNT, LOADBALANCER], adopt=True) == (told, [])
    (applied,) = sent(api, "PATCH")
    assert (applied.account, applied.query["force"]) == ("", "false")
    assert (applied.query["fieldManager"], applied.dry_run) == ("pulumi-kubernetes", True)


def case(new: list[Any], violations: Any = (), warnings: Any = (), **given: Any) -> tuple[Any, ...]:
    """Return a release, and what is told of it; `rows` are the API's answers, `old` is what is there, the rest asks."""
    rows, old, unknown = given.pop("rows", {}), given.pop("old", []), given.pop("unknown", ())
    return FakeApi(rows, unknown), old, new, given, list(violations), list(warnings)


FORBIDDEN, NO = refused("Forbidden", "no"), {("POST", "Pod", "*"): refused("Forbidden", "no pods")}
SOME, BUILD = plain("Secret", "a"), {"build": {"spec": {"containers": []}}}
NO_DRY_RUN = 'admission webhook "a.b" does not support dry run'
HELMS = {"meta.helm.sh/release-name": "hub", "meta.helm.sh/release-namespace": "binder"}
MANAGED = {"app.kubernetes.io/managed-by": "Helm"}


def taken(notes: dict[str, str], labels: dict[str, str], whose: str) -> tuple[Any, ...]:
    live = plain("Secret", "a", annotations=notes, labels=labels)
    rows = {("POST", "Secret", "a"): refused("AlreadyExists"), ("GET", "Secret", "a"): live}
    told = f"Secret/a: exists already and belongs to {whose}; Helm would say: invalid ownership metadata"
    return case([SOME], [told] if whose else [], rows=rows)


def warns(asked: Asked) -> Answer:
    return Answer(201, asked.body or {}, ("old version",))


def but_as_tiller(asked: Asked) -> Any:
    return refused("Forbidden", "cannot impersonate") if asked.account else asked.body


def mutated(asked: Asked) -> Any:
    one = copy.deepcopy(asked.body)
    one["spec"]["template"]["spec"] |= {"nodeSelector": {"pool": "core"}, "imagePullSecrets": [{"name": "mine"}]}
    one["spec"]["template"]["spec"]["containers"][0]["image"] = "No"
    return one


ANSWERS = {
    "taken by nobody's release": taken({}, {}, "somebody else (no release of Helm)"),
    "taken by another release": taken({**HELMS, "meta.helm.sh/release-namespace": "x"}, MANAGED, "x/hub"),
    "taken, and only noted as ours": taken(HELMS, {}, "binder/hub"),
    "taken by this release": taken(HELMS, MANAGED, ""),
    "a policy that cannot be dry-run": case(
        [deployment("hub")], [], [f"a policy could not be asked: {NO_DRY_RUN}"], old=[plain("Secret", "gone")],
        rows={(method, kind, "*"): refused("Invalid", NO_DRY_RUN)
              for method, kind in (("POST", "Pod"), ("POST", "Secret"), ("DELETE", "*"))}, spawned=BUILD),
    "pods that are refused": case([deployment("hub")], ["Deployment/hub (its pods): no pods"],
                                  ["every build would be refused: no pods"], rows=NO, spawned=BUILD),
    "pods that one may not make": case([deployment("hub")], rows={**NO, MAKE_PODS: may_not}, spawned=BUILD),
    "who may not act as tiller": case(
        [labelled(SOME), role("r"), plain("Route", "r", "x/v1")],
        [f": you cannot impersonate {TILLER}, and the release is installed as tiller",
         'Route/r: no matches for kind "Route" in version "x/v1"', "Service/own: no"],
        old=[SOME, plain("Secret", "b")], own=[plain("Service", "own")], unknown=["Route"],
        rows={**{(method, "*", "*"): but_as_tiller for method in ("POST", "PATCH", "DELETE")},
              IMPERSONATE: may_not, ("POST", "Service", "*"): FORBIDDEN}),
    "a namespace for tiller that is not there": case(
        CHART, ['ServiceAccount/tiller in kube-system: namespaces "nowhere" not found'], own=[ACCOUNT], exists=False,
        rows={("POST", "ServiceAccount", "*"): refused("NotFound", 'namespaces "nowhere" not found')}),
    "what cannot be deleted": case([], [], ["Secret/a would be left behind: no"], old=[SOME],
                                   rows={("DELETE", "Secret", "*"): FORBIDDEN}),
    "what is deleted already": case([], old=[SOME], rows={("DELETE", "Secret", "*"): refused("NotFound", "no")}),
    "warnings of the server": case(
        [deployment("hub"), *(plain("ConfigMap", name) for name in "abcde")], [],
        ["ConfigMap/a, ConfigMap/b, ConfigMap/c, ConfigMap/d, and 2 more: old version"], old=[SOME],
        rows={**{("POST", kind, "*"): warns for kind in ("Deployment", "Pod", "ConfigMap")},
              ("DELETE", "*", "*"): warns}),
    "objects as the server would store them": case(
        [deployment("hub")],
        ['Deployment/hub: no image can be called "No": small letters, digits, single signs between them',
         "Deployment/hub: its pods cannot be scheduled: no node has the labels {'pool': 'core'}",
         "Deployment/hub: pull secret mine does not exist, and its pods need it"],
        rows={("POST", "Deployment", "*"): mutated, ("GET", "Node", "*"): [NODE]}),
    "what may not be read": case(
        [deployment("hub", imagePullSecrets=[{"name": name} for name in "ab"])], [],
        ["not looked at: no ResourceQuota; no Node; no Secret"],
        rows={("GET", kind, "*"): refused("Forbidden", f"no {kind}") for kind in ("Node", "ResourceQuota", "Secret")}),
}  # fmt: skip


@pytest.mark.parametrize("reason", ["Invalid", "BadRequest", ""])
@pytest.mark.parametrize(
    "template", ["no", {"spec": ["no"], "metadata": "no"}, {"spec": {"containers": [{"resources": {"limits": "4Gi"}}]}}]
)
def test_a_workload_without_its_form_tells_it_once_and_nothing_else_looks_at_it(template: Any, reason: str) -> None:
    ill, well = plain("Deployment", "hub", "apps/v1"), deployment("proxy", nodeSelector={"a": "b"})
    ill["spec"] = {"template": template}
    answer = Answer(400, {"reason": reason, "message": "json: no"})
    rows = {("POST", "Deployment", "hub"): answer, ("POST", "Pod", "hub-preview"): answer}
    found = ask(FakeApi({**rows, ("GET", "Node", "*"): [NODE], QUOTAS: quota(pods="9")}), [], [ill, well])
    homeless = "Deployment/proxy: its pods cannot be scheduled: no node has the labels {'a': 'b'}"
    assert found == (["Deployment/hub: json: no", homeless], [])
    rows["POST", "Pod", "hub-preview"] = refused("Forbidden", "violates a policy")
    told = ["Deployment/hub: json: no", "Deployment/hub (its pods): violates a policy"]
    assert ask(FakeApi(rows), [], [ill]) == (told, [])


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
    everywhere = [f"ClusterRole/r: {message}", f"ConfigMap/b in other: {message}"]
    assert ask(api, [], new, exists=False) == (everywhere, [])
    here = [f"ConfigMap/a: {message}", f"Deployment/hub (its pods): {message}"]
    assert sorted(ask(api, [], new)[0]) == sorted([*everywhere, *here])


# --- quotas -------------------------------------------------------------------------------------------------------


def updated(one: dict[str, Any], **spec: Any) -> dict[str, Any]:
    """Return a workload whose pods restart."""
    new = copy.deepcopy(one)
    new["spec"]["template"]["spec"]["containers"][0]["image"] = "b"
    new["spec"] |= spec
    return new


def limited(asked: Asked) -> Any:
    """Answer a pod as a LimitRange would change it."""
    pod = copy.deepcopy(asked.body)
    pod["spec"]["containers"][0]["resources"] = {"limits": {"memory": "1Gi"}}
    return pod


def one_after_the_other(name: str) -> dict[str, Any]:
    one = deployment(name)
    return {**one, "spec": {**one["spec"], "strategy": {"type": "Recreate"}, "selector": {"matchLabels": {"a": "b"}}}}


GREEDY = {"name": "a", "resources": {"requests": {"memory": "1Gi"}}}
BY_DEFAULT = " (it gives no limit: this one is the default of LimitRange/small)"
RANGE = plain("LimitRange", "small") | {"spec": {"limits": [{"type": "Container", "default": {"memory": "512Mi"}}]}}
LIMITED = {
    ("POST", "Pod", "*"): refused("Invalid", "too much", ("spec.containers[0].resources.requests", "too much")),
    ("GET", "LimitRange", "*"): [RANGE],
}  # fmt: skip
FULL_OF_PODS = {("POST", "Pod", "*"): refused("Forbidden", FULL)}
POLICY = {("POST", "Pod", "*"): refused("Forbidden", "violates a policy")}
HUB, BINDER = one_after_the_other("hub"), deployment("binder")
ONE_POD = {QUOTAS: quota(pods="1")}
TWO_PODS = ["ResourceQuota/q: 2 new pods do not fit: 1 allowed, 0 in use"]
BALANCERS = {QUOTAS: quota(services_loadbalancers="0")}
ROOM = {
    "room for a pod whose predecessor goes first": case(
        [updated(HUB), updated(BINDER)], [f"Deployment/binder (its pods): {FULL}"], old=[HUB, BINDER],
        rows=FULL_OF_PODS),
    "a new pod, which takes nobody's place": case([HUB], [f"Deployment/hub (its pods): {FULL}"], rows=FULL_OF_PODS),
    "a policy, whoever goes first": case([updated(HUB)], ["Deployment/hub (its pods): violates a policy"], old=[HUB],
                                         rows=POLICY),
    "a policy, and no pod restarts": case([labelled(HUB)], old=[HUB], rows=POLICY),
    "a sum over all objects": case(
        [*(deployment(name, nodeSelector={"a": "b"}) for name in "abc"), plain("Secret", "s"),
         plain("Service", "s") | {"spec": {}}],
        ["Service/s: no", "ResourceQuota/q: 3 new pods do not fit: 2 allowed, 0 in use",
         "ResourceQuota/q: 2 new secrets do not fit: 1 allowed, 0 in use",  # one is Helm's own record
         "ResourceQuota/q: 3Gi new limits.memory do not fit: 2Gi allowed, 0 in use"],
        rows={QUOTAS: quota(pods="2", services="0", secrets="1", limits_memory="2Gi"),
              ("POST", "Service", "*"): FORBIDDEN, ("POST", "Pod", "*"): limited}),
    "a limit that a namespace gives": case(
        [deployment("hub", containers=[GREEDY])], [f"Deployment/hub (its pods): too much{BY_DEFAULT}"],
        [f"every build would be refused: too much{BY_DEFAULT}"],
        rows=LIMITED, spawned={"build": {"spec": {"containers": [GREEDY]}}}),
    "a limit of its own": case(
        [deployment("hub", containers=[{"name": "a", "resources": {**GREEDY["resources"], "limits": {"memory": 1}}}])],
        ["Deployment/hub (its pods): too much"], rows=LIMITED),
    "pods that do not run yet": case([updated(HUB, replicas=2)], TWO_PODS, old=[HUB], rows=ONE_POD),
    "pods that nobody may ask about": case([updated(HUB, replicas=2)], TWO_PODS, old=[HUB],
                                           rows={**ONE_POD, **NO, MAKE_PODS: may_not}),
    "pods of which one gives way": case(
        [updated(HUB, replicas=2)], old=[HUB],
        rows={**ONE_POD, ("GET", "Pod", "*"): [{"metadata": {"labels": {"a": "b"}}}]}),
    "what Pulumi makes beside the release": case(
        CHART, ["ResourceQuota/q: 1 new services.loadbalancers do not fit: 0 allowed, 0 in use"], own=[LOADBALANCER],
        rows=BALANCERS),
    "what Pulumi takes over": case(CHART, own=[LOADBALANCER], adopt=True,
                                   rows={**BALANCERS, ("POST", "Service", "*"): refused("AlreadyExists")}),
    "what Pulumi made before, where a quota is full": case(
        CHART, own=[LOADBALANCER], adopt=True,
        rows={**BALANCERS, ("POST", "Service", "*"): refused("Forbidden", FULL),
              ("GET", "Service", "external"): LOADBALANCER}),
    "what the release has made before, where a quota is full": case(
        [SOME], rows={("POST", "Secret", "a"): refused("Forbidden", FULL),
                      ("GET", "Secret", "a"): plain("Secret", "a", annotations=HELMS, labels=MANAGED)}),
    "what is somebody else's, where a quota is full": case(
        [SOME], ["Secret/a: exists already and belongs to somebody else (no release of Helm); "
                 "Helm would say: invalid ownership metadata"],
        rows={("POST", "Secret", "a"): refused("Forbidden", FULL), ("GET", "Secret", "a"): SOME}),
    "what is new, where a quota is full": case(
        [SOME], [f"Secret/a: {FULL}"], rows={("POST", "Secret", "a"): refused("Forbidden", FULL)}),
}  # fmt: skip


# --- nodes, classes and what pods refer to ------------------------------------------------------------------------

NODES = {("GET", "Node", "*"): [NODE]}
AWAY = {"build": {"spec": {"containers": [], "nodeSelector": {"pool": "u"}, "serviceAccountName": "users"}}}
HOMELESS = "no build can be scheduled: no node has the labels {'pool': 'u'}"
PULLS = [deployment("hub", imagePullSecrets=[{"name": "mine"}])]
MISSED = "Deployment/hub: pull secret mine does not exist, and its pods need it"
ENTRIES = [{"valueFrom": {"secretKeyRef": {"name": name, "key": "tokn"}}} for name in ("mine", "own")]
CLAIM = plain("PersistentVolumeClaim", "db") | {"spec": {"storageClassName": "gone"}}
GOING = {**CLAIM, "metadata": {**CLAIM["metadata"], "deletionTimestamp": "2026-11-24T16:00:00Z"}}
ENDING = "PersistentVolumeClaim/db is being deleted, and all that db holds with it, as soon as its pod ends"
ENDS = f"{ENDING.replace(' is', ': it is', 1)}: this change ends it"
DATABASE = plain("PersistentVolumeClaim", "hub-db-dir")
USER = deployment("hub", volumes=[{"name": "db", "persistentVolumeClaim": {"claimName": "db"}}])


def claims(*there: dict[str, Any]) -> dict[Any, Any]:
    return {("GET", "PersistentVolumeClaim", "*"): [*there]}


INGRESS = plain("Ingress", "i", "networking.k8s.io/v1") | {"spec": {"ingressClassName": "gone"}}
LACKS = {
    "the hub's own pods, which do not stop the release": case(
        [SOME], [], [HOMELESS, "every build: service account users does not exist, and its pods need it"],
        rows=NODES, spawned=AWAY),
    "the hub's own pods, whose account the release brings": case([plain("ServiceAccount", "users")], [], [HOMELESS],
                                                                 rows=NODES, spawned=AWAY),
    "pools that may be empty": case([deployment("hub", nodeSelector={"pool": "core"})], rows=NODES, empty_pools=True),
    "a pull secret that is not there": case(PULLS, [MISSED]),
    "a pull secret in a namespace still to be made": case(PULLS, [], [MISSED], exists=False),
    "entries of what is there and of what the release brings": case(
        [deployment("hub", containers=[{"env": ENTRIES}]), plain("Secret", "own") | {"data": {"tokn": ""}}],
        ["Deployment/hub: secret mine has no key tokn, and its pods need it (it has: token)"],
        rows={("GET", "Secret", "mine"): plain("Secret", "mine") | {"data": {"token": "t0p"}}}),
    "an old claim of a class that is gone": case([labelled(CLAIM)], old=[CLAIM], rows=claims(CLAIM)),
    "a claim that is gone": case(
        [labelled(SOME), DATABASE], [],
        ["PersistentVolumeClaim/hub-db-dir is gone, and the hub's user database with it: Helm makes a new one, "
         "which is empty"], old=[SOME, DATABASE], rows=claims(CLAIM)),
    "a claim that is being deleted": case([labelled(SOME), CLAIM], [], [ENDING], old=[SOME, CLAIM], rows=claims(GOING)),
    "a claim that is being deleted, and its pod restarts": case(
        [updated(USER), CLAIM], [ENDS], old=[USER, CLAIM],
        rows=claims(GOING)),
    "a claim that is being deleted, and its pod goes": case(
        [CLAIM], [ENDS], old=[USER, CLAIM], rows=claims(GOING)),
    "a claim that is being deleted, and another pod restarts": case(
        [USER, updated(deployment("b")), CLAIM], [], [ENDING], old=[USER, deployment("b"), CLAIM], rows=claims(GOING)),
    "a claim that leaves its class": case(
        [CLAIM | {"spec": {}}],
        ["PersistentVolumeClaim/db: a claim cannot leave its storage class gone: spec is immutable after creation"],
        old=[CLAIM], rows=claims(CLAIM)),
    "claims that nobody may read": case(
        [labelled(CLAIM)], [], ["not looked at: no claims"], old=[CLAIM],
        rows={("GET", "PersistentVolumeClaim", "*"): refused("Forbidden", "no claims")}),
    "what cannot be read for another reason": case(
        [labelled(CLAIM)], [], ["not looked at: PersistentVolumeClaim: the server could not find it"], old=[CLAIM],
        rows={("GET", "PersistentVolumeClaim", "*"): refused("NotFound", "the server could not find it")}),
    "a new claim of such a class": case(
        [CLAIM], ["PersistentVolumeClaim/db: storage class gone does not exist (there are: none)"]),
    "a claim of a class that nobody may read": case(
        [CLAIM], [], ["not looked at: no classes"],
        rows={("GET", "StorageClass", "*"): refused("Forbidden", "no classes")}),
    "an old ingress of a class that is gone": case(
        [labelled(INGRESS)], ["Ingress/i: ingress class gone does not exist (there are: none)"], old=[INGRESS]),
}  # fmt: skip
CASES = {**ANSWERS, **ROOM, **LACKS}


@pytest.mark.parametrize(("api", "old", "new", "given", "violations", "warnings"), CASES.values(), ids=CASES)
def test_what_is_told(api: FakeApi, old: Any, new: Any, given: Any, violations: list[str], warnings: list[str]) -> None:
    assert ask(api, old, new, **given) == (violations, warnings)

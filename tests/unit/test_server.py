"""The questions to the API server: what is asked, as whom, and what the answers come to."""

import asyncio
import json
from collections.abc import Awaitable
from dataclasses import dataclass, field
from typing import Any

import pytest
from test_record import secret

from components import objects, server
from components.kubectl import Answer
from components.objects import Change, Key
from components.server import Findings, LookError, Question
from components.settings import TillerSettings

OK = Answer(0, "", "")
LIMITING = "resourcequotas,limitranges"
TILLER = TillerSettings(namespace="kube-system", name="tiller", binding="tiller", role="view")


@dataclass
class Kubectl:
    """Answers by the words of a command and the kinds that go in with it; keeps what was asked."""

    answers: dict[tuple[str, ...], Answer] = field(default_factory=dict)
    asked: list[tuple[tuple[str, ...], list[Any]]] = field(default_factory=list)

    async def __call__(self, *args: str, stdin: str = "") -> Answer:
        items = json.loads(stdin)["items"] if stdin else []
        self.asked.append((args, items))
        said = {*args, *(one["kind"] for one in items)}
        return next((answer for words, answer in self.answers.items() if set(words) <= said), OK)

    def sent(self, verb: str) -> list[Any]:
        return [item for args, items in self.asked for item in items if args[0] == verb]


def run(coroutine: Awaitable[Any]) -> Any:
    async def main() -> Any:
        return await coroutine

    return asyncio.run(main())


def deployment(name: str, account: str = "default", **spec: Any) -> dict[str, Any]:
    pod = {"metadata": {}, "spec": {"serviceAccountName": account, "containers": [{"name": name, "image": "a"}]}}
    about = {"name": name, "namespace": "binder"}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": about, "spec": {"template": pod, **spec}}


def plain(kind: str, name: str, version: str = "v1", **more: Any) -> dict[str, Any]:
    return {"apiVersion": version, "kind": kind, "metadata": {"name": name, **more}}


def question(person: Any, old: list[Any], new: list[Any], installer: Any = None, **more: Any) -> Question:
    before, after = objects.by_key(old, "binder"), objects.by_key(new, "binder")
    given: dict[str, Any] = {
        "person": person,
        "installer": installer or person,
        "release": "hub",
        "namespace": "binder",
        "made": True,
        "old": before,
        "new": after,
        "changes": objects.changes(before, after),
        "next_record": 4,
    }
    return Question(**{**given, **more})


def asked(person: Any, old: list[Any], new: list[Any], **more: Any) -> Findings:
    return run(server.ask(question(person, old, new, **more)))


def reasons(findings: Findings) -> list[str]:
    return [f"{r.about}: {r.reason}" for r in findings.refusals]


def forbidden(what: str) -> Answer:
    return Answer(1, "", f'Error from server (Forbidden): {what} is forbidden: User "me" cannot list resource\n')


# --- Helm's records -----------------------------------------------------------------------------------------------


def test_the_records_are_read_as_the_person_and_only_if_need_be_as_tiller() -> None:
    items = Answer(0, json.dumps({"items": [secret(3, "deployed")]}), "")
    person, tiller = Kubectl({("get",): items}), Kubectl()
    assert run(server.history(person, tiller, "hub", "binder")).newest == 3  # type: ignore[arg-type]
    assert tiller.asked == []
    person, tiller = Kubectl({("get",): forbidden("secrets")}), Kubectl({("get",): items})
    assert run(server.history(person, tiller, "hub", "binder")).newest == 3  # type: ignore[arg-type]


def test_records_that_nobody_may_read_are_told_in_the_servers_words() -> None:
    person = Kubectl({("get",): forbidden("secrets")})
    with pytest.raises(LookError, match=r"secrets is forbidden"):
        run(server.history(person, person, "hub", "binder"))  # type: ignore[arg-type]


# --- who asks what ------------------------------------------------------------------------------------------------


def test_the_installer_asks_about_objects_and_the_person_about_pods() -> None:
    person, installer = Kubectl(), Kubectl()
    old, new = [plain("ConfigMap", "a")], [plain("ConfigMap", "a", labels={"x": "y"}), deployment("hub")]
    asked(person, old, new, installer=installer)
    assert [o["kind"] for o in installer.sent("create")] == ["Deployment", "Secret"]
    assert [o["kind"] for o in installer.sent("apply")] == ["ConfigMap"]
    assert [o["kind"] for o in person.sent("create")] == ["Pod"]
    assert person.sent("apply") == []
    verbs = {args[0] for args, _ in [*person.asked, *installer.asked] if "get" not in args}
    assert all("--dry-run=server" in args for args, _ in [*person.asked, *installer.asked] if args[0] in verbs)


def test_what_does_not_change_is_not_asked_about() -> None:
    person = Kubectl()
    asked(
        person, [deployment("hub"), plain("Secret", "a")], [deployment("hub"), plain("Secret", "a", labels={"b": "c"})]
    )
    assert [o["metadata"]["name"] for o in person.sent("apply")] == ["a"]
    assert [o for o in person.sent("create") if o["kind"] == "Pod"] == []


def test_helms_next_record_is_asked_about_as_well() -> None:
    person = Kubectl()
    asked(person, [], [plain("ConfigMap", "a")])
    (record,) = [o for o in person.sent("create") if o["kind"] == "Secret"]
    assert record["metadata"] == {"name": "sh.helm.release.v1.hub.v4", "namespace": "binder"}


def test_a_pod_is_asked_about_with_an_account_that_exists() -> None:
    person = Kubectl()
    asked(person, [], [deployment("hub", account="hub")])
    (pod,) = [o for o in person.sent("create") if o["kind"] == "Pod"]
    assert pod["metadata"]["name"] == "hub-preview"
    assert pod["spec"]["serviceAccountName"] == "default"


@pytest.mark.parametrize("made", [True, False])
def test_a_priority_class_that_the_release_brings_is_not_missed(made: bool) -> None:
    person, new = Kubectl(), deployment("hub")
    new["spec"]["template"]["spec"]["priorityClassName"] = "hub-default"
    brought = [plain("PriorityClass", "hub-default", "scheduling.k8s.io/v1")] if made else []
    asked(person, [], [new, *brought])
    (pod,) = [o for o in person.sent("create") if o["kind"] == "Pod"]
    assert ("priorityClassName" in pod["spec"]) is not made


def test_a_workload_without_pods_has_none_to_ask_about() -> None:
    person = Kubectl()
    asked(person, [], [deployment("hub", replicas=0)])
    assert [o for o in person.sent("create") if o["kind"] == "Pod"] == []


# --- a namespace that is still to be made -------------------------------------------------------------------------

QUOTA = (
    'Error from server (Forbidden): error when creating "STDIN": {} is forbidden: exceeded quota: q, requested: x=1\n'
)


def test_a_namespace_still_to_be_made_is_asked_about_in_default_under_names_of_its_own() -> None:
    person = Kubectl()
    role = plain("ClusterRole", "hub-scheduler", "rbac.authorization.k8s.io/v1")
    asked(person, [], [plain("ConfigMap", "a", namespace="binder"), role], made=False)
    names = {(o["kind"], o["metadata"]["name"], o["metadata"].get("namespace")) for o in person.sent("create")}
    assert {("ConfigMap", "a-preview", "default"), ("ClusterRole", "hub-scheduler", None)} <= names


def test_what_default_alone_would_refuse_is_left_out_there() -> None:
    text = QUOTA.format('configmaps "a-preview"') + QUOTA.format('clusterroles.rbac.authorization.k8s.io "b"')
    person = Kubectl({("create", "name"): Answer(1, "", text)})
    new = [plain("ConfigMap", "a"), plain("ClusterRole", "b", "rbac.authorization.k8s.io/v1")]
    assert [r.about for r in asked(person, [], new, made=False).refusals] == ["ClusterRole/b"]
    assert [r.about for r in asked(person, [], [plain("ConfigMap", "a-preview"), new[1]]).refusals] == [
        "ConfigMap/a-preview",
        "ClusterRole/b",
    ]


def test_a_hook_is_made_anew_each_time_so_it_is_asked_about_by_another_name() -> None:
    person = Kubectl()
    hook = plain("Job", "puller", "batch/v1", annotations={"helm.sh/hook": "pre-upgrade"})
    asked(person, [hook], [{**hook, "spec": {}}, plain("Secret", "a")])
    assert "puller" not in [o["metadata"]["name"] for o in [*person.sent("apply"), *person.sent("create")]]


# --- what the answers come to -------------------------------------------------------------------------------------


def test_a_refused_change_counts_only_if_the_whole_object_is_refused_too() -> None:
    text = (
        'Error from server (Invalid): Deployment.apps "hub" is invalid: spec.a: Invalid value: 1\n'
        'Error from server (Invalid): Service "hub" is invalid: spec.b: Invalid value: 2\n'
    )
    person = Kubectl({("apply",): Answer(1, "", text), ("replace",): Answer(1, "deployment.apps/hub\n", "")})
    old = [deployment("hub"), plain("Service", "hub")]
    new = [deployment("hub", paused=True), plain("Service", "hub", labels={"a": "b"})]
    assert [r.about for r in asked(person, old, new).refusals] == ["Service/hub"]
    assert len(person.sent("replace")) == 2


def test_what_tiller_may_not_do_is_not_asked_again() -> None:
    text = 'Error from server (Forbidden): secrets "a" is forbidden: User "tiller" cannot patch resource "secrets"\n'
    person = Kubectl({("apply",): Answer(1, "", text)})
    found = asked(person, [plain("Secret", "a")], [plain("Secret", "a", labels={"b": "c"})])
    assert [r.about for r in found.refusals] == ["Secret/a"]
    assert person.sent("replace") == []


EXISTS = 'Error from server (AlreadyExists): error when creating "STDIN": secrets "a" already exists\n'
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
    live = json.dumps(plain("Secret", "a", annotations=notes, labels=labels))
    person = Kubectl({("create", "name"): Answer(1, "", EXISTS), ("get", "Secret", "a"): Answer(0, live, "")})
    found = reasons(asked(person, [], [plain("Secret", "a")]))
    assert [told in text for text in found] == ([True] if told else [])


def test_a_policy_that_cannot_be_asked_is_a_warning() -> None:
    text = 'Error from server (BadRequest): admission webhook "a.b" does not support dry run\n'
    found = asked(Kubectl({("create", "name"): Answer(1, "", text)}), [], [plain("Secret", "a")])
    assert found.refusals == []
    assert found.warnings == ['a policy could not be asked: admission webhook "a.b" does not support dry run']


@pytest.mark.parametrize("pods", ['pods "hub-preview"', "pods"])
def test_who_may_make_no_pods_learns_nothing_of_them(pods: str) -> None:
    text = f'Error from server (Forbidden): {pods} is forbidden: User "me" cannot create resource "pods"\n'
    assert asked(Kubectl({("create", "Pod"): Answer(1, "", text)}), [], [deployment("hub")]).refusals == []


def test_a_fault_whose_object_the_server_does_not_name_is_asked_about_alone() -> None:
    text = 'Error from server (BadRequest): Deployment in version "v1" cannot be handled as a Deployment: wrong\n'

    class Alone(Kubectl):
        async def __call__(self, *args: str, stdin: str = "") -> Answer:
            await super().__call__(*args, stdin=stdin)
            names = [item["metadata"]["name"] for item in self.asked[-1][1] if item["kind"] == "Deployment"]
            return Answer(1, "", text) if "hub" in names else OK

    found = asked(Alone(), [], [deployment("binder"), deployment("hub")])
    assert [r.about for r in found.refusals] == ["Deployment/hub"]


def test_a_full_quota_has_room_for_a_pod_whose_predecessor_goes_first() -> None:
    text = QUOTA.format('pods "hub-preview"') + QUOTA.format('pods "proxy-preview"')
    old = [deployment("hub", strategy={"type": "Recreate"}), deployment("proxy")]
    new = json.loads(json.dumps(old).replace('"image": "a"', '"image": "b"'))
    found = asked(Kubectl({("create", "Pod"): Answer(1, "", text)}), old, new)
    assert [r.about for r in found.refusals] == ["Deployment/proxy (its pods)"]


def test_a_quota_is_reckoned_over_all_objects_and_not_said_twice() -> None:
    hard = {"pods": "2", "services": "0", "secrets": "1", "limits.memory": "2Gi"}
    quota = plain("ResourceQuota", "q") | {"spec": {"hard": hard}, "status": {"used": {}}}
    limits = plain("LimitRange", "l") | {"spec": {"limits": [{"type": "Container", "default": {"memory": "1Gi"}}]}}
    said = QUOTA.format('services "s"').replace("x=1", "services=1")
    answers = {
        ("get", LIMITING): Answer(0, json.dumps({"items": [quota, limits]}), ""),
        ("create", "Service"): Answer(1, "", said),
    }
    new = [*map(deployment, "abc"), plain("Secret", "s"), plain("Service", "s") | {"spec": {}}]
    found = reasons(asked(Kubectl(answers), [], new))
    assert "exceeded quota: q, requested: services=1" in found[0]
    assert found[1:] == [
        "ResourceQuota/q: 3 new pods do not fit: 2 allowed, 0 in use",
        "ResourceQuota/q: 2 new secrets do not fit: 1 allowed, 0 in use",  # one is Helm's own record
        "ResourceQuota/q: 3Gi new limits.memory do not fit: 2Gi allowed, 0 in use",
    ]


@pytest.mark.parametrize(("number", "secrets"), [(1, 1), (10, 1), (11, 0)])
def test_helm_makes_room_for_a_record_before_it_keeps_too_many(number: int, secrets: int) -> None:
    person = Kubectl()
    asked(person, [], [plain("ConfigMap", "a")], next_record=number)
    assert [o["kind"] for o in person.sent("create")] == ["ConfigMap", *["Secret"] * secrets]


def test_limits_that_may_not_be_read_are_no_limits() -> None:
    quota = plain("ResourceQuota", "q") | {"spec": {"hard": {"pods": "0"}}}
    for got in (forbidden("limitranges"), Answer(1, json.dumps({"items": [quota]}), "limitranges is forbidden")):
        found = asked(Kubectl({("get", LIMITING): got}), [], [deployment("hub")])
        assert len(found.refusals) == bool(got.out)


def test_a_daemon_set_on_no_node_is_a_warning_since_helm_is_content() -> None:
    node = plain("Node", "n") | {"spec": {}, "status": {"allocatable": {"memory": "1Gi"}}}
    person = Kubectl({("get", "nodes"): Answer(0, json.dumps({"items": [node]}), "")})
    new = {**deployment("hub"), "kind": "DaemonSet"}
    new["spec"]["template"]["spec"]["nodeSelector"] = {"pool": "users"}
    found = asked(person, [], [new])
    assert found.refusals == []
    assert found.warnings == ["DaemonSet/hub would have no pod: no node has the labels {'pool': 'users'}"]
    spec = new["spec"]["template"]["spec"]
    spec |= {"nodeSelector": {}, "containers": [{"resources": {"requests": {"memory": "2Gi"}}}]}
    found = asked(person, [], [new])
    assert "a pod asks for 2Gi memory, the largest node has 1Gi" in reasons(found)[0]
    assert found.warnings == []


def test_the_hubs_own_pods_are_warned_of_and_do_not_stop_the_release() -> None:
    text = 'Error from server (Forbidden): pods "users-server-preview" is forbidden: violates PodSecurity "x"\n'
    node = plain("Node", "n") | {"spec": {}, "status": {"allocatable": {}}}
    answers = {
        ("create", "Pod"): Answer(1, "", text),
        ("get", "nodes"): Answer(0, json.dumps({"items": [node]}), ""),
    }
    pod = {"spec": {"containers": [], "nodeSelector": {"pool": "users"}}}
    found = asked(Kubectl(answers), [], [plain("Secret", "a")], launched={"users-server": pod})
    assert found.refusals == []
    assert [w.partition(":")[0] for w in found.warnings] == [
        "every users-server would be refused",
        "no users-server can be scheduled",
    ]


def test_pools_that_may_be_empty_are_not_looked_at() -> None:
    node = plain("Node", "n") | {"spec": {}, "status": {"allocatable": {}}}
    answers = {("get", "nodes"): Answer(0, json.dumps({"items": [node]}), "")}
    new = deployment("hub")
    new["spec"]["template"]["spec"]["nodeSelector"] = {"pool": "core"}
    assert reasons(asked(Kubectl(answers), [], [new])) == [
        "Deployment/hub: its pods cannot be scheduled: no node has the labels {'pool': 'core'}"
    ]
    assert reasons(asked(Kubectl(answers), [], [new], empty_pools=True)) == []


def test_what_may_not_be_looked_at_is_named() -> None:
    found = asked(Kubectl({("get", "nodes"): forbidden("nodes")}), [], [plain("Secret", "a")])
    assert found.refusals == []
    assert found.warnings == ['not looked at: nodes is forbidden: User "me" cannot list resource']


def test_what_pods_need_in_a_namespace_still_to_be_made_is_a_warning() -> None:
    new = deployment("hub")
    new["spec"]["template"]["spec"]["imagePullSecrets"] = [{"name": "mine"}]
    told = "Deployment/hub: pull secret mine does not exist, and its pods need it"
    found = asked(Kubectl(), [], [new])
    assert (reasons(found), found.warnings) == ([told], [])
    found = asked(Kubectl(), [], [new], made=False)
    assert (reasons(found), found.warnings) == ([], [told])


def test_an_old_claim_may_name_a_class_that_is_gone() -> None:
    claim = plain("PersistentVolumeClaim", "db") | {"spec": {"storageClassName": "gone"}}
    nothing = Answer(0, json.dumps({"items": []}), "")
    changed = {**claim, "metadata": {"name": "db", "labels": {"a": "b"}}}
    assert asked(Kubectl({("get", "nodes"): nothing}), [claim], [changed]).refusals == []
    claim["spec"]["resources"] = {"requests": {"storage": "1Gi"}}
    kinds = "nodes,storageclasses,persistentvolumes"
    assert len(asked(Kubectl({("get", kinds): nothing}), [], [claim]).refusals) == 1


# --- what Pulumi makes beside the release --------------------------------------------------------------------------

ACCOUNT = plain("ServiceAccount", "tiller", namespace="kube-system")
LOADBALANCER = plain("Service", "external", namespace="binder") | {"spec": {"type": "LoadBalancer"}}


def test_what_pulumi_makes_beside_the_release_is_asked_about_as_the_person() -> None:
    person, installer = Kubectl(), Kubectl()
    asked(person, [], [plain("ConfigMap", "a")], installer=installer, own=[ACCOUNT, LOADBALANCER])
    sent = [(o["kind"], o["metadata"]["namespace"]) for o in person.sent("create")]
    assert sent == [("ServiceAccount", "kube-system"), ("Service", "binder")]


def test_it_counts_for_quotas_unless_it_is_there() -> None:
    quota = plain("ResourceQuota", "q") | {"spec": {"hard": {"services.loadbalancers": "0"}}, "status": {}}
    quotas = Answer(0, json.dumps({"items": [quota]}), "")
    found = asked(Kubectl({("get", LIMITING): quotas}), [], [plain("ConfigMap", "a")], own=[LOADBALANCER])
    assert reasons(found) == ["ResourceQuota/q: 1 new services.loadbalancers do not fit: 0 allowed, 0 in use"]
    exists = 'Error from server (AlreadyExists): error when creating "STDIN": services "external" already exists\n'
    answers = {("get", LIMITING): quotas, ("create", "name"): Answer(1, "", exists)}
    assert reasons(asked(Kubectl(answers), [], [plain("ConfigMap", "a")], own=[LOADBALANCER])) == []


def test_a_namespace_for_tiller_that_is_not_there() -> None:
    text = 'Error from server (NotFound): error when creating "STDIN": namespaces "nowhere" not found\n'
    person = Kubectl({("create", "name"): Answer(1, "", text)})
    found = asked(person, [], [plain("ConfigMap", "a")], installer=Kubectl(), own=[ACCOUNT], made=False)
    assert reasons(found) == [': namespaces "nowhere" not found']


# --- a role that is not bound yet ---------------------------------------------------------------------------------


def of_role(**answers: Answer) -> list[str]:
    words = {"role": ("get", "clusterrole"), "bindings": ("clusterrolebindings,rolebindings",), "acting": ("can-i",)}
    person = Kubectl({words[name]: answer for name, answer in answers.items()})
    return [r.reason for r in run(server.of_role(person, TILLER, [deployment("hub")]))]  # type: ignore[arg-type]


VIEW = Answer(0, json.dumps({"rules": [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["get", "list"]}]}), "")
NO_BINDINGS = Answer(0, json.dumps({"items": []}), "")


def test_a_role_that_is_too_small() -> None:
    (told,) = of_role(role=VIEW, bindings=NO_BINDINGS, acting=Answer(0, "yes\n", ""))
    assert told.startswith("tiller's role view is too small for this chart: it cannot create")
    assert "deployments.apps" in told


def test_a_role_that_is_not_there() -> None:
    missing = Answer(1, "", 'Error from server (NotFound): clusterroles "view" not found\n')
    assert of_role(role=missing, bindings=NO_BINDINGS) == [
        "cluster role view does not exist, so tiller would have no rights"
    ]


def test_whose_rights_cannot_be_read_is_given_the_benefit_of_the_doubt() -> None:
    assert of_role(role=forbidden("clusterroles"), bindings=NO_BINDINGS) == []
    assert of_role(role=VIEW, bindings=forbidden("bindings")) == []


def test_who_may_not_act_as_tiller_is_told() -> None:
    (told,) = of_role(role=forbidden("clusterroles"), bindings=NO_BINDINGS, acting=Answer(1, "no\n", ""))
    assert told == "you cannot impersonate serviceaccounts/tiller, and the release is installed as tiller"


def test_changes_are_what_they_are_called() -> None:
    q = question(Kubectl(), [plain("Secret", "a")], [plain("Secret", "b")])
    assert list(q.changes) == [Change(Key("Secret", "a"), "deleted"), Change(Key("Secret", "b"), "new")]
    assert list(q.fresh) == list(q.touched) == [Key("Secret", "b")]


# --- what goes, and what is there already -------------------------------------------------------------------------


def test_what_cannot_be_deleted_is_left_behind_and_stops_nobody() -> None:
    text = 'Error from server (Forbidden): secrets "a" is forbidden: no\n'
    person, installer = Kubectl(), Kubectl({("delete", "--dry-run=server"): Answer(1, "", text)})
    found = asked(person, [plain("Secret", "a"), plain("Secret", "b")], [plain("Secret", "b")], installer=installer)
    assert found.refusals == []
    assert found.warnings == ['Secret/a would be left behind: secrets "a" is forbidden: no']
    assert [o["metadata"]["name"] for o in installer.sent("delete")] == ["a"]


def test_what_helm_keeps_by_itself_is_not_asked_about() -> None:
    person = Kubectl()
    asked(person, [plain("Secret", "a", annotations={"helm.sh/resource-policy": "keep"})], [plain("Secret", "b")])
    assert person.sent("delete") == []


def test_what_is_there_is_taken_over_unless_somebody_else_set_it_otherwise() -> None:
    exists = 'Error from server (AlreadyExists): error when creating "STDIN": services "external" already exists\n'
    conflict = (
        'error: Apply failed with 1 conflict: conflict with "kubectl-client-side-apply" using v1: .spec.type\n'
        "Please review the fields above--they currently have other managers. Here\nare the ways\n"
    )
    answers = {("create", "name"): Answer(1, "", exists), ("apply", "--server-side"): Answer(1, "", conflict)}
    person = Kubectl(answers)
    found = asked(person, [], [plain("ConfigMap", "a")], installer=Kubectl(), own=[ACCOUNT, LOADBALANCER])
    assert [r.about for r in found.refusals] == ["Service/external"]
    assert found.refusals[0].reason == (
        "Service/external exists already, and is not like this stack's: Apply failed with 1 conflict: "
        'conflict with "kubectl-client-side-apply" using v1: .spec.type'
    )
    assert [o["kind"] for o in person.sent("apply")] == ["Service"]
    del answers["apply", "--server-side"]
    assert (
        reasons(asked(Kubectl(answers), [], [plain("ConfigMap", "a")], installer=Kubectl(), own=[LOADBALANCER])) == []
    )


# --- what pods refer to -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("several", [False, True])
def test_entries_are_looked_for_in_what_is_there_and_in_what_the_release_brings(several: bool) -> None:
    mine = plain("Secret", "mine") | {"data": {"token": "t0p"}}
    printed = json.dumps({"kind": "List", "items": [mine]} if several else mine)
    env = [{"valueFrom": {"secretKeyRef": {"name": name, "key": "tokn"}}} for name in ("mine", "own")]
    new = deployment("hub")
    new["spec"]["template"]["spec"]["containers"] = [{"env": env}]
    own = plain("Secret", "own") | {"data": {"tokn": ""}}
    person = Kubectl({("get", "secret/mine"): Answer(0, printed, "")})
    why = "Deployment/hub: secret mine has no key tokn, and its pods need it (it has: token)"
    assert reasons(asked(person, [], [new, own])) == [why]


def test_what_the_hubs_own_pods_miss_is_a_warning() -> None:
    pod = {"spec": {"containers": [], "imagePullSecrets": [{"name": "nope"}], "serviceAccountName": "users"}}
    found = asked(Kubectl(), [], [plain("ServiceAccount", "users")], launched={"build": pod})
    assert found.refusals == []
    assert found.warnings == ["every build: pull secret nope does not exist, and its pods need it"]


def test_an_object_without_its_form_is_left_to_the_server() -> None:
    """Whatever else is looked at leaves it out, for it would stumble."""
    ill, well = deployment("hub"), deployment("proxy")
    ill["spec"]["template"]["spec"] = {"containers": [{"resources": {"limits": "4Gi"}}], "tolerations": {"key": "a"}}
    for one in (ill, well):
        one["spec"]["template"]["spec"]["nodeSelector"] = {"a": "b"}
    node = plain("Node", "n") | {"spec": {}, "status": {"allocatable": {}}}
    text = 'Error from server (BadRequest): Deployment in version "v1" cannot be handled as a Deployment: json: no\n'
    answers = {("get", "nodes"): Answer(0, json.dumps({"items": [node]}), ""), ("create", "name"): Answer(1, "", text)}
    person = Kubectl(answers)
    found = asked(person, [], [ill, well], installer=person, launched={"build": ill["spec"]["template"]})
    assert "Deployment/proxy: its pods cannot be scheduled: no node has the labels {'a': 'b'}" in reasons(found)
    assert "Deployment/hub: " + text.partition(": ")[2].strip() in reasons(found)
    assert "Pod/hub-preview" not in str(person.sent("create"))

"""What `python -m operations drift` collects and prints. tests/engine/test_drift.py changes real objects."""

import json
from dataclasses import replace
from typing import Any

import pytest

from kube.manifests import ObjectKey
from operations.drift.collect import NO_RIGHT, DriftReport, collect
from operations.drift.command import as_json, as_text
from operations.drift.compare import MANAGER, Difference
from operations.errors import BlockedError
from tests.unit.fake_api import FakeApi, refused
from tests.unit.operations.stack import ACCOUNT, RELEASE, STATE, exported, history

TILLER = ObjectKey("ServiceAccount", "tiller", "kube-system")
HUB = ObjectKey("ConfigMap", "hub")
HELMS = ObjectKey("Release", "hub")
CONFIG = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "hub"}, "data": {"a": "hunter2", "b": "x"}}
RECORDS, OWN = ("GET", "Secret", ""), ("GET", "ServiceAccount", "tiller")
LIVE, DRY_RUN = ("GET", "ConfigMap", "hub"), ("PATCH", "ConfigMap", "hub")


def changed(value: str, **managers: str) -> dict[str, Any]:
    """The ConfigMap with other data; `managers` have set these keys."""
    fields = [{"manager": who, "fieldsV1": {"f:data": {f"f:{key}": {}}}} for key, who in managers.items()]
    return {**CONFIG, "metadata": {"name": "hub", "managedFields": fields}, "data": {"a": value, "b": "y"}}


def cluster(*more: tuple[tuple[str, str, str], Any], unknown: tuple[str, ...] = ()) -> FakeApi:
    """A cluster in which all is as it was deployed, but for what is given."""
    records = history("deployed", manifest=json.dumps(CONFIG))
    return FakeApi({RECORDS: records, LIVE: CONFIG, OWN: ACCOUNT, **dict(more)}, unknown)


def test_nothing_differs_and_nothing_is_changed() -> None:
    api = cluster()
    found = collect(STATE, api)
    assert (found.count, list(found.drift), found.unread, found.refused) == (2, [], {}, {})
    assert (found.release, found.timeout, set(found.own)) == ("binder/hub", 900, {TILLER})
    assert api.asked[0].query == {"labelSelector": "owner=helm,name=hub"}
    sent = [one for one in api.asked if one.method != "GET"]
    assert {one.namespace for one in sent} == {"binder", "kube-system"}
    applied = {"fieldManager": MANAGER, "force": "true", "dryRun": "All"}
    assert [(one.method, one.query) for one in sent] == [("PATCH", applied)] * 2


def test_objects_are_compared_as_helm_installs_them_and_the_api_takes_them() -> None:
    secret = {**CONFIG, "kind": "Secret", "stringData": {"b": "c"}}
    role = {**CONFIG, "kind": "ClusterRole", "metadata": {"name": "hub", "labels": {"app": "x"}}}
    hook = {**CONFIG, "kind": "Job", "metadata": {"name": "x", "annotations": {"helm.sh/hook": "pre-upgrade"}}}
    manifest = "\n---\n".join(map(json.dumps, (secret, role, hook)))
    api = cluster((RECORDS, history("deployed", manifest=manifest)), (("GET", "*", "hub"), CONFIG))
    collect(STATE, api)
    sent = {one.kind: one.body for one in api.asked if one.method == "PATCH"}
    owner = {"meta.helm.sh/release-name": "hub", "meta.helm.sh/release-namespace": "binder"}
    marks = {"labels": {"app.kubernetes.io/managed-by": "Helm"}, "annotations": owner}
    assert sent["Secret"]["metadata"] == {"name": "hub", "namespace": "binder", **marks}
    assert sent["Secret"].keys() == CONFIG.keys()
    assert sent["Secret"]["data"] == {"a": "hunter2", "b": "Yw=="}
    assert sent["ClusterRole"]["metadata"] == {"name": "hub", **marks, "labels": {"app": "x", **marks["labels"]}}
    assert (sent["ServiceAccount"], len(sent)) == (ACCOUNT, 3)


def test_what_the_server_makes_of_what_was_deployed_is_expected() -> None:
    applied, edited = changed("by a webhook", a=MANAGER, b="kubectl"), changed("by a webhook", a="kubectl-edit")
    assert not collect(STATE, cluster((DRY_RUN, applied), (LIVE, edited))).drift
    assert [one.field for one in collect(STATE, cluster((DRY_RUN, applied))).drift] == ["data[a]"]


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (refused("Forbidden", "x"), NO_RIGHT),
        (refused("Invalid", 'a: "hunter2" is bad', ("data[a]", 'value: "hunter2"')), "data[a]: FieldValueInvalid"),
        (refused("Invalid", 'a webhook says: "hunter2": no'), "a webhook says"),
    ],
)
def test_a_refusal_is_told_without_values_and_what_users_set_is_compared(answer: Any, why: str) -> None:
    live = changed("c", a="kubectl-edit", b="pulumi-resource-kubernetes")
    found = collect(STATE, cluster((DRY_RUN, answer), (LIVE, live)))
    assert found.refused == {HUB: why}
    assert [(one.field, one.change, one.masked) for one in found.drift] == [("data[a]", "changed", True)]


GOING = {**ACCOUNT, "metadata": {**ACCOUNT["metadata"], "deletionTimestamp": "2026-11-23T09:12:04Z"}}


@pytest.mark.parametrize(
    ("api", "why"),
    [
        (cluster((LIVE, refused("Forbidden", "not yours")), (OWN, refused("NotFound"))), "not yours"),
        (cluster((OWN, GOING), unknown=("ConfigMap",)), 'no matches for kind "ConfigMap" in version "v1"'),
    ],
)
def test_what_cannot_be_read_is_named_and_the_rest_is_compared(api: FakeApi, why: str) -> None:
    found = collect(STATE, api)
    assert (found.count, found.unread) == (1, {"ConfigMap/hub": why})
    assert found.drift == [Difference(TILLER, "", "deleted")]


def test_a_release_that_somebody_removed_or_upgraded_with_helm_itself() -> None:
    assert collect(STATE, cluster((RECORDS, []))).drift == [Difference(HELMS, "", "deleted")]
    again = cluster((RECORDS, history("superseded", "deployed")))
    assert collect(STATE, again).drift == [Difference(HELMS, "revision", "changed", 1, 2)]
    # The last `up` has failed: Pulumi knows another revision than the one that is deployed.
    assert not collect(exported({**RELEASE, "initErrors": ["x"]}), again).drift


@pytest.mark.parametrize("statuses", [["deployed", "pending-upgrade"], ["failed"], ["uninstalling"], ["uninstalled"]])
def test_a_release_without_a_good_end_is_an_error(statuses: list[str]) -> None:
    with pytest.raises(BlockedError, match=f"release binder/hub is {statuses[-1]}(.|\n)*expected: .*recovery"):
        collect(STATE, cluster((RECORDS, history(*statuses))))


@pytest.mark.parametrize("state", [exported(), exported({**RELEASE, "delete": True}), {"deployment": {}}])
def test_a_stack_without_a_release_is_an_error(state: Any) -> None:
    with pytest.raises(BlockedError, match=r"this stack has no release in its state(.|\n)*pulumi up"):
        collect(state, cluster())


SERVICE, DEPLOYMENT = ObjectKey("Service", "address"), ObjectKey("Deployment", "hub")
FOUND = DriftReport(
    release="binder/hub", context="minikube", timeout=900, count=29, drift=[], own=[SERVICE], unread={}, refused={}
)


def told(*drift: Difference, **more: Any) -> str:
    return as_text("dev", replace(FOUND, drift=drift, **more))


LINES = {
    "spec.replicas: 1 -> 3  (kubectl, 2026-11-23 09:12 UTC)":
        Difference(DEPLOYMENT, "spec.replicas", "changed", 1, 3, by="kubectl", at="2026-11-23T09:12:04Z"),
    'metadata.labels[a]: "x" -> nothing': Difference(DEPLOYMENT, "metadata.labels[a]", "removed", "x"),
    f'metadata.labels[b]: nothing -> "{"y" * 79}...  (kubectl)':
        Difference(DEPLOYMENT, "metadata.labels[b]", "added", None, "y" * 100, by="kubectl"),
    "spec.env[A]: was added": Difference(DEPLOYMENT, "spec.env[A]", "added"),
    "spec.env[B].value: differs, not shown": Difference(DEPLOYMENT, "spec.env[B].value", "changed", masked=True),
    "data[c]: was removed, not shown": Difference(DEPLOYMENT, "data[c]", "removed", masked=True),
    'verbs: has ["c"] too, lacks ["a"]': Difference(DEPLOYMENT, "verbs", "changed", ["a", "b"], ["b", "c"]),
    "args: has another order": Difference(DEPLOYMENT, "args", "changed", ["a", "b"], ["b", "a"]),
}  # fmt: skip


def test_one_line_for_each_field_below_its_object() -> None:
    head, first, second, advice = told(*LINES.values(), Difference(HUB, "", "deleted")).split("\n\n")
    assert head == "9 differences at 2 of 29 objects: stack dev, release binder/hub, cluster minikube."
    assert first.splitlines() == ["Deployment/hub", *(f"  {line}" for line in LINES)]
    assert second.splitlines() == ["ConfigMap/hub", "  was deleted"]
    assert [line[:8] for line in advice.splitlines()] == ["`pulumi ", "What Hel", "What was"]


STAYS = "What was added stays until you take it out: `kubectl -n binder edit KIND/NAME`"
REFRESH = "Service/address: `pulumi up --refresh --stack dev`"
FORCE = "Service/address: `PULUMI_K8S_ENABLE_PATCH_FORCE=true pulumi up --refresh --skip-preview --stack dev`"
UPGRADE = (
    "What Helm installed: its next upgrade puts it back. "
    "To have one: `pulumi config set timeout 901 --stack dev`, then `pulumi up --stack dev`"
)
GONE, OTHER = Difference(SERVICE, "", "deleted"), Difference(SERVICE, "spec.type", "changed", "a", "b")


@pytest.mark.parametrize(
    ("drift", "line"),
    [
        ([GONE], REFRESH),
        ([Difference(HELMS, "", "deleted")], REFRESH.replace("Service/address", "Release/hub")),
        ([OTHER], FORCE),
        ([GONE, OTHER], FORCE),
        ([Difference(SERVICE, "subjects", "changed", ["a"], ["a", "b"])], STAYS),
        ([Difference(SERVICE, "subjects", "changed", ["a", "c"], ["a", "b"])], FORCE),
        ([Difference(DEPLOYMENT, "metadata.labels[a]", "added", None, "b")], STAYS),
        ([Difference(DEPLOYMENT, "rules", "changed", ["a"], ["a", "b"])], UPGRADE),
        ([Difference(HELMS, "revision", "changed", 3, 4)], UPGRADE),
    ],
)
def test_what_puts_a_difference_back(drift: list[Difference], line: str) -> None:
    first, *rest = told(*drift).split("\n\n")[-1].splitlines()
    assert first.startswith("`pulumi up --stack dev` alone undoes nothing")
    assert rest == [line]


@pytest.mark.parametrize(("key", "why", "first"), [(HUB, "bad", True), (HUB, NO_RIGHT, False), (HELMS, "bad", False)])
def test_what_differs_and_is_refused_must_be_put_right_first(key: ObjectKey, why: str, first: bool) -> None:
    text = told(Difference(HUB, "x", "changed", 1, 2), refused={key: why})
    assert text.count("put it right by hand") == text.count("\nConfigMap/hub: put it right") == first


def test_the_json_of_the_report() -> None:
    parts = {"drift": [Difference(DEPLOYMENT, "", "deleted")], "unread": {"Role/hub": "no"}, "refused": {HUB: NO_RIGHT}}
    nothing = {"expected": None, "found": None, "masked": False, "by": None, "at": None}
    assert json.loads(as_json("dev", replace(FOUND, **parts))) == {
        "stack": "dev", "release": "binder/hub", "unread": {"Role/hub": "no"}, "refused": {"ConfigMap/hub": NO_RIGHT},
        "drift": [{"object": "Deployment/hub", "field": "", "change": "deleted", **nothing}],
    }  # fmt: skip

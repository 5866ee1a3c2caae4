"""What `python -m operations drift` collects and prints. tests/engine/test_drift.py changes real objects."""

import json
from dataclasses import replace
from typing import Any

import pytest

from kube.manifests import ObjectKey
from operations.drift import expected, report
from operations.drift.collect import NO_RIGHT, DriftReport, collect
from operations.drift.compare import Difference
from operations.errors import BlockedError
from tests.unit.fake_api import FakeApi, refused
from tests.unit.operations.records import history

TIME = "2026-11-23T09:12:04Z"
DEPLOYMENT = ObjectKey("Deployment", "hub")
TILLER = ObjectKey("ServiceAccount", "tiller", "kube-system")
HUB = ObjectKey("ConfigMap", "hub")
RELEASE = {
    "type": "kubernetes:helm.sh/v3:Release",
    "inputs": {"name": "hub", "namespace": "binder", "timeout": 900},
    "outputs": {"status": {"revision": 1}},
}
ACCOUNT = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "tiller", "namespace": "kube-system"}}
CONFIG = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "hub"}, "data": {"a": "hunter2"}}
MANIFEST = json.dumps(CONFIG)
FIELDS = {"f:data": {"f:a": {}}}
RECORDS, LIVE, DRY_RUN = ("GET", "Secret", ""), ("GET", "ConfigMap", "hub"), ("PATCH", "ConfigMap", "hub")


def exported(*resources: Any) -> dict[str, Any]:
    return {"deployment": {"resources": list(resources)}}


STATE = exported(RELEASE, {"type": "kubernetes:core/v1:ServiceAccount", "inputs": ACCOUNT})


def changed(value: str) -> dict[str, Any]:
    """The ConfigMap, in which a user has set another value."""
    managed = [{"manager": "kubectl-edit", "fieldsV1": FIELDS}]
    return {**CONFIG, "metadata": {"name": "hub", "managedFields": managed}, "data": {"a": value}}


def cluster(*more: tuple[tuple[str, str, str], Any], unknown: tuple[str, ...] = ()) -> FakeApi:
    """A cluster in which all is as it was deployed, but for what is given."""
    usual = {
        RECORDS: history("deployed", manifest=MANIFEST),
        LIVE: CONFIG,
        ("GET", "ServiceAccount", "tiller"): ACCOUNT,
    }
    return FakeApi({**usual, **dict(more)}, unknown)


def test_nothing_differs_and_every_question_is_one_request() -> None:
    api = cluster()
    found = collect(STATE, api)
    assert (found.count, list(found.drift), found.unread, found.refused) == (2, [], {}, {})
    assert (found.release, found.timeout, set(found.own)) == ("binder/hub", 900, {TILLER})
    assert api.asked[0].query == {"labelSelector": "owner=helm,name=hub"}
    applied = {"fieldManager": expected.MANAGER, "force": "true", "dryRun": "All"}
    asked = sorted(((one.method, one.kind, one.namespace, one.query) for one in api.asked[1:]), key=str)
    assert asked == [
        ("GET", "ConfigMap", "binder", {}), ("GET", "ServiceAccount", "kube-system", {}),
        ("PATCH", "ConfigMap", "binder", applied), ("PATCH", "ServiceAccount", "kube-system", applied),
    ]  # fmt: skip


def test_what_helm_adds_to_its_objects_is_expected_of_them_and_of_no_other() -> None:
    api = cluster()
    collect(STATE, api)
    asked = {one.kind: one.body["metadata"] for one in api.asked if one.method == "PATCH"}
    owner = {"meta.helm.sh/release-name": "hub", "meta.helm.sh/release-namespace": "binder"}
    assert asked["ConfigMap"]["labels"] == {"app.kubernetes.io/managed-by": "Helm"}
    assert asked["ConfigMap"]["annotations"] == owner
    assert asked["ServiceAccount"].keys() == {"name", "namespace"}


def test_what_the_server_makes_of_what_was_deployed_is_expected() -> None:
    managed = [{"manager": expected.MANAGER, "fieldsV1": FIELDS}]
    applied = {**CONFIG, "metadata": {"name": "hub", "managedFields": managed}, "data": {"a": "by a webhook"}}
    assert not collect(STATE, cluster((DRY_RUN, applied), (LIVE, changed("by a webhook")))).drift
    assert [one.field for one in collect(STATE, cluster((DRY_RUN, applied))).drift] == ["data[a]"]


@pytest.mark.parametrize(
    ("api", "why"),
    [
        (cluster((LIVE, refused("Forbidden", "not yours"))), "not yours"),
        (cluster(unknown=("ConfigMap",)), 'no matches for kind "ConfigMap" in version "v1"'),
    ],
    ids=["no right", "no such type"],
)
def test_what_cannot_be_read_is_named_and_the_rest_is_compared(api: FakeApi, why: str) -> None:
    del api.answers["GET", "ServiceAccount", "tiller"]
    found = collect(STATE, api)
    assert (found.count, found.unread) == (1, {"ConfigMap/hub": why})
    assert found.drift == [Difference(TILLER, "", "deleted")]


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (refused("Forbidden", "x"), NO_RIGHT),
        (refused("Invalid", 'a: "hunter2" is bad', ("data[a]", 'value: "hunter2"')), "data[a]: FieldValueInvalid"),
        (refused("Invalid", 'a webhook says: "hunter2": no'), "a webhook says"),
    ],
    ids=["no right", "with causes", "in words alone"],
)
def test_what_the_server_would_not_apply_is_told_without_values_and_compared_all_the_same(
    answer: Any, why: str
) -> None:
    found = collect(STATE, cluster((DRY_RUN, answer), (LIVE, changed("c"))))
    assert found.refused == {HUB: why}
    assert [(one.field, one.change, one.masked) for one in found.drift] == [("data[a]", "changed", True)]


def test_a_release_that_somebody_removed_or_upgraded_with_helm_itself() -> None:
    assert collect(STATE, cluster((RECORDS, []))).drift == [Difference(ObjectKey("Release", "hub"), "", "deleted")]
    again = cluster((RECORDS, history("superseded", "deployed", manifest=MANIFEST)))
    assert [(one.field, one.expected, one.found) for one in collect(STATE, again).drift] == [("revision", 1, 2)]
    # The last `up` has failed: Pulumi knows another revision than the one that is deployed.
    assert not collect(exported({**RELEASE, "initErrors": ["x"]}), again).drift


@pytest.mark.parametrize("statuses", [["deployed", "pending-upgrade"], ["failed"], ["uninstalling"], ["uninstalled"]])
def test_a_release_without_a_good_end_is_an_error(statuses: list[str]) -> None:
    with pytest.raises(BlockedError, match=f"release binder/hub is {statuses[-1]}(.|\n)*expected: .*recovery"):
        collect(STATE, cluster((RECORDS, history(*statuses, manifest=MANIFEST))))


@pytest.mark.parametrize("state", [exported(), exported({**RELEASE, "delete": True}), {"deployment": {}}])
def test_a_stack_without_a_release_is_an_error(state: Any) -> None:
    with pytest.raises(BlockedError, match=r"this stack has no release in its state(.|\n)*pulumi up"):
        collect(state, cluster())


# How it reads

FOUND = DriftReport(
    release="binder/hub", context="minikube", timeout=900, count=29, drift=[], own=[ObjectKey("Service", "address")],
    unread={}, refused={},
)  # fmt: skip
SERVICE = ObjectKey("Service", "address")


def told(*drift: Difference, **more: Any) -> str:
    return report.as_text("dev", replace(FOUND, drift=drift, **more))


def test_one_line_for_each_field_below_its_object() -> None:
    text = told(
        Difference(DEPLOYMENT, "spec.replicas", "changed", 1, 3, by="kubectl", at=TIME),
        Difference(DEPLOYMENT, "metadata.labels[a]", "removed", "x"),
        Difference(DEPLOYMENT, "metadata.labels[b]", "added", None, "y" * 100, by="kubectl"),
        Difference(DEPLOYMENT, "spec.env[A]", "added"),
        Difference(DEPLOYMENT, "spec.env[B].value", "changed", masked=True),
        Difference(DEPLOYMENT, "verbs", "changed", ["a", "b"], ["b", "c"]),
        Difference(DEPLOYMENT, "args", "changed", ["a", "b"], ["b", "a"]),
        Difference(ObjectKey("Service", "proxy"), "", "deleted"),
    )
    head, first, second, advice = text.split("\n\n")
    assert head == "8 differences at 2 of 29 objects: stack dev, release binder/hub, cluster minikube."
    assert first.splitlines() == [
        "Deployment/hub",
        "  spec.replicas: 1 -> 3  (kubectl, 2026-11-23 09:12 UTC)",
        '  metadata.labels[a]: "x" -> nothing',
        f'  metadata.labels[b]: nothing -> "{"y" * 79}...  (kubectl)',
        "  spec.env[A]: was added",
        "  spec.env[B].value: differs, not shown",
        '  verbs: has ["c"] too, lacks ["a"]',
        "  args: has another order",
    ]
    assert second.splitlines() == ["Service/proxy", "  was deleted"]
    assert [line[:8] for line in advice.splitlines()] == ["`pulumi ", "What Hel", "What was"]


REMOVED = ObjectKey("Release", "hub")
STAYS = "What was added stays until you take it out: `kubectl -n binder edit KIND/NAME`"
REFRESH = "Service/address: `pulumi up --refresh --stack dev`"
FORCE = "Service/address: `PULUMI_K8S_ENABLE_PATCH_FORCE=true pulumi up --refresh --skip-preview --stack dev`"
UPGRADE = (
    "What Helm installed: its next upgrade puts it back. "
    "To have one: `pulumi config set timeout 901 --stack dev`, then `pulumi up --stack dev`"
)


@pytest.mark.parametrize(
    ("one", "line"),
    [
        (Difference(SERVICE, "", "deleted"), REFRESH),
        (Difference(REMOVED, "", "deleted"), REFRESH.replace("Service/address", "Release/hub")),
        (Difference(SERVICE, "spec.type", "changed", "a", "b"), FORCE),
        (Difference(SERVICE, "subjects", "changed", ["a"], ["a", "b"]), STAYS),
        (Difference(SERVICE, "subjects", "changed", ["a", "c"], ["a", "b"]), FORCE),
        (Difference(DEPLOYMENT, "metadata.labels[a]", "added", None, "b"), STAYS),
        (Difference(DEPLOYMENT, "rules", "changed", ["a"], ["a", "b"]), UPGRADE),
        (Difference(REMOVED, "revision", "changed", 3, 4), UPGRADE),
    ],
)
def test_what_puts_a_difference_back(one: Difference, line: str) -> None:
    first, *rest = told(one).split("\n\n")[-1].splitlines()
    assert first.startswith("`pulumi up --stack dev` alone undoes nothing")
    assert rest == [line]


def test_what_was_changed_needs_force_beside_what_was_deleted() -> None:
    text = told(Difference(SERVICE, "", "deleted"), Difference(SERVICE, "spec.type", "changed", "a", "b"))
    assert text.splitlines()[-1] == FORCE


@pytest.mark.parametrize(
    ("key", "why", "first"), [(DEPLOYMENT, "it is bad", True), (DEPLOYMENT, NO_RIGHT, False), (HUB, "it is bad", False)]
)
def test_what_differs_and_is_refused_must_be_put_right_first(key: ObjectKey, why: str, first: bool) -> None:
    text = told(Difference(DEPLOYMENT, "x", "changed", 1, 2), refused={key: why})
    assert text.count("put it right by hand") == text.count("\nDeployment/hub: put it right") == first


def test_the_json_of_the_report() -> None:
    whole = {"drift": [Difference(DEPLOYMENT, "", "deleted")], "unread": {"Role/hub": "no"}, "refused": {HUB: NO_RIGHT}}
    printed = json.loads(report.as_json("dev", replace(FOUND, **whole)))
    assert printed.pop("drift") == [{
        "object": "Deployment/hub", "field": "", "change": "deleted", "expected": None, "found": None,
        "masked": False, "by": None, "at": None,
    }]  # fmt: skip
    assert printed.pop("refused") == {"ConfigMap/hub": NO_RIGHT}
    assert printed == {"stack": "dev", "release": "binder/hub", "unread": {"Role/hub": "no"}}

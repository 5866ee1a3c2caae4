"""What is there already and no work of this stack, and a namespace that is another's."""

from typing import Any

import pytest

from kube.manifests import OWN_LABELS
from preflight import dry_run, report
from preflight.questions import Question
from preflight.violations import Violation
from tests.unit.fake_api import FakeApi, Row, refused
from tests.unit.preflight.test_dry_run import ACCOUNT, CHART, LOADBALANCER, ask, plain, sent

ROOM = plain("Namespace", "binder")
BINDING = plain("ClusterRoleBinding", "tiller", "rbac.authorization.k8s.io/v1")
TAKEN = (
    "exists already, and this stack did not make it "
    "(to take it over, and delete it at destroy: pulumi config set adoptRelease true)"
)
EXISTS = {("POST", "*", "*"): refused("AlreadyExists")}


def marked(one: dict[str, Any]) -> dict[str, Any]:
    return {**one, "metadata": {**one["metadata"], "labels": OWN_LABELS}}


def test_what_pulumi_would_find_there_is_refused_by_name_whatever_its_version_would_do() -> None:
    api = FakeApi(EXISTS)
    told, _ = ask(api, [], [], own=[ROOM, ACCOUNT, BINDING, LOADBALANCER])
    names = (
        "Namespace/binder",
        "ServiceAccount/tiller in kube-system",
        "ClusterRoleBinding/tiller",
        "Service/external",
    )
    assert [one for one in told if "sh.helm" not in one] == [f"{name}: {TAKEN}" for name in names]
    assert sent(api, "PATCH") == [], "nothing is taken over unawares"
    told, _ = ask(api, [], [], own=[ROOM, ACCOUNT, BINDING, LOADBALANCER], adopt=True)
    assert [one for one in told if "sh.helm" not in one] == []
    assert [one.name for one in sent(api, "PATCH")] == ["binder", "tiller", "tiller", "external"]


@pytest.mark.parametrize(
    ("own", "way"),
    [
        (ROOM, "pulumi config set existingNamespace true, to use it and never delete it"),
        (ACCOUNT, "pulumi config set --path tiller.name tiller-hub, for an account of its own"),
        (BINDING, "pulumi config set --path tiller.name tiller-hub, for an account of its own"),
        (LOADBALANCER, "pulumi config set namespace NAME, for one of its own"),
    ],
)
@pytest.mark.parametrize("pulumis", [False, True])
def test_each_has_its_way_in(own: dict[str, Any], way: str, pulumis: bool) -> None:
    api = FakeApi({**EXISTS, ("GET", own["kind"], own["metadata"]["name"]): marked(own) if pulumis else own})
    question = Question(
        user=api, account=api, nodes=lambda: api.list("v1", "Node"), release="hub", namespace="binder", exists=True,
        old={}, new={}, changes=[], next_revision=11, own=[own],
    )  # fmt: skip
    (told,) = dry_run.ask(question)
    assert isinstance(told, Violation)
    recover = "; or after a killed run: python -m operations recover" if pulumis else ""
    assert (told.reason, told.advice) == (TAKEN, f"{way}{recover}")


def test_what_is_not_there_is_made() -> None:
    assert ask(FakeApi(), [], CHART, own=[ROOM, ACCOUNT, LOADBALANCER]) == ([], [])


@pytest.mark.parametrize(
    ("found", "told"),
    [
        (ROOM, ""),
        (refused("Forbidden", "no"), ""),  # who may not look is not in the way
        (refused("NotFound"), "does not exist, and the setting existingNamespace says that it does"),
        (marked(ROOM), "was made by Pulumi: with the setting existingNamespace, its stack would delete it"),
    ],
)
def test_a_namespace_of_others_is_there_and_no_stacks_own(found: Row, told: str) -> None:
    got = list(report.existing_namespace(FakeApi({("GET", "Namespace", "binder"): found}), "binder"))
    assert [one.about for one in got] == (["Namespace/binder"] if told else [])
    assert all(one.reason.startswith(told) and "existingNamespace" in one.advice for one in got)

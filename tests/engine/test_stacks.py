"""Stacks that fail, that live side by side, that go away."""

import re
from collections.abc import Callable

import pytest

from tests.engine.support import Bench, Stack, decoded, diagnostics

NewStack = Callable[..., Stack]


def named(bench: Bench, name: str) -> set[str]:
    """Return the kinds of all objects that have `name` in their name or in that of their namespace."""
    about = [(one["kind"], one["metadata"]) for one in bench.everything()]
    return {kind for kind, own in about if name in own["name"] or name in own.get("namespace", "")}


def edit(stack: Stack, file: str, old: str, new: str) -> Callable[[], object]:
    """Change a line of the program in the stack's copy; return a function that puts it back."""
    path = stack.space.folder / file
    good = path.read_text()
    assert old in good
    path.write_text(good.replace(old, new))
    return lambda: path.write_text(good)


def test_tiller_with_view_is_refused_by_name(new_stack: NewStack, bench: Bench) -> None:
    stack = new_stack("viewed", tiller="{name: tiller-viewed, role: view}")
    result = stack.up(check=False)
    assert result.status != 0
    assert 'User "system:serviceaccount:kube-system:tiller-viewed" cannot' in result.text
    assert bench.kubectl("get", "clusterrolebinding", "tiller-viewed-view")["roleRef"]["name"] == "view"
    # The repair: the right role, and nothing else. The preview of the exchange must work as well.
    stack.set("tiller.role", "cluster-admin")
    stack.pulumi("up", "--yes")
    assert bench.kubectl("get", "clusterrolebinding", "tiller-viewed")["roleRef"]["name"] == "cluster-admin"


@pytest.mark.xdist_group("dev")
def test_two_stacks_side_by_side_and_one_goes_without_a_trace(dev: Stack, new_stack: NewStack, bench: Bench) -> None:
    other = new_stack("lab-two", imagePrefix="examplelab/binder-two-")
    other.up()
    mine, theirs = dev.outputs(), other.outputs()
    assert mine["hub_url"] != theirs["hub_url"]
    tokens = [
        decoded(bench.kubectl("-n", namespace, "get", "secret", "hub"))["hub.services.binder.apiToken"]
        for namespace in ("binderhub", "lab-two")
    ]
    assert tokens[0] != tokens[1]
    assert {"Namespace", "ClusterRoleBinding", "ServiceAccount"} <= named(bench, "lab-two")
    other.pulumi("destroy", "--yes", "--skip-preview")
    assert named(bench, "lab-two") == set()
    dev.pulumi("preview", "--expect-no-changes")


def test_a_service_without_address_says_why_and_up_again_goes_on(new_stack: NewStack) -> None:
    stack = new_stack("nowhere", addressTimeout="6")
    switch = '"annotations": {"binderhub-rehearsal/no-address": "yes", '
    good = edit(stack, "components/address.py", '"annotations": {', switch)
    result = stack.up(check=False)
    assert result.status != 0
    text = diagnostics(result)
    assert "No load balancer gave proxy-public-external an external address within 6 s." in text
    assert "run `minikube tunnel`" in text
    good()
    stack.up()
    assert re.fullmatch(r"http://[0-9.]+", stack.outputs()["hub_url"])


def test_pods_that_never_come_are_named_and_up_again_goes_on(new_stack: NewStack) -> None:
    stack = new_stack("crowded", timeout="10", coreNodeSelector="{disk: none}")
    result = stack.up(check=False)
    assert result.status != 0
    text = diagnostics(result)
    assert "Release crowded/crowded did not become ready" in text
    assert re.search(r"pod (binder|hub|proxy)-\S+: Unschedulable: 0/3 nodes are available", text)
    stack.pulumi("config", "rm", "coreNodeSelector")
    stack.up()
    stack.pulumi("preview", "--expect-no-changes")

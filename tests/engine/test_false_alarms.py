"""What is right must not be refused: a stack with everything switched on, before and after its first install."""

import json
import time
from pathlib import Path

import pytest
import yaml

from kube import quantities
from tests.engine.faults.test_faults import planted
from tests.engine.support import Bench
from tests.engine.test_looks import warnings
from tests.engine.test_stacks import NewStack

NAME = "everything"
CONFIG = {
    "hubDatabase": "volume",
    "userScheduler": "true",
    "imageCleaner": "nocordon",
    "builder": "pink",
    "replicas": "2",
    "privateImages": "true",
    "labels": "{team: physics}",
    "imagePrefix": "examplelab/binder-everything-",
    "valuesFile": "own.yaml",
    "timeout": "60",
}
VALUES = {
    "ingress": {"enabled": True, "hosts": ["binder.example.org"]},
    "jupyterhub": {
        "hub": {"services": {"announcer": {"display": False}}, "pdb": {"enabled": True}},
        # Both together are no stack that can be installed: the hook wants a class that comes after it.
        "prePuller": {"hook": {"enabled": True}, "continuous": {"enabled": True}},
    },
}


def test_everything_switched_on_is_not_refused(new_stack: NewStack, bench: Bench) -> None:
    stack = new_stack(NAME, **CONFIG)
    (stack.space.folder / "own.yaml").write_text(yaml.safe_dump(VALUES))
    first = stack.pulumi("preview").text
    assert f"{NAME}: first install, " in first
    assert warnings(first) == []
    stack.up()
    # A service's token, which the chart draws by lot at each rendering, is no change.
    assert "Diagnostics" not in stack.pulumi("preview", "--expect-no-changes").text
    stack.set("cullIdle", "700")
    text = stack.pulumi("up", "--yes").text
    assert "Deployment/hub (pods restart)" in text
    assert warnings(text) == []


HONEST = yaml.safe_load((Path(__file__).parent / "faults" / "honest.yaml").read_text())


@pytest.mark.parametrize("group", sorted({row["group"] for row in HONEST}))
def test_honest_stacks_are_neither_refused_nor_warned_of(new_stack: NewStack, bench: Bench, group: str) -> None:
    name = f"honest-{group}"
    own = {"imagePrefix": f"examplelab/binder-{name}-", "timeout": "60", "existingNamespace": "true"}
    stack = new_stack(name, **own)
    bench.space.kubectl("create", "namespace", name)
    with planted(stack, bench, [row for row in HONEST if row["group"] == group]):
        first = stack.pulumi("up", "--yes").text
        assert f"{name}: first install, " in first
        assert warnings(first) == []
        assert "Diagnostics" not in stack.pulumi("preview", "--expect-no-changes").text


def test_what_a_failed_install_leaves_behind_is_no_obstacle(new_stack: NewStack, bench: Bench) -> None:
    """The stack's own Services are there, and count in a quota that they fill."""
    name = "leftover"
    stack = new_stack(name, imagePrefix=f"examplelab/binder-{name}-", timeout="60", addressTimeout="30")
    bench.space.kubectl("create", "namespace", name)
    bench.space.kubectl("-n", name, "create", "quota", "services", "--hard=services=2")
    assert "exceeded quota" in stack.up(check=False).text  # both of ours, and none of the chart's
    # Four of the chart's own fit now, and no more.
    bench.space.kubectl("-n", name, "patch", "quota", "services", "-p", '{"spec": {"hard": {"services": "6"}}}')
    text = stack.pulumi("up", "--yes").text
    assert f"{name}: first install, " in text
    assert warnings(text) == []


def test_an_update_fits_into_a_quota_that_is_full_of_the_pods_which_go_first(new_stack: NewStack, bench: Bench) -> None:
    """The hub and the proxy end their old pods first; what a LimitRange gave those is free again."""
    name = "tight"
    limits = [{"type": "Container", "default": {"memory": "1Gi"}}]
    limited = {"apiVersion": "v1", "kind": "LimitRange", "metadata": {"name": "small"}, "spec": {"limits": limits}}
    prefix = f"examplelab/binder-{name}-"
    stack = new_stack(name, hubDatabase="volume", imagePrefix=prefix, timeout="60", existingNamespace="true")
    bench.space.kubectl("create", "namespace", name)
    bench.apply(name, limited)
    bench.space.kubectl("-n", name, "create", "quota", "tight", "--hard=limits.memory=64Gi")
    stack.up()
    used = bench.kubectl("-n", name, "get", "resourcequota", "tight")["status"]["used"]["limits.memory"]
    one_more = int(quantities.quantity(used)) + 2**30  # for binder, whose new pod comes before the old one goes
    hard = json.dumps({"spec": {"hard": {"limits.memory": str(one_more)}}})
    bench.space.kubectl("-n", name, "patch", "quota", "tight", "-p", hard)
    stack.set("cullIdle", "700")
    stack.set("labels.team", "physics")
    text = stack.pulumi("up", "--yes").text
    assert "Deployment/hub (pods restart)" in text
    assert warnings(text) == []
    # The namespace is another's: it was not touched, and stays.
    stack.pulumi("destroy", "--yes", "--skip-preview")
    left = bench.kubectl("get", "namespace", name)
    assert (left["status"]["phase"], "app.kubernetes.io/managed-by" in left["metadata"]["labels"]) == ("Active", False)
    bench.space.kubectl("delete", "namespace", name, "--wait=false")


def test_rights_that_tiller_has_as_one_of_a_group_count(new_stack: NewStack, bench: Bench) -> None:
    name, place = "grouped", "tiller-of-a-group"
    group = f"--group=system:serviceaccounts:{place}"
    bench.space.kubectl("create", "namespace", place)
    bench.space.kubectl("create", "clusterrolebinding", place, "--clusterrole=cluster-admin", group)
    try:
        stack = new_stack(name, imagePrefix=f"examplelab/binder-{name}-")
        stack.set("tiller.namespace", place)
        stack.set("tiller.role", "view")
        assert f"{name}: first install, " in stack.pulumi("preview").text
        stack.up()
        stack.pulumi("destroy", "--yes", "--skip-preview")
    finally:
        bench.space.run("kubectl", "delete", "clusterrolebinding", place)
        bench.space.run("kubectl", "delete", "namespace", place, "--wait=false")


NOTHING_GOES = """
- {apiVersion: admissionregistration.k8s.io/v1, kind: ValidatingAdmissionPolicy, metadata: {name: undeletable}, spec: {
    matchConstraints: {resourceRules: [
      {apiGroups: [apps], apiVersions: [v1], operations: [DELETE], resources: [daemonsets]}]},
    validations: [{expression: "false", message: nothing goes here}]}}
- {apiVersion: admissionregistration.k8s.io/v1, kind: ValidatingAdmissionPolicyBinding, metadata: {name: undeletable},
   spec: {policyName: undeletable, validationActions: [Deny], matchResources: {
     namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: undeletable}}}}}
"""


def test_what_may_not_be_deleted_is_said_to_stay_and_stays(new_stack: NewStack, bench: Bench) -> None:
    """Helm goes on where it cannot delete, so this is no refusal."""
    name = "undeletable"
    stack = new_stack(name, imagePrefix=f"examplelab/binder-{name}-", builder="dind", timeout="60")
    stack.up()
    bench.apply(name, *yaml.safe_load(NOTHING_GOES))
    try:
        stack.set("builder", "pink")
        until = time.monotonic() + 30  # a new policy holds after a moment
        while "nothing goes here" not in (text := stack.pulumi("preview").text) and time.monotonic() < until:
            time.sleep(1)
        (warning,) = warnings(text)
        assert f"DaemonSet/{name}-dind would be left behind: " in warning
        stack.pulumi("up", "--yes")
        left = [one["metadata"]["name"] for one in bench.kubectl("-n", name, "get", "daemonsets")["items"]]
        assert sorted(left) == [f"{name}-dind", f"{name}-pink"]
    finally:
        for kind in ("validatingadmissionpolicy", "validatingadmissionpolicybinding"):
            bench.space.run("kubectl", "delete", kind, name)

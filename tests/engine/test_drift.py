"""What users change by hand on a real API server, and what `python -m operations drift` says of it."""

import json
import os
import re
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from operations.drift.compare import MANAGER
from rehearsal.workspace import Result
from tests import readme
from tests.engine.support import PROJECT, Bench, Stack

pytestmark = pytest.mark.xdist_group("drift")
NAME = "drifted"
SECRET = "hunter2-and-more"
PAGE = (PROJECT / "docs" / "drift.md").read_text()
# Its commands: two reports, and what puts things back.
REPORT, REPORT_AS_JSON, *REPAIRS = "".join(readme.blocks(PAGE, "sh")).splitlines()

# What users do, as they type it.
BY_HAND = (
    "scale deployment hub --replicas=3",
    f"set env deployment/hub FOO={SECRET} HELM_RELEASE_NAME={SECRET}",
    "set image deployment/proxy chp=evil:1",
    "label deployment proxy team=blue app-",
    f"annotate service proxy-public note={SECRET}",
    'patch configmap hub --type=merge -p {"data":{"extra":"SECRET"}}',
    'patch secret hub --type=merge -p {"stringData":{"new":"SECRET","hub.services.binder.apiToken":"SECRET"}}',
    f'annotate secret hub kubectl.kubernetes.io/last-applied-configuration={{"x":"{SECRET}"}}',
    "delete service proxy-api",
    'patch service binder-external -p {"spec":{"type":"NodePort"}}',
    # As long as this port is there, the server refuses the one that was deployed: both have the same name.
    'patch service hub --type=json -p [{"op":"replace","path":"/spec/ports/0/port","value":9999}]',
    f"-n kube-system label serviceaccount tiller-{NAME} team=blue",
    # These count for nothing: an autoscaler, a restart.
    'patch deployment binder --subresource=scale --field-manager=horizontal-pod-autoscaler -p {"spec":{"replicas":2}}',
    "rollout restart deployment/binder",
)
MENDED = 'patch service hub --type=json -p [{"op":"replace","path":"/spec/ports/0/port","value":8081}]'
EXPECTED = {
    ("ConfigMap/hub", "data[extra]"): ("added", None, None, "kubectl-patch"),
    ("Deployment/hub", "spec.replicas"): ("changed", 1, 3, "kubectl"),
    ("Deployment/hub", "spec.template.spec.containers[hub].env[FOO]"): ("added", None, None, "kubectl-set"),
    ("Deployment/hub", "spec.template.spec.containers[hub].env[HELM_RELEASE_NAME].value"): (
        "changed", None, None, "kubectl-set",
    ),
    ("Deployment/proxy", "metadata.labels[app]"): ("removed", "jupyterhub", None, None),
    ("Deployment/proxy", "metadata.labels[team]"): ("added", None, "blue", "kubectl-label"),
    ("Deployment/proxy", "spec.template.spec.containers[chp].image"): (
        "changed", "quay.io/jupyterhub/configurable-http-proxy:standin", "evil:1", "kubectl-set",
    ),
    ("Secret/hub", "data[hub.services.binder.apiToken]"): ("changed", None, None, "kubectl-patch"),
    ("Secret/hub", "data[new]"): ("added", None, None, "kubectl-patch"),
    ("Service/hub", "spec.ports[9999/TCP]"): ("added", None, None, "kubectl-patch"),
    ("Service/proxy-api", ""): ("deleted", None, None, None),
    ("Service/proxy-public", "metadata.annotations[note]"): ("added", None, None, "kubectl-annotate"),
    ("Service/binder-external", "spec.type"): ("changed", "LoadBalancer", "NodePort", "kubectl-patch"),
    (f"ServiceAccount/tiller-{NAME} in kube-system", "metadata.labels[team]"): (
        "added", None, "blue", "kubectl-label",
    ),
}  # fmt: skip


@dataclass(frozen=True)
class Hub:
    """A stack that is up, and a project folder in which users ask for its drift without its passphrase."""

    stack: Stack
    bench: Bench

    def kubectl(self, command: str) -> None:
        words = command.replace("SECRET", SECRET).split(" ")
        where = () if "-n" in words else ("-n", NAME)
        self.bench.space.kubectl(*where, *words)

    def drift(self, line: str, **environment: str) -> Result:
        """Ask for the drift, without the passphrase."""
        return self.typed(line, PULUMI_CONFIG_PASSPHRASE="", **environment)

    def typed(self, lines: str, **environment: str) -> Result:
        """Run lines of the page as a user types them, with the Python environment active."""
        known = self.stack.space.environment
        path = os.pathsep.join([str(Path(sys.executable).parent), known["PATH"]])
        space = replace(self.stack.space, environment={**known, "PATH": path, **environment})
        return space.run("bash", "-euc", "\n".join(map(as_typed, lines.splitlines())))


def as_typed(line: str) -> str:
    """Return a command of the page for the stack under test."""
    line = line.replace("--stack prod", f"--stack {NAME}").replace("/srv/binderhub", ".").replace(".venv/bin/", "")
    return line + " --yes --skip-preview" * (line == "pulumi up")


@pytest.fixture(scope="module")
def hub(bench: Bench) -> Hub:
    stack = bench.own_stack(NAME)
    stack.up()
    return Hub(stack, bench)


@pytest.fixture(scope="module")
def fresh(hub: Hub) -> Result:
    return hub.drift(REPORT)


@pytest.fixture(scope="module")
def found(hub: Hub, fresh: Result) -> Result:
    """A report on a hub that users have worked on."""
    for command in BY_HAND:
        hub.kubectl(command)
    return hub.drift(REPORT_AS_JSON)


def test_a_fresh_stack_has_no_drift(fresh: Result) -> None:
    assert fresh.text == f"No drift in 29 objects: stack {NAME}, release {NAME}/{NAME}, cluster minikube.\n"
    assert fresh.status == 0


def test_every_change_by_hand_is_found_and_nothing_else(found: Result) -> None:
    assert found.status == 1, found.err
    rows = {(one["object"], one["field"]): one for one in json.loads(found.out)["drift"]}
    assert {where: (one["change"], one["expected"], one["found"], one["by"]) for where, one in rows.items()} == EXPECTED
    assert [one for one in rows.values() if one["by"] not in (None, "kubectl") and not one["at"]] == []
    masked = {field for (_, field), one in rows.items() if one["masked"]}
    assert masked == {
        "data[extra]", "data[new]", "data[hub.services.binder.apiToken]", "metadata.annotations[note]",
        "spec.template.spec.containers[hub].env[HELM_RELEASE_NAME].value",
    }  # fmt: skip
    # Its ports are no longer those that were deployed, which the server would not take.
    assert found.err.startswith("note: of 1 object (spec.ports[1].name: FieldValueDuplicate) what was taken out")


def test_nothing_is_changed(hub: Hub, found: Result) -> None:
    # Whoever applies something is among the managers from then on.
    objects = hub.bench.kubectl("get", "all,configmaps,secrets,serviceaccounts", "-A", "--show-managed-fields")
    managers = {one["manager"] for o in objects["items"] for one in o["metadata"].get("managedFields") or []}
    assert "kubectl-patch" in managers
    assert MANAGER not in managers


def test_the_report_and_one_for_a_user_who_may_only_read(hub: Hub, found: Result) -> None:
    # Without the right to patch, there are no dry runs: what users set is found, not what they took out.
    hub.kubectl("create clusterrole drift-reader --verb=get,list --resource=*.*")
    hub.kubectl("create clusterrolebinding drift-reader --clusterrole=drift-reader --user=drift-reader")
    kubeconfig = hub.bench.kubeconfig_at(hub.stack.space.base / "kubeconfig-reader", {"as": "drift-reader"})
    result = hub.drift(REPORT, KUBECONFIG=str(kubeconfig))
    assert result.status == 1, result.err
    lines = result.out.splitlines()
    assert lines[0] == f"13 differences at 9 of 29 objects: stack {NAME}, release {NAME}/{NAME}, cluster minikube."
    assert "  spec.replicas: 1 -> 3  (kubectl)" in lines
    assert SECRET not in result.text + found.text
    assert result.err.startswith("note: of 28 objects (no right to patch) what was taken out is not seen")
    fields = {line.split(": ")[0].strip() for line in lines if line.startswith("  ") and line != "  was deleted"}
    assert fields == {field for (_, field), what in EXPECTED.items() if field and what[0] != "removed"}


def test_the_commands_of_the_page(hub: Hub, found: Result) -> None:
    (cron,) = readme.blocks(PAGE, "cron")
    mailed = hub.drift(re.sub(r"^(\S+ ){5}", "", cron.strip()))
    assert mailed.status == 0  # cron's own answer is the mail
    assert mailed.out.startswith("14 differences at 9 of 29 objects")
    # What the report and the page say about putting it back.
    advice = mailed.out.rpartition("\n\n")[2].replace(f" --stack {NAME}", "")
    assert re.findall("^(.*): put it right by hand before all else", advice, re.MULTILINE) == ["Service/hub"]
    assert all(line in advice for line in REPAIRS)
    hub.kubectl(MENDED)
    # An upgrade that changes more than that.
    hub.stack.set("imagePrefix", "examplelab/binder-next-")
    result = hub.typed("\n".join(REPAIRS))
    assert result.status == 0, result.text
    left = json.loads(hub.drift(REPORT_AS_JSON).out)["drift"]
    added = {where for where, what in EXPECTED.items() if what[0] == "added" and where[1] != "spec.ports[9999/TCP]"}
    assert {(one["object"], one["field"]) for one in left} == added

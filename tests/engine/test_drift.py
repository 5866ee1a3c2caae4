"""What people change by hand on a real API server, and what `python -m checks drift` says of it."""

import functools
import json
import os
import re
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from rehearsal.workspace import Result
from tests import readme
from tests.engine.support import PROJECT, Bench, Stack

pytestmark = pytest.mark.xdist_group("drift")
NAME = "drifted"
SECRET = "hunter2-and-more"
PAGE = (PROJECT / "docs" / "drift.md").read_text()
# Its commands: two looks, and what puts things back.
LOOK, LOOK_AS_JSON, *REPAIRS = "".join(readme.blocks(PAGE, "sh")).splitlines()
_MOVES_BY_ITSELF = ("events", "events.events.k8s.io", "leases.coordination.k8s.io", "componentstatuses")
_READ = "create clusterrole drift-{0} --verb=get,list --resource={1}"
_BIND = "create clusterrolebinding drift-{0} --clusterrole=drift-{0} --user=drift-{0}"

# What people do, as they type it.
BY_HAND = (
    "scale deployment hub --replicas=3",
    f"set env deployment/hub FOO={SECRET} HELM_RELEASE_NAME={SECRET}",
    "set image deployment/proxy chp=evil:1",
    "label deployment proxy team=blue app- app.kubernetes.io/managed-by-",
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
    ("Deployment/proxy", "metadata.labels[app.kubernetes.io/managed-by]"): ("removed", "Helm", None, None),
    ("Deployment/proxy", "metadata.labels[team]"): ("added", None, "blue", "kubectl-label"),
    ("Deployment/proxy", "spec.template.spec.containers[chp].image"): (
        "changed", "quay.io/jupyterhub/configurable-http-proxy:standin", "evil:1", "kubectl-set",
    ),
    ("Secret/hub", "data[hub.services.binder.apiToken]"): ("changed", None, None, "kubectl-patch"),
    ("Secret/hub", "data[new]"): ("added", None, None, "kubectl-patch"),
    ("Service/hub", "spec.ports[8081/TCP]"): ("removed", None, None, None),
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
    """A stack that is up, and a project folder from which a person looks at it without its passphrase."""

    stack: Stack
    bench: Bench

    @functools.cached_property
    def kinds(self) -> str:
        kinds = self.bench.space.run("kubectl", "api-resources", "--verbs=list", "-o", "name").out.split()
        return ",".join(kind for kind in kinds if kind not in _MOVES_BY_ITSELF)

    def kubectl(self, command: str) -> None:
        words = command.replace("SECRET", SECRET).split(" ")
        where = () if "-n" in words else ("-n", NAME)
        result = self.bench.space.run("kubectl", *where, *words)
        assert result.status == 0, result.err

    def look(self, line: str, **environment: str) -> Result:
        """Look, without the passphrase."""
        return self.typed(line, PULUMI_CONFIG_PASSPHRASE="", **environment)

    def typed(self, lines: str, **environment: str) -> Result:
        """Run lines of the page as a person types them, with the Python environment active."""
        known = self.stack.space.environment
        path = os.pathsep.join([str(Path(sys.executable).parent), known["PATH"]])
        space = replace(self.stack.space, environment={**known, "PATH": path, **environment})
        return space.run("bash", "-euc", "\n".join(map(as_typed, lines.splitlines())))

    def as_user(self, user: str) -> str:
        """Return the path of a kubeconfig that acts as a user."""
        content = yaml.safe_load(self.bench.kubeconfig.read_text())
        for one in content["users"]:
            one["user"]["as"] = user
        path = self.stack.space.base / f"kubeconfig-{user}"
        path.write_text(yaml.safe_dump(content))
        return str(path)

    def everything(self) -> dict[str, Any]:
        """Return uid and version of every object of the stack, and the files of its state."""
        items = self.bench.kubectl("get", self.kinds, "-A")["items"]
        mine = [
            o["metadata"] for o in items if NAME in o["metadata"].get("namespace", "") or NAME in o["metadata"]["name"]
        ]
        files = [f for f in (self.stack.space.base / "state").rglob("*") if f.is_file()]
        return {m["uid"]: m["resourceVersion"] for m in mine} | {str(f): f.read_bytes() for f in files}

    def settled(self) -> dict[str, Any]:
        """Wait until the controllers have done their part, and return everything."""
        before: dict[str, Any] = {}
        limit = time.monotonic() + 20
        while (now := self.everything()) != before:
            assert time.monotonic() < limit
            before = now
            time.sleep(0.3)
        return now


def as_typed(line: str) -> str:
    """Return a command of the page for the stack under test."""
    line = line.replace("--stack prod", f"--stack {NAME}").replace("/srv/binderhub", ".").replace(".venv/bin/", "")
    return line + " --yes --skip-preview" * (line == "pulumi up")


@pytest.fixture(scope="module")
def hub(bench: Bench) -> Hub:
    stack = bench.stack(NAME, {"release": NAME, "tiller": f"name: tiller-{NAME}"})
    stack.up()
    return Hub(stack, bench)


@pytest.fixture(scope="module")
def fresh(hub: Hub) -> Result:
    return hub.look(LOOK)


@dataclass(frozen=True)
class Found:
    """A report on a hub that people have worked on, and everything before and after it."""

    result: Result
    before: dict[str, Any]
    after: dict[str, Any]

    @property
    def drift(self) -> list[dict[str, Any]]:
        return json.loads(self.result.out)["drift"]


@pytest.fixture(scope="module")
def found(hub: Hub, fresh: Result) -> Found:
    for command in BY_HAND:
        hub.kubectl(command)
    before = hub.settled()
    result = hub.look(LOOK_AS_JSON)
    return Found(result, before, hub.everything())


def test_a_fresh_stack_has_no_drift(fresh: Result) -> None:
    assert fresh.text == f"No drift in 29 objects: stack {NAME}, release {NAME}/{NAME}, cluster minikube.\n"
    assert fresh.status == 0


def test_every_change_by_hand_is_found_and_nothing_else(found: Found) -> None:
    assert found.result.status == 1, found.result.err
    rows = {(one["object"], one["field"]): one for one in found.drift}
    assert {where: (one["change"], one["expected"], one["found"], one["by"]) for where, one in rows.items()} == EXPECTED
    assert [one for one in found.drift if one["by"] not in (None, "kubectl") and not one["at"]] == []
    masked = {field for (_, field), one in rows.items() if one["masked"]}
    assert masked == {
        "data[extra]", "data[new]", "data[hub.services.binder.apiToken]", "metadata.annotations[note]",
        "spec.template.spec.containers[hub].env[HELM_RELEASE_NAME].value",
    }  # fmt: skip


def test_nothing_is_changed_by_looking(found: Found) -> None:
    assert found.before == found.after
    assert len(found.before) > 50


def test_the_report_for_people_and_for_one_who_may_only_read(hub: Hub, found: Found) -> None:
    # Without the right to patch, there are no dry runs: the comparison is our own, and finds the same.
    hub.kubectl(_READ.format("reader", "*.*"))
    hub.kubectl(_BIND.format("reader"))
    result = hub.look(LOOK, KUBECONFIG=hub.as_user("drift-reader"))
    assert result.status == 1, result.err
    lines = result.out.splitlines()
    assert lines[0] == f"16 differences at 9 of 29 objects: stack {NAME}, release {NAME}/{NAME}, cluster minikube."
    assert "  spec.replicas: 1 -> 3  (kubectl)" in lines
    image = r'  \S+\[chp\].image: "\S+:standin" -> "evil:1"  \(kubectl-set, \d{4}-\d\d-\d\d \d\d:\d\d UTC\)'
    assert re.search(f"^{image}$", result.out, re.MULTILINE)
    assert SECRET not in result.text + found.result.text
    assert result.err == "note: you may not patch 28 objects: compared without the server's help\n"
    fields = {line.split(": ")[0].strip() for line in lines if line.startswith("  ") and line != "  was deleted"}
    assert fields == {field for _, field in EXPECTED if field}


def test_what_cannot_be_read_is_named_and_the_status_is_2(hub: Hub, found: Found) -> None:
    hub.kubectl(_READ.format("blind", "services,namespaces"))
    hub.kubectl(_BIND.format("blind"))
    result = hub.look(LOOK, KUBECONFIG=hub.as_user("drift-blind"))
    assert result.status == 2
    assert f"error: cannot read Helm's record of {NAME}/{NAME}: Error from server (Forbidden): secrets" in result.err
    assert f"error: cannot read ServiceAccount/tiller-{NAME} in kube-system: Error from server (Forb" in result.err
    assert '  spec.type: "LoadBalancer" -> "NodePort"  (kubectl-patch' in result.out


def test_a_stack_that_is_not_there_and_a_dead_cluster(hub: Hub, tmp_path: Path) -> None:
    result = hub.look(f"{LOOK} --stack nobodys")
    assert (result.status, result.out) == (2, "")
    assert result.err.startswith("error: there is no stack 'nobodys' here; nothing was touched")
    dead = tmp_path / "kubeconfig"
    dead.write_text(re.sub(r"https://127.0.0.1:\d+", "https://127.0.0.1:1", hub.bench.kubeconfig.read_text()))
    result = hub.look(LOOK, KUBECONFIG=str(dead))
    assert (result.status, result.out) == (2, "")
    assert "the API server of minikube (https://127.0.0.1:1) does not answer" in result.err


def test_the_commands_of_the_page(hub: Hub, found: Found) -> None:
    (cron,) = readme.blocks(PAGE, "cron")
    mailed = hub.look(re.sub(r"^(\S+ ){5}", "", cron.strip()))
    assert mailed.status == 0  # cron's own answer is the mail
    assert mailed.out.startswith("16 differences at 9 of 29 objects")
    # What the report and the page say about putting it back.
    advice = mailed.out.rpartition("\n\n")[2].replace(f" --stack {NAME}", "")
    assert re.findall("^(.*): put it right by hand before all else", advice, re.MULTILINE) == ["Service/hub"]
    assert all(line in advice for line in REPAIRS)
    hub.kubectl(MENDED)
    # An upgrade that changes more than that.
    hub.stack.set("imagePrefix", "examplelab/binder-next-")
    result = hub.typed("\n".join(REPAIRS))
    assert result.status == 0, result.text
    left = json.loads(hub.look(LOOK_AS_JSON).out)["drift"]
    added = {where for where, what in EXPECTED.items() if what[0] == "added" and where[1] != "spec.ports[9999/TCP]"}
    assert {(one["object"], one["field"]) for one in left} == added

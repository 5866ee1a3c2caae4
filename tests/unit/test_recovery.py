"""The pure parts of `python -m recovery`, and its refusals. tests/engine/test_recovery.py kills real runs."""

import base64
import copy
import gzip
import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from conftest import ROOT

from commands.programs import RefusedError
from commands.state import NAMESPACE as NAMESPACE_TYPE
from commands.state import RELEASE as RELEASE_TYPE
from commands.state import State
from components.record import RECOVERED
from recovery import __main__ as command
from recovery import helm, state, tools

URN = "urn:pulumi:dev::binderhub::"
RELEASE = {
    "urn": f"{URN}{RELEASE_TYPE}::binderhub",
    "type": RELEASE_TYPE,
    "inputs": {"name": "hub", "namespace": "binder", "values": {"token": {"ciphertext": "v1:x"}}},
}
SERVICE = {
    "urn": f"{URN}kubernetes:core/v1:Service::proxy-public-external",
    "type": "kubernetes:core/v1:Service",
    "inputs": {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "proxy", "namespace": "binder"}},
}
NAMESPACE = {
    "urn": f"{URN}{NAMESPACE_TYPE}::binder",
    "type": NAMESPACE_TYPE,
    "inputs": {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "binder"}},
}
TOKEN = {
    "urn": f"{URN}random:index/randomPassword:RandomPassword::api",
    "type": "random:index/randomPassword:RandomPassword",
    "inputs": {},
}
MADE = {**RELEASE, "id": "binder/hub", "outputs": {"status": {"status": "deployed"}}}


def record(revision: int, status: str) -> dict[str, Any]:
    body = {"info": {"status": status, "description": "-"}, "version": revision, "config": {"n": 1, "x": "é"}}
    packed = base64.b64encode(gzip.compress(json.dumps(body).encode()))
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {
            "name": f"sh.helm.release.v1.hub.v{revision}",
            "namespace": "binder",
            "resourceVersion": "17",
            "labels": {"status": status, "version": str(revision), "owner": "helm"},
        },
        "data": {"release": base64.b64encode(packed).decode()},
    }


def history(*statuses: str) -> list[dict[str, Any]]:
    return [record(number, status) for number, status in enumerate(statuses, 1)]


def exported(resources: list[Any], *operations: tuple[str, Any]) -> State:
    pending = [{"type": kind, "resource": resource} for kind, resource in operations]
    deployment: dict[str, Any] = {"manifest": {"time": "now"}, "resources": resources}
    if pending:
        deployment["pending_operations"] = pending
    return {"version": 4, "deployment": deployment}


@pytest.mark.parametrize(
    ("statuses", "unrecorded", "expected"),
    [
        ([], True, {}),
        (["deployed"], False, {}),
        (["deployed"], True, {}),  # done, only not recorded
        (["superseded", "failed", "deployed"], False, {}),
        (["deployed", "failed"], False, {}),  # an honest end
        (["uninstalling"], False, {}),  # a destroy
        (["pending-install"], True, {1: "deployed"}),
        (["uninstalling"], True, {1: "deployed"}),  # a failed install, being taken back
        (["superseded", "deployed", "pending-upgrade"], False, {2: "superseded", 3: "deployed"}),
        (["deployed", "failed"], True, {1: "superseded", 2: "deployed"}),
        (["superseded", "failed", "pending-rollback"], True, {3: "", 2: "deployed"}),
        (["deployed", "failed", "pending-rollback"], False, {3: "", 1: "superseded", 2: "deployed"}),
        (["deployed", "pending-rollback"], False, {2: ""}),
        (["pending-rollback"], False, {1: "deployed"}),  # the last record of all is never deleted
    ],
)
def test_helms_records_are_settled(statuses: list[str], unrecorded: bool, expected: dict[int, str]) -> None:
    changes = helm.settle(history(*statuses)[::-1], unrecorded)
    assert {helm.revision(change.record): change.status for change in changes} == expected


def test_a_run_of_ours_that_is_killed_between_two_records_can_be_repeated() -> None:
    records = history("deployed", "failed", "pending-rollback")
    while changes := helm.settle(records, unrecorded=False):
        first = changes[0]
        rest = [r for r in records if r is not first.record]
        records = [*rest, helm.rewritten(first.record, first.status)] if first.status else rest
    assert [helm.status(r) for r in helm.ordered(records)] == ["superseded", "deployed"]


def test_revisions_are_numbers() -> None:
    many = helm.ordered([record(number, "superseded") for number in (10, 9, 11)])
    assert [helm.revision(r) for r in many] == [9, 10, 11]


def test_a_settled_record_is_settled_for_good_and_otherwise_the_same() -> None:
    old = record(1, "pending-install")
    new = helm.rewritten(old, "deployed")
    body = json.loads(gzip.decompress(base64.b64decode(base64.b64decode(new["data"]["release"]))))
    assert body == {
        "info": {"status": "deployed", "description": RECOVERED},
        "version": 1,
        "config": {"n": 1, "x": "é"},
    }
    assert new["metadata"] == {**old["metadata"], "labels": {**old["metadata"]["labels"], "status": "deployed"}}
    assert helm.settle([new], unrecorded=False) == []
    assert helm.status(old) == "pending-install"


def test_a_state_in_order_stays_as_it_is() -> None:
    before = exported([MADE, {**SERVICE, "id": "binder/proxy"}])
    edited = state.edit(before, {MADE["urn"]: {}}, [])
    assert edited == state.Edited(before, (), ())


def test_an_interrupted_install_becomes_a_resource_that_the_next_up_updates() -> None:
    before = exported([], ("creating", RELEASE))
    untouched = copy.deepcopy(before)
    edited = state.edit(before, {RELEASE["urn"]: {}}, ["binder/hub"])
    assert edited.state["deployment"] == {
        "manifest": {"time": "now"},
        "resources": [{**RELEASE, "id": "binder/hub", "outputs": RELEASE["inputs"], "initErrors": [state.WHY]}],
    }
    assert edited.notes == ("Release binderhub: was made, but not recorded; it is recorded now",)
    assert before == untouched


@pytest.mark.parametrize("resource", [RELEASE, SERVICE, TOKEN])
def test_what_was_not_made_is_forgotten(resource: dict[str, Any]) -> None:
    edited = state.edit(exported([], ("creating", resource)), {}, [])
    assert edited.state["deployment"] == {"manifest": {"time": "now"}, "resources": []}
    assert "was not made; the next up makes it" in edited.notes[0]


def test_an_object_is_taken_over_with_its_first_field_manager() -> None:
    live = {
        "apiVersion": "v1",
        "metadata": {"uid": "u", "managedFields": [{"manager": "kwok"}, {"manager": "pulumi-kubernetes-1a2b"}]},
        "status": {"loadBalancer": {}},
    }
    (taken,) = state.edit(exported([], ("creating", SERVICE)), {SERVICE["urn"]: live}, []).state["deployment"][
        "resources"
    ]
    assert taken["id"] == "binder/proxy"
    assert taken["outputs"] == {
        **live,
        "__fieldManager": "pulumi-kubernetes-1a2b",
        "__initialApiVersion": "v1",
        "__inputs": SERVICE["inputs"],
    }
    assert taken["initErrors"] == [state.WHY]


def test_somebody_elses_object_of_the_same_name_is_not_taken_over() -> None:
    live = {"apiVersion": "v1", "metadata": {"managedFields": [{"manager": "kubectl"}]}}
    edited = state.edit(exported([], ("creating", SERVICE)), {SERVICE["urn"]: live}, [])
    assert edited.state["deployment"]["resources"] == []


@pytest.mark.parametrize(
    ("operations", "interrupted"), [([("updating", RELEASE)], []), ([], ["binder/hub"]), ([("creating", RELEASE)], [])]
)
def test_an_interrupted_upgrade_is_repeated(operations: list[Any], interrupted: list[str]) -> None:
    edited = state.edit(exported([MADE], *operations), {RELEASE["urn"]: {}}, interrupted)
    assert edited.state == exported([{**MADE, "initErrors": [state.WHY]}])
    # A second look finds all in order, also while Helm's records are not settled yet.
    assert state.edit(edited.state, {RELEASE["urn"]: {}}, ["binder/hub"]) == state.Edited(edited.state, (), ())


def test_an_interrupted_deletion_is_looked_up_and_one_of_the_release_is_a_destroy() -> None:
    there = {**SERVICE, "id": "binder/proxy"}
    before = exported([there], ("deleting", SERVICE))
    assert not state.being_destroyed(before)
    assert state.edit(before, {}, []) == state.Edited(
        exported([there]),
        ("Service proxy-public-external: its deletion was cut short; what is left of it is looked up",),
        (SERVICE["urn"],),
    )
    assert state.being_destroyed(exported([], ("deleting", RELEASE)))
    assert state.being_destroyed(exported([], ("deleting", NAMESPACE)))


def test_what_has_to_be_looked_for() -> None:
    whole = exported([MADE], ("creating", SERVICE), ("creating", TOKEN), ("updating", NAMESPACE))
    assert list(state.to_look_for(whole)) == [SERVICE]
    assert state.releases(whole) == {"binder/hub": RELEASE["urn"]}
    assert state.releases(exported([], ("creating", RELEASE))) == {"binder/hub": RELEASE["urn"]}
    assert state.object_id(NAMESPACE) == "binder"


def lock(host: str, process: int) -> str:
    return f"the stack is currently locked by 1 lock(s).\n  file:///x.json: created by me@{host} (pid {process}) at now"


def dead_process() -> int:
    with subprocess.Popen(["true"]) as process:
        pass
    return process.pid


def test_the_lock_of_a_dead_process_of_this_machine_may_go() -> None:
    gone = dead_process()
    assert tools.killed_holder(lock(socket.gethostname(), gone)) == f"process {gone}"


@pytest.mark.parametrize(
    "text",
    [
        lock(socket.gethostname(), os.getpid()),
        lock("another-machine", 4711),
        "[409] Conflict: Another update is currently in progress.",
    ],
    ids=["a living process", "another machine", "another backend"],
)
def test_any_other_lock_stays(text: str) -> None:
    with pytest.raises(RefusedError, match=r"may still be at work; nothing was touched(.|\n)*pulumi cancel"):
        tools.killed_holder(text)


def test_orphaned_providers_are_those_without_an_engine() -> None:
    listing = """
      10     1 /usr/bin/pulumi up
      11    10 /home/me/.pulumi/plugins/resource-kubernetes-v4.25.0/pulumi-resource-kubernetes 127.0.0.1:1
      12     1 /home/me/.pulumi/plugins/resource-kubernetes-v4.25.0/pulumi-resource-kubernetes 127.0.0.1:2
      13     1 /home/me/.pulumi/plugins/resource-random-v4.21.4/pulumi-resource-random 127.0.0.1:2
      14     1 [pulumi-resource] <defunct>
      15     1
    """
    assert tools.orphans(listing) == [12]


def test_the_copy_of_the_state_is_its_owners_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    path = command.save("organization/binderhub/dev", exported([]))
    assert path.parent == Path(".pulumi/recovery")
    assert path.name.startswith("organization-binderhub-dev-")
    assert path.stat().st_mode & 0o777 == 0o600
    assert json.loads(path.read_text()) == exported([])


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A PATH on which a test puts pretended programs."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def pretend(folder: Path, name: str, script: str) -> None:
    (folder / name).write_text(f"#!/bin/sh\n{script}\n")
    (folder / name).chmod(0o755)


@pytest.mark.parametrize("missing", ["pulumi", "kubectl"])
def test_a_missing_program_is_named(programs: Path, capsys: pytest.CaptureFixture[str], missing: str) -> None:
    for name in {"pulumi", "kubectl"} - {missing}:
        pretend(programs, name, "exit 1")
    assert command.main([]) == 1
    assert f"error: there is no {missing} on PATH; nothing was touched" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("error: no stack named 'dve' found", "there is no stack 'dve' here; nothing was touched"),
        ("error: failed to decrypt: incorrect passphrase", "the passphrase is missing or wrong; nothing was touched"),
        ("error: something else", "`pulumi config --json` failed: error: something else"),
    ],
)
def test_a_refusal_of_pulumi_is_explained(
    programs: Path, capsys: pytest.CaptureFixture[str], words: str, expected: str
) -> None:
    pretend(programs, "kubectl", "exit 1")
    pretend(programs, "pulumi", f'echo "{words}" >&2; exit 1')
    assert command.main(["--stack", "dve"]) == 1
    text = capsys.readouterr().err
    assert expected in text
    assert "expected:" in text
    assert "Traceback" not in text


def test_it_is_a_command() -> None:
    got = subprocess.run([sys.executable, "-m", "recovery", "--help"], cwd=ROOT, capture_output=True, text=True)
    assert "python -m recovery" in got.stdout

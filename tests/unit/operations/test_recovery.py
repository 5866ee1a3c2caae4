"""What `python -m operations recover` decides, and its writes. tests/engine/test_recovery.py kills real runs."""

import copy
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil
import pytest

from kube.helm_releases import RECOVERED, contents, number, status
from operations.errors import BlockedError, OperationError
from operations.recovery import command, helm, processes, state
from operations.state import NAMESPACE as NAMESPACE_TYPE
from operations.state import RELEASE as RELEASE_TYPE
from operations.state import State
from tests.unit.fake_api import FakeApi, refused
from tests.unit.operations.records import history, record


def resource(type_: str, label: str, **inputs: Any) -> dict[str, Any]:
    return {"urn": f"urn:pulumi:dev::binderhub::{type_}::{label}", "type": type_, "inputs": inputs}


METADATA = {"name": "proxy", "namespace": "binder"}
RELEASE = resource(RELEASE_TYPE, "binderhub", name="hub", namespace="binder", values={"token": {"ciphertext": "v1:x"}})
SERVICE = resource("kubernetes:core/v1:Service", "proxy", apiVersion="v1", kind="Service", metadata=METADATA)
NAMESPACE = resource(NAMESPACE_TYPE, "binder", apiVersion="v1", kind="Namespace", metadata={"name": "binder"})
TOKEN = resource("random:index/randomPassword:RandomPassword", "api")
MADE = {**RELEASE, "id": "binder/hub", "outputs": {"status": {"status": "deployed"}}}


def exported(resources: list[Any], *operations: tuple[str, Any]) -> State:
    pending = [{"type": kind, "resource": resource} for kind, resource in operations]
    deployment = {"manifest": {"time": "now"}, "resources": resources}
    return {"version": 4, "deployment": {**deployment, **({"pending_operations": pending} if pending else {})}}


# Helm's records


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
        (["uninstalling"], True, {1: "deployed"}),  # a failed install, being rolled back
        (["superseded", "deployed", "pending-upgrade"], False, {2: "superseded", 3: "deployed"}),
        (["deployed", "failed"], True, {1: "superseded", 2: "deployed"}),
        (["superseded", "failed", "pending-rollback"], True, {3: "", 2: "deployed"}),
        (["deployed", "failed", "pending-rollback"], False, {3: "", 1: "superseded", 2: "deployed"}),
        (["deployed", "pending-rollback"], False, {2: ""}),
        (["pending-rollback"], False, {1: "deployed"}),  # the last record of all is never deleted
        ([*["superseded"] * 8, "deployed", "pending-upgrade"], False, {9: "superseded", 10: "deployed"}),
    ],
)
def test_changes_of_helms_records(statuses: list[str], unrecorded: bool, expected: dict[int, str]) -> None:
    changes = helm.changes(history(*statuses)[::-1], unrecorded)
    assert {number(change.record): change.status for change in changes} == expected


def test_a_run_of_ours_that_is_killed_between_two_records_can_be_repeated() -> None:
    records = history("deployed", "failed", "pending-rollback")
    while changes := helm.changes(records, unrecorded=False):
        first = changes[0]
        rest = [r for r in records if r is not first.record]
        records = [*rest, helm.rewritten(first.record, first.status)] if first.status else rest
    assert [status(r) for r in helm.ordered(records)] == ["superseded", "deployed"]


def test_helms_records_are_replaced_only_as_they_were_read() -> None:
    old, api = record(2, "pending-upgrade"), FakeApi()
    untouched = copy.deepcopy(old)
    command.write_record(api, "binder/hub", helm.RecordChange(old, "deployed"))
    command.write_record(api, "binder/hub", helm.RecordChange(old, ""))
    put, deleted = api.asked
    assert (put.method, put.name, put.namespace, put.dry_run) == ("PUT", old["metadata"]["name"], "binder", False)
    assert put.body["metadata"] == {**old["metadata"], "labels": {**old["metadata"]["labels"], "status": "deployed"}}
    assert contents(put.body) == {**contents(old), "info": {"status": "deployed", "description": RECOVERED}}
    assert (deleted.method, deleted.name, deleted.dry_run) == ("DELETE", old["metadata"]["name"], False)
    assert old == untouched
    changed = FakeApi({("PUT", "Secret", "*"): refused("Conflict", "the object has been modified")})
    with pytest.raises(OperationError, match="cannot change Helm's record of revision 2 of binder/hub: the object has"):
        command.write_record(changed, "binder/hub", helm.RecordChange(old, "deployed"))


# The state


SOMEBODY_ELSES = {"apiVersion": "v1", "metadata": {"managedFields": [{"manager": "kubectl"}]}}


@pytest.mark.parametrize(
    ("begun", "live"), [(RELEASE, None), (SERVICE, None), (TOKEN, None), (SERVICE, SOMEBODY_ELSES)]
)
def test_what_was_not_made_is_forgotten(begun: dict[str, Any], live: Any) -> None:
    edited = state.edit(exported([], ("creating", begun)), {begun["urn"]: live} if live else {}, [])
    assert edited.state == exported([])
    assert "was not made; the next up makes it" in edited.notes[0]


@pytest.mark.parametrize(("begun", "identity"), [(SERVICE, "binder/proxy"), (NAMESPACE, "binder")])
def test_an_object_is_taken_over_with_its_first_field_manager(begun: dict[str, Any], identity: str) -> None:
    managers = [{"manager": "kwok"}, {"manager": "pulumi-kubernetes-1a2b"}]
    live = {"apiVersion": "v1", "metadata": {"uid": "u", "managedFields": managers}, "status": {"loadBalancer": {}}}
    own = {"__fieldManager": "pulumi-kubernetes-1a2b", "__initialApiVersion": "v1", "__inputs": begun["inputs"]}
    taken = {**begun, "id": identity, "outputs": {**live, **own}, "initErrors": [state.WHY]}
    assert state.edit(exported([], ("creating", begun)), {begun["urn"]: live}, []).state == exported([taken])


@pytest.mark.parametrize(
    ("operations", "interrupted"), [([("updating", RELEASE)], []), ([], ["binder/hub"]), ([("creating", RELEASE)], [])]
)
def test_an_interrupted_upgrade_is_repeated(operations: list[Any], interrupted: list[str]) -> None:
    edited = state.edit(exported([MADE], *operations), {RELEASE["urn"]: {}}, interrupted)
    assert (edited.state, edited.refresh) == (exported([{**MADE, "initErrors": [state.WHY]}]), ())
    # The second time all is in order, also while Helm's records are not changed yet.
    assert state.edit(edited.state, {RELEASE["urn"]: {}}, ["binder/hub"]) == state.Edited(edited.state, (), ())


def test_an_interrupted_deletion_is_looked_up() -> None:
    there = {**SERVICE, "id": "binder/proxy"}
    note = "Service proxy: its deletion was cut short; what is left of it is looked up"
    edited = state.edit(exported([there], ("deleting", SERVICE)), {}, [])
    assert edited == state.Edited(exported([there]), (note,), (SERVICE["urn"],))


@pytest.mark.parametrize(
    ("before", "statuses"),
    [
        (exported([MADE]), ["deployed", "uninstalling"]),
        (exported([], ("deleting", RELEASE)), []),
        (exported([], ("deleting", NAMESPACE)), []),
    ],
)
def test_a_destroy_is_left_to_pulumi(before: State, statuses: list[str]) -> None:
    with pytest.raises(BlockedError, match="a destroy of this stack was interrupted; nothing was touched"):
        command.make_plan(before, FakeApi({("GET", "Secret", ""): history(*statuses)}))


def test_what_a_run_began_to_make_is_asked_for() -> None:
    begun = [("creating", one) for one in (SERVICE, TOKEN, RELEASE)]
    before, records = exported([], *begun, ("updating", NAMESPACE)), {("GET", "Secret", ""): history("failed")}
    untouched, api = copy.deepcopy(before), FakeApi(records)
    plan = command.make_plan(before, api)
    assert before == untouched
    assert [(change.status, number(change.record)) for change in plan.records["binder/hub"]] == [("deployed", 1)]
    assert [(one.kind, one.name) for one in api.asked] == [("Secret", ""), ("Service", "proxy")]
    assert [note.split(":")[0] for note in plan.edited.notes if "was made, but" in note] == ["Release binderhub"]
    assert not command.make_plan(exported([MADE], ("updating", SERVICE)), FakeApi()).empty
    forbidden = FakeApi({**records, ("GET", "Service", "proxy"): refused("Forbidden", "not yours")})
    with pytest.raises(OperationError, match="cannot read Service proxy: not yours"):
        command.make_plan(before, forbidden)


# Processes


def lock(host: str, process: int) -> str:
    return f"the stack is currently locked by 1 lock(s).\n  file:///x.json: created by me@{host} (pid {process}) at now"


def test_the_lock_of_a_dead_process_of_this_machine_may_go() -> None:
    with subprocess.Popen(["true"]) as process:
        pass
    assert processes.killed_holder(lock(socket.gethostname(), process.pid)) == f"process {process.pid}"


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
    with pytest.raises(BlockedError, match=r"may still be at work; nothing was touched(.|\n)*pulumi cancel"):
        processes.killed_holder(text)


@pytest.mark.parametrize(("parent", "orphaned"), [("pulumi", False), ("bash", True)])
def test_orphaned_providers_are_those_without_an_engine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, parent: str, orphaned: bool
) -> None:
    for name in (parent, "pulumi-resource-kubernetes"):
        (tmp_path / name).symlink_to(sys.executable)
    provider = [str(tmp_path / "pulumi-resource-kubernetes"), "-ISc", "print(flush=True); input()"]
    engine = f"import subprocess; p = subprocess.Popen({provider}); print(p.pid, flush=True); p.wait()"
    pipe = subprocess.PIPE
    with subprocess.Popen([tmp_path / parent, "-ISc", engine], stdin=pipe, stdout=pipe, text=True) as process:
        assert process.stdin
        assert process.stdout
        _, pid = sorted(process.stdout.readline() for _ in "12")  # the empty line: the provider has begun
        monkeypatch.setattr(processes, "_PATIENCE", 0)
        try:
            found = processes.orphans()
            assert (int(pid) in found, os.getpid() in found) == (orphaned, False)
            if orphaned:
                with pytest.raises(BlockedError, match=rf"still at work for Helm (.|\n)*kill .*\b{pid.strip()}\b"):
                    processes.wait_for_orphans()
            monkeypatch.setattr(psutil.Process, "username", lambda process: str(process.pid))
            assert processes.orphans() == []  # each process has another user now
        finally:
            process.stdin.close()

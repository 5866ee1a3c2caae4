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

from kube.helm_releases import RECOVERED, contents, number
from operations.errors import BlockedError, OperationError
from operations.recovery import command, processes, state
from tests.unit.fake_api import FakeApi, refused
from tests.unit.operations.stack import RELEASE, exported, history


def resource(type_: str, label: str, **inputs: Any) -> dict[str, Any]:
    return {"urn": f"urn:pulumi:dev::binderhub::{type_}::{label}", "type": type_, "inputs": inputs}


METADATA = {"name": "proxy", "namespace": "binder"}
SERVICE = resource("kubernetes:core/v1:Service", "proxy", apiVersion="v1", kind="Service", metadata=METADATA)
NAMESPACE = resource("kubernetes:core/v1:Namespace", "binder", metadata={"name": "binder"})
TOKEN = resource("random:index/randomPassword:RandomPassword", "api")
BEGUN = {name: what for name, what in RELEASE.items() if name not in ("id", "outputs")}


def cluster(*statuses: str, **answers: Any) -> FakeApi:
    """A cluster with Helm's records of these statuses, in no order, and other answers by kind."""
    return FakeApi({("GET", "Secret", ""): history(*statuses)[::-1]} | {("GET", k, "*"): a for k, a in answers.items()})


@pytest.mark.parametrize(
    ("statuses", "unrecorded", "expected"),
    [
        ([], True, {}),
        (["deployed"], False, {}),
        (["deployed"], True, {}),  # done, only not recorded
        (["superseded", "failed", "deployed"], False, {}),
        (["deployed", "failed"], False, {}),  # an honest end
        (["pending-install"], True, {1: "deployed"}),
        (["uninstalling"], True, {1: "deployed"}),  # a failed install, being rolled back
        (["superseded", "deployed", "pending-upgrade"], False, {2: "superseded", 3: "deployed"}),
        (["deployed", "failed"], True, {1: "superseded", 2: "deployed"}),
        (["superseded", "failed", "pending-rollback"], True, {2: "deployed", 3: ""}),
        (["deployed", "failed", "pending-rollback"], False, {1: "superseded", 2: "deployed", 3: ""}),
        (["deployed", "pending-rollback"], False, {2: ""}),
        (["pending-rollback"], False, {1: "deployed"}),  # the last record of all is never deleted
        ([*["superseded"] * 8, "deployed", "pending-upgrade"], False, {9: "superseded", 10: "deployed"}),
    ],
)
def test_changes_of_helms_records(statuses: list[str], unrecorded: bool, expected: dict[int, str]) -> None:
    before = exported(RELEASE, pending=[("updating", RELEASE)] * unrecorded)
    edited, records = command.plan(before, cluster(*statuses))
    # In this order: what is deleted goes last, so that a run which is killed in between can be repeated.
    assert [(number(record), new) for record, new in records["binder/hub"]] == list(expected.items())
    assert (edited.state != before) == bool(unrecorded or expected)


def test_helms_records_are_replaced_only_as_they_were_read() -> None:
    (_, old), api = history("deployed", "pending-upgrade"), FakeApi()
    command.write_record(api, "binder/hub", old, "deployed")
    command.write_record(api, "binder/hub", old, "")
    put, deleted = api.asked
    assert (put.method, put.name, put.namespace, put.dry_run) == ("PUT", old["metadata"]["name"], "binder", False)
    assert put.body["metadata"] == {**old["metadata"], "labels": {**old["metadata"]["labels"], "status": "deployed"}}
    assert contents(put.body) == {**contents(old), "info": {"status": "deployed", "description": RECOVERED}}
    assert (deleted.method, deleted.name, deleted.dry_run) == ("DELETE", old["metadata"]["name"], False)
    changed = FakeApi({("PUT", "Secret", "*"): refused("Conflict", "the object has been modified")})
    with pytest.raises(OperationError, match="cannot change Helm's record of revision 2 of binder/hub: the object has"):
        command.write_record(changed, "binder/hub", old, "deployed")


SOMEBODY_ELSES = {"apiVersion": "v1", "metadata": {"managedFields": [{"manager": "kubectl"}]}}


@pytest.mark.parametrize(
    ("begun", "live"),
    [(BEGUN, {}), (SERVICE, {}), (TOKEN, {}), (SERVICE, {SERVICE["urn"]: SOMEBODY_ELSES})],
)
def test_what_was_not_made_is_forgotten(begun: dict[str, Any], live: Any) -> None:
    edited = state.edit(exported(pending=[("creating", begun)]), live, [])
    assert edited.state == exported()
    assert "was not made; the next up makes it" in edited.notes[0]


@pytest.mark.parametrize(("begun", "identity"), [(SERVICE, "binder/proxy"), (NAMESPACE, "binder")])
def test_an_object_is_taken_over_with_its_first_field_manager(begun: dict[str, Any], identity: str) -> None:
    managers = [{"manager": "kwok"}, {"manager": "pulumi-kubernetes-1a2b"}]
    live = {"apiVersion": "v1", "metadata": {"uid": "u", "managedFields": managers}, "status": {"loadBalancer": {}}}
    own = {"__fieldManager": "pulumi-kubernetes-1a2b", "__initialApiVersion": "v1", "__inputs": begun["inputs"]}
    taken = {**begun, "id": identity, "outputs": {**live, **own}, "initErrors": [state.WHY]}
    assert state.edit(exported(pending=[("creating", begun)]), {begun["urn"]: live}, []).state == exported(taken)


@pytest.mark.parametrize(
    ("operations", "interrupted"),
    [([("updating", RELEASE)], []), ([], [RELEASE["urn"]]), ([("creating", BEGUN)], [])],
)
def test_an_interrupted_upgrade_is_repeated(operations: list[Any], interrupted: list[str]) -> None:
    edited = state.edit(exported(RELEASE, pending=operations), {RELEASE["urn"]: {}}, interrupted)
    assert (edited.state, edited.refresh) == (exported({**RELEASE, "initErrors": [state.WHY]}), [])
    # The second time all is in order, also while Helm's records are not changed yet.
    again = state.edit(edited.state, {RELEASE["urn"]: {}}, [RELEASE["urn"]])
    assert again == state.Edited(edited.state, [], [])


def test_an_interrupted_deletion_is_looked_up() -> None:
    there = {**SERVICE, "id": "binder/proxy"}
    edited = state.edit(exported(there, pending=[("deleting", SERVICE)]), {}, [])
    assert (edited.state, edited.refresh) == (exported(there), [SERVICE["urn"]])
    assert edited.notes == ["Service proxy: its deletion was cut short; what is left of it is looked up"]


@pytest.mark.parametrize(
    ("before", "statuses"),
    [
        (exported(RELEASE), ["deployed", "uninstalling"]),
        (exported(pending=[("deleting", RELEASE)]), []),
        (exported(pending=[("deleting", NAMESPACE)]), []),
    ],
)
def test_a_destroy_is_left_to_pulumi(before: Any, statuses: list[str]) -> None:
    with pytest.raises(BlockedError, match="a destroy of this stack was interrupted; nothing was touched"):
        command.plan(before, cluster(*statuses))


def test_what_a_run_began_to_make_is_asked_for() -> None:
    begun = [("creating", one) for one in (SERVICE, TOKEN, BEGUN)]
    before = exported(pending=[*begun, ("updating", NAMESPACE)])
    untouched, api = copy.deepcopy(before), cluster("failed")
    edited, _ = command.plan(before, api)
    assert before == untouched
    assert [(one.kind, one.name) for one in api.asked] == [("Secret", ""), ("Service", "proxy")]
    assert [note.split(":")[0] for note in edited.notes if "was made, but" in note] == ["Release binderhub"]
    with pytest.raises(OperationError, match="cannot read Service proxy: not yours"):
        command.plan(before, cluster("failed", Service=refused("Forbidden", "not yours")))


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

"""Runs killed with SIGKILL, and `python -m operations recover`, after which a plain `pulumi up` completes them."""

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Callable

from kube.run import end_session
from rehearsal.workspace import Result
from tests.engine.support import PASSWORD, Bench, Stack, decoded
from tests.engine.test_stacks import NewStack, edit

CONFIG = {"timeout": "20", "addressTimeout": "20", "hubDatabase": "volume"}


def recover(stack: Stack) -> Result:
    return stack.space.run(sys.executable, "-m", "operations", "recover", "--stack", stack.name)


def kill_up(stack: Stack, when: Callable[[], bool]) -> None:
    """Start `pulumi up` and kill it, with its providers, as soon as `when` holds."""
    environment = dict(stack.space.environment)
    program = shutil.which("pulumi", path=environment["PATH"])
    command = [program, "-C", str(stack.space.folder), "up", "--yes", "--skip-preview", "--non-interactive"]
    with (stack.space.base / "killed.log").open("w") as log:
        run = subprocess.Popen(
            command, cwd=stack.space.folder, env=environment, stdout=log, stderr=log, start_new_session=True
        )
    limit = time.monotonic() + 40
    try:
        while not when():
            text = (stack.space.base / "killed.log").read_text()
            assert run.poll() is None, text
            assert time.monotonic() < limit, text
            time.sleep(0.1)
    finally:
        end_session(run.pid)
        run.wait()


def statuses(bench: Bench, name: str) -> list[str]:
    records = bench.kubectl("-n", name, "get", "secrets", "-l", f"owner=helm,name={name}")["items"]
    return [r["metadata"]["labels"]["status"] for r in records]


def pending(bench: Bench, name: str, status: str) -> Callable[[], bool]:
    """Whether Helm has made the hub's pod and now waits for it."""

    def is_so() -> bool:
        pods = bench.kubectl("-n", name, "get", "pods", "-l", "component=hub")["items"]
        return status in statuses(bench, name) and any(p["status"]["phase"] == "Pending" for p in pods)

    return is_so


def own_services(bench: Bench, name: str) -> list[dict]:
    return bench.kubectl("-n", name, "get", "services", "-l", "app.kubernetes.io/managed-by=pulumi")["items"]


def kept(bench: Bench, name: str) -> tuple[object, ...]:
    """Return what no recovery may change: tokens, the hub's database, the addresses."""
    hub = decoded(bench.kubectl("-n", name, "get", "secret", "hub"))
    tokens = {key: value for key, value in hub.items() if key != "values.yaml"}
    objects = ("persistentvolumeclaim/hub-db-dir", "service/proxy-public-external", "service/binder-external")
    uids = [bench.kubectl("-n", name, "get", thing)["metadata"]["uid"] for thing in objects]
    return tokens, uids


def assert_in_order(stack: Stack, bench: Bench) -> None:
    stack.pulumi("preview", "--expect-no-changes")
    state = stack.export()
    assert not state["deployment"].get("pending_operations")
    assert not [r["urn"] for r in state["deployment"]["resources"] if r.get("initErrors")]
    assert PASSWORD not in json.dumps(state)
    assert statuses(bench, stack.name)[-1] == "deployed"


def test_a_first_run_killed_twice_is_completed(new_stack: NewStack, bench: Bench) -> None:
    stack = new_stack("killed-a", **CONFIG, coreNodeSelector="{disk: killed-a}")
    # Killed while it waits for the addresses.
    switch = '"annotations": {"binderhub-rehearsal/no-address": "yes", '
    good = edit(stack, "components/address.py", '"annotations": {', switch)
    kill_up(stack, lambda: len(own_services(bench, "killed-a")) == 2)
    uids = [s["metadata"]["uid"] for s in own_services(bench, "killed-a")]
    # What a user sees who goes on without it.
    assert "the stack is currently locked by 1 lock(s)" in stack.up(check=False).text
    result = recover(stack)
    assert result.status == 0, result.text
    assert "Service binder-external: was made, but not recorded; it is recorded now" in result.out
    good()
    # Killed while Helm waits for the pods.
    kill_up(stack, pending(bench, "killed-a", "pending-install"))
    before = kept(bench, "killed-a")
    result = recover(stack)
    assert result.status == 0, result.text
    assert "Helm: revision 1 of killed-a/killed-a was pending-install; it counts as deployed now" in result.out
    assert "Release binderhub: was made, but not recorded; it is recorded now" in result.out
    assert result.out.splitlines()[-1] == "now run: pulumi up"
    copies = sorted((stack.space.folder / ".pulumi" / "recovery").iterdir())
    assert f".pulumi/recovery/{copies[-1].name}" in result.out
    assert {copy.stat().st_mode & 0o777 for copy in copies} == {0o600}
    assert PASSWORD not in copies[-1].read_text()
    bench.space.run("kubectl", "label", "nodes", "--all", "disk=killed-a")
    try:
        stack.pulumi("up", "--yes")  # with its preview, as users do it
    finally:
        bench.space.run("kubectl", "label", "nodes", "--all", "disk-")
    assert kept(bench, "killed-a") == before
    services = own_services(bench, "killed-a")
    assert [s["metadata"]["uid"] for s in services] == uids
    # The first field manager still owns what the program sets, so what the program dropped is gone.
    assert not [s for s in services if "binderhub-rehearsal/no-address" in s["metadata"]["annotations"]]
    assert_in_order(stack, bench)


def test_a_killed_upgrade_whose_change_is_undone(new_stack: NewStack, bench: Bench) -> None:
    stack = new_stack("killed-b", **CONFIG)
    stack.up()
    before = kept(bench, "killed-b")
    stack.set("coreNodeSelector.disk", "none")
    kill_up(stack, pending(bench, "killed-b", "pending-upgrade"))
    stack.pulumi("config", "rm", "coreNodeSelector")
    result = recover(stack)
    assert result.status == 0, result.text
    assert "lock: removed the one that process" in result.out
    assert statuses(bench, "killed-b") == ["superseded", "deployed"]
    stack.up()
    assert kept(bench, "killed-b") == before
    assert_in_order(stack, bench)
    pod = bench.kubectl("-n", "killed-b", "get", "deployment", "hub")["spec"]["template"]["spec"]
    assert "disk" not in pod.get("nodeSelector", {})

"""The fault corpus: what plain `pulumi preview` does not tell and ours must, before anything is touched."""

import base64
import gzip
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import randbytes
from typing import Any

import pytest
import yaml

from kube.nested import at, merged
from rehearsal.workspace import Result
from tests.engine.support import PASSWORD, Bench, Stack, decoded

CORPUS = yaml.safe_load((Path(__file__).parent / "corpus.yaml").read_text())
VALUES = "faults-values.yaml"
STACK = {"hubDatabase": "volume", "timeout": "30", "addressTimeout": "30"}
Fault = dict[str, Any]


def groups(when: str) -> list[Any]:
    """Return the faults that are planted together, as parameters of a test."""
    found: dict[str, list[Fault]] = {}
    for fault in CORPUS:
        if fault["when"] == when:
            found.setdefault(fault["group"], []).append(fault)
    return [pytest.param(faults, id=name) for name, faults in found.items()]


def named(thing: Any, name: str) -> Any:
    return json.loads(json.dumps(thing).replace("NAME", name))


@contextmanager
def planted(stack: Stack, bench: Bench, faults: list[Fault]) -> Iterator[None]:
    """Plant faults for the length of a `with` block."""
    file = stack.space.folder / f"Pulumi.{stack.name}.yaml"
    good = file.read_text()
    content = yaml.safe_load(good)
    values: dict[str, Any] = {}
    try:
        for fault in named(faults, stack.name):
            for key, value in fault.get("config", {}).items():
                content["config"][f"binderhub:{key}"] = value
                if value is None:
                    del content["config"][f"binderhub:{key}"]
            values = merged(values, fault.get("values", {}))
            for place, size in fault.get("large", {}).items():
                text = base64.b64encode(randbytes(size * 3 // 4)).decode()  # which nothing makes smaller
                values = merged(values, at(place, {"mountPath": "/large", "stringData": text}))
            for item in fault.get("objects", []):
                make(stack, bench, item)
            for command in fault.get("kubectl", []):
                bench.space.kubectl(*command)
            if "record" in fault:
                rewrite_record(stack, bench, fault["record"])
            if "beside" in fault:
                (stack.space.folder / fault["beside"]).write_text(good)
        if values:
            (stack.space.folder / VALUES).write_text(yaml.safe_dump(values))
            content["config"]["binderhub:valuesFile"] = VALUES
        file.write_text(yaml.safe_dump(content))
        yield
    finally:
        file.write_text(good)
        for fault in named(faults, stack.name):
            for item in fault.get("objects", []):
                bench.space.run("kubectl", "-n", stack.name, "delete", item["kind"], item["metadata"]["name"])
            for command in fault.get("undo", []):
                bench.space.run("kubectl", *command)
            if "record" in fault:
                rewrite_record(stack, bench, {"status": "deployed", "description": f"pulumi binderhub/{stack.name}"})
            if "beside" in fault:
                (stack.space.folder / fault["beside"]).unlink()


def make(stack: Stack, bench: Bench, item: dict[str, Any]) -> None:
    bench.apply(stack.name, item)
    if item["kind"] == "ResourceQuota":
        bench.space.kubectl(
            "-n", stack.name, "wait", "--for=jsonpath={.status.used}", f"quota/{item['metadata']['name']}"
        )


def rewrite_record(stack: Stack, bench: Bench, change: dict[str, str]) -> None:
    """Change the newest of Helm's records as somebody else's Helm, or a kill, would leave it."""
    (record,) = bench.kubectl("-n", stack.name, "get", "secrets", "-l", f"owner=helm,name={stack.name}")["items"]
    body = json.loads(gzip.decompress(base64.b64decode(decoded(record)["release"])))
    body["info"] |= change
    packed = base64.b64encode(gzip.compress(json.dumps(body).encode()))
    record["data"]["release"] = base64.b64encode(packed).decode()
    record["metadata"]["labels"]["status"] = body["info"]["status"]
    make(stack, bench, record)


def refused(result: Result, faults: list[Fault], name: str) -> None:
    """Each fault is told by its phrase, in one error, without a secret or a traceback."""
    untold = [f["name"] for f in named(faults, name) if f["told"] not in " ".join(result.text.split())]
    assert not untold, f"{untold}\n{result.text}"
    warned_of = all(f["name"].startswith(("users'", "builds")) for f in faults)
    assert (result.status == 0) is warned_of, result.text
    assert result.text.count("nothing was touched") in ((0,) if warned_of else (1, 2))  # progress line, diagnostics
    assert "Traceback" not in result.text
    assert PASSWORD not in result.text


@pytest.fixture(scope="module")
def running(bench: Bench) -> Iterator[Stack]:
    """A stack that runs, with a volume."""
    stack = bench.own_stack("faulty", **STACK)
    stack.up()
    yield stack
    stack.pulumi("destroy", "--yes", "--skip-preview")


def snapshot(bench: Bench, name: str) -> dict[tuple[str, str], tuple[str, str]]:
    """Return uid and resourceVersion of all that lies in a namespace, but for what moves by itself."""
    return {
        (o["kind"], o["metadata"]["name"]): (o["metadata"].get("uid"), o["metadata"]["resourceVersion"])
        for o in bench.everything(name)
    }


@pytest.mark.xdist_group("faults")
@pytest.mark.parametrize("faults", groups("update"))
def test_told_before_an_update(running: Stack, bench: Bench, faults: list[Fault]) -> None:
    with planted(running, bench, faults):
        before = snapshot(bench, running.name)
        result = running.pulumi("preview", check=False)
        assert snapshot(bench, running.name) == before, "a preview changed something"
    refused(result, faults, running.name)


@pytest.mark.xdist_group("faults")
def test_up_stops_at_its_own_preview(running: Stack, bench: Bench) -> None:
    faults = [f for f in CORPUS if f["group"] == "invalid"]
    with planted(running, bench, faults):
        before = snapshot(bench, running.name)
        result = running.pulumi("up", "--yes", check=False)
        assert snapshot(bench, running.name) == before
    assert result.status != 0
    assert "Updating" not in result.text


@pytest.mark.parametrize("faults", groups("first"))
def test_told_before_a_first_install(bench: Bench, faults: list[Fault]) -> None:
    name = f"first-{faults[0]['group']}"
    stack = bench.own_stack(name, **STACK, existingNamespace="true")
    bench.space.kubectl("create", "namespace", name)
    try:
        with planted(stack, bench, faults):
            result = stack.pulumi("preview", check=False)
        refused(result, faults, name)
    finally:
        bench.space.run("kubectl", "delete", "namespace", name, "--wait=false")


@pytest.mark.parametrize("faults", groups("settings"))
def test_told_by_the_settings(bench: Bench, faults: list[Fault]) -> None:
    name = f"settings-{faults[0]['group']}"
    stack = bench.stack(name, {"release": name})
    with planted(stack, bench, faults):
        result = stack.pulumi("preview", check=False)
    refused(result, faults, name)


def test_a_claim_and_what_becomes_of_it(bench: Bench) -> None:
    """The preview says so before: what leaves its class, what ends with its pod, and what is gone."""
    name, claim = "claimed", "PersistentVolumeClaim/hub-db-dir"
    stack = bench.own_stack(name, **STACK, hubStorageClass="kwok-volume", imagePrefix=f"examplelab/binder-{name}-")
    stack.up()
    stack.pulumi("config", "rm", "hubStorageClass")
    result = stack.pulumi("preview", check=False)
    assert f"{claim}: a claim cannot leave its storage class kwok-volume: spec is immutable" in result.text
    assert result.status != 0
    stack.set("hubStorageClass", "kwok-volume")
    stack.set("namespace", "claimed-elsewhere")
    text = stack.pulumi("preview").text
    assert f"the hub's user database is deleted: {claim} in {name}, and its volume with it" in text
    stack.pulumi("config", "rm", "namespace")
    kept = {"metadata": {"finalizers": ["example.org/wait"]}}
    bench.space.kubectl("-n", name, "patch", "pvc", "hub-db-dir", "--type=merge", "-p", json.dumps(kept))
    bench.space.kubectl("-n", name, "delete", "pvc", "hub-db-dir", "--wait=false")
    stack.set("imagePrefix", f"examplelab/binder-{name}-two-")
    going = "is being deleted, and the hub's user database with it, as soon as its pod ends"
    assert f"{claim} {going}" in stack.pulumi("preview").text
    stack.set("cullIdle", "700")
    result = stack.pulumi("preview", check=False)
    assert f"{claim}: it {going}: this change ends it" in result.text
    assert result.status != 0
    kept["metadata"]["finalizers"] = []
    bench.space.kubectl("-n", name, "patch", "pvc", "hub-db-dir", "--type=merge", "-p", json.dumps(kept))
    text = stack.pulumi("up", "--yes").text
    assert f"{claim} is gone, and the hub's user database with it: Helm makes a new one, which is empty" in text
    stack.pulumi("destroy", "--yes", "--skip-preview")


def test_a_hub_that_is_gone_comes_back_as_the_preview_says(bench: Bench) -> None:
    """As on a cluster that was made anew: without its rights tiller stands in the way of a mere refresh."""
    name = "vanished"
    stack = bench.own_stack(name, **{**STACK, "hubDatabase": "memory"}, imagePrefix=f"examplelab/binder-{name}-")
    stack.up()
    bench.space.kubectl("delete", "namespace", name)
    bench.space.kubectl("delete", "clusterrolebinding", f"tiller-{name}")
    bench.space.kubectl("-n", "kube-system", "delete", "serviceaccount", f"tiller-{name}")
    result = stack.pulumi("preview", check=False)
    assert result.status != 0
    told = " ".join(result.text.split())
    assert f"release {name}/{name} is gone, and with it Namespace/{name}, ServiceAccount/tiller-{name}" in told
    (command,) = {text.partition(";")[0] for text in told.split("what to do: kubectl ")[1:]}
    bench.space.kubectl(*command.split())
    assert f"{name}: first install, " in stack.pulumi("up", "--yes", "--refresh").text
    assert "Diagnostics" not in stack.pulumi("preview", "--expect-no-changes").text
    stack.pulumi("destroy", "--yes", "--skip-preview")


ODD = ['t0p&<secret>"\\ä', "first t0p-line\nsecond t0p-line\n"]


def test_secrets_that_the_server_quotes_are_hidden(bench: Bench) -> None:
    """As labels they are refused, and the server says what it was given."""
    name = "odd-secrets"
    stack = bench.own_stack(name, **STACK)
    places = [f'binderhub:secretValues["service.labels.{letter}"]' for letter in "ab"]
    stack.space.pulumi("config", "set-all", "--path", secrets=dict(zip(places, ODD, strict=True)))
    result = stack.pulumi("preview", check=False)
    assert result.text.count('Invalid value: "[secret]"') >= 2, result.text
    assert "t0p" not in result.text

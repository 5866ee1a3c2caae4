"""Helm's records of a release."""

import base64
import gzip
import json
from typing import Any

import pytest

from kube import helm_releases
from kube.helm_releases import RECOVERED, History
from kube.manifests import ObjectKey

OURS = "pulumi binderhub/dev"


def secret(number: int, status: str, description: str | None = OURS, **body: Any) -> dict[str, Any]:
    content = {"info": {"description": description}, **body}
    packed = base64.b64encode(base64.b64encode(gzip.compress(json.dumps(content).encode()))).decode()
    return {"metadata": {"labels": {"version": str(number), "status": status}}, "data": {"release": packed}}


def test_no_record_at_all() -> None:
    assert helm_releases.history([], "x") == History(deployed=0, objects={}, newest=0, status="", owner="")
    assert helm_releases.selector("hub") == "owner=helm,name=hub"
    assert helm_releases.KEPT == 10, "as Helm keeps; the provider would keep all"
    assert RECOVERED == "Interrupted; the next pulumi up completes it", "such records stand in clusters"


def test_a_record_is_packed_as_it_is_read() -> None:
    body = {"info": {"description": OURS}, "chart": {"values": {"a": "ä"}}}
    packed = helm_releases.packed(body)
    assert helm_releases.contents({"data": {"release": packed}}) == body
    one = secret(1, "deployed", chart=body["chart"])
    assert helm_releases.history([one, secret(2, "failed", chart={"b": 1})], "x").chart == body["chart"]
    assert helm_releases.history([secret(2, "failed", chart={"b": 1})], "x").chart == {}


def test_the_deployed_revision_is_what_lies_in_the_cluster() -> None:
    manifest = "---\nkind: Secret\nmetadata: {name: hub, namespace: x}\n"
    hooks = [
        {"manifest": f"kind: Job\nmetadata: {{name: {name}, namespace: z, annotations: {{helm.sh/hook: {event}}}}}\n"}
        for name, event in (("puller", "pre-upgrade"), ("probe", "test"))
    ]
    records = [
        secret(10, "failed", "timed out"),
        secret(9, "deployed", manifest=manifest, hooks=hooks),
        secret(8, "deployed"),  # as Helm, which takes the newest
    ]
    got = helm_releases.history(records, "x")
    assert (got.status, got.newest, got.owner, got.unfinished) == ("failed", 10, OURS, False)
    assert got.deployed == 9
    assert got.objects == {
        ObjectKey("Secret", "hub"): {"kind": "Secret", "metadata": {"name": "hub"}},
        ObjectKey("Job", "puller", "z"): {
            "kind": "Job",
            "metadata": {"name": "puller", "namespace": "z", "annotations": {"helm.sh/hook": "pre-upgrade"}},
        },
    }


@pytest.mark.parametrize(
    ("status", "unfinished"),
    [
        ("pending-install", True), ("pending-upgrade", True), ("pending-rollback", True), ("uninstalling", True),
        ("uninstalled", False), ("superseded", False), ("failed", False), ("", False),
    ],
)  # fmt: skip
def test_without_a_deployed_revision_nothing_lies_in_the_cluster(status: str, unfinished: bool) -> None:
    before = [secret(number, "superseded", "older") for number in (2, 1)]
    got = helm_releases.history([secret(3, status, "newest"), *before], "x")
    assert (got, got.unfinished) == (History(newest=3, status=status, owner="newest"), unfinished)


@pytest.mark.parametrize(
    ("descriptions", "owner"),
    [
        ([OURS], OURS),
        ([OURS, "timed out", "Rollback to 1"], OURS),
        (["Install complete", "timed out", "Rollback to 1"], "Install complete"),
        ([OURS, "Rollback to 1", "x", "Rollback to 2"], OURS),
        ([OURS, "x", "not a Rollback to 1"], "not a Rollback to 1"),
        ([OURS, "x", "Rollback to 1 by hand"], "Rollback to 1 by hand"),
        ([OURS, RECOVERED], OURS),
        ([OURS, "x", "Rollback to 1", RECOVERED, RECOVERED], OURS),
        ([RECOVERED], RECOVERED),
        (["Rollback to 9"], RECOVERED),
        ([None], ""),
    ],
)
def test_whose_release_it_is(descriptions: list[str | None], owner: str) -> None:
    """A rollback belongs to whom the restored revision belonged, a recovered one to whom the one before it did."""
    *before, last = enumerate(descriptions, 1)
    records = [*(secret(n, "superseded", text) for n, text in before), secret(last[0], "deployed", last[1])]
    assert helm_releases.history(records, "x").owner == owner


def test_a_record_without_information() -> None:
    record = secret(1, "deployed", info=None)
    assert helm_releases.history([record], "x").owner == ""
    del record["metadata"]["labels"]["status"]
    assert helm_releases.status(record) == ""

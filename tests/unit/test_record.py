"""Helm's records of a release."""

import base64
import gzip
import json
from typing import Any

from components import record
from components.objects import Key


def secret(number: int, status: str, description: str = "pulumi binderhub/dev", **body: Any) -> dict[str, Any]:
    content = {"info": {"description": description}, "manifest": "", **body}
    packed = base64.b64encode(base64.b64encode(gzip.compress(json.dumps(content).encode()))).decode()
    return {"metadata": {"labels": {"version": str(number), "status": status}}, "data": {"release": packed}}


def test_no_record_at_all() -> None:
    assert record.read([], "x") == record.History()


def test_the_deployed_revision_is_what_lies_in_the_cluster() -> None:
    manifest = "---\nkind: Secret\nmetadata: {name: hub, namespace: x}\n"
    hook = {"manifest": "kind: Job\nmetadata: {name: puller, annotations: {helm.sh/hook: pre-upgrade}}\n"}
    got = record.read(
        [secret(10, "failed"), secret(9, "deployed", manifest=manifest, hooks=[hook]), secret(8, "superseded")], "x"
    )
    assert (got.status, got.newest, got.owner) == ("failed", 10, "pulumi binderhub/dev")
    assert got.deployed is not None
    assert (got.deployed.number, list(got.deployed.objects)) == (9, [Key("Secret", "hub"), Key("Job", "puller")])


def test_nothing_is_deployed_while_a_first_install_is_pending_or_after_an_uninstall() -> None:
    assert record.read([secret(1, "pending-install")], "x").deployed is None
    assert record.read([secret(1, "uninstalled", "Uninstallation complete")], "x").deployed is None


def test_a_revision_that_took_one_back_belongs_to_whom_that_belonged() -> None:
    mine = [secret(1, "superseded"), secret(2, "failed", "timed out"), secret(3, "deployed", "Rollback to 1")]
    assert record.read(mine, "x").owner == "pulumi binderhub/dev"
    theirs = [secret(1, "superseded", "Install complete"), *mine[1:]]
    assert record.read(theirs, "x").owner == "Install complete"


def test_a_recovered_revision_belongs_to_whom_the_one_before_it_belonged() -> None:
    assert record.read([secret(1, "superseded"), secret(2, "deployed", record.RECOVERED)], "x").owner == (
        "pulumi binderhub/dev"
    )
    assert record.read([secret(1, "deployed", record.RECOVERED)], "x").owner == record.RECOVERED

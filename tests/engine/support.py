"""What the engine tests share: stacks in sealed copies of the project, and looks at the API server."""

import base64
import functools
import gzip
import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from rehearsal import charts, workspace
from rehearsal.toolchain.layout import Toolchain
from rehearsal.workspace import Result, Workspace

PROJECT = Path(__file__).resolve().parents[2]
PASSWORD = "correct-horse-battery-staple"
_MOVES_BY_ITSELF = ("events", "events.events.k8s.io", "leases.coordination.k8s.io", "componentstatuses")


@dataclass(frozen=True)
class Bench:
    """The shared cluster, and a folder below which every stack has its own."""

    tools: Toolchain
    folder: Path
    kubeconfig: Path

    def stack(self, name: str, config: Mapping[str, str]) -> "Stack":
        """Make a stack from Pulumi.dev.yaml and `config` (values are YAML; None-like "" takes a key away)."""
        base = self.folder / "stacks" / name
        space = workspace.make(PROJECT, base, workspace.seal(self.tools, base, self.kubeconfig))
        shutil.copytree(charts.STAND_IN, space.folder / "chart")
        file = yaml.safe_load((space.folder / "Pulumi.dev.yaml").read_text())
        for other in space.folder.glob("Pulumi.*.yaml"):
            other.unlink()  # the same prefix in two stacks would be refused
        asked = {f"binderhub:{key}" if ":" not in key else key: yaml.safe_load(v) for key, v in config.items()}
        file["config"] |= {"binderhub:chart": "chart", **asked}
        (space.folder / f"Pulumi.{name}.yaml").write_text(yaml.safe_dump({"config": file["config"]}))
        space.pulumi("stack", "init", name)
        space.pulumi("config", "set-all", secrets={"registryPassword": PASSWORD})
        return Stack(name, space)

    def kubectl(self, *args: str) -> Any:
        """Ask the API server as its administrator; returns the JSON answer."""
        result = self.space.run("kubectl", *args, "-o", "json")
        assert result.status == 0, result.err
        return json.loads(result.out)

    def apply(self, namespace: str, *items: Mapping[str, Any]) -> None:
        """Make or change objects beside Pulumi, as the API server's administrator; in `namespace` if they name none."""
        file = self.folder / f"{namespace}.json"
        file.write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": items}))
        got = self.space.run("kubectl", "-n", namespace, "apply", "-f", str(file))
        assert got.status == 0, got.err

    @functools.cached_property
    def space(self) -> Workspace:
        return Workspace(self.folder, self.folder, workspace.seal(self.tools, self.folder, self.kubeconfig))

    def objects_named(self, name: str) -> set[tuple[str, str, str]]:
        """Return (kind, namespace, name) of every object that has `name` in its name or its namespace's."""
        kinds = self.space.run("kubectl", "api-resources", "--verbs=list", "-o", "name").out.split()
        items = self.kubectl("get", ",".join(k for k in kinds if k not in _MOVES_BY_ITSELF), "-A")["items"]
        found = {(o["kind"], o["metadata"].get("namespace", ""), o["metadata"]["name"]) for o in items}
        return {(kind, namespace, own) for kind, namespace, own in found if name in namespace or name in own}


@dataclass(frozen=True)
class Stack:
    """A stack under test."""

    name: str
    space: Workspace

    def pulumi(self, *args: str, check: bool = True) -> Result:
        return self.space.pulumi(*args, check=check)

    def up(self, check: bool = True) -> Result:
        return self.pulumi("up", "--yes", "--skip-preview", check=check)

    def set(self, key: str, value: str) -> None:
        self.pulumi("config", "set", "--path", key, value)

    def outputs(self) -> dict[str, Any]:
        return json.loads(self.pulumi("stack", "output", "--json", "--show-secrets").out)

    def export(self) -> dict[str, Any]:
        return json.loads(self.pulumi("stack", "export").out)

    def detailed_diff(self) -> dict[str, dict[str, str]]:
        """Preview, and return for each resource that changes: name -> {path of the leaf: kind of change}."""
        steps = json.loads(self.pulumi("preview", "--json", "--diff").out)["steps"]
        return {
            step["urn"].rsplit("::", 1)[1]: {path: d["kind"] for path, d in (step.get("detailedDiff") or {}).items()}
            for step in steps
            if step["op"] != "same"
        }


def contents_of(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return what one of Helm's records holds."""
    return json.loads(gzip.decompress(base64.b64decode(decoded(record)["release"])))


def decoded(secret: Mapping[str, Any]) -> dict[str, str]:
    """Return the data of a Secret of the API as texts."""
    return {key: base64.b64decode(value).decode() for key, value in secret["data"].items()}


def diagnostics(result: Result) -> str:
    """Return the part of a command's output that tells of errors."""
    return result.text.partition("Diagnostics:")[2] or result.text

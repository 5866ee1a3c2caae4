"""What the engine tests share: stacks in sealed copies of the project, and looks at the API server."""

import base64
import functools
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from rehearsal import charts, workspace
from rehearsal.toolchain.layout import Toolchain
from rehearsal.workspace import Result, Workspace

PROJECT = workspace.PROJECT
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
        space = workspace.make(PROJECT, base, workspace.seal(self.tools, base, self.kubeconfig, self.folder / "python"))
        shutil.copytree(charts.STAND_IN, space.folder / "chart")
        file = yaml.safe_load((space.folder / "Pulumi.dev.yaml").read_text())
        for other in space.folder.glob("Pulumi.*.yaml"):
            other.unlink()  # the same prefix in two stacks would be refused
        asked = {f"binderhub:{key}" if ":" not in key else key: yaml.safe_load(v) for key, v in config.items()}
        # Its name does not tell the profile, unless it is dev.
        file["config"] |= {"binderhub:chart": "chart", "binderhub:profile": "dev", **asked}
        (space.folder / f"Pulumi.{name}.yaml").write_text(yaml.safe_dump({"config": file["config"]}))
        space.pulumi("stack", "init", name)
        space.pulumi("config", "set-all", secrets={"registryPassword": PASSWORD})
        return Stack(name, space)

    def own_stack(self, name: str, **config: str) -> "Stack":
        """Make a stack whose release, namespace and tiller have its name; `config` is as in `stack`."""
        return self.stack(name, {"release": name, "tiller": f"name: tiller-{name}", **config})

    def kubectl(self, *args: str) -> Any:
        """Ask the API server as its administrator; returns the JSON answer."""
        return json.loads(self.space.kubectl(*args, "-o", "json"))

    def apply(self, namespace: str, *items: Mapping[str, Any]) -> None:
        """Make or change objects beside Pulumi, as the API server's administrator; in `namespace` if they name none."""
        file = self.folder / f"{namespace}.json"
        file.write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": items}))
        self.space.kubectl("-n", namespace, "apply", "-f", str(file))

    def kubeconfig_at(self, file: Path, user: Mapping[str, Any] | None = None, **cluster: str) -> Path:
        """Write the kubeconfig to another place, with another user than the administrator, and changes of the cluster.

        A `user` that acts as another stays the administrator, who may do that.
        """
        content = yaml.safe_load(self.kubeconfig.read_text())
        content["clusters"][0]["cluster"] |= cluster
        (one,) = content["users"]
        if user is not None:
            one["user"] = {**(one["user"] if "as" in user else {}), **user}
        file.write_text(yaml.safe_dump(content))
        return file

    @functools.cached_property
    def space(self) -> Workspace:
        return Workspace(
            self.folder, self.folder, workspace.seal(self.tools, self.folder, self.kubeconfig, self.folder / "python")
        )

    def everything(self, namespace: str = "") -> list[dict[str, Any]]:
        """Return every object of a namespace, or of the cluster, but for what moves by itself."""
        where, only = (["-n", namespace], ["--namespaced"]) if namespace else (["-A"], [])
        kinds = self.space.kubectl("api-resources", "--verbs=list", "-o", "name", *only).split()
        return list(self.kubectl("get", ",".join(k for k in kinds if k not in _MOVES_BY_ITSELF), *where)["items"])


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

    def steps(self) -> dict[str, dict[str, Any]]:
        """Preview, and return the step of each resource that changes by the resource's name."""
        steps = json.loads(self.pulumi("preview", "--json", "--diff").out)["steps"]
        return {step["urn"].rsplit("::", 1)[1]: step for step in steps if step["op"] != "same"}


def rehearse(*args: str, folder: Path = PROJECT, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the rehearsal's command in a folder, as a user or a CI job does."""
    command = [sys.executable, "-m", "rehearsal", *args]
    return subprocess.run(command, cwd=folder, env={**os.environ, **environment}, capture_output=True, text=True)


def decoded(secret: Mapping[str, Any]) -> dict[str, str]:
    """Return the data of a Secret of the API as texts."""
    return {key: base64.b64decode(value).decode() for key, value in secret["data"].items()}


def diagnostics(result: Result) -> str:
    """Return the part of a command's output that tells of errors."""
    return result.text.partition("Diagnostics:")[2] or result.text

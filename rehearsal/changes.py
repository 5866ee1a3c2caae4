"""What a deployment changed, as the API server has it, and what a preview said of it."""

import json
import re
from collections.abc import Mapping
from typing import Any, Final

from components import labels
from rehearsal.workspace import CommandError, Workspace

# What moves by itself or follows from other objects.
_NOT_COUNTED: Final = ("events", "events.events.k8s.io", "leases.coordination.k8s.io", "componentstatuses", "endpoints")
_WORKLOADS: Final = ("DaemonSet", "Deployment", "StatefulSet")
_BY_CONTROLLERS: Final = ("deployment.kubernetes.io/revision", "deprecated.daemonset.template.generation")
_RESOURCE: Final = re.compile(r"^ (?P<sign>[-+~=]{1,2}) +(?P<type>\S+:\S+) (?P<name>\S+) (?P<what>\S.*)$")
_SECTION: Final = re.compile(r"^(Outputs|Resources|Policies):")
Objects = dict[str, Any]


def objects(space: Workspace) -> Objects:
    """Return every object that Helm or Pulumi itself made, by `Kind/name`, without what the server and controllers add.

    Values stand in it: it is for comparison, and not to be shown. Raises `CommandError`.
    """
    kinds = space.run("kubectl", "api-resources", "--verbs=list", "-o", "name").out.split()
    asked = ",".join(kind for kind in kinds if kind not in _NOT_COUNTED)
    got = space.run("kubectl", "get", asked, "-A", "-o", "json")
    if got.status:
        raise CommandError(got.err)
    return {
        f"{o['kind']}/{o['metadata']['name']}": _content(o) for o in json.loads(got.out)["items"] if made_by_stack(o)
    }


def made_by_stack(item: Mapping[str, Any]) -> bool:
    """Tell whether Helm or Pulumi itself made this object of the API."""
    about = item["metadata"]
    if about.get("ownerReferences"):
        return False  # made by a controller, which copies annotations on
    by_helm = "meta.helm.sh/release-name" in about.get("annotations", {})
    return bool(by_helm or labels.OWN.items() <= about.get("labels", {}).items())


def _content(item: Mapping[str, Any]) -> dict[str, Any]:
    about = item["metadata"]
    notes = {k: v for k, v in (about.get("annotations") or {}).items() if k not in _BY_CONTROLLERS}
    rest = {k: v for k, v in item.items() if k not in ("metadata", "status")}
    return {**rest, "labels": about.get("labels"), "annotations": notes}


def between(before: Objects, after: Objects) -> list[dict[str, str]]:
    """Return what changed, sorted: `object`, and `what` (new, deleted, changed, pods restart)."""
    found = []
    for name in sorted({*before, *after}):
        if name not in before or name not in after:
            found.append({"object": name, "what": "deleted" if name in before else "new"})
        elif before[name] != after[name]:
            restarts = name.split("/")[0] in _WORKLOADS and _template(before[name]) != _template(after[name])
            found.append({"object": name, "what": "pods restart" if restarts else "changed"})
    return found


def _template(workload: Mapping[str, Any]) -> Any:
    return workload["spec"]["template"]


def resources(printed: str) -> list[str]:
    """Return the resources that a preview says it would touch, each once, as Pulumi writes them."""
    found = {}
    for line in printed.splitlines():
        match = _RESOURCE.match(line)
        if match and match["type"] != "pulumi:pulumi:Stack":
            found[match["type"], match["name"]] = line.strip()
    return list(found.values())


def diagnostics(printed: str) -> list[str]:
    """Return what stands under `Diagnostics:`, without the names of the resources that it is filed under."""
    _, found, rest = printed.partition("\nDiagnostics:\n")
    lines = []
    for line in rest.splitlines() if found else ():
        if _SECTION.match(line):
            break
        if line.startswith("    ") and line.strip():
            lines.append(line[4:].rstrip())
    return lines

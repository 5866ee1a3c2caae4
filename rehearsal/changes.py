"""What a deployment changed, as the API server has it, and what a preview said of it."""

import json
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from kube.manifests import OWN_LABELS, WORKLOADS, ObjectKey, key_of, pod_template
from rehearsal.workspace import Workspace

# What moves by itself or follows from other objects.
_NOT_COUNTED: Final = ("events", "events.events.k8s.io", "leases.coordination.k8s.io", "componentstatuses", "endpoints")
_BY_CONTROLLERS: Final = ("deployment.kubernetes.io/revision", "deprecated.daemonset.template.generation")
_RESOURCE: Final = re.compile(
    r"^ (?P<sign>[-+~=<>]{1,2}) +(?P<type>\S+:\S+) (?P<name>\S+) (?P<what>[a-z]+(?: \[diff: [^\]]*\])?)"
)
# The two halves of a replacement, which has a line of its own.
_HALVES: Final = ("++", "--")
_SECTION: Final = re.compile(r"^(Outputs|Resources|Policies):")


@dataclass(frozen=True)
class Object:
    """An object as the API server has it, without what the server and controllers add; another one has another `uid`.

    Values stand in it: it is for comparison, and not to be shown.
    """

    uid: str
    content: Mapping[str, Any]


Objects = dict[ObjectKey, Object]


def objects(space: Workspace, namespace: str) -> Objects:
    """Return every object that Helm or Pulumi itself made; `namespace` is the release's, which keys leave out.

    Raises `CommandError`.
    """
    kinds = space.kubectl("api-resources", "--verbs=list", "-o", "name").split()
    asked = ",".join(kind for kind in kinds if kind not in _NOT_COUNTED)
    return by_key(json.loads(space.kubectl("get", asked, "-A", "-o", "json"))["items"], namespace)


def by_key(items: list[dict[str, Any]], namespace: str) -> Objects:
    """Return those among the items of the API that the stack made."""
    return {key_of(item, namespace): _object(item) for item in items if made_by_stack(item)}


def made_by_stack(item: Mapping[str, Any]) -> bool:
    """Tell whether Helm or Pulumi itself made this object of the API."""
    about = item["metadata"]
    if about.get("ownerReferences"):
        return False  # made by a controller, which copies annotations on
    by_helm = "meta.helm.sh/release-name" in about.get("annotations", {})
    return bool(by_helm or OWN_LABELS.items() <= about.get("labels", {}).items())


def _object(item: Mapping[str, Any]) -> Object:
    about = item["metadata"]
    notes = {k: v for k, v in (about.get("annotations") or {}).items() if k not in _BY_CONTROLLERS}
    rest = {k: v for k, v in item.items() if k not in ("metadata", "status")}
    return Object(about.get("uid", ""), {**rest, "labels": about.get("labels"), "annotations": notes})


def count(found: Objects) -> dict[str, int]:
    """Return how many objects of each kind there are."""
    return dict(sorted(Counter(key.kind for key in found).items()))


def between(before: Objects, after: Objects) -> dict[ObjectKey, str]:
    """Return what changed, sorted: "new", "deleted", "changed", "pods restart" for a workload's changed pods.

    "replaced" is another object of the same name.
    """
    keys = sorted({*before, *after})
    return {key: what for key in keys if (what := _what(key.kind, before.get(key), after.get(key)))}


def _what(kind: str, old: Object | None, new: Object | None) -> str:
    if old is None or new is None:
        return "new" if old is None else "deleted"
    if old.uid != new.uid:
        return "replaced"
    if old == new:
        return ""
    restarts = kind in WORKLOADS and pod_template(old.content) != pod_template(new.content)
    return "pods restart" if restarts else "changed"


def resources(printed: str) -> list[str]:
    """Return the resources that a preview says it would touch, each once, as Pulumi writes them."""
    found = {}
    for line in printed.splitlines():
        row = _RESOURCE.match(line)
        if row and row["sign"] not in _HALVES and row["type"] != "pulumi:pulumi:Stack":
            # The last word on a resource is the fullest.
            found[row["type"], row["name"]] = f"{row['sign']:<2} {row['type']} {row['name']} {row['what']}"
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

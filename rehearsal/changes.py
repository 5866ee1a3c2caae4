"""What a preview announces, and what a deployment changed as the API server has it."""

import json
from collections.abc import Mapping
from typing import Any, Final

from kube.manifests import OF_RELEASE, OWN_LABELS, WORKLOADS, ObjectKey, key_of, pod_template
from kube.run import Result
from rehearsal.errors import CommandError
from rehearsal.workspace import Workspace

# What moves by itself or follows from other objects.
_NOT_COUNTED: Final = ("events", "events.events.k8s.io", "leases.coordination.k8s.io", "componentstatuses", "endpoints")
_BY_CONTROLLERS: Final = ("deployment.kubernetes.io/revision", "deprecated.daemonset.template.generation")
# Nothing happens, or it is half of a replacement, which has a step of its own.
_NO_STEPS: Final = ("same", "create-replacement", "delete-replaced")
# Without what the server and controllers add. Values stand in it: it is for comparison, and not to be shown.
Objects = Mapping[ObjectKey, Mapping[str, Any]]


def objects(space: Workspace, namespace: str) -> Objects:
    """Return every object that Helm or Pulumi itself made; `namespace` is the release's, which keys leave out.

    Raises `CommandError`.
    """
    kinds = space.kubectl("api-resources", "--verbs=list", "-o", "name").split()
    asked = ",".join(kind for kind in kinds if kind not in _NOT_COUNTED)
    return by_key(json.loads(space.kubectl("get", asked, "-A", "-o", "json"))["items"], namespace)


def by_key(items: list[dict[str, Any]], namespace: str) -> Objects:
    """Return those among the items of the API that the stack made."""
    return {key_of(item, namespace): _comparable(item) for item in items if made_by_stack(item)}


def made_by_stack(item: Mapping[str, Any]) -> bool:
    """Tell whether Helm or Pulumi itself made this object of the API."""
    about = item["metadata"]
    if about.get("ownerReferences"):
        return False  # made by a controller, which copies annotations on
    by_helm = OF_RELEASE in about.get("annotations", {})
    return bool(by_helm or OWN_LABELS.items() <= about.get("labels", {}).items())


def _comparable(item: Mapping[str, Any]) -> dict[str, Any]:
    about = item["metadata"]
    notes = {k: v for k, v in about.get("annotations", {}).items() if k not in _BY_CONTROLLERS}
    rest = {k: v for k, v in item.items() if k not in ("metadata", "status")}
    return {**rest, "uid": about["uid"], "labels": about.get("labels"), "annotations": notes}


def between(before: Objects, after: Objects) -> dict[ObjectKey, str]:
    """Return what changed, sorted: "new", "deleted", "changed", "pods restart" for a workload's changed pods.

    "replaced" is another object of the same name.
    """
    keys = sorted({*before, *after})
    return {key: what for key in keys if (what := _what(key.kind, before.get(key), after.get(key)))}


def _what(kind: str, old: Mapping[str, Any] | None, new: Mapping[str, Any] | None) -> str:
    if old is None or new is None:
        return "new" if old is None else "deleted"
    if old["uid"] != new["uid"]:
        return "replaced"
    if old == new:
        return ""
    return "pods restart" if kind in WORKLOADS and pod_template(old) != pod_template(new) else "changed"


def announced(result: Result) -> tuple[list[str], list[str]]:
    """Read what `pulumi preview --json` printed: the resources that it would touch, and the lines of its diagnostics.

    A resource is its operation, type and name, and which of its inputs differ. Raises `CommandError` with the
    diagnostics of a preview that failed.
    """
    preview = json.loads(result.out or "{}")
    messages = [line for one in preview.get("diagnostics", ()) for line in one["message"].splitlines() if line.strip()]
    if result.status:
        raise CommandError("\n".join([*messages, result.err.strip()]).strip())
    steps = [step for step in preview["steps"] if step["op"] not in _NO_STEPS]
    return [_told(step) for step in steps], messages


def deployed(result: Result) -> tuple[dict[str, Any], str]:
    """Read what `pulumi stack export` printed: the stack's outputs, and the version of pulumi-kubernetes that ran."""
    resources = json.loads(result.out)["deployment"]["resources"]
    found = {one["type"]: one for one in resources}
    provider = found.get("pulumi:providers:kubernetes") or {}
    return found["pulumi:pulumi:Stack"].get("outputs") or {}, str((provider.get("inputs") or {}).get("version") or "")


def _told(step: Mapping[str, Any]) -> str:
    *_, types, name = step["urn"].split("::")
    inputs = ", ".join(step.get("diffReasons") or ())
    return f"{step['op']} {types.rpartition('$')[2]} {name}" + (f" ({inputs})" if inputs else "")

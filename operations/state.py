"""The state of a stack, as `pulumi stack export` prints it. Pure functions."""

from collections.abc import Mapping
from typing import Any, Final

RELEASE: Final = "kubernetes:helm.sh/v3:Release"
NAMESPACE: Final = "kubernetes:core/v1:Namespace"

State = dict[str, Any]
Resource = Mapping[str, Any]


def resources(state: State) -> list[dict[str, Any]]:
    """Return the resources of the state."""
    return state["deployment"].get("resources") or []


def is_object(kind: str) -> bool:
    """Return whether a type of the state lies in the cluster: a Helm release, too."""
    return kind.startswith("kubernetes:")


def plain_objects(state: State) -> list[Resource]:
    """Return the inputs of the objects that the program makes itself, without those that are about to be deleted."""
    found = (r for r in resources(state) if is_object(r["type"]) and not r.get("delete"))
    return [r["inputs"] for r in found if r["type"] != RELEASE]


def release(state: State) -> Resource | None:
    """Return the resource of the Helm release; None if the state has none."""
    return next((r for r in resources(state) if r["type"] == RELEASE and not r.get("delete")), None)

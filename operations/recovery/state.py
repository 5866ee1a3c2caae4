"""What an interrupted run leaves in the state of a stack.

Pure functions. A resource with `initErrors` is updated by the next `pulumi up` even if nothing differs, and so waited
for: that is how an interrupted operation is completed and proven. What a pending create had already made becomes such
a resource; the operation holds all that the state needs but its id and outputs (facts: failures.md 3.4).
"""

import copy
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final

from operations.state import RELEASE, Resource, State, is_object, resources

WHY: Final = "interrupted; this update completes it"
# The provider's own names, before a random suffix.
_MANAGER: Final = "pulumi-kubernetes"


@dataclass(frozen=True)
class Edited:
    """A state in order, what was done to it in words for the user, and the URNs that a refresh must look at."""

    state: State
    notes: list[str]
    refresh: list[str]


def operations(state: State) -> list[tuple[str, Resource]]:
    """Return what a run began and whose end is not recorded: creating, updating, deleting, ..., and the resource."""
    return [(op["type"], op["resource"]) for op in state["deployment"].get("pending_operations") or []]


def object_id(resource: Resource) -> str:
    """Return the id that the provider gives a Kubernetes object or a release: `namespace/name`, or `name`."""
    names = resource["inputs"] if resource["type"] == RELEASE else resource["inputs"]["metadata"]
    return "/".join(filter(None, (names.get("namespace"), names["name"])))


def releases(state: State) -> dict[str, str]:
    """Return every release that the state knows or that a run began to make: id -> URN."""
    known = [*resources(state), *(resource for kind, resource in operations(state) if kind == "creating")]
    return {object_id(resource): resource["urn"] for resource in known if resource["type"] == RELEASE}


def edit(state: State, live: Mapping[str, Mapping[str, Any]], interrupted: Collection[str]) -> Edited:
    """Put a state in order.

    `live` are the objects that exist, by URN, as the API gives them with their managed fields; a release that exists
    has an entry too, whatever it holds. `interrupted` are the URNs of releases whose Helm records say so.
    """
    new, notes, refresh = copy.deepcopy(state), [], []
    new["deployment"].pop("pending_operations", None)
    known = {r["urn"]: r for r in resources(new) if not r.get("delete")}
    for kind, begun in [*operations(state), *(("updating", known[urn]) for urn in interrupted if urn in known)]:
        # As they stand in Pulumi's own output.
        name = f"{begun['type'].rpartition(':')[2]} {begun['urn'].rpartition('::')[2]}"
        there = known.get(begun["urn"])
        if kind == "deleting":
            if there:
                refresh.append(begun["urn"])
                notes.append(f"{name}: its deletion was cut short; what is left of it is looked up")
        elif there:
            if is_object(begun["type"]) and not there.get("initErrors"):
                there["initErrors"] = [WHY]
                notes.append(f"{name}: its update was cut short; the next up repeats it")
        elif kind == "creating":
            if made := _taken_over(begun, live.get(begun["urn"])):
                new["deployment"]["resources"] = [*resources(new), made]
                notes.append(f"{name}: was made, but not recorded; it is recorded now")
            else:
                notes.append(f"{name}: was not made; the next up makes it")
    return Edited(new, notes, refresh)


def _taken_over(begun: Resource, found: Mapping[str, Any] | None) -> dict[str, Any] | None:
    if found is None:
        return None
    resource = {**begun, "id": object_id(begun), "initErrors": [WHY]}
    if begun["type"] == RELEASE:
        return {**resource, "outputs": begun["inputs"]}
    managers = [field.get("manager", "") for field in found["metadata"].get("managedFields") or []]
    manager = next((name for name in managers if name.startswith(_MANAGER)), None)
    if manager is None:
        return None  # somebody else's object of the same name
    # What the provider itself records. Under another manager's name, fields that the program drops would stay for ever.
    own = {"__fieldManager": manager, "__initialApiVersion": found["apiVersion"], "__inputs": begun["inputs"]}
    return {**resource, "outputs": {**found, **own}}

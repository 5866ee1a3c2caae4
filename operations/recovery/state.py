"""What an interrupted run leaves in the state of a stack.

Pure functions. A resource with `initErrors` is updated by the next `pulumi up` even if nothing differs, and so waited
for: that is how an interrupted operation is completed and proven. What a pending create had already made becomes such
a resource; the operation holds all that the state needs but its id and outputs (facts: failures.md 3.4).
"""

import copy
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from operations.state import NAMESPACE, RELEASE, State, is_object, resources

WHY: Final = "interrupted; this update completes it"
# The provider's own names, before a random suffix.
_MANAGER: Final = "pulumi-kubernetes"


@dataclass(frozen=True)
class Operation:
    """An operation that a run began and whose end is not recorded. `kind` is creating, updating, deleting, ...

    `urn` and `type` are those of the resource.
    """

    kind: str
    urn: str
    type: str
    resource: Mapping[str, Any]


@dataclass(frozen=True)
class Edited:
    """A state in order, what was done to it in words for the user, and the URNs that a refresh must look at."""

    state: State
    notes: tuple[str, ...]
    refresh: tuple[str, ...]


def operations(state: State) -> list[Operation]:
    """Return the operations without an end."""
    pending = state["deployment"].get("pending_operations") or []
    return [Operation(op["type"], op["resource"]["urn"], op["resource"]["type"], op["resource"]) for op in pending]


def object_id(resource: Mapping[str, Any]) -> str:
    """Return the id that the provider gives a Kubernetes object or a release: `namespace/name`, or `name`."""
    names = resource["inputs"] if resource["type"] == RELEASE else resource["inputs"]["metadata"]
    return "/".join(filter(None, (names.get("namespace"), names["name"])))


def releases(state: State) -> dict[str, str]:
    """Return every release that the state knows or that a run began to make: id -> URN."""
    known = {r["id"]: r["urn"] for r in resources(state) if r["type"] == RELEASE}
    begun = [op for op in operations(state) if op.type == RELEASE and op.kind == "creating"]
    return known | {object_id(op.resource): op.urn for op in begun}


def begun_objects(state: State) -> Iterator[Mapping[str, Any]]:
    """Return the plain objects that a run began to make: they may exist or not."""
    for op in operations(state):
        if op.kind == "creating" and op.type != RELEASE and is_object(op.type):
            yield op.resource


def being_destroyed(state: State) -> bool:
    """Return whether the interrupted run deleted a release or a namespace."""
    return any(op.kind == "deleting" and op.type in (RELEASE, NAMESPACE) for op in operations(state))


def edit(state: State, live: Mapping[str, Mapping[str, Any]], interrupted: Collection[str]) -> Edited:
    """Put a state in order.

    `live` are the objects that exist, by URN, as the API gives them with their managed fields; a release that exists
    has an entry too, whatever it holds. `interrupted` are the ids of releases whose Helm records say so.
    """
    new = copy.deepcopy(state)
    known, notes = {r["urn"]: r for r in resources(new) if not r.get("delete")}, []
    begun = operations(state)
    touched = {op.urn for op in begun if op.kind != "deleting"}
    for resource in known.values():
        cut_short = resource["urn"] in touched or (resource["type"] == RELEASE and resource["id"] in interrupted)
        if cut_short and is_object(resource["type"]) and not resource.get("initErrors"):
            resource["initErrors"] = [WHY]
            notes.append(f"{label(resource)}: its update was cut short; the next up repeats it")
    for op in begun:
        if op.kind != "creating" or op.urn in known:
            continue
        if (found := live.get(op.urn)) is not None and (whole := _taken_over(op, found)):
            new["deployment"]["resources"] = [*resources(new), whole]
            notes.append(f"{label(op.resource)}: was made, but not recorded; it is recorded now")
        else:
            notes.append(f"{label(op.resource)}: was not made; the next up makes it")
    gone = tuple(op.urn for op in begun if op.kind == "deleting" and op.urn in known)
    notes += [f"{label(known[urn])}: its deletion was cut short; what is left of it is looked up" for urn in gone]
    new["deployment"].pop("pending_operations", None)
    return Edited(new, tuple(notes), gone)


def label(resource: Mapping[str, Any]) -> str:
    """Return a resource's kind and name, as they stand in Pulumi's own output."""
    return f"{resource['type'].rpartition(':')[2]} {resource['urn'].rpartition('::')[2]}"


def _taken_over(op: Operation, found: Mapping[str, Any]) -> dict[str, Any] | None:
    resource = {**op.resource, "id": object_id(op.resource), "initErrors": [WHY]}
    if op.type == RELEASE:
        return {**resource, "outputs": op.resource["inputs"]}
    managers = [field.get("manager", "") for field in found["metadata"].get("managedFields") or []]
    manager = next((name for name in managers if name.startswith(_MANAGER)), None)
    if manager is None:
        return None  # somebody else's object of the same name
    # What the provider itself records. Under another manager's name, fields that the program drops would stay for ever.
    own = {"__fieldManager": manager, "__initialApiVersion": found["apiVersion"], "__inputs": op.resource["inputs"]}
    return {**resource, "outputs": {**found, **own}}

"""What a stack expects of its objects: those of Helm's deployed record, and those that the program makes itself.

Pure functions. Which value each field should have is best said by the API server itself, from a dry run (`by_server`);
where it refuses that, it is read off what was deployed (`by_hand`).
"""

import base64
from collections.abc import Iterator, Mapping
from typing import Any, Final

from checks.drift import Wanted
from checks.fields import Path, Step, Tree, at, items, leaves, merged
from components import objects
from components.objects import Key, Object
from components.record import Revision

# The field manager of the dry runs. No object ever has it.
MANAGER: Final = "binderhub-drift"
# What the API server puts into an item that lacks it, where lists have it among their keys.
_DEFAULT_KEYS: Final = {"protocol": "TCP"}


def of_release(revision: Revision, release: str, namespace: str) -> dict[Key, dict[str, Any]]:
    """Return the objects of a revision, as Helm put them into the cluster. Hooks are left out: they come and go."""
    kept = {key: one for key, one in revision.objects.items() if not objects.hooks(one)}
    return {key: _ready(_marked(one, release, namespace), key, namespace) for key, one in kept.items()}


def of_program(inputs: list[Object], namespace: str) -> dict[Key, dict[str, Any]]:
    """Return the objects that the program makes itself, by their inputs in the state."""
    return {key: _ready(one, key, namespace) for key, one in objects.by_key(inputs, namespace).items()}


def _marked(one: Object, release: str, namespace: str) -> dict[str, Any]:
    """Add what Helm adds to every object that it installs (seen with pulumi-kubernetes 4.25.0)."""
    about = one["metadata"]
    labels = {**(about.get("labels") or {}), "app.kubernetes.io/managed-by": "Helm"}
    owner = {"meta.helm.sh/release-name": release, "meta.helm.sh/release-namespace": namespace}
    return {
        **one,
        "metadata": {**about, "labels": labels, "annotations": {**(about.get("annotations") or {}), **owner}},
    }


def _ready(one: Object, key: Key, namespace: str) -> dict[str, Any]:
    """Return an object as kubectl takes it, with its namespace, without a status, a Secret's texts among its data."""
    where = {} if key.kind in objects.CLUSTER_WIDE else {"namespace": key.namespace or namespace}
    whole = {**one, "metadata": {**one["metadata"], **where}}
    whole.pop("status", None)
    if one["kind"] == "Secret" and (texts := whole.pop("stringData", None)):
        encoded = {name: base64.b64encode(str(value).encode()).decode() for name, value in texts.items()}
        whole["data"] = {**(whole.get("data") or {}), **encoded}
    return whole


def by_server(applied: Object) -> Wanted:
    """Return what is expected of an object that a dry run has applied to the one in the cluster.

    The server's record says which fields were in the request, and beside it stands what it makes of them: quantities,
    and what webhooks change, are in the same form as in the cluster.
    """
    entries = [e for e in applied["metadata"].get("managedFields") or [] if e["manager"] == MANAGER]
    return {path: at(applied, path) for entry in entries for path in leaves(entry["fieldsV1"])}


def by_hand(expected: Object, live: Object) -> Wanted:
    """Return what is expected of an object, as it was deployed; `live` shows by which keys lists are merged."""
    trees = [e.get("fieldsV1") or {} for e in live["metadata"].get("managedFields") or []]
    parts = {name: value for name, value in expected.items() if name not in ("apiVersion", "kind", "metadata")}
    about = {name: expected["metadata"].get(name) or {} for name in ("annotations", "labels")}
    wanted = _walk({**parts, "metadata": about}, merged(trees), ())
    return {path: _completed(value, at(live, path)) for path, value in wanted}


def _completed(one: Any, there: Any) -> Any:
    """Return a value with what is only in the cluster's: below a list that is set as one, those are its defaults."""
    if isinstance(one, Mapping) and isinstance(there, Mapping):
        return {**there, **{name: _completed(value, there.get(name)) for name, value in one.items()}}
    if isinstance(one, list) and isinstance(there, list) and len(one) == len(there):
        return [_completed(*pair) for pair in zip(one, there, strict=True)]
    return one


def _walk(one: Any, tree: Tree, path: Path) -> Iterator[tuple[Path, Any]]:
    if isinstance(one, Mapping):
        for name, below in one.items():
            yield from _walk(below, tree.get(f"f:{name}", {}), (*path, Step("f", name)))
    elif isinstance(one, list) and (known := items(tree)):
        for below in one:
            keys = tuple((name, below.get(name, _DEFAULT_KEYS.get(name))) for name, _ in next(iter(known)))
            yield from _walk(below, known.get(keys, {}), (*path, Step("k", keys)))
    elif one is not None:
        yield path, one

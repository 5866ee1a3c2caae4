"""What a stack expects of its own cluster and a throwaway one has not: classes by name, and labels of nodes.

Classes are made by name, since only the real cluster can tell whether they exist. Labels are not: that no node has
them is what a rehearsal is there to show. Who knows better says so on the command line.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from components import kinds, settings
from rehearsal.workspace import CommandError, Workspace

# The provisioner of the throwaway cluster's own class.
_PROVISIONER: Final = "kwok.x-k8s.io/volume"
_KEYS: Final = {
    "storageClassName": "StorageClass",
    "storageClass": "StorageClass",
    "ingressClassName": "IngressClass",
    "priorityClassName": "PriorityClass",
}
_HUB_STORAGE: Final = f"{settings.PROJECT}:hubStorageClass"
# Classes that every cluster has.
_OWN: Final = re.compile(r"system-(node|cluster)-critical|kwok-volume|")


@dataclass(frozen=True, order=True)
class Class:
    """A class that a stack names: StorageClass, IngressClass or PriorityClass, and its name."""

    kind: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"


class LabelsError(Exception):
    """Why labels of nodes cannot be given as they were asked for."""


def classes(config: Mapping[str, Any], values: Any) -> set[Class]:
    """Return the classes that a stack's config and its own Helm values name."""
    found = {Class("StorageClass", str(config[_HUB_STORAGE]))} if config.get(_HUB_STORAGE) else set()
    return {one for one in (*found, *_named(values)) if not _OWN.fullmatch(one.name)}


def _named(value: Any) -> Iterator[Class]:
    if isinstance(value, Mapping):
        for key, below in value.items():
            if key in _KEYS and isinstance(below, str):
                yield Class(_KEYS[key], below)
            else:
                yield from _named(below)
    elif isinstance(value, list):
        for below in value:
            yield from _named(below)


def own_values(path: Path) -> Any:
    """Return what stands in a file of Helm values; nothing if it cannot be read, which the program will say."""
    try:
        return yaml.safe_load(path.read_text())
    except (OSError, ValueError, yaml.YAMLError):
        return None


def manifest(one: Class) -> dict[str, Any]:
    """Return a class as the API takes it: one that works on the throwaway cluster."""
    versions = {"StorageClass": "storage.k8s.io/v1", "IngressClass": "networking.k8s.io/v1"}
    parts: dict[str, dict[str, Any]] = {
        "StorageClass": {"provisioner": _PROVISIONER, "allowVolumeExpansion": True, "reclaimPolicy": "Delete"},
        "IngressClass": {"spec": {"controller": "rehearsal.invalid/none"}},
        "PriorityClass": {"value": 0},
    }
    version = versions.get(one.kind, "scheduling.k8s.io/v1")
    return {"apiVersion": version, "kind": one.kind, "metadata": {"name": one.name}, **parts[one.kind]}


def labels(text: str) -> dict[str, str]:
    """Read labels such as `pool=core,disk=ssd`. Raises `LabelsError`."""
    pairs = [pair.partition("=") for pair in text.split(",") if pair.strip()]
    found = {key.strip(): value.strip() for key, _, value in pairs}
    try:
        return dict(kinds.LABELS.read(json.dumps(found))) if found else {}
    except kinds.Unfit as error:
        raise LabelsError(f"--nodes {text}: {error}\n      example:  make rehearse NODES=pool=core,disk=ssd") from None


def put(space: Workspace, wanted: set[Class], node_labels: Mapping[str, str]) -> None:
    """Make classes on the throwaway cluster, and label all of its nodes. Raises `CommandError`."""
    if wanted:
        file = space.base / "pretended.json"
        items = [manifest(one) for one in sorted(wanted)]
        file.write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": items}))
        _kubectl(space, "apply", "-f", str(file))
    if node_labels:
        _kubectl(space, "label", "nodes", "--all", "--overwrite", *(f"{k}={v}" for k, v in node_labels.items()))


def _kubectl(space: Workspace, *args: str) -> None:
    got = space.run("kubectl", *args)
    if got.status:
        raise CommandError(got.err)

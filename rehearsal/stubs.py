"""What a stack expects of its own cluster and a throwaway one has not: classes by name, and labels of nodes.

Classes are made by name, since only the real cluster can tell whether they exist. Labels are not: that no node has
them is what a rehearsal is there to show. Who knows better says so on the command line. All but `put` is pure.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from config import settings, types
from config.errors import InvalidValue
from kube import yaml
from kube.nested import leaves
from rehearsal.cluster.kwok import NODES
from rehearsal.errors import UsageError
from rehearsal.workspace import Workspace

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
_OWN: Final = re.compile(r"system-(node|cluster)-critical|kwok-volume")
# How our preview and the scheduler say that a node selector kept pods away.
_NO_SUCH_NODE: Final = re.compile(r"no node has the labels (\{[^}]*\})|didn't match Pod's node affinity/selector")
_PAIR: Final = re.compile(r"'([^']+)': '([^']*)'")


@dataclass(frozen=True, order=True)
class ClassStub:
    """A class that a stack names: StorageClass, IngressClass or PriorityClass, and its name."""

    kind: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"


def classes(config: Mapping[str, Any], values: Any) -> set[ClassStub]:
    """Return the classes that a stack's config and its own Helm values name, as far as a class can have that name.

    Others are left to the real server's judgement: `-` and `""` stand for "no class" in some charts.
    """
    found = {ClassStub("StorageClass", str(config[_HUB_STORAGE]))} if config.get(_HUB_STORAGE) else set()
    named = ((path.rpartition(".")[2], name) for path, name in leaves(values) if isinstance(name, str))
    found |= {ClassStub(_KEYS[key], name) for key, name in named if key in _KEYS}
    return {one for one in found if _can_be_made(one.name)}


def _can_be_made(name: str) -> bool:
    try:
        return not _OWN.fullmatch(types.OBJECT_NAME.read(name))
    except InvalidValue:
        return False


def own_values(path: Path) -> Any:
    """Return what stands in a file of Helm values; nothing if it cannot be read, which the program will say."""
    try:
        return yaml.load(path.read_bytes(), path)
    except (OSError, ValueError):
        return None


def manifest(one: ClassStub) -> dict[str, Any]:
    """Return a class as the API takes it: one that works on the throwaway cluster."""
    versions = {"StorageClass": "storage.k8s.io/v1", "IngressClass": "networking.k8s.io/v1"}
    parts: dict[str, dict[str, Any]] = {
        "StorageClass": {"provisioner": _PROVISIONER, "allowVolumeExpansion": True, "reclaimPolicy": "Delete"},
        "IngressClass": {"spec": {"controller": "rehearsal.invalid/none"}},
        "PriorityClass": {"value": 0},
    }
    version = versions.get(one.kind, "scheduling.k8s.io/v1")
    return {"apiVersion": version, "kind": one.kind, "metadata": {"name": one.name}, **parts[one.kind]}


def labels(text: str) -> dict[str, tuple[str, ...]]:
    """Read labels such as `pool=core,disk=ssd`; a key that comes again has several values. Raises `UsageError`."""
    found: dict[str, tuple[str, ...]] = {}
    example = "make rehearse NODES=pool=core,disk=ssd"
    for pair in filter(None, map(str.strip, text.split(","))):
        key, sign, value = pair.partition("=")
        try:
            ((name, label),) = types.LABELS.read(json.dumps({key: value})).items()
        except InvalidValue as error:
            raise UsageError(f"--nodes {text}: found {pair!r}", str(error), example) from None
        if not sign:
            raise UsageError(f"--nodes {text}: found {pair!r}", "a label and its value", example)
        found[name] = (*found.get(name, ()), label)
        if len(found[name]) > NODES:
            expected = f"at most {NODES} values of {name}, one for each simulated node"
            raise UsageError(f"--nodes {text}: found {len(found[name])}", expected, example)
    return found


def hint(text: str) -> str:
    """Return what to do about a failure in which a node selector kept pods away; "" for any other failure."""
    found = list(_NO_SUCH_NODE.finditer(text))
    if not found:
        return ""
    missing = dict.fromkeys("=".join(pair) for match in found for pair in _PAIR.findall(match[1] or ""))
    example = ",".join(missing) or "pool=core,disk=ssd"
    return (
        "hint: the simulated nodes have no labels of yours, so that a node selector which fits no node is shown.\n"
        f"      If your cluster has such nodes, give the simulated ones their labels: make rehearse NODES={example}"
    )


def put(space: Workspace, wanted: set[ClassStub], node_labels: Mapping[str, Sequence[str]]) -> None:
    """Make classes on the throwaway cluster, and label its nodes. Raises `CommandError`."""
    if wanted:
        file = space.base / "stubs.json"
        items = [manifest(one) for one in sorted(wanted)]
        file.write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": items}))
        space.kubectl("apply", "-f", str(file))
    nodes = space.kubectl("get", "nodes", "-o", "name").split() if node_labels else []
    for number, node in enumerate(nodes):
        own = (f"{key}={values[number % len(values)]}" for key, values in node_labels.items())
        space.kubectl("label", node, "--overwrite", *own)

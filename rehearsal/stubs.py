"""What a stack expects of its own cluster and a throwaway one has not: classes by name, and labels of nodes.

Classes are made by name, since only the real cluster can tell whether they exist. Labels are not: that no node has
them is what a rehearsal is there to show. Who knows better says so on the command line.
"""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from config import settings, types
from config.errors import InvalidValue
from kube import yaml
from kube.nested import leaves
from rehearsal.cluster.kwok import NODES
from rehearsal.errors import UsageError
from rehearsal.order import VALUES_FILE, Program
from rehearsal.workspace import Workspace

_KEYS: Final = {
    f"{settings.PROJECT}:hubStorageClass": "StorageClass",
    "storageClassName": "StorageClass",
    "storageClass": "StorageClass",
    "ingressClassName": "IngressClass",
    "priorityClassName": "PriorityClass",
}
# As the throwaway cluster can work with them.
_CLASSES: Final[dict[str, dict[str, Any]]] = {
    "StorageClass": {
        "apiVersion": "storage.k8s.io/v1",
        "provisioner": "kwok.x-k8s.io/volume",
        "allowVolumeExpansion": True,
        "reclaimPolicy": "Delete",
    },
    "IngressClass": {"apiVersion": "networking.k8s.io/v1", "spec": {"controller": "rehearsal.invalid/none"}},
    "PriorityClass": {"apiVersion": "scheduling.k8s.io/v1", "value": 0},
}
# Classes that every cluster has.
_OWN: Final = re.compile(r"system-(node|cluster)-critical|kwok-volume")
_SELECTED: Final = re.compile(r"[nN]odeSelector\.(.+)")
_EXAMPLE: Final = "make rehearse NODES=pool=core,disk=ssd"
Leaves = Iterable[tuple[str, Any]]


class ClassStub(NamedTuple):
    """A class that a stack names: StorageClass, IngressClass or PriorityClass, and its name."""

    kind: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"


def stated(program: Program) -> list[tuple[str, Any]]:
    """Return the leaves of a stack's config and of its own Helm values, by their paths.

    None of a file of values that cannot be read, which the program will say.
    """
    path = Path(program.folder, str(program.file.config.get(VALUES_FILE) or ""))
    try:
        values = yaml.load(path.read_bytes(), path)
    except (OSError, ValueError):
        values = None
    return [*leaves(program.file.config), *leaves(values)]


def classes(stated: Leaves) -> list[ClassStub]:
    """Return the classes that a stack names, sorted, as far as a class can have that name.

    Others are left to the real server's judgement: `-` and `""` stand for "no class" in some charts.
    """
    named = ((path.rpartition(".")[2], name) for path, name in stated)
    return sorted({ClassStub(_KEYS[key], name) for key, name in named if key in _KEYS and _can_be_made(name)})


def _can_be_made(name: Any) -> bool:
    try:
        return isinstance(name, str) and not _OWN.fullmatch(types.OBJECT_NAME.read(name))
    except InvalidValue:
        return False


def labels(text: str) -> dict[str, list[str]]:
    """Read labels such as `pool=core,disk=ssd`; a key that comes again has several values. Raises `UsageError`."""
    found: dict[str, list[str]] = {}
    for pair in filter(None, map(str.strip, text.split(","))):
        key, sign, value = pair.partition("=")
        values = found.setdefault(key, [])
        values.append(value)
        try:
            if not sign or len(values) > NODES:
                raise InvalidValue(f"labels with their values, at most {NODES} of each: one for a simulated node")
            types.LABELS.read(json.dumps({key: value}))
        except InvalidValue as error:
            raise UsageError(f"--nodes {text}: found {pair!r}", str(error), _EXAMPLE) from None
    return found


def hint(stated: Leaves, node_labels: Mapping[str, Sequence[str]]) -> str:
    """Return what to do where a stack selects nodes by labels that no simulated one has; "" where it does not."""
    selected = [(label[1], str(value)) for path, value in stated if (label := _SELECTED.search(path))]
    lacking = dict.fromkeys(f"{key}={value}" for key, value in selected if value not in node_labels.get(key, ()))
    if not lacking:
        return ""
    return (
        "hint: the simulated nodes have no labels of yours, so that a node selector which fits no node is shown.\n"
        "      If your cluster has such nodes, give the simulated ones their labels: "
        f"make rehearse NODES={','.join(lacking)}"
    )


def put(space: Workspace, wanted: Sequence[ClassStub], node_labels: Mapping[str, Sequence[str]]) -> None:
    """Make classes on the throwaway cluster, and label its nodes. Raises `CommandError`."""
    if wanted:
        file = space.base / "stubs.json"
        items = [{**_CLASSES[one.kind], "kind": one.kind, "metadata": {"name": one.name}} for one in wanted]
        file.write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": items}))
        space.kubectl("apply", "-f", str(file))
    nodes = space.kubectl("get", "nodes", "-o", "name").split() if node_labels else []
    for number, node in enumerate(nodes):
        own = (f"{key}={values[number % len(values)]}" for key, values in node_labels.items())
        space.kubectl("label", node, "--overwrite", *own)

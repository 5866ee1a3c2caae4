"""Kubernetes objects as Helm charts give them: names, comparison, and what a change means for the pods.

Pure functions. An object is a dict as the API knows it.
"""

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import yaml

Object = Mapping[str, Any]
WORKLOADS: Final = ("DaemonSet", "Deployment", "StatefulSet")
_HOOK: Final = "helm.sh/hook"
_POLICY: Final = "helm.sh/resource-policy"
# Kinds whose contents charts sum up in an annotation of the pods that use them.
_SUMMED_UP: Final = ("ConfigMap", "Secret")
# Kinds of charts that live outside any namespace.
CLUSTER_WIDE: Final = frozenset(
    {
        "APIService", "ClusterRole", "ClusterRoleBinding", "CSIDriver", "CustomResourceDefinition", "GatewayClass",
        "IngressClass", "MutatingWebhookConfiguration", "Namespace", "Node", "PersistentVolume", "PriorityClass",
        "RuntimeClass", "StorageClass", "ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding",
        "ValidatingWebhookConfiguration",
    }
)  # fmt: skip


class Key(NamedTuple):
    """Which object: kind, name, and its namespace if that is not the release's own."""

    kind: str
    name: str
    namespace: str = ""

    def __str__(self) -> str:
        return f"{self.kind}/{self.name}" + (f" in {self.namespace}" if self.namespace else "")


@dataclass(frozen=True)
class Change:
    """What becomes of one object: "new", "deleted", "changed", or "pods restart" for a workload's changed pods.

    "left behind" is one that Helm deletes no more, because of a note in it.
    """

    key: Key
    what: str

    def __str__(self) -> str:
        return str(self.key) + (f" ({self.what})" if self.what != "changed" else "")


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """Reads scalars as Kubernetes and Helm do: 12:30, 2020-01-01 and `on` are texts, 1e+06 is a number."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012  (PyYAML's own name)


for _tag, _pattern, _first in (
    ("bool", r"(?:true|True|TRUE|false|False|FALSE)$", "tTfF"),
    ("null", r"(?:~|null|Null|NULL|)$", "~nN\0"),
    ("int", r"[-+]?(?:0[0-7_]*|[1-9][0-9_]*|0x[0-9a-fA-F]+)$", "-+0123456789"),
    ("float", r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?$", "-+.0123456789"),
):
    _signs = ["" if sign == "\0" else sign for sign in _first]
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(_pattern), _signs)


def parse(manifest: str) -> list[dict[str, Any]]:
    """Return the objects of a manifest's text, a YAML stream."""
    return [found for found in yaml.load_all(manifest, _Loader) if found]


def by_key(found: Iterable[Object], namespace: str) -> dict[Key, dict[str, Any]]:
    """Return objects by their keys, for a release in `namespace`: none of them names that namespace any more.

    A manifest may leave it out and a rendered object has it. Hooks for `helm test` are left out: no install runs them.
    """
    installed = [one for one in found if not hooks(one) or hooks(one) - {"test", *_TESTS}]
    return {key_of(one, namespace): _bare(one, namespace) for one in installed}


_TESTS: Final = ("test-success", "test-failure")


def hooks(one: Object) -> set[str]:
    """Return the events of a Helm hook (`pre-upgrade`, ...); empty for an ordinary object."""
    events = (one["metadata"].get("annotations") or {}).get(_HOOK) or ""
    return {event.strip() for event in events.split(",") if event.strip()}


def key_of(one: Object, namespace: str) -> Key:
    """Return the key of an object for a release in `namespace`."""
    own = one["metadata"].get("namespace") or ""
    return Key(one["kind"], one["metadata"]["name"], "" if own == namespace else own)


def _bare(one: Object, namespace: str) -> dict[str, Any]:
    about = {k: v for k, v in one["metadata"].items() if k != "namespace" or v != namespace}
    return {**one, "metadata": about}


def changes(old: Mapping[Key, Object], new: Mapping[Key, Object]) -> list[Change]:
    """Compare the objects of a release as they are and as they would be, sorted by key."""
    found = []
    for key in sorted({*old, *new}):
        if key not in old or key not in new:
            found.append(Change(key, _end(old[key]) if key in old else "new"))
        elif old[key] != new[key]:
            restarts = key.kind in WORKLOADS and pod_template(old[key]) != pod_template(new[key])
            found.append(Change(key, "pods restart" if restarts else "changed"))
    return found


def _end(one: Object) -> str:
    kept = ((one.get("metadata") or {}).get("annotations") or {}).get(_POLICY) == "keep"
    return "left behind" if kept else "deleted"


def pod_template(workload: Object) -> dict[str, Any]:
    """Return the pods of a workload as it describes them."""
    return dict(workload["spec"]["template"])


def has_pods(one: Object) -> bool:
    """Return whether an object is a workload that is to have pods."""
    return one["kind"] in WORKLOADS and one["spec"].get("replicas") != 0


def containers(template: Object) -> list[Mapping[str, Any]]:
    """Return the containers of a pod template, those first that initialize it."""
    spec = template.get("spec") or {}
    return [*(spec.get("initContainers") or []), *(spec.get("containers") or [])]


def random_leaves(one: Any, other: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the paths at which two renderings of the same values differ: what the chart draws by lot."""
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        for key in one.keys() & other.keys():
            yield from random_leaves(one[key], other[key], (*path, key))
    elif isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        for index, (a, b) in enumerate(zip(one, other, strict=True)):
            yield from random_leaves(a, b, (*path, index))
    elif one != other:
        yield path


def with_leaf(one: Any, path: tuple[Any, ...], value: Any) -> Any:
    """Return a copy with another value at a path."""
    if not path:
        return value
    below = with_leaf(one[path[0]], path[1:], value)
    if isinstance(one, list):
        return [*one[: path[0]], below, *one[path[0] + 1 :]]
    return {**one, path[0]: below}


def leaf(one: Any, path: tuple[Any, ...]) -> Any:
    """Return what stands at a path; raises LookupError or TypeError if there is nothing."""
    for step in path:
        one = one[step]
    return one


# As YAML, JSON and code end a word: what is drawn by lot may hold any other sign.
_WORD: Final = r"""[^\s"':,]+"""


def _differ_by_lot(live: Any, one: Any, other: Any) -> bool:
    """Whether a text in the cluster differs from a rendered one only where two renderings differ, by whole words."""
    if not all(isinstance(text, str) for text in (live, one, other)):
        return True
    before = re.sub(rf"{_WORD}$", "", os.path.commonprefix([one, other]))
    backwards = os.path.commonprefix([one[len(before) :][::-1], other[len(before) :][::-1]])
    after = re.sub(rf"^{_WORD}", "", backwards[::-1])
    return len(live) >= len(before) + len(after) and live.startswith(before) and live.endswith(after)


def settled(
    old: Mapping[Key, Object], new: Mapping[Key, Object], again: Mapping[Key, Object]
) -> dict[Key, dict[str, Any]]:
    """Return those objects of `new` that hold something drawn by lot, with what `old` has in its place.

    Helm keeps such a text where the chart looks it up, which a rendering cannot. `again` is a second rendering of the
    same values. A checksum over it is drawn by lot as well: it stays new where what it sums up may really change.
    """
    drawn = {key: list(random_leaves(one, again.get(key, one))) for key, one in new.items() if key in old}
    found: dict[Key, dict[str, Any]] = {}
    for key, paths in drawn.items():
        for path in paths:
            try:
                live, drawn_now = leaf(old[key], path), leaf(new[key], path)
                if _differ_by_lot(live, drawn_now, leaf(again[key], path)):
                    found[key] = with_leaf(found.get(key, new[key]), path, live)
            except (LookupError, TypeError):
                continue
    kept = {**new, **found}
    if any(c.key.kind in _SUMMED_UP for c in changes(old, kept)):
        return {key: one for key, one in found.items() if key.kind not in WORKLOADS}
    return found

"""Whether objects have the form that the API gives them, as far as previews look into them.

A chart puts values where they belong, whatever they are: `limits: 4Gi` ends up as it is. The server says what is wrong
with such an object; whatever else is looked at or reckoned leaves it out.
"""

from collections.abc import Mapping
from typing import Any, Final

from components.objects import WORKLOADS, Object

# A dict stands for a map with such parts, a list for a list of such items, "" for a text, 0 for a number, None for
# anything. What is left out or null always fits.
Shape = Any
_LABELS: Final[Shape] = {"matchExpressions": [{"key": "", "operator": "", "values": [None]}], "matchFields": [{}]}
_CONTAINER: Final[Shape] = {
    "image": "",
    "resources": {"limits": {}, "requests": {}},
    "env": [{"valueFrom": {"secretKeyRef": {}, "configMapKeyRef": {}}}],
    "envFrom": [{"secretRef": {}, "configMapRef": {}}],
}
_SOURCE: Final[Shape] = {"secret": {"items": [{}]}, "configMap": {"items": [{}]}, "persistentVolumeClaim": {}}
_POD: Final[Shape] = {
    "metadata": {"labels": {}, "annotations": {}},
    "spec": {
        "affinity": {
            "nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [_LABELS]}}
        },
        "containers": [_CONTAINER],
        "imagePullSecrets": [{}],
        "initContainers": [_CONTAINER],
        "nodeSelector": {},
        "priorityClassName": "",
        "serviceAccountName": "",
        "tolerations": [{}],
        "volumes": [{**_SOURCE, "projected": {"sources": [_SOURCE]}}],
    },
}
_RULES: Final[Shape] = {"rules": [{"apiGroups": [""], "resources": [""], "verbs": [""], "resourceNames": [""]}]}
_SHAPES: Final[dict[str, Shape]] = {
    **{kind: {"spec": {"replicas": 0, "strategy": {}, "template": _POD}} for kind in WORKLOADS},
    "ClusterRole": _RULES,
    "Ingress": {"spec": {"ingressClassName": ""}},
    "PersistentVolumeClaim": {"spec": {"accessModes": [""], "resources": {"requests": {}}, "storageClassName": ""}},
    "Role": _RULES,
    "Service": {"spec": {"ports": [{}]}},
}


def fits(one: Object) -> bool:
    """Return whether an object has the form of its kind; of kinds that nothing looks into, every object has."""
    return _fits(one, _SHAPES.get(one["kind"]))


def fits_pod(template: Object) -> bool:
    """Return whether a pod template has its form."""
    return _fits(template, _POD)


def _fits(value: Any, shape: Shape) -> bool:
    if value is None or shape is None:
        return True
    if isinstance(shape, Mapping):
        return isinstance(value, Mapping) and all(_fits(value.get(name), below) for name, below in shape.items())
    if isinstance(shape, list):
        return isinstance(value, list) and all(_fits(one, below) for below in shape for one in value)
    return isinstance(value, str if shape == "" else int | float)

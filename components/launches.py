"""The pods that a hub makes later: users' servers and builds. Helm never sees them, so nobody else asks about them.

A pure function over Helm values. Only what settings and values decide is in them; what the application adds by itself
(volumes, environment) is not (facts: binderhub-chart.md section 4).
"""

from collections.abc import Mapping
from typing import Any, Final

USER: Final = "users-server"
BUILD: Final = "build"
# Their images do not matter: nothing pulls them in a dry run.
_IMAGE: Final = "preview"
# Both tolerate the taint that keeps other pods off users' nodes; GKE allows no slash in its own way to write it.
_DEDICATED: Final = tuple(
    {"key": f"hub.jupyter.org{sign}dedicated", "operator": "Equal", "value": "user", "effect": "NoSchedule"}
    for sign in "/_"
)
_UNITS: Final = ("K", "M", "G", "T")


def pods(values: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return pod templates by name, from the values of a release."""
    server = (values.get("jupyterhub") or {}).get("singleuser") or {}
    executor = (values.get("config") or {}).get("KubernetesBuildExecutor") or {}
    tolerations = [*_DEDICATED, *(server.get("extraTolerations") or [])]
    return {
        USER: _template(server.get("nodeSelector"), tolerations, _resources(server), server.get("extraLabels")),
        BUILD: _template(
            executor.get("node_selector"), _DEDICATED, executor.get("resources") or {}, None, _socket(values)
        ),
    }


def _template(
    selector: Any, tolerations: Any, resources: Mapping[str, Any], labels: Any, volumes: tuple[Any, ...] = ()
) -> dict[str, Any]:
    spec = {
        "containers": [{"name": "main", "image": _IMAGE, "resources": resources}],
        "nodeSelector": dict(selector or {}),
        "tolerations": list(tolerations),
        "volumes": list(volumes),
        "automountServiceAccountToken": False,
    }
    return {"metadata": {"labels": dict(labels or {})}, "spec": spec}


def _socket(values: Mapping[str, Any]) -> tuple[Any, ...]:
    """A build talks to the node's Docker or to the builder's, by a socket of the node."""
    builder = values.get(values.get("imageBuilderType") or "host") or {}
    return ({"name": "docker", "hostPath": {"path": builder.get("hostSocketDir") or "/var/run"}},)


def _resources(server: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, dict[str, Any]] = {}
    for name in ("memory", "cpu"):
        asked = server.get(name) or {}
        for part, key in (("limits", "limit"), ("requests", "guarantee")):
            if asked.get(key) is not None:
                found.setdefault(part, {})[name] = _amount(asked[key])
    extra = server.get("extraResource") or {}
    for part, key in (("limits", "limits"), ("requests", "guarantees")):
        if extra.get(key):
            found[part] = {**found.get(part, {}), **extra[key]}
    return found


def _amount(value: Any) -> Any:
    """JupyterHub's 1G is Kubernetes' 1Gi."""
    return f"{value}i" if isinstance(value, str) and value[-1:] in _UNITS else value

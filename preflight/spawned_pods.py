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
    hub, config = _map(values.get("jupyterhub")), _map(values.get("config"))
    binder, executor = (_map(config.get(name)) for name in ("BinderHub", "KubernetesBuildExecutor"))
    server, of_users = _map(hub.get("singleuser")), _map(_map(hub.get("scheduling")).get("userPods"))
    users = {
        "nodeSelector": _map(server.get("nodeSelector")),
        "tolerations": [*(of_users.get("tolerations") or _DEDICATED), *(server.get("extraTolerations") or [])],
        "affinity": _affinity(server, _map(of_users.get("nodeAffinity")).get("matchNodePurpose")),
        "imagePullSecrets": _names(hub.get("imagePullSecrets"), _map(server.get("image")).get("pullSecrets")),
        **({"serviceAccountName": server["serviceAccountName"]} if server.get("serviceAccountName") else {}),
        **_map(server.get("extraPodConfig")),
    }
    builds = {
        "nodeSelector": executor.get("node_selector") or {},
        "tolerations": list(_DEDICATED),
        "imagePullSecrets": _names(executor.get("image_pull_secrets")),
        "volumes": [*_socket(values), *_login(executor, binder)],
    }
    return {
        USER: _template(users, _resources(server), server.get("extraLabels")),
        BUILD: _template(builds, executor.get("resources") or {}),
    }


def _template(spec: Mapping[str, Any], resources: Any, labels: Any = None) -> dict[str, Any]:
    container = {"name": "main", "image": _IMAGE, "resources": resources}
    usual = {"containers": [container], "volumes": [], "automountServiceAccountToken": False}
    return {"metadata": {"labels": _map(labels)}, "spec": {**usual, **spec}}


def _map(value: Any) -> dict[str, Any]:
    """Return a map as it is, and nothing of what is none: whoever reads the value will say so."""
    return dict(value) if isinstance(value, Mapping) else {}


def _affinity(server: Mapping[str, Any], match: Any) -> dict[str, Any]:
    """Return the node affinity that users' servers are held to; what they merely prefer keeps none of them away."""
    terms = list(_map(server.get("extraNodeAffinity")).get("required") or [])
    if match == "require":
        purpose = {"key": "hub.jupyter.org/node-purpose", "operator": "In", "values": ["user"]}
        terms.append({"matchExpressions": [purpose]})
    required = {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms}}
    return {"nodeAffinity": required} if terms else {}


def _names(*lists: Any) -> list[dict[str, Any]]:
    """Charts take names as they are or as the API writes them."""
    given = [one for names in lists if isinstance(names, list) for one in names]
    return [dict(one) if isinstance(one, Mapping) else {"name": one} for one in given]


def _login(*classes: Mapping[str, Any]) -> list[dict[str, Any]]:
    """A build pushes with a secret; the chart makes it, unless it is told of another one."""
    push_secret = next((traits["push_secret"] for traits in classes if traits.get("push_secret")), "")
    return [{"name": "docker-config", "secret": {"secretName": push_secret}}] if push_secret else []


def _socket(values: Mapping[str, Any]) -> tuple[Any, ...]:
    """A build talks to the node's Docker or to the builder's, by a socket of the node."""
    builder = _map(values.get(values.get("imageBuilderType") or "host"))
    return ({"name": "docker", "hostPath": {"path": builder.get("hostSocketDir") or "/var/run"}},)


def _resources(server: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, dict[str, Any]] = {}
    for name in ("memory", "cpu"):
        asked = _map(server.get(name))
        for part, key in (("limits", "limit"), ("requests", "guarantee")):
            if asked.get(key) is not None:
                found.setdefault(part, {})[name] = _amount(asked[key])
    extra = _map(server.get("extraResource"))
    for part, key in (("limits", "limits"), ("requests", "guarantees")):
        if extra.get(key):
            found[part] = {**found.get(part, {}), **extra[key]}
    return found


def _amount(value: Any) -> Any:
    """JupyterHub's 1G is Kubernetes' 1Gi."""
    return f"{value}i" if isinstance(value, str) and value[-1:] in _UNITS else value

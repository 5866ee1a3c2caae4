"""The pods that a hub makes later: users' servers and builds. Helm never sees them, so nobody else asks about them.

A pure function over Helm values. Only what settings and values decide is in them; what the application adds by itself
(volumes, environment) is not (facts: binderhub-chart.md section 4).
"""

from collections.abc import Iterable, Mapping
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


def pods(values: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return pod templates by name, from the values of a release."""
    server, of_users = _at(values, "jupyterhub.singleuser"), _at(values, "jupyterhub.scheduling.userPods")
    executor = _at(values, "config.KubernetesBuildExecutor")
    account = server.get("serviceAccountName")
    pull_secrets = [*_at(values, "jupyterhub.imagePullSecrets", list), *_at(server, "image.pullSecrets", list)]
    users = {
        "nodeSelector": server.get("nodeSelector") or {},
        "tolerations": [*(_at(of_users, "tolerations", list) or _DEDICATED), *_at(server, "extraTolerations", list)],
        "affinity": _affinity(server, _at(of_users, "nodeAffinity").get("matchNodePurpose")),
        "imagePullSecrets": _names(pull_secrets),
        **({"serviceAccountName": account} if account else {}),
        **_at(server, "extraPodConfig"),
    }
    push_secret = executor.get("push_secret") or _at(values, "config.BinderHub").get("push_secret")
    builder = _at(values, values.get("imageBuilderType") or "host")
    # A build talks to the node's Docker or to the builder's, by a socket of the node. It pushes with a secret; the
    # chart makes it, unless it is told of another one.
    socket = {"name": "docker", "hostPath": {"path": builder.get("hostSocketDir") or "/var/run"}}
    login = {"name": "docker-config", "secret": {"secretName": push_secret}}
    builds = {
        "nodeSelector": executor.get("node_selector") or {},
        "tolerations": [*_DEDICATED],
        "imagePullSecrets": _names(_at(executor, "image_pull_secrets", list)),
        "volumes": [socket, login] if push_secret else [socket],
    }
    return {
        USER: _template(users, _resources(server), server.get("extraLabels")),
        BUILD: _template(builds, executor.get("resources") or {}),
    }


def _template(spec: Mapping[str, Any], resources: Any, labels: Any = None) -> dict[str, Any]:
    container = {"name": "main", "image": _IMAGE, "resources": resources}
    usual = {"containers": [container], "volumes": [], "automountServiceAccountToken": False}
    return {"metadata": {"labels": labels or {}}, "spec": {**usual, **spec}}


def _at(values: Mapping[str, Any], path: str, of_type: type = dict) -> Any:
    """Return what stands at a dotted path; nothing of that type, if it is none: whoever reads the value will say so."""
    found: Any = values
    for name in path.split("."):
        found = found.get(name) if isinstance(found, Mapping) else None
    return found if isinstance(found, of_type) else of_type()


def _affinity(server: Mapping[str, Any], match: Any) -> dict[str, Any]:
    """Return the node affinity that users' servers are held to; what they merely prefer keeps none of them away."""
    terms = [*_at(server, "extraNodeAffinity.required", list)]
    if match == "require":
        purpose = {"key": "hub.jupyter.org/node-purpose", "operator": "In", "values": ["user"]}
        terms.append({"matchExpressions": [purpose]})
    required = {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms}}
    return {"nodeAffinity": required} if terms else {}


def _names(given: Iterable[Any]) -> list[Any]:
    """Charts take names as they are or as the API writes them."""
    return [{"name": one} if isinstance(one, str) else one for one in given]


def _resources(server: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, dict[str, Any]] = {}
    for part, key, more in (("limits", "limit", "limits"), ("requests", "guarantee", "guarantees")):
        asked = {name: _at(server, name).get(key) for name in ("memory", "cpu")}
        given = {name: _amount(value) for name, value in asked.items() if value is not None}
        given |= _at(server, f"extraResource.{more}")
        found |= {part: given} if given else {}
    return found


def _amount(value: Any) -> Any:
    """JupyterHub's 1G is Kubernetes' 1Gi."""
    return f"{value}i" if isinstance(value, str) and value[-1:] in ("K", "M", "G", "T") else value

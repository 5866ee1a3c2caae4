"""The pods that a hub makes later: users' servers and builds. Helm never sees them, so nobody else asks about them.

A pure function over Helm values. In them is what settings and values decide, and what policies look at: images, labels,
annotations and users. What else the application adds by itself (volumes, environment) is not (facts: binderhub-chart.md
section 4; labels: kubespawner's `_build_pod_labels`, BinderHub's `KubernetesBuildExecutor.submit`).
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from kube.nested import get

USER: Final = "users-server"
BUILD: Final = "build"
# A repository that BinderHub's own page names: as its image is called behind the prefix, and as the build knows it.
_EXAMPLE: Final = "binder-2dexamples-2drequirements-55ab5c:b8259dac9eb4aa5f2d65d8881f2da94a4952a195"
_REPOSITORY: Final = "https://github.com/binder-examples/requirements"
# What BinderHub takes if nothing is set; the tag does not matter, since nothing is pulled in a dry run.
_REPO2DOCKER: Final = "quay.io/jupyterhub/repo2docker:2024.07.0"
_VISITOR: Final = "binder-examples-requirements-preview"
# z2jh's own, where a values file says nothing else.
_USER_ID, _GROUP_ID = 1000, 100
# Both tolerate the taint that keeps other pods off users' nodes; GKE allows no slash in its own way to write it.
_DEDICATED: Final = tuple(
    {"key": f"hub.jupyter.org{sign}dedicated", "operator": "Equal", "value": "user", "effect": "NoSchedule"}
    for sign in "/_"
)


def pods(values: Mapping[str, Any], release: str) -> dict[str, dict[str, Any]]:
    """Return pod templates by name, from the values of a release and its name."""
    server, of_users = _at(values, "jupyterhub.singleuser"), _at(values, "jupyterhub.scheduling.userPods")
    executor = _at(values, "config.KubernetesBuildExecutor")
    account = server.get("serviceAccountName")
    pull_secrets = [*_at(values, "jupyterhub.imagePullSecrets", list), *_at(server, "image.pullSecrets", list)]
    users = {
        "nodeSelector": server.get("nodeSelector") or {},
        "tolerations": [*(_at(of_users, "tolerations", list) or _DEDICATED), *_at(server, "extraTolerations", list)],
        "affinity": _affinity(server, _at(of_users, "nodeAffinity").get("matchNodePurpose")),
        "imagePullSecrets": _names(pull_secrets),
        "restartPolicy": "OnFailure",
        "securityContext": {"fsGroup": server.get("fsGid", _GROUP_ID)},
        **({"serviceAccountName": account} if account else {}),
        **_at(server, "extraPodConfig"),
    }
    push_secret = executor.get("push_secret") or _at(values, "config.BinderHub").get("push_secret")
    daemon = _at(values, values.get("imageBuilderType") or "host")
    # A build talks to the node's Docker or to the builder's, by a socket of the node. It pushes with a secret; the
    # chart makes it, unless it is told of another one.
    socket = {"name": "docker", "hostPath": {"path": daemon.get("hostSocketDir") or "/var/run"}}
    login = {"name": "docker-config", "secret": {"secretName": push_secret}}
    builds = {
        "nodeSelector": executor.get("node_selector") or {},
        "tolerations": [*_DEDICATED],
        "imagePullSecrets": _names(_at(executor, "image_pull_secrets", list)),
        "restartPolicy": "Never",
        "volumes": [socket, login] if push_secret else [socket],
    }
    hub = _at(values, "config.BinderHub")
    inside = {"runAsUser": server.get("uid", _USER_ID), "allowPrivilegeEscalation": False}
    notebook = {"name": "notebook", "image": f"{hub.get('image_prefix') or ''}{_EXAMPLE}", "securityContext": inside}
    image = executor.get("build_image") or hub.get("build_image") or _REPO2DOCKER
    builder = {"name": "builder", "image": image, "resources": executor.get("resources") or {}}
    return {
        USER: _template(users, {**notebook, "resources": _resources(server)}, _metadata(server, release)),
        BUILD: _template(builds, builder, _OF_BUILDS),
    }


_OF_BUILDS: Final = {
    "labels": {"name": f"build-{_VISITOR}", "component": "binderhub-build"},
    "annotations": {"binder-repo": _REPOSITORY},
}


def _metadata(server: Mapping[str, Any], release: str) -> dict[str, Any]:
    """Return the labels and annotations of a user's pod. The hub's own win, but for those of extraAnnotations."""
    user, part = "hub.jupyter.org/username", "singleuser-server"
    standard = {"name": "jupyterhub", "instance": release, "component": part, "managed-by": "kubespawner"}
    own = {"app": "jupyterhub", "component": part, "heritage": "jupyterhub", "release": release, user: _VISITOR}
    marks = {f"app.kubernetes.io/{name}": value for name, value in standard.items()}
    labels = {"hub.jupyter.org/network-access-hub": "true", **_at(server, "extraLabels"), **own, **marks}
    return {
        "labels": {**labels, "hub.jupyter.org/servername": ""},
        "annotations": {user: _VISITOR, "hub.jupyter.org/servername": "", **_at(server, "extraAnnotations")},
    }


def _template(spec: Mapping[str, Any], container: Mapping[str, Any], metadata: Mapping[str, Any]) -> dict[str, Any]:
    usual = {"containers": [container], "volumes": [], "automountServiceAccountToken": False}
    return {"metadata": metadata, "spec": {**usual, **spec}}


def _at(values: Mapping[str, Any], path: str, of_type: type = dict) -> Any:
    """Return what stands at a dotted path; nothing of that type, if it is none: whoever reads the value will say so."""
    found = get(values, path)
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

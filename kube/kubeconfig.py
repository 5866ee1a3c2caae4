"""Kubeconfigs: found, read, merged and minified to one context, as kubectl does it."""

import os
from collections import ChainMap
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from kube import yaml
from kube.errors import KubeconfigError, YamlError

_PARTS: Final = {"clusters": "cluster", "users": "user", "contexts": "context"}
_FILES: Final = ("certificate-authority", "client-certificate", "client-key", "tokenFile")
_IMPERSONATION: Final = ("as", "as-groups", "as-uid", "as-user-extra")


@dataclass(frozen=True, kw_only=True)
class Kubeconfig:
    """A kubeconfig of one context. `paths` are the files it came from."""

    paths: tuple[str, ...]
    context: str
    content: dict[str, Any]

    @property
    def login_program(self) -> str:
        """The program that logs in (`exec`), which may have to wait for the user; "" for none."""
        return str((self.content["users"][0]["user"].get("exec") or {}).get("command") or "")

    def text(self, account: str = "") -> str:
        """Return the contents as a provider takes them; with `account`, every request is made as that user.

        Whom the user's own kubeconfig impersonates is left out then: with groups of its own, `system:masters` say, the
        rights of `account` would mean nothing.
        """
        content = self.content
        if account:
            (one,) = content["users"]
            user = {name: value for name, value in one["user"].items() if name not in _IMPERSONATION}
            content = {**content, "users": [{**one, "user": {**user, "as": account}}]}
        return yaml.dump(content, sort_keys=True)


def find(path: str = "", context: str = "") -> Kubeconfig:
    """Find the kubeconfig and its context, as kubectl would.

    Looks at the file `path`, else at the files of $KUBECONFIG (the first that names a thing wins), else at
    ~/.kube/config; takes `context`, else the current one. Raises `KubeconfigError` if there is no file, if one cannot
    be read, or if the context is not in it.
    """
    paths = [path] if path else os.environ.get("KUBECONFIG", "").split(os.pathsep)
    places = [Path(p).expanduser() for p in paths if p] or [Path("~/.kube/config").expanduser()]
    there = [p for p in places if p.is_file()]
    names = ", ".join(map(str, there or places))
    if not there:
        raise KubeconfigError(
            "kubernetes:kubeconfig",
            f"there is no file {names}",
            "a kubeconfig: start your cluster (`minikube start`), or name the file",
            "pulumi config set kubernetes:kubeconfig ~/.kube/config",
        )
    read = [_parse(p) for p in there]
    clusters, users, contexts = (ChainMap(*(one[part] for one in read)) for part in _PARTS)
    name = context or next(filter(None, (one["current-context"] for one in read)), "")
    if name not in contexts:
        known = sorted(contexts)
        raise KubeconfigError(
            "kubernetes:context",
            f"{names} has no context {name!r}" if name else f"{names} has no current context",
            f"one of its contexts: {', '.join(known) or 'it has none'}",
            f"pulumi config set kubernetes:context {known[0] if known else 'minikube'}",
        )
    chosen = contexts[name]
    cluster, user = clusters.get(chosen.get("cluster"), {}), users.get(chosen.get("user"))
    if not cluster.get("server") or user is None:
        raise KubeconfigError(
            "kubernetes:context",
            f"context {name} of {names} names a cluster or user that is not there",
            "a context that kubectl can use",
            f"kubectl --context {name} version",
        )
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": name,
        "clusters": [{"name": chosen["cluster"], "cluster": cluster}],
        "users": [{"name": chosen["user"], "user": user}],
        "contexts": [{"name": name, "context": chosen}],
    }
    return Kubeconfig(paths=tuple(map(str, there)), context=name, content=content)


def _parse(path: Path) -> dict[str, Any]:
    why = ""
    try:
        content = yaml.load(path.read_bytes(), path)
        parts = {
            part: {one["name"]: _absolute(one[kind] or {}, path) for one in content.get(part) or []}
            for part, kind in _PARTS.items()
        }
        return {**parts, "current-context": content.get("current-context")}
    except YamlError as error:
        why = f" (line {error.line}: {error.problem})"
    except (OSError, TypeError, KeyError, AttributeError):
        pass  # the text of the cause may quote the file, and the file holds credentials
    raise KubeconfigError(
        "kubernetes:kubeconfig",
        f"{path} is not a kubeconfig{why}",
        "a YAML file with clusters, users and contexts",
        f"KUBECONFIG={path} kubectl config view",
    )


def _absolute(part: dict[str, Any], path: Path) -> dict[str, Any]:
    """Make absolute what a kubeconfig names relative to itself, since its contents will stand elsewhere."""
    folder = path.resolve().parent
    named: dict[str, Any] = {k: str(folder / v) if k in _FILES and v else v for k, v in part.items()}
    login = named.get("exec") or {}
    # As client-go does: a command with a slash lies beside the file, one without is looked for on PATH.
    if os.sep in login.get("command", ""):
        named["exec"] = {**login, "command": str(folder / login["command"])}
    return named

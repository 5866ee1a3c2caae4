"""Kubeconfigs: found, read, merged and minified to one context, as kubectl does it."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from kube import yaml
from kube.errors import KubeconfigError, YamlError

_FILES_OF_CLUSTER: Final = ("certificate-authority",)
_FILES_OF_USER: Final = ("client-certificate", "client-key", "tokenFile")
_IMPERSONATION: Final = ("as", "as-groups", "as-uid", "as-user-extra")


@dataclass(frozen=True, kw_only=True)
class Kubeconfig:
    """A kubeconfig of one context. `paths` are the files it came from, `server` is its address, `proxy` "" for none."""

    paths: tuple[str, ...]
    context: str
    server: str
    proxy: str
    content: dict[str, Any]

    @property
    def login_program(self) -> str:
        """The program that logs in (`exec`), which may have to wait for the user; "" for none."""
        (user,) = self.content["users"]
        return str((user["user"].get("exec") or {}).get("command") or "")

    def text(self, account: str = "") -> str:
        """Return the contents as a provider takes them; with `account`, every request is made as that user.

        Whom the user's own kubeconfig impersonates is left out then: with groups of its own, `system:masters` say, the
        rights of `account` would mean nothing.
        """
        if not account:
            return yaml.dump(self.content, sort_keys=True)
        users = [
            {**one, "user": {**{k: v for k, v in one["user"].items() if k not in _IMPERSONATION}, "as": account}}
            for one in self.content["users"]
        ]
        return yaml.dump({**self.content, "users": users}, sort_keys=True)


def find(path: str = "", context: str = "") -> Kubeconfig:
    """Find the kubeconfig and its context, as kubectl would.

    Looks at the file `path`, else at the files of $KUBECONFIG (the first that names a thing wins), else at
    ~/.kube/config; takes `context`, else the current one. Raises `KubeconfigError` if there is no file, if one cannot
    be read, or if the context is not in it.
    """
    paths = [path] if path else os.environ.get("KUBECONFIG", "").split(os.pathsep)
    places = [Path(p).expanduser() for p in paths if p] or [Path("~/.kube/config").expanduser()]
    there = [p for p in places if p.is_file()]
    if not there:
        raise KubeconfigError(
            "kubernetes:kubeconfig",
            f"there is no file {_names(places)}",
            "a kubeconfig: start your cluster (`minikube start`), or name the file",
            "pulumi config set kubernetes:kubeconfig ~/.kube/config",
        )
    merged = _merge([_parse(p) for p in there])
    known = sorted(merged["contexts"])
    name = context or merged["current-context"]
    if name not in merged["contexts"]:
        raise KubeconfigError(
            "kubernetes:context",
            f"{_names(there)} has no context {name!r}" if name else f"{_names(there)} has no current context",
            f"one of its contexts: {', '.join(known) or 'it has none'}",
            f"pulumi config set kubernetes:context {known[0] if known else 'minikube'}",
        )
    return _minify(merged, name, there)


def _parse(path: Path) -> dict[str, Any]:
    try:
        content = yaml.load(path.read_bytes(), path)
        if not isinstance(content, dict):
            raise TypeError
        return {
            "current-context": content.get("current-context") or "",
            "clusters": {
                c["name"]: _absolute(c["cluster"] or {}, _FILES_OF_CLUSTER, path) for c in content.get("clusters") or []
            },
            "users": {u["name"]: _absolute(u["user"] or {}, _FILES_OF_USER, path) for u in content.get("users") or []},
            "contexts": {c["name"]: dict(c["context"] or {}) for c in content.get("contexts") or []},
        }
    except YamlError as error:
        raise _no_kubeconfig(path, f" (line {error.line}: {error.problem})") from None
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        # The text of the cause may quote the file, and the file holds credentials.
        raise _no_kubeconfig(path) from None


def _no_kubeconfig(path: Path, why: str = "") -> KubeconfigError:
    return KubeconfigError(
        "kubernetes:kubeconfig",
        f"{path} is not a kubeconfig{why}",
        "a YAML file with clusters, users and contexts",
        f"KUBECONFIG={path} kubectl config view",
    )


def _absolute(part: dict[str, Any], files: tuple[str, ...], path: Path) -> dict[str, Any]:
    """Make absolute what a kubeconfig names relative to itself, since its contents will stand elsewhere."""
    folder = path.resolve().parent
    named: dict[str, Any] = {k: str(folder / v) if k in files and v else v for k, v in part.items()}
    login = named.get("exec") or {}
    # As client-go does: a command with a slash lies beside the file, one without is looked for on PATH.
    if os.sep in login.get("command", ""):
        named["exec"] = {**login, "command": str(folder / login["command"])}
    return named


def _merge(configs: list[dict[str, Any]]) -> dict[str, Any]:
    merged: dict[str, Any] = {"current-context": "", "clusters": {}, "users": {}, "contexts": {}}
    for config in configs:
        merged["current-context"] = merged["current-context"] or config["current-context"]
        for part in ("clusters", "users", "contexts"):
            merged[part] = {**config[part], **merged[part]}
    return merged


def _names(places: list[Path]) -> str:
    return ", ".join(map(str, places))


def _minify(merged: dict[str, Any], name: str, places: list[Path]) -> Kubeconfig:
    context = merged["contexts"][name]
    cluster, user = merged["clusters"].get(context.get("cluster")), merged["users"].get(context.get("user"))
    if not cluster or not cluster.get("server") or user is None:
        raise KubeconfigError(
            "kubernetes:context",
            f"context {name} of {_names(places)} names a cluster or user that is not there",
            "a context that kubectl can use",
            f"kubectl --context {name} version",
        )
    return Kubeconfig(
        paths=tuple(map(str, places)),
        context=name,
        server=cluster["server"],
        proxy=cluster.get("proxy-url") or "",
        content={
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": name,
            "clusters": [{"name": context["cluster"], "cluster": cluster}],
            "users": [{"name": context["user"], "user": user}],
            "contexts": [{"name": name, "context": context}],
        },
    )

"""The cluster and the two identities that work on it: the operator, and tiller.

Both providers are given the contents of a kubeconfig cut down to one context, never its path: a path that another
machine lacks is taken for contents and breaks every command (facts: pulumi.md section 3), and what is in the state
must lead to the same cluster whatever the current context is by then.
"""

import http.client
import os
import shutil
import ssl
import subprocess
import urllib.error
import urllib.request
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import pulumi
import pulumi_kubernetes as kubernetes
import yaml

from components.settings import ClusterSettings, Settings

# Seconds; a person must be told within 15 that nobody answers.
PATIENCE: Final = 5
# Container runtimes that have no Docker socket on the node.
_NOT_DOCKER: Final = frozenset({"containerd", "cri-o"})
_FILES_OF_CLUSTER: Final = ("certificate-authority",)
_FILES_OF_USER: Final = ("client-certificate", "client-key", "tokenFile")


class ClusterError(pulumi.RunError):
    """Why the cluster cannot be used; Pulumi prints it without a traceback."""


@dataclass(frozen=True, kw_only=True)
class Kubeconfig:
    """A kubeconfig of one context. `paths` are the files it came from, `server` is its address, `proxy` "" for none."""

    paths: tuple[str, ...]
    context: str
    server: str
    proxy: str
    content: dict[str, Any]

    def text(self, account: str = "") -> str:
        """Return the contents as a provider takes them; with `account`, every request is made as that user."""
        users = [
            {"name": u["name"], "user": {**u["user"], **({"as": account} if account else {})}}
            for u in self.content["users"]
        ]
        return yaml.safe_dump({**self.content, "users": users}, sort_keys=True)


def reach(settings: ClusterSettings) -> Kubeconfig:
    """Return the kubeconfig of a cluster that answers. Raises `ClusterError`, as `read` and `require_answer` do."""
    kubeconfig = read(settings)
    require_answer(kubeconfig)
    return kubeconfig


def read(settings: ClusterSettings) -> Kubeconfig:
    """Find the kubeconfig and its context, as kubectl would.

    Looks at the file of the settings, else at the files of $KUBECONFIG (the first that names a thing wins), else at
    ~/.kube/config. Raises `ClusterError` if there is none, if it cannot be read, or if the context is not in it.
    """
    paths = [settings.kubeconfig] if settings.kubeconfig else os.environ.get("KUBECONFIG", "").split(os.pathsep)
    places = [Path(p).expanduser() for p in paths if p] or [Path("~/.kube/config").expanduser()]
    there = [p for p in places if p.is_file()]
    if not there:
        raise _error(
            "kubeconfig",
            f"there is no file {_names(places)}",
            "a kubeconfig: start your cluster (`minikube start`), or name the file",
            "pulumi config set kubernetes:kubeconfig ~/.kube/config",
        )
    merged = _merge([_parse(p) for p in there])
    known = sorted(merged["contexts"])
    name = settings.context or merged["current-context"]
    if name not in merged["contexts"]:
        raise _error(
            "context",
            f"{_names(there)} has no context {name!r}" if name else f"{_names(there)} has no current context",
            f"one of its contexts: {', '.join(known) or 'it has none'}",
            f"pulumi config set kubernetes:context {known[0] if known else 'minikube'}",
        )
    return _cut(merged, name, there)


def _error(key: str, found: str, expected: str, example: str) -> ClusterError:
    text = f"{found}; nothing was touched\n      expected: {expected}\n      example:  {example}"
    return ClusterError(f"kubernetes:{key}: {text}")


def _parse(path: Path) -> dict[str, Any]:
    try:
        content = yaml.safe_load(path.read_text())
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
    except (OSError, ValueError, yaml.YAMLError, TypeError, KeyError, AttributeError):
        # The text of the cause may quote the file, and the file holds credentials.
        raise _error(
            "kubeconfig",
            f"{path} is not a kubeconfig",
            "a YAML file with clusters, users and contexts",
            f"KUBECONFIG={path} kubectl config view",
        ) from None


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


def _cut(merged: dict[str, Any], name: str, places: list[Path]) -> Kubeconfig:
    context = merged["contexts"][name]
    cluster, user = merged["clusters"].get(context.get("cluster")), merged["users"].get(context.get("user"))
    if not cluster or not cluster.get("server") or user is None:
        raise _error(
            "context",
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


def require_answer(kubeconfig: Kubeconfig) -> None:
    """Raise `ClusterError` if the API server does not answer within `PATIENCE` seconds.

    Any answer counts, a refusal too: rights are the providers' matter. No credential is sent, so the server's
    certificate need not be checked here. A SOCKS proxy is beyond Python's own client and is not tried.
    """
    if kubeconfig.proxy.startswith("socks"):
        return
    trust_all = ssl.create_default_context()
    trust_all.check_hostname, trust_all.verify_mode = False, ssl.CERT_NONE
    proxies = {"https": kubeconfig.proxy, "http": kubeconfig.proxy} if kubeconfig.proxy else None
    opener = urllib.request.build_opener(
        urllib.request.HTTPSHandler(context=trust_all), urllib.request.ProxyHandler(proxies)
    )
    try:
        opener.open(f"{kubeconfig.server.rstrip('/')}/version", timeout=PATIENCE).close()
    except urllib.error.HTTPError:
        return
    except (OSError, ValueError, http.client.HTTPException) as error:
        cause = error.reason if isinstance(error, urllib.error.URLError) else error
        if isinstance(cause, ssl.SSLError):
            return  # it speaks TLS, only not with this client
        reason = str(cause).strip() or type(cause).__name__
        raise _error(
            "context",
            f"the API server of {kubeconfig.context} ({kubeconfig.server}) does not answer: {reason}",
            "a running cluster that this machine can reach",
            f"minikube start, or kubectl --context {kubeconfig.context} version",
        ) from None


def settle_builder(settings: Settings, kubeconfig: Kubeconfig) -> Settings:
    """Return the settings with a builder that fits the nodes: `auto` becomes `host` where all run Docker, else `dind`.

    Raises `ClusterError` for `host` on nodes without Docker, where builds would hang. Asks kubectl, and only for
    these two; without an answer `auto` is `dind`, which works everywhere.
    """
    builder = settings.options["builder"]
    if builder not in ("auto", "host"):
        return settings
    runtimes = container_runtimes(kubeconfig)
    if builder == "host" and runtimes & _NOT_DOCKER:
        raise ClusterError(
            f"binderhub:builder: found host, but nodes run {', '.join(sorted(runtimes))}; nothing was touched\n"
            "      expected: dind or pink, which bring a builder of their own\n"
            "      example:  pulumi config set builder dind"
        )
    fitting = "host" if builder == "host" or runtimes == {"docker"} else "dind"
    return replace(settings, options={**settings.options, "builder": fitting})


def container_runtimes(kubeconfig: Kubeconfig) -> set[str]:
    """Return the names of the nodes' container runtimes, such as docker and containerd; empty if nobody can tell."""
    kubectl = shutil.which("kubectl")
    if not kubectl:
        return set()
    path = "jsonpath={.items[*].status.nodeInfo.containerRuntimeVersion}"
    login = ("--context", kubeconfig.context, f"--request-timeout={PATIENCE}s")
    got = subprocess.run(
        [kubectl, *login, "get", "nodes", "-o", path],
        env={**os.environ, "KUBECONFIG": os.pathsep.join(kubeconfig.paths)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    return {version.partition(":")[0] for version in got.stdout.split()} if got.returncode == 0 else set()


def operator(settings: ClusterSettings, kubeconfig: Kubeconfig) -> kubernetes.Provider:
    """Return the provider that works with the person's own rights.

    `cluster_identifier` stands on both providers from the first day: without it a moved API server or an edited
    kubeconfig replaces every resource, the hub's database included (facts: failures.md section 9.3).
    """
    return _provider("operator", settings, kubeconfig.text())


def as_account(settings: ClusterSettings, kubeconfig: Kubeconfig, account: str) -> kubernetes.Provider:
    """Return a provider that does everything as `account` (`system:serviceaccount:<namespace>:<name>`).

    The person must be allowed to impersonate it, which cluster administrators are.
    """
    return _provider("tiller", settings, kubeconfig.text(account))


def _provider(name: str, settings: ClusterSettings, content: str) -> kubernetes.Provider:
    return kubernetes.Provider(
        name,
        kubeconfig=pulumi.Output.secret(content),
        cluster_identifier=settings.identifier,
        enable_server_side_apply=True,
    )

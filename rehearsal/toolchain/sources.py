"""The sources that all programs are built from: our module and changed copies of a few upstream modules.

A copy is made at build time out of Go's module cache, so its sum was checked like that of any other module. Whatever
of it a rehearsal never reaches is left out, which is most of the build's time: stubs of ours, below
`go/_stubs/<module>/`, lie over the copy. `docs/toolchain.md` names each with its reason.
"""

import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import Final

from rehearsal.errors import ToolchainError
from rehearsal.toolchain import versions

PULUMI: Final = "github.com/pulumi/pulumi"
KUBERNETES: Final = "github.com/pulumi/pulumi-kubernetes"
TAGS: Final = ("-tags", "osusergo,grpcnotrace")  # as Pulumi's own releases are built


@dataclass(frozen=True)
class Module:
    """A Go module in one version."""

    module: str
    version: str

    @property
    def versioned(self) -> str:
        """Return the module's name for `go mod download`, which is also its folder's in Go's module cache."""
        return f"{self.module}@{self.version}"


@dataclass(frozen=True)
class ModuleFile(Module):
    """A file or folder that lies in a Go module and is copied as it is, under its own last name."""

    path: str


@dataclass(frozen=True, kw_only=True)
class Copy(Module):
    """A changed copy of a Go module, made in the folder `to` of our module.

    Files are taken that match one of the patterns `parts` and none of `without`; a `*` matches slashes, too. Tests
    are never taken. `edits` are (file, old, new); `old` occurs in the file.
    """

    to: str
    parts: tuple[str, ...] = ("*",)
    without: tuple[str, ...] = ()
    edits: tuple[tuple[str, str, str], ...] = ()


_DRIVERS: Final = f"{PULUMI}/pkg/v3/backend/diy/cloud"
_HOST: Final = "python/cmd/pulumi-language-python/main.go"
_PROVIDER: Final = "cmd/pulumi-resource-kubernetes/main.go"
_SDK: Final = "go/kubernetes"

# All copies that the build wants; the `replace` lines of `go/go.mod` point to them.
COPIES: Final = (
    # Pulumi's engine and command line, without state, keys and logs in clouds and without `pulumi api`.
    Copy(
        module=f"{PULUMI}/pkg/v3",
        version=f"v{versions.PULUMI}",
        to="copies/pulumi",
        without=(
            "authhelpers/*",
            "backend/diy/postgres/*",
            "cmd/pulumi/cloud/[!r]*",  # resolve.go serves other commands, too
            "operations/operations_aws.go",
            "operations/operations_gcp.go",
            "secrets/cloud/*",
            "testing/*",
        ),
        edits=(
            ("backend/diy/backend.go", '"gocloud.dev/blob/azureblob" ', f'azureblob "{_DRIVERS}"'),
            ("backend/diy/backend.go", '"gocloud.dev/blob/gcsblob" ', ""),
            ("backend/diy/backend.go", '_ "gocloud.dev/blob/s3blob" ', ""),
            ("backend/diy/backend.go", "gcsblob.Scheme", '"gs"'),
            ("backend/diy/bucket.go", '"github.com/aws/aws-sdk-go-v2/service/s3"', f'"{_DRIVERS}"'),
        ),
    ),
    # The Python language host, in the last version in which it was part of a module that is served.
    Copy(
        module=f"{PULUMI}/sdk/v3",
        version=f"v{versions.PULUMI_LANGUAGE_PYTHON}",
        to="copies/host",
        parts=("python/*.go", "LICENSE"),
        without=("python/lib/*", "python/dist/*"),
        edits=(
            (_HOST, f'"{PULUMI}/sdk/v3/python"', '"binderhub.rehearsal/copies/host/python"'),
            # What changed in the rest of the SDK since.
            (
                _HOST,
                "About(ctx context.Context, req *pbempty.Empty)",
                "About(ctx context.Context, _ *pulumirpc.AboutRequest)",
            ),
            (_HOST, "if logging.V(5) {", "if logging.V(5).Enabled() {"),
            (_HOST, "if logging.V(9) {", "if logging.V(9).Enabled() {"),
        ),
    ),
    # The Kubernetes provider; what its main embeds is normally generated, out of files that the module carries.
    Copy(
        module=f"{KUBERNETES}/provider/v4",
        version=versions.PULUMI_KUBERNETES_MODULE,
        to="copies/kubernetes",
        edits=(
            (_PROVIDER, "schema-embed.json", "schema.json"),
            (_PROVIDER, "terraform-mapping-embed.json", "terraform-mapping.json"),
            # Newer versions of Pulumi's own packages want a pointer here.
            ("pkg/gen/schema.go", "Provider: pschema.ResourceSpec{", "Provider: &pschema.ResourceSpec{"),
        ),
    ),
    # The part of the provider's Go SDK that the provider itself uses; the whole has a type for every kind.
    Copy(
        module=f"{KUBERNETES}/sdk/v4",
        version=f"v{versions.PULUMI_KUBERNETES}",
        to="copies/kubernetes-sdk",
        parts=(
            "go.mod",
            "LICENSE",
            *(f"{_SDK}/{name}.go" for name in ("init", "provider", "pulumiTypes", "customPulumiTypes")),
            f"{_SDK}/utilities/*",
            f"{_SDK}/helm/v4/*",
        ),
    ),
    # Of flux's server-side apply, the one file that the Kubernetes provider uses.
    Copy(
        module="github.com/fluxcd/pkg/ssa",
        version="v0.46.0",
        to="copies/fluxcd-ssa",
        parts=("go.mod", "LICENSE", "patch.go"),
    ),
)


def flags() -> tuple[str, ...]:
    """Return the flags of the build: small programs without paths of this machine, which tell their versions."""
    major, minor, _ = versions.KUBERNETES.split(".")
    cluster = {"gitVersion": f"v{versions.KUBERNETES}", "gitMajor": major, "gitMinor": minor, "gitTreeState": "clean"}
    # Both packages: unstamped, the Pulumi provider refuses the cluster.
    stamped = ("k8s.io/component-base/version", "k8s.io/client-go/pkg/version")
    values = {f"{package}.{name}": value for package in stamped for name, value in cluster.items()} | {
        f"{PULUMI}/sdk/v3/go/common/version.Version": f"v{versions.PULUMI}",
        f"{KUBERNETES}/provider/v4/pkg/version.Version": versions.PULUMI_KUBERNETES,
        "github.com/terraform-providers/terraform-provider-random/shim.Version": versions.PULUMI_RANDOM,
    }
    linker = " ".join(["-s", "-w", *(f"-X {name}={value}" for name, value in values.items())])
    # The linker drops debugging data in any case: not to make it saves a third of compiling.
    return ("-trimpath", *TAGS, "-gcflags=all=-dwarf=false", "-ldflags", linker)


def make(copy: Copy, source: Path, module: Path) -> None:
    """Make a copy of the module in the folder `source` below our module's folder, with our stubs over it.

    Raises ToolchainError where an edit finds nothing to change: upstream is not what the copy was written for.
    """
    target = module / copy.to
    copy_files(
        (file for file in source.rglob("*") if _wanted(copy, file.relative_to(source).as_posix())), source, target
    )
    for name, old, new in copy.edits:
        text = (target / name).read_text()
        if old not in text:
            raise ToolchainError(f"{copy.module} {copy.version} has no {old!r} in {name}, which has to be changed.")
        (target / name).write_text(text.replace(old, new))
    stubs = module / "_stubs" / copy.module
    copy_files(stubs.rglob("*"), stubs, target)


def _wanted(copy: Copy, path: str) -> bool:
    test = path.endswith("_test.go") or "/testdata/" in path or "/tests/" in path
    return not test and any(fnmatch(path, p) for p in copy.parts) and not any(fnmatch(path, p) for p in copy.without)


def copy_files(found: Iterable[Path], source: Path, target: Path) -> None:
    """Copy what is a file to the same place below another folder, without the read-only modes of Go's module cache."""
    for file in found:
        if file.is_file():
            place = target / file.relative_to(source)
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, place)

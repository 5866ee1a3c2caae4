"""What an artifact of the rehearsal's toolchain is: data and nothing that runs.

Each `Artifact` is one entry of the cache: which files it holds, how to ask its programs for their version, where the
vendor publishes it, and how it is built from Go modules where the vendor cannot be reached.
"""

import platform
from dataclasses import dataclass

from rehearsal.errors import ToolchainError


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
    version: str
    path: str

    @property
    def versioned(self) -> str:
        """Return the module's name for `go mod download`, which is also its folder's in Go's module cache."""
        return f"{self.module}@{self.version}"


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

    `probes` are commands that print the version, the program first. `wheel` is a Python package whose wheel brings the
    program, `plugin` the folder below Pulumi's plugin folder.
    """

    name: str
    version: str
    files: tuple[str, ...]
    probes: tuple[tuple[str, ...], ...] = ()
    downloads: tuple[Download, ...] = ()
    build: GoBuild | None = None
    wheel: str = ""
    plugin: str = ""

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

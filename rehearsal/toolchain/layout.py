"""The toolchain of the rehearsal: the real Pulumi engine and the programs of a throwaway Kubernetes API.

`ensure()` hands out folders with exact versions. A program that is missing is taken from PATH, else from its vendor,
else built from Go modules (`install.py`); what was got once stays in one cache folder, so that the next run only looks
whether it is there: such a warm run starts no program and imports no more than the standard library.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rehearsal.toolchain import artifacts, cache

if TYPE_CHECKING:
    from rich.console import Console


@dataclass(frozen=True)
class Toolchain:
    """Where the programs lie.

    `bin` goes on PATH; `plugins` becomes the folder `plugins` of a PULUMI_HOME; `stages` is kwok's folder
    `kustomize/stage`. Provider plugins are never in `bin`: the engine prefers one on PATH, with a warning.
    """

    bin: Path
    plugins: Path
    stages: Path


def ensure(*, console: "Console | None" = None) -> Toolchain:
    """Return a complete toolchain, after getting whatever of it is missing.

    `console` takes the progress (default: standard error); a warm run prints nothing. Raises `ToolchainError` with one
    message for the user: no Go that fits, too little disk, a failed build, a machine that the rehearsal does not know.
    """
    on = artifacts.this_platform()
    entries = {cache.entry_name(artifact, on): artifact for artifact in artifacts.ARTIFACTS}
    folder = cache.cache_folder()
    layout = folder / cache.layout_name(entries)
    cache.used(folder, entries)  # first: another run may look for what nobody uses
    if not cache.ready(folder, entries) or cache.untidy(folder):
        from rehearsal.toolchain import install  # only here: a warm run needs neither it nor what it imports

        install.install(entries, folder, console)
    stages = next(name for name, artifact in entries.items() if artifact.name == "kwok-stages")
    return Toolchain(bin=layout / "bin", plugins=layout / "plugins", stages=folder / stages / "stage")


def clean() -> list[str]:
    """Remove everything from the cache but the runs, and return the names of what was removed.

    Raises `ToolchainError` while another run needs it.
    """
    from rehearsal.toolchain import install  # only here, as above

    return install.clean(cache.cache_folder())

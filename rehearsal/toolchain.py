"""The toolchain of the rehearsal: the real Pulumi engine and the programs of a throwaway Kubernetes API.

`ensure()` hands out folders with exact versions. A program that is missing is taken from PATH, else from its vendor,
else built from Go modules (`rehearsal/obtain.py`); what was got once stays in one cache folder, so that the next run
only looks whether it is there. This module is all that such a warm run loads: it starts no program and imports no
more than the standard library.
"""

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rehearsal import pieces
from rehearsal.pieces import Piece, ToolchainError

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["CACHE_VARIABLE", "Toolchain", "ToolchainError", "cache_folder", "ensure"]

CACHE_VARIABLE = "BINDERHUB_REHEARSAL_CACHE"


@dataclass(frozen=True)
class Toolchain:
    """Where the programs lie.

    `bin` goes on PATH; `plugins` becomes the folder `plugins` of a PULUMI_HOME; `stages` is kwok's folder
    `kustomize/stage`. Provider plugins are never in `bin`: the engine prefers one on PATH, with a warning.
    """

    bin: Path
    plugins: Path
    stages: Path


def cache_folder() -> Path:
    """Return the one folder in which everything is kept; it need not exist.

    BINDERHUB_REHEARSAL_CACHE, else XDG_CACHE_HOME/binderhub-rehearsal, else ~/.cache/binderhub-rehearsal. As the XDG
    specification asks, an XDG_CACHE_HOME that is not absolute is ignored.
    """
    if own := os.environ.get(CACHE_VARIABLE):
        return Path(own).expanduser().absolute()
    caches = Path(os.environ.get("XDG_CACHE_HOME", ""))
    return (caches if caches.is_absolute() else Path.home() / ".cache") / "binderhub-rehearsal"


def ensure(*, helm: bool = False, console: "Console | None" = None) -> Toolchain:
    """Return a complete toolchain, after getting whatever of it is missing.

    `helm` adds helm. `console` takes the progress (default: standard error); a warm run prints nothing. Raises
    ToolchainError with one message for a person: no Go that fits, too little disk, a failed build, a machine that the
    rehearsal does not know.
    """
    on = pieces.this_platform()
    wanted = [piece for piece in pieces.all_pieces(on) if helm or piece.name != "helm"]
    entries = {pieces.entry_name(piece, on): piece for piece in wanted}
    cache = cache_folder()
    layout = cache / layout_name(entries)
    if (
        not layout.is_dir()
        or not all(complete(cache / name, piece) for name, piece in entries.items())
        or untidy(cache)
    ):
        from rehearsal import obtain  # only here: a warm run needs neither it nor what it imports

        obtain.obtain(entries, cache, layout, on, console)
    stages = next(name for name, piece in entries.items() if piece.name == "kwok-stages")
    return Toolchain(bin=layout / "bin", plugins=layout / "plugins", stages=cache / stages / "stage")


def layout_name(entries: dict[str, Piece]) -> str:
    """Return the name of the composed folder for these entries."""
    return "layout-" + hashlib.sha256("\n".join([str(pieces.FORMAT), *entries]).encode()).hexdigest()[:12]


def complete(entry: Path, piece: Piece) -> bool:
    """Tell whether an entry is there; it appears whole, so this only misses files that somebody took out again."""
    return all((entry / file).exists() for file in piece.files)


def untidy(cache: Path) -> bool:
    """Tell whether an earlier run left Go's own caches or a temporary folder behind."""
    return (cache / "go").exists() or any(cache.glob("tmp-*"))

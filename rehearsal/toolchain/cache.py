"""Where everything lies in the cache, and whether it is there.

A warm run needs this and no more: it starts no program and imports the standard library alone.
"""

import hashlib
import os
import re
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

from rehearsal.errors import ToolchainError
from rehearsal.toolchain import sources
from rehearsal.toolchain.artifacts import Artifact, Platform

CACHE_VARIABLE: Final = "BINDERHUB_REHEARSAL_CACHE"
MODULES: Final = Path(__file__).parent / "go"
FORMAT: Final = 2  # raise it when the way of building changes without a change of an artifact's data
UNUSED_DAYS: Final = 30
# What `entry_name` and `layout_name` make, and earlier versions of them. Whatever else lies here is not ours.
_MADE: Final = re.compile(r"[a-z-]+-(\d[\w.]*-)?[0-9a-f]{12}(\.lock)?")


def cache_folder() -> Path:
    """Return the one folder in which everything is kept; it need not exist.

    BINDERHUB_REHEARSAL_CACHE, else XDG_CACHE_HOME/binderhub-rehearsal, else ~/.cache/binderhub-rehearsal. As the XDG
    specification asks, an XDG_CACHE_HOME that is not absolute is ignored. Raises ToolchainError for a user without a
    home, as in a container that runs under any number.
    """
    if own := os.environ.get(CACHE_VARIABLE):
        return Path(own).expanduser().absolute()
    caches = Path(os.environ.get("XDG_CACHE_HOME", ""))
    try:
        return (caches if caches.is_absolute() else Path.home() / ".cache") / "binderhub-rehearsal"
    except RuntimeError:
        raise ToolchainError(
            f"This user has no home folder. {CACHE_VARIABLE} can name a folder for the cache."
        ) from None


def recipe_files() -> list[Path]:
    """Return the files below `MODULES` that decide what is built, in a fixed order."""
    return [file for file in sorted(MODULES.rglob("*")) if file.suffix in (".go", ".mod", ".sum")]


def entry_name(artifact: Artifact, on: Platform) -> str:
    """Return the name of an artifact's folder in the cache: it changes with the version and with the recipe.

    The platform counts, because a home folder may be shared by unlike machines.
    """
    digest = hashlib.sha256(repr((FORMAT, on, artifact.files, artifact.build)).encode())
    if artifact.build:
        digest.update(repr((sources.COPIES, sources.flags())).encode())
        for file in recipe_files():
            digest.update(f"\0{file.relative_to(MODULES)}\0".encode() + file.read_bytes())
    return f"{artifact.name}-{artifact.version}-{digest.hexdigest()[:12]}"


def layout_name(entries: Iterable[str]) -> str:
    """Return the name of the composed folder for the entries of these names."""
    return "layout-" + hashlib.sha256("\n".join([str(FORMAT), *entries]).encode()).hexdigest()[:12]


def complete(entry: Path, artifact: Artifact) -> bool:
    """Tell whether an entry is there; it appears whole, so this only misses files that somebody took out again."""
    return all((entry / file).exists() for file in artifact.files)


def ready(cache: Path, entries: Mapping[str, Artifact]) -> bool:
    """Tell whether all of these entries and the folder composed of them are there."""
    composed = (cache / layout_name(entries)).is_dir()
    return composed and all(complete(cache / name, artifact) for name, artifact in entries.items())


def used(cache: Path, entries: Iterable[str]) -> None:
    """Note that these entries and the folder composed of them are used today: the time of a folder tells that."""
    with suppress(OSError):  # a cache that others filled and that we only read
        for name in [*entries, layout_name(entries)]:
            os.utime(cache / name)


def made(cache: Path) -> list[Path]:
    """Return all entries and composed folders, also those of other versions and of other working trees."""
    return [path for path in cache.iterdir() if _MADE.fullmatch(path.name)]


def unused(cache: Path) -> list[Path]:
    """Return what was made and then not used by any run for UNUSED_DAYS, where it can be removed."""
    since = time.time() - UNUSED_DAYS * 24 * 60 * 60
    return [path for path in made(cache) if path.lstat().st_mtime < since] if os.access(cache, os.W_OK) else []


def untidy(cache: Path) -> bool:
    """Tell whether something is to be removed: what an earlier run left behind, or what nobody uses any more."""
    return (cache / "go").exists() or any(cache.glob("tmp-*")) or bool(unused(cache))

"""Which chart is installed: the published one at its pinned version, or one from the disk."""

import hashlib
import os
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from config.errors import ChartError
from config.reader import Reader
from kube import yaml

# Next: https://hub.jupyter.org/helm-chart/ (row "binderhub", development releases; there is no stable release).
CHART_NAME: Final = "binderhub"
CHART_VERSION: Final = "1.0.0-0.dev.git.3958.haf9ca8b1"
CHART_REPOSITORY: Final = "https://hub.jupyter.org/helm-chart/"


@dataclass(frozen=True, kw_only=True)
class Chart:
    """A chart to install.

    `reference` is what Helm is given: a name within `repository`, or (`repository` is "") a path relative to the
    program's folder, so that two machines show no diff. `digest` is "" for a published chart, whose version says all;
    for one from the disk it tells edited templates apart, which Helm's provider does not notice by itself.
    """

    reference: str
    version: str
    repository: str
    digest: str


def chosen(reader: Reader, folder: Path) -> Chart:
    """Return the chart that a stack names, and refuse a path at which none is. `folder` is as in `local`."""
    path, version = reader.text("chart"), reader.text("chartVersion")
    if path and version:
        command = "pulumi config rm chartVersion"
        reader.refuse("chartVersion", version, "no version beside a chart's path", command)
    if not path:
        return published(version)
    try:
        return local(path, folder)
    except ChartError as error:
        reader.refuse("chart", path, str(error))
        return published()


def published(version: str = "") -> Chart:
    """Return the published chart, at `version` or at the pin."""
    return Chart(
        reference=CHART_NAME,
        version=version or CHART_VERSION,
        repository=CHART_REPOSITORY,
        digest="",
    )


def local(path: str, folder: Path) -> Chart:
    """Look at a chart on the disk.

    Takes a path (relative to `folder`, or absolute, or with ~) of a packaged chart (.tgz) or an unpacked one. Returns
    it with its own version. Raises `ChartError` if nothing is there or it is no BinderHub chart.
    """
    place = Path(folder, Path(path).expanduser())
    if not place.exists():
        raise ChartError(f"a chart (.tgz or folder); nothing exists at {place}")
    try:
        about = yaml.load(_chart_yaml(place), place)
        name, version = about["name"], about["version"]
    except (OSError, EOFError, tarfile.TarError, KeyError, TypeError, ValueError):
        raise ChartError(f"a Helm chart (.tgz or folder with a Chart.yaml); {place} is none") from None
    if name != CHART_NAME:
        raise ChartError(f"a chart named {CHART_NAME}; {place} is a chart named {name}")
    return Chart(reference=_relative(place, folder), version=str(version), repository="", digest=_digest(place))


def _relative(place: Path, folder: Path) -> str:
    """Helm takes a bare name for a chart of a repository, hence the leading ./"""
    path = os.path.relpath(place, folder)
    return path if path.startswith(os.pardir) else f"{os.curdir}{os.sep}{path}"


def _chart_yaml(place: Path) -> bytes:
    if place.is_dir():
        return (place / "Chart.yaml").read_bytes()
    with tarfile.open(place) as archive:
        for member in archive:
            if member.name.count("/") == 1 and member.name.endswith("/Chart.yaml"):
                found = archive.extractfile(member)
                return found.read() if found else b""
    raise KeyError("Chart.yaml")


def _digest(place: Path) -> str:
    files = sorted(p for p in place.rglob("*") if p.is_file()) if place.is_dir() else [place]
    whole = hashlib.sha256()
    for file in files:
        name = file.relative_to(place).as_posix() if place.is_dir() else ""
        whole.update(name.encode() + b"\0" + hashlib.sha256(file.read_bytes()).digest())
    return whole.hexdigest()[:12]

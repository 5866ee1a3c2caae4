"""Which chart is installed, the published one at its pinned version or one from the disk, and with which hub."""

import hashlib
import os
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from config import versions
from config.errors import InvalidValue
from config.reader import Reader
from kube import yaml
from kube.nested import get

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
    `jupyterhub` is the version of JupyterHub that it brings, "" if that is not known.
    """

    reference: str
    version: str
    repository: str
    digest: str
    jupyterhub: str = ""


@dataclass(frozen=True, kw_only=True)
class HubImage:
    """The hub's image: the Helm values that name it (none for the chart's own), and the JupyterHub in it, if known."""

    values: Mapping[str, str]
    jupyterhub: str


def chosen(reader: Reader, folder: Path) -> Chart:
    """Return the chart that a stack names, and refuse a path at which none is. `folder` is as in `local`."""
    path, version = reader.value("chart"), reader.value("chartVersion") or ""
    if path and version:
        reader.refuse("chartVersion", version, "no version beside a chart's path", "pulumi config rm chartVersion")
    try:
        return local(path, folder) if path else published(version)
    except InvalidValue as none:
        reader.refuse("chart", path, str(none))
        return published()


def published(version: str = "") -> Chart:
    """Return the published chart, at `version` or at the pin."""
    version = version or CHART_VERSION
    hub = versions.in_chart(version)
    return Chart(reference=CHART_NAME, version=version, repository=CHART_REPOSITORY, digest="", jupyterhub=hub)


def hub_image(reader: Reader, chart: Chart, own_values: Mapping[str, Any]) -> HubImage:
    """Return the image of the hub: the one that a stack names, in its setting or its own Helm values, else ours.

    Ours is a later one than the chart's, with known holes mended, where one is known to fit that chart.
    """
    image = reader.value("hubImage")
    name, tag = (get(own_values, f"jupyterhub.hub.image.{part}") for part in ("name", "tag"))
    if image and (name or tag):
        reader.refuse(
            "hubImage", image, "no image of the hub in the values file beside it", "pulumi config rm hubImage"
        )
    if image:
        name, _, tag = image.rpartition(":")
        return HubImage(values={"name": name, "tag": tag}, jupyterhub=versions.in_image(image))
    if tag:
        return HubImage(values={}, jupyterhub=versions.in_image(f"{name or versions.HUB_IMAGE}:{tag}"))
    if raised := versions.RAISED.get(chart.jupyterhub, "") if not name else "":
        return HubImage(values={"tag": raised}, jupyterhub=versions.in_image(f"{versions.HUB_IMAGE}:{raised}"))
    return HubImage(values={}, jupyterhub=chart.jupyterhub)


def local(path: str, folder: Path) -> Chart:
    """Look at a chart on the disk.

    Takes a path (relative to `folder`, or absolute, or with ~) of a packaged chart (.tgz) or an unpacked one. Returns
    it with its own version. Raises `InvalidValue` if nothing is there or it is no BinderHub chart.
    """
    place = Path(folder, Path(path).expanduser())
    if not place.exists():
        raise InvalidValue(f"a chart (.tgz or folder); nothing exists at {place}")
    try:
        about = yaml.load(_chart_yaml(place), place)
        name, version = about["name"], about["version"]
        hub = get(yaml.load(_chart_yaml(place, "charts/jupyterhub/"), place), "appVersion")
    except (OSError, EOFError, tarfile.TarError, KeyError, TypeError, ValueError):
        raise InvalidValue(f"a Helm chart (.tgz or folder with a Chart.yaml); {place} is none") from None
    if name != CHART_NAME:
        raise InvalidValue(f"a chart named {CHART_NAME}; {place} is a chart named {name}")
    reference = os.path.relpath(place, folder)
    if not reference.startswith(os.pardir):
        reference = f"{os.curdir}{os.sep}{reference}"  # Helm takes a bare name for a chart of a repository
    return Chart(
        reference=reference, version=str(version), repository="", digest=_digest(place), jupyterhub=str(hub or "")
    )


def _chart_yaml(place: Path, below: str = "") -> bytes:
    """Return the Chart.yaml of a chart, or of one `below` it, which need not be there."""
    if place.is_dir():
        file = place / below / "Chart.yaml"
        return b"" if below and not file.is_file() else file.read_bytes()
    with tarfile.open(place) as archive:
        name = f"{CHART_NAME}/{below}Chart.yaml"
        found = None if below and name not in archive.getnames() else archive.extractfile(name)
        return found.read() if found else b""


def _digest(place: Path) -> str:
    whole = hashlib.sha256()
    for file in sorted(p for p in place.rglob("*") if p.is_file()) or [place]:
        name = file.relative_to(place).as_posix()
        whole.update(name.encode() + b"\0" + hashlib.sha256(file.read_bytes()).digest())
    return whole.hexdigest()[:12]

"""Where the chart and the values file of a program come from, and how they get into its copy."""

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from config import chart, settings
from rehearsal.workspace import StackFile

PROJECT: Final = Path(__file__).resolve().parent.parent
STAND_IN: Final = PROJECT / "tests" / "charts" / "binderhub"
CHART: Final = f"{settings.PROJECT}:chart"
CHART_VERSION: Final = f"{settings.PROJECT}:chartVersion"
VALUES_FILE: Final = f"{settings.PROJECT}:valuesFile"
# Where a chart from elsewhere lies in the copy; a path within it is the same on every machine.
_CHART_FOLDER: Final = "rehearsal-chart"
_VALUES_NAME: Final = "rehearsal-values.yaml"


@dataclass(frozen=True)
class ChosenChart:
    """Which chart the rehearsal runs. `source` is published, path or stand-in."""

    source: str
    version: str


def choose_chart(
    wanted: chart.Chart, files: Sequence[StackFile], reachable: Callable[[], str]
) -> tuple[ChosenChart, str]:
    """Decide which chart the rehearsal runs: the stand-in for all programs, as soon as one's cannot be had.

    `wanted` is the working tree's, `files` are the stack's files of all programs, and `reachable` returns "" when the
    chart repository answers, else why not. Returns the choice and, when it is the stand-in, that reason.
    """
    if not all(file.config.get(CHART) for file in files) and (reason := reachable()):
        return ChosenChart("stand-in", chart.local(str(STAND_IN), PROJECT).version), reason
    return ChosenChart("published" if wanted.repository else "path", wanted.version), ""


def repository_problem(repository: str) -> str:
    """Ask a chart repository for its index; return "" if it answers, else the reason in a few words."""
    import requests  # slow to import, and needed only where a published chart is meant

    try:
        with requests.get(f"{repository.rstrip('/')}/index.yaml", timeout=(5, 10), stream=True) as answer:
            return "" if answer.ok else f"it answered with status {answer.status_code}"
    except requests.RequestException as error:
        return type(error).__name__


def named(file: StackFile, key: str) -> str:
    """Return the path that a stack's file gives for its chart or its values file; "" for none."""
    return str(file.config.get(key) or "")


def place(path: str, folder: Path, project: Path) -> Path:
    """Return where a chart or a values file lies: in the copy, else (git may ignore it) in the project itself."""
    given = Path(path).expanduser()
    return folder / given if (folder / given).exists() else project / given


def with_chart(file: StackFile, path: str) -> StackFile:
    """Return a stack's file that names a chart on the disk in place of its own."""
    plain = {k: v for k, v in file.config.items() if k != CHART_VERSION}
    return StackFile({**plain, CHART: path}, file.secrets)


def put_chart(source: Path, folder: Path, file: StackFile) -> StackFile:
    """Copy a chart from the disk into the copy of the project and name it there, by a path within the project."""
    source = source.resolve()
    target = folder / _CHART_FOLDER / source.name
    target.parent.mkdir()
    if source.is_dir():
        shutil.copytree(source, target)
    else:
        shutil.copy2(source, target)
    return with_chart(file, f"{_CHART_FOLDER}/{source.name}")


def put_values(project: Path, folder: Path, file: StackFile) -> StackFile:
    """Copy the stack's own values file into the copy of the project, wherever it lies and whatever git thinks of it."""
    path = named(file, VALUES_FILE)
    if not path:
        return file
    shutil.copy2(place(path, folder, project), folder / _VALUES_NAME)
    return StackFile({**file.config, VALUES_FILE: _VALUES_NAME}, file.secrets)

"""Which chart a rehearsal runs."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from config import chart, settings
from rehearsal.workspace import PROJECT, StackFile

STAND_IN: Final = PROJECT / "tests" / "charts" / "binderhub"
CHART: Final = f"{settings.PROJECT}:chart"
CHART_VERSION: Final = f"{settings.PROJECT}:chartVersion"


def choose_chart(
    wanted: chart.Chart, files: Sequence[StackFile], reachable: Callable[[], str]
) -> tuple[dict[str, str], str]:
    """Decide which chart the rehearsal runs: the stand-in for all programs, as soon as one's cannot be had.

    `wanted` is the working tree's, `files` are the stack's files of all programs, and `reachable` returns "" when the
    chart repository answers, else why not. Returns the chart's source (published, path or stand-in) and version and,
    when it is the stand-in, that reason.
    """
    if not all(file.config.get(CHART) for file in files) and (reason := reachable()):
        return {"source": "stand-in", "version": chart.local(str(STAND_IN), PROJECT).version}, reason
    return {"source": "published" if wanted.repository else "path", "version": wanted.version}, ""


def repository_problem(repository: str) -> str:
    """Ask a chart repository for its index; return "" if it answers, else the reason in a few words."""
    import requests  # slow to import, and needed only where a published chart is meant

    try:
        with requests.get(f"{repository.rstrip('/')}/index.yaml", timeout=(5, 10), stream=True) as answer:
            return "" if answer.ok else f"it answered with status {answer.status_code}"
    except requests.RequestException as error:
        return type(error).__name__


def with_chart(file: StackFile, path: str | Path) -> StackFile:
    """Return a stack's file that names a chart on the disk in place of its own."""
    plain = {k: v for k, v in file.config.items() if k != CHART_VERSION}
    return replace(file, config={**plain, CHART: str(path)})

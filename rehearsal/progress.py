"""Progress of long waits: live lines on a terminal, plain lines and a sign of life in a log."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

HEARTBEAT: Final = 30.0  # seconds; a CI job that prints nothing for long looks dead


class Line:
    """One piece of work. On a terminal its line is redrawn; in a log each new thing is one more line."""

    def __init__(self, title: str, console: Console, live: Progress | None) -> None:
        self._title = title
        self._console = console
        self._live = live
        self._task = live.add_task(title, total=1) if live else None
        self._doing = ""
        self._start = self._last = time.monotonic()

    def say(self, doing: str, *, brief: bool = False) -> None:
        """Tell what is being done from now on; what is `brief` as a rule is kept out of a log."""
        self._doing = doing
        if self._live or not brief:
            self._show(doing)

    def tick(self, detail: str = "") -> None:
        """Show that work goes on; call it often. A log hears of it every HEARTBEAT seconds."""
        if self._live:
            self._show(f"{self._doing}, {detail}" if detail else self._doing)
        elif time.monotonic() - self._last >= HEARTBEAT:
            self._show(", ".join(filter(None, [f"still {self._doing}", detail, self._seconds()])))

    def note(self, text: str) -> None:
        """Print a line that stays, also on a terminal."""
        self.print(f"{self._title}: {text}")

    def done(self, how: str) -> None:
        """Print the last line: how the piece was got and how long it took."""
        if self._live and self._task is not None:
            self._live.update(self._task, description=f"{self._title}: {how}", completed=1)
        else:
            self._show(f"{how}, {self._seconds()}")

    def print(self, text: str) -> None:
        """Print a line as it is, above the live ones."""
        self._console.print(text, markup=False, highlight=False, emoji=False, soft_wrap=True)

    def _show(self, text: str) -> None:
        self._last = time.monotonic()
        if self._live and self._task is not None:
            self._live.update(self._task, description=f"{self._title}: {text}")
        else:
            self.print(f"{self._title}: {text}")

    def _seconds(self) -> str:
        return f"{time.monotonic() - self._start:.0f} s"


class Report:
    """Makes the lines of one run."""

    def __init__(self, console: Console, live: Progress | None) -> None:
        self._console = console
        self._live = live

    def line(self, title: str) -> Line:
        """Start the line of one piece of work."""
        return Line(title, self._console, self._live)


@contextmanager
def report(console: Console | None = None) -> Iterator[Report]:
    """Give a Report for the time of the `with`; without a console it writes to standard error."""
    console = console or Console(stderr=True)
    if not console.is_terminal:
        yield Report(console, None)
        return
    text = TextColumn("{task.description}", markup=False)
    with Progress(SpinnerColumn(finished_text=" "), text, TimeElapsedColumn(), console=console) as live:
        yield Report(console, live)

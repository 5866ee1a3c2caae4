"""Progress of long waits: live lines on a terminal, plain lines and a sign of life in a log."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskProgressColumn, TextColumn, TimeElapsedColumn
from rich.table import Column

HEARTBEAT: Final = 30.0  # seconds; a CI job that prints nothing for long looks dead


class Line:
    """One piece of work. On a terminal its line is redrawn; in a log each new thing is one more line."""

    def __init__(self, title: str, shown: Progress) -> None:
        self.title = title
        self._shown = shown
        self._task = shown.add_task(title, total=1)
        self._doing = ""
        self._start = self._last = time.monotonic()

    def say(self, doing: str, detail: str = "", more: str = "") -> None:
        """Tell what is being done and how far it is; call it often. A log hears of it every HEARTBEAT seconds.

        `more` is for a log only: on a terminal, other lines tell it.
        """
        text = f"{doing}, {detail}" if detail else doing
        self._shown.update(self._task, description=f"{self.title}: {text}")
        if doing != self._doing:
            self._log(text)
        elif time.monotonic() - self._last >= HEARTBEAT:
            self._log(f"{text}, after {self._seconds()}{f' ({more})' if more else ''}")
        self._doing = doing

    def share(self, share: float, text: str = "") -> None:
        """Show how much of the work is done, from 0 to 1, and a text with it. A log does not hear of it."""
        self._shown.update(self._task, completed=share)
        if text:
            self._shown.update(self._task, description=f"{self.title}: {text}")

    def done(self, how: str) -> None:
        """Print the last line: how the artifact was got and how long it took."""
        self._shown.update(self._task, description=f"{self.title}: {how}", completed=1)
        self._log(f"{how}, {self._seconds()}")

    def _log(self, text: str) -> None:
        self._last = time.monotonic()
        if self._shown.disable:
            console = self._shown.console
            console.print(f"{self.title}: {text}", markup=False, highlight=False, emoji=False, soft_wrap=True)

    def _seconds(self) -> str:
        return f"{time.monotonic() - self._start:.0f} s"


@contextmanager
def beating(tick: Callable[[], None]) -> Iterator[None]:
    """Call `tick` at once and then twice a second, in a thread of its own, for the time of the `with`."""
    ended = threading.Event()

    def beat() -> None:
        while not ended.wait(0.5):
            tick()

    tick()
    thread = threading.Thread(target=beat)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


@contextmanager
def lines(first: str, console: Console | None = None) -> Iterator[Callable[[str], Line]]:
    """Print the first words and give, for the time of the `with`, what makes the line of a title.

    Without a console on standard error.
    """
    console = console or Console(stderr=True)
    console.print(first, markup=False, highlight=False, emoji=False, soft_wrap=True)
    rest = Column(ratio=1, no_wrap=True, overflow="ellipsis")  # otherwise a long text takes the bars' place
    columns = (
        SpinnerColumn(finished_text=" "),
        BarColumn(bar_width=20),
        TaskProgressColumn(),
        TextColumn("{task.description}", markup=False, table_column=rest),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console, disable=not console.is_terminal, expand=True) as shown:
        yield lambda title: Line(title, shown)

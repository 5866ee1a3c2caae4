"""Progress of long waits: live lines on a terminal, plain lines and a sign of life in a log."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

HEARTBEAT: Final = 30.0  # seconds; a CI job that prints nothing for long looks dead


class Line:
    """One piece of work. On a terminal its line is redrawn; in a log each new thing is one more line."""

    def __init__(self, title: str, shown: Progress) -> None:
        self._title = title
        self._shown = shown
        self._task = shown.add_task(title, total=1)
        self._doing = ""
        self._start = self._last = time.monotonic()

    def say(self, doing: str, detail: str = "") -> None:
        """Tell what is being done and how far it is; call it often. A log hears of it every HEARTBEAT seconds."""
        text = f"{doing}, {detail}" if detail else doing
        self._shown.update(self._task, description=f"{self._title}: {text}")
        if doing != self._doing:
            self._log(text)
        elif time.monotonic() - self._last >= HEARTBEAT:
            self._log(f"still {text}, {self._seconds()}")
        self._doing = doing

    def done(self, how: str) -> None:
        """Print the last line: how the artifact was got and how long it took."""
        self._shown.update(self._task, description=f"{self._title}: {how}", completed=1)
        self._log(f"{how}, {self._seconds()}")

    def _log(self, text: str) -> None:
        self._last = time.monotonic()
        if self._shown.disable:
            console = self._shown.console
            console.print(f"{self._title}: {text}", markup=False, highlight=False, emoji=False, soft_wrap=True)

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
def lines(console: Console | None = None) -> Iterator[Callable[[str], Line]]:
    """Give, for the time of the `with`, what makes the line of a title; without a console on standard error."""
    console = console or Console(stderr=True)
    columns = SpinnerColumn(finished_text=" "), TextColumn("{task.description}", markup=False), TimeElapsedColumn()
    with Progress(*columns, console=console, disable=not console.is_terminal) as shown:
        yield lambda title: Line(title, shown)

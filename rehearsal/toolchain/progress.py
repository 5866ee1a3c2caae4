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

    def __init__(self, title: str, console: Console, live: Progress | None) -> None:
        self._title = title
        self._console = console
        self._live = live
        self._task = live.add_task(title, total=1) if live else None
        self._doing = ""
        self._start = self._last = time.monotonic()

    def say(self, doing: str) -> None:
        """Tell what is being done from now on."""
        self._doing = doing
        self._show(doing)

    def tick(self, detail: str = "") -> None:
        """Show that work goes on; call it often. A log hears of it every HEARTBEAT seconds."""
        if self._live:
            self._show(f"{self._doing}, {detail}" if detail else self._doing)
        elif time.monotonic() - self._last >= HEARTBEAT:
            self._show(", ".join(filter(None, [f"still {self._doing}", detail, self._seconds()])))

    def done(self, how: str) -> None:
        """Print the last line: how the artifact was got and how long it took."""
        self._show(how if self._live else f"{how}, {self._seconds()}", completed=1)

    def _show(self, text: str, completed: int = 0) -> None:
        self._last = time.monotonic()
        text = f"{self._title}: {text}"
        if self._live and self._task is not None:
            self._live.update(self._task, description=text, completed=completed)
        else:
            self._console.print(text, markup=False, highlight=False, emoji=False, soft_wrap=True)

    def _seconds(self) -> str:
        return f"{time.monotonic() - self._start:.0f} s"


@contextmanager
def beating(tick: Callable[[], None]) -> Iterator[None]:
    """Call `tick` twice a second, in a thread of its own, for the time of the `with`."""
    ended = threading.Event()

    def beat() -> None:
        while not ended.wait(0.5):
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
    if not console.is_terminal:
        yield lambda title: Line(title, console, None)
        return
    text = TextColumn("{task.description}", markup=False)
    with Progress(SpinnerColumn(finished_text=" "), text, TimeElapsedColumn(), console=console) as live:
        yield lambda title: Line(title, console, live)

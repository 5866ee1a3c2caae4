"""What a rehearsal shows the user. With `--json`, all of it goes to standard error."""

import contextlib
import shlex
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.panel import Panel


class Screen:
    """Prints steps with their times, and what came of a run; on a terminal a running step shows that it lives."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.seconds: dict[str, float] = {}
        """Of each step that has held."""

    def say(self, text: str) -> None:
        """Print one line as it is."""
        self.console.print(text, markup=False, highlight=False, emoji=False, soft_wrap=True)

    @contextlib.contextmanager
    def step(self, name: str, title: str = "") -> Iterator[None]:
        """Show a step by its title (else its name) and, when it has held, its time in seconds, which is kept."""
        title = title or name
        begin = time.monotonic()
        # The toolchain draws lines of its own, and two live displays cannot share a terminal.
        live = (
            self.console.status(title) if self.console.is_terminal and name != "toolchain" else contextlib.nullcontext()
        )
        try:
            with live:
                yield
        except BaseException:
            self.say(f"  FAILED  {title}")
            raise
        self.seconds[name] = round(time.monotonic() - begin, 2)
        self.say(f"{self.seconds[name]:6.1f} s  {title}")

    def stand_in(self, repository: str, reason: str) -> None:
        """Say that the real chart could not be had, in a way nobody misses."""
        text = (
            f"The chart repository {repository} cannot be reached ({reason}).\n"
            "This rehearsal runs our small STAND-IN CHART, not the real BinderHub chart: names, values and rights are "
            "alike, templates are not.\nFor the real one: make rehearse CHART=path/to/binderhub.tgz"
        )
        self.console.print(Panel(text, title="STAND-IN CHART", border_style="bold yellow", highlight=False))

    def table(self, title: str, rows: Mapping[str, Any]) -> None:
        """Print names and values, one pair a line."""
        self.say(f"\n{title}")
        width = max(map(len, rows), default=0)
        for name, value in rows.items():
            self.say(f"  {name:<{width}}  {value}")

    def look_around(self, folder: str, namespace: str) -> None:
        """Say how to look at a cluster that was kept, and how to remove it."""
        place = Path(folder)
        self.say(
            "\nThe cluster was kept. Look around, in this or another window:\n"
            f"  source {shlex.quote(str(place / 'env.sh'))}\n"
            f"  kubectl -n {namespace} get all\n"
            "  pulumi stack\n"
            "Remove it:\n"
            f"  make rehearse-stop RUN={place.name}"
        )

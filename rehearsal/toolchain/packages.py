"""What a build from Go modules compiles, and how far it is: of each program, and of all.

`go list` says which packages have to be compiled, and `go build -v` names each when it begins with it. How long one
takes, neither says. It goes with the size of its source and with how many packages it imports: so packages are counted
for people, while shares and the time that is left are reckoned in these two, in bytes. Held against what each package
of a whole build took, such an estimate is after the first minute 30 % too short at worst and 10 % too long; one that
only counts packages is up to 43 % too short.
"""

import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from rehearsal.toolchain.progress import Line

# For `go list -deps`: path, whether it has to be compiled, imports, folder, files; of a program, all that is in it.
LISTED: Final = "\t".join(
    (
        "{{.ImportPath}}",
        "{{.Stale}}",
        "{{len .Imports}}",
        "{{.Dir}}",
        '{{join .GoFiles "/"}}',
        '{{if eq .Name "main"}}{{join .Deps " "}}{{end}}',
    )
)
# What takes as long as compiling so many bytes of source: to begin with a package, one import, linking a program.
EACH: Final = 2_000
IMPORT: Final = 5_000
LINKING: Final = 1_300_000
# Such bytes in a second of CPU time. It counts until a build has shown its own pace for so many seconds.
PACE: Final = 350_000
FIRST: Final = 60.0


@dataclass(frozen=True)
class Plan:
    """What is to be done: the cost of each package that has to be compiled, and of which ones each program is made."""

    costs: Mapping[str, int]
    made_of: Mapping[str, frozenset[str]]

    def of(self, patterns: Sequence[str]) -> frozenset[str]:
        """Return the packages to compile for programs that are named as in the command, as `./etcd` may be."""
        ends = tuple(pattern.removeprefix(".") for pattern in patterns)
        parts = (packages for program, packages in self.made_of.items() if program.endswith(ends))
        return frozenset().union(*parts) & self.costs.keys()

    def cost(self, packages: frozenset[str]) -> int:
        """Return what these packages cost together."""
        return sum(self.costs[package] for package in packages)

    def halves(self, patterns: Sequence[str]) -> tuple[Sequence[str], Sequence[str]]:
        """Cut the programs of a build, in their order, into two parts of about the same cost; one may be empty."""
        whole = self.cost(self.of(patterns))
        at = min(range(len(patterns) + 1), key=lambda n: abs(2 * self.cost(self.of(patterns[:n])) - whole))
        return patterns[:at], patterns[at:]


def plan(listed: str) -> Plan:
    """Return the plan of a build out of what `go list` printed in the form of LISTED."""
    costs: dict[str, int] = {}
    made_of: dict[str, frozenset[str]] = {}
    for line in listed.splitlines():
        package, stale, imports, folder, files, parts = line.split("\t")
        if parts:
            made_of[package] = frozenset([package, *parts.split()])
        if stale == "true":
            source = sum(Path(folder, file).stat().st_size for file in files.split("/") if file)
            costs[package] = EACH + IMPORT * int(imports) + source + (LINKING if parts else 0)
    return Plan(costs, made_of)


class Watch:
    """Reads the log of a build as it grows, and shows on each line how far the programs of that line are."""

    def __init__(self, plan: Plan, log: Path, into: Path, lines: Mapping[Line, Sequence[str]]) -> None:
        self._plan = plan
        self._log = log
        self._into = into
        self._lines = {line: plan.of(patterns) for line, patterns in lines.items()}
        self._read = log.stat().st_size
        self._named: set[str] = set()
        self._begin = 0.0

    def show(self, whole: Line) -> None:
        """Show how far all are; on the line of the whole, and in a log on that alone, with the time that is left."""
        done = self._done()
        shares = []
        for line, packages in self._lines.items():
            ready = packages & done
            share = self._plan.cost(ready) / self._plan.cost(packages) if packages else 1.0
            line.share(share, f"{len(ready)} of {len(packages)} packages")
            shares.append(f"{line.title} {share:.0%}")
        total, compiled = self._plan.cost(frozenset(self._plan.costs)), self._plan.cost(done)
        share = compiled / total if total else 1.0
        whole.share(share)
        left = in_words(self._left(compiled, total - compiled))
        text = f"{len(done)} of {len(self._plan.costs)} packages, {share:.0%}, about {left} left"
        whole.say("compiling", text, ", ".join(shares))

    def _done(self) -> frozenset[str]:
        with self._log.open("rb") as log:
            log.seek(self._read)
            new = log.read()
        complete = new[: new.rfind(b"\n") + 1]
        self._read += len(complete)
        self._named |= self._plan.costs.keys() & set(complete.decode(errors="replace").split("\n"))
        if self._named and not self._begin:
            self._begin = time.monotonic()
        # A program is named before it is linked: it is done when it is there.
        linking = {one for one in self._plan.made_of if not (self._into / one.rpartition("/")[2]).exists()}
        return frozenset(self._named - linking)

    def _left(self, compiled: int, rest: int) -> float:
        seconds = time.monotonic() - self._begin if self._begin else 0.0
        pace = compiled / seconds if compiled and seconds >= FIRST else PACE * (os.cpu_count() or 1)
        return rest / pace


def in_words(seconds: float) -> str:
    """Return a length of time as an estimate is told: in tens of seconds, then in half minutes, then in minutes."""
    if seconds < 95:
        return f"{max(10, round(seconds, -1)):.0f} s"
    return f"{round(seconds / 30) / 2:g} min" if seconds < 300 else f"{seconds / 60:.0f} min"

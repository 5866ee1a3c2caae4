"""What can be wrong with a stack's settings: all of it at once, and never a secret's value.

ConfigError
|-- SettingsError   every problem of a stack's settings; a pulumi.RunError too: Pulumi prints it without a traceback
`-- InvalidValue    a value does not fit its type, or a path leads to no chart; carries what is expected instead
"""

from collections.abc import Collection
from dataclasses import dataclass

import pulumi


@dataclass(frozen=True)
class Problem:
    """One thing wrong in the stack's settings. `found` is "" for what is missing and for anything secret."""

    key: str
    found: str
    expected: str
    example: str

    def __str__(self) -> str:
        head = f"{self.key}: " + (f"found {self.found}" if self.found else "missing")
        return f"{head}\n      expected: {self.expected}\n      example:  {self.example}"


class ConfigError(Exception):
    """Any error of this room."""


class SettingsError(ConfigError, pulumi.RunError):
    """Every problem of a stack's settings at once."""

    def __init__(self, stack: str, problems: Collection[Problem]) -> None:
        self.problems = tuple(problems)
        count = f"{len(self.problems)} problem{'s' if len(self.problems) != 1 else ''}"
        lines = "\n".join(f"  {n}. {p}" for n, p in enumerate(self.problems, 1))
        super().__init__(
            f"{count} in the settings of stack {stack} (Pulumi.{stack}.yaml); nothing was touched\n{lines}"
        )


class InvalidValue(ConfigError):  # noqa: N818  (says what a value is, as Python's own StopIteration does)
    """Says what was expected of a value."""

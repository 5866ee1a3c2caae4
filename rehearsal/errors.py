"""What can go wrong in a rehearsal, as one tree.

RehearsalError
├── UsageError                  bad input: nothing was started
├── CommandError                a command failed, of the cluster or in a workspace
└── ToolchainError              the programs cannot be had
    └── UnavailableError        one way of getting an artifact does not work here; the next one is tried

Settings that the program itself would refuse are a `config.errors.SettingsError` in a rehearsal, too.
"""


class RehearsalError(Exception):
    """Why a rehearsal did not hold; the text is for people."""


class UsageError(RehearsalError):
    """Bad input: what was found, what is expected, and an example."""

    def __init__(self, found: str, expected: str, example: str) -> None:
        super().__init__(f"{found}\n      expected: {expected}\n      example:  {example}")


class CommandError(RehearsalError):
    """A command of the rehearsal failed; the text is what it printed."""


class ToolchainError(RehearsalError):
    """The toolchain cannot be had; the message tells the user why and what to do."""


class UnavailableError(ToolchainError):
    """A way of getting an artifact that does not work here; the message says why, in a few words."""

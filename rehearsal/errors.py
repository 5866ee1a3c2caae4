"""What can go wrong in a rehearsal, as one tree.

RehearsalError
├── UsageError                  bad input: nothing was started
├── ClusterError                the throwaway cluster did not start
├── CommandError                a command failed in the workspace
└── ToolchainError              the programs cannot be had
    └── UnavailableError        one way of getting an artifact does not work here; the next one is tried

Settings that the program itself would refuse are a `config.errors.SettingsError` in a rehearsal, too.
"""


class RehearsalError(Exception):
    """Why a rehearsal did not hold; the text is for people."""


class UsageError(RehearsalError):
    """Bad input: what was found and, where that helps, what is expected, with an example."""

    def __init__(self, found: str, expected: str = "", example: str = "") -> None:
        lines = [
            found,
            f"      expected: {expected}" if expected else "",
            f"      example:  {example}" if example else "",
        ]
        super().__init__("\n".join(filter(None, lines)))


class ClusterError(RehearsalError):
    """Says what went wrong with the throwaway cluster, with the last lines of its log."""


class CommandError(RehearsalError):
    """A command of the rehearsal failed; the text is what it printed."""


class ToolchainError(RehearsalError):
    """The toolchain cannot be had; the message tells the user why and what to do."""


class UnavailableError(ToolchainError):
    """A way of getting an artifact that does not work here; the message says why, in a few words."""

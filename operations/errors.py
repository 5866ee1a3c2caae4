"""Why a command ends early, as one tree. The texts are for users, who need no traceback.

OperationError
|-- BlockedError   something is in the way: what was found, what is expected, and a command to type
`-- LockedError    another run has locked the stack, or had when it was killed
"""


class OperationError(Exception):
    """The base of them all: `python -m operations` prints its text and ends."""


class BlockedError(OperationError):
    """What was found, what is expected, and an example: a command to type."""

    def __init__(self, found: str, expected: str, example: str) -> None:
        super().__init__(f"{found}\n      expected: {expected}\n      example:  {example}")


class LockedError(OperationError):
    """The stack is locked; the text is what Pulumi says of the lock."""

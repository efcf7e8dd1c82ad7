"""Errors that a user can act on, and the exit codes of the command line.

RagcliError                  1  what failed with which input; the hint says what to do next
├── UsageError               2  an invalid option or argument
├── NothingFoundError        3  a question that nothing in the index matches
├── UnreachableError         5  a store or model that does not answer or refuses access
└── IndexMismatchError       1  an index that is damaged, or was built with other settings
    └── MissingIndexError    1  an index that does not exist
"""

from enum import IntEnum


class ExitCode(IntEnum):
    """Name the exit codes that scripts may rely on."""

    OK = 0
    ERROR = 1
    USAGE = 2
    NOTHING_FOUND = 3
    ABSTAINED = 4
    UNREACHABLE = 5
    REJECTS = 6
    GATE_FAILED = 7
    INTERRUPTED = 130


def first_line(error: BaseException) -> str:
    """Return the first line of a library's error message, or the name of the error if it has none."""
    return str(error).strip().partition("\n")[0] or type(error).__name__


class RagcliError(Exception):
    """Report what failed, with which input, and what to do next."""

    exit_code = ExitCode.ERROR

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class UsageError(RagcliError):
    """Report an invalid option or argument."""

    exit_code = ExitCode.USAGE


class NothingFoundError(RagcliError):
    """Report that nothing in the index matches."""

    exit_code = ExitCode.NOTHING_FOUND


class UnreachableError(RagcliError):
    """Report a store or model that does not answer or refuses access."""

    exit_code = ExitCode.UNREACHABLE


class IndexMismatchError(RagcliError):
    """Report an index that is damaged, or was built with other settings."""


class MissingIndexError(IndexMismatchError):
    """Report an index that does not exist."""

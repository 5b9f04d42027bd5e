"""The root of all errors that a user can mend: their text is all that the user needs to see."""

from __future__ import annotations

import errno
from collections.abc import Sequence


class PipelineError(ValueError):
    """Wrong input, parameters or environment; the text names what was found, what was expected, what to do."""


def check_choice(name: str, value: object, choices: Sequence[object]) -> None:
    """Refuse a value that is none of those there are.

    Raises:
        PipelineError: naming the argument, the value and the choices.
    """
    if value not in choices:
        raise PipelineError(f"{name}: found {value!r}, expected one of {', '.join(map(repr, choices))}")


def check_probability(name: str, value: float) -> None:
    """Raise PipelineError, naming the argument, for a value that is not in [0, 1]."""
    if not 0 <= value <= 1:
        raise PipelineError(f"{name}: found {value}, expected a probability from 0 to 1")


_MENDABLE = {
    errno.EACCES: "you may not write there",
    errno.EPERM: "you may not write there",
    errno.EROFS: "it is on a read-only file system",
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "your share of the disk is full",
}


def unwritable(error: OSError) -> str | None:
    """A sentence for what the file system refuses and the user can mend; None for any other fault."""
    if error.errno not in _MENDABLE:
        return None
    return (
        f"{error.filename or 'a file'}: cannot be written or read, {_MENDABLE[error.errno]}. Free some space, or "
        "work in a folder of your own (a copy or clone); what is finished stays"
    )


def shortened(error: Exception) -> str:
    """What another library said, on one line of at most 300 characters."""
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= 300 else f"{text[:300]} …"

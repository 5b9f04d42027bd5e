"""The root of all errors that a user can mend: their text is all that the user needs to see."""

from __future__ import annotations

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

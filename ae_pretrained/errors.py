"""The root of all errors that a user can mend: their text is all that the user needs to see."""

from __future__ import annotations


class PipelineError(ValueError):
    """Wrong input, parameters or environment; the text names what was found, what was expected, what to do."""

"""How long a training takes: what its epochs took, and what is left."""

from __future__ import annotations

import time
from collections.abc import Sequence


class EpochTimes:
    """How long epochs take, and those to come will.

    Args:
        half_size_epochs: epochs, from the start, at half the image size: a quarter of the pixels to train on, while
            validation is always at full size.
    """

    def __init__(self, half_size_epochs: int = 0) -> None:
        self.half_size_epochs = half_size_epochs
        self.training: dict[bool, list[float]] = {
            True: [],
            False: [],
        }  # seconds an epoch, of half size and of full
        self.validation: list[float] = []
        self._since = 0.0

    def begin(self) -> None:
        self._since = time.monotonic()

    def trained(self, epoch: int) -> None:
        """After training of an epoch, counted from 0, and before its validation."""
        now = time.monotonic()
        self.training[epoch < self.half_size_epochs].append(now - self._since)
        self._since = now

    def validated(self) -> None:
        self.validation.append(time.monotonic() - self._since)

    def left(self, done: int, epochs: int) -> float:
        """Seconds for the epochs that are not done."""
        half, full = (_mean(self.training[size]) for size in (True, False))
        small = max(self.half_size_epochs - done, 0)
        large = epochs - done - small
        whole = full if full is not None else 4 * (half or 0.0)
        return small * (half or 0.0) + large * whole + (epochs - done) * (_mean(self.validation) or 0.0)


def _mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None


def in_words(seconds: float) -> str:
    """A duration for people: ``50 s``, ``12 min``, ``3 h 5 min``."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"

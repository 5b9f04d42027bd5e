"""How far the windows of one image are, and how long they will take."""

from __future__ import annotations

import time
from collections.abc import Callable
from types import TracebackType

from tqdm import tqdm

_WORTH_SAYING = 60  # seconds


class WindowProgress:
    """A progress bar over the windows of an image; of a long one its time is said beforehand.

    The time is that of the second call of the network: the first one takes longer, since memory is fetched then.

    Args:
        name: of the image.
        total: windows.
        announce: called once with a line for the user, where the image will take more than a minute.
    """

    def __init__(self, name: str, total: int, announce: Callable[[str], None]) -> None:
        self._name, self._total, self._announce = name, total, announce
        self._calls, self._last = 0, 0.0
        self._bar = tqdm(total=total, desc=name, unit="window", delay=2, leave=False, disable=None)

    def __call__(self, windows: int) -> None:
        """Count windows that are done."""
        now = time.monotonic()
        self._calls += 1
        if self._calls == 2:
            expected = (now - self._last) / windows * self._total
            if expected > _WORTH_SAYING:
                self._announce(f"{self._name}: {self._total} windows, about {_minutes(expected)}")
        self._last = now
        self._bar.update(windows)

    def __enter__(self) -> WindowProgress:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.close()


def _minutes(seconds: float) -> str:
    minutes = max(1, round(seconds / 60))
    return f"{minutes} min" if minutes < 90 else f"{minutes / 60:.1f} h"

"""Which images are shown: the best, the median and the worst by a score."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class ExampleGroup:
    """Positions of images that are shown together, ``name`` is best, median or worst."""

    name: str
    rows: list[int]


def best_median_worst(scores: np.ndarray, count: int) -> list[ExampleGroup]:
    """Choose ``count`` images from either end and the middle of a ranking, none of them twice.

    Args:
        scores: (N,) higher is better; NaN is left out. Ties go by position.
        count: images per group; fewer where there are less than three times as many.

    Returns:
        The groups that have an image: a single image is ``best``, a second one ``worst``. The worst group
        begins with the worst.
    """
    order = np.argsort(-scores, kind="stable")
    order = order[~np.isnan(scores[order])]
    total = len(order)
    size = min(count, max(1, total // 3))
    middle = max(size, (total - size) // 2)
    groups = {
        "best": order[:size],
        "median": order[middle : min(middle + size, total - size)],
        "worst": order[max(size, total - size) :][::-1],
    }
    return [ExampleGroup(name, rows.tolist()) for name, rows in groups.items() if len(rows)]


def spread(length: int, most: int) -> np.ndarray:
    """At most ``most`` positions, evenly spread over ``range(length)``; all of them for ``most`` = 0."""
    if most == 0 or most >= length:
        return np.arange(length)
    return np.linspace(0, length - 1, most).round().astype(np.int64)

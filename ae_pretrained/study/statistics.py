"""From cells to a table: means over seeds, their intervals, and differences to the reference arm."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from ae_pretrained.errors import PipelineError


@dataclass(frozen=True)
class Interval:
    """A mean with its two-sided 95 % interval (Student's t over the seeds); NaN bounds for a single value."""

    mean: float
    low: float
    high: float


def t_interval(values: Sequence[float], level: float = 0.95) -> Interval:
    """Mean of independent repetitions and the interval that covers it with probability ``level``.

    Args:
        values: at least one; with one alone nothing is known about the spread.
        level: in (0, 1).
    """
    array = np.asarray(values, dtype=np.float64)
    mean = float(array.mean())
    if len(array) < 2:
        return Interval(mean, math.nan, math.nan)
    half = float(stats.t.ppf(0.5 + level / 2, len(array) - 1) * array.std(ddof=1) / math.sqrt(len(array)))
    return Interval(mean, mean - half, mean + half)


def paired_difference(values: dict[int, float], reference: dict[int, float]) -> Interval:
    """Mean of ``values - reference`` seed by seed, and its interval.

    The same seed draws the same batches and augmentation in both arms, so that part of the noise is common and
    cancels.

    Args:
        values: score by seed.
        reference: score by seed of the arm that is compared with.

    Raises:
        PipelineError: when the seeds differ.
    """
    if set(values) != set(reference):
        raise PipelineError(f"seeds {sorted(values)} cannot be paired with {sorted(reference)}")
    return t_interval([values[seed] - reference[seed] for seed in sorted(values)])


def area_under_curve(masks: Sequence[float], scores: Sequence[float]) -> float:
    """Mean height of a learning curve, by the trapezoidal rule over the logarithm of the number of masks.

    On that scale each doubling of the masks counts as much as any other.

    Args:
        masks: n numbers of masks, rising; two at least.
        scores: (n,) score with each.
    """
    x = np.log(np.asarray(masks, dtype=np.float64))
    return float(np.trapezoid(np.asarray(scores, dtype=np.float64), x) / (x[-1] - x[0]))


def updates_to_reach(score: float, curve: Sequence[tuple[int, float]]) -> int | None:
    """The first update at which a validation curve is at or above ``score``; None if it never is.

    Args:
        score: what is to be reached.
        curve: (update, validation score), in order.
    """
    return next((update for update, value in curve if value >= score), None)

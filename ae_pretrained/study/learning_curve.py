"""A learning curve through the scores of a study: what more masks would bring, and how many masks a start saves."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from ae_pretrained.errors import PipelineError
from ae_pretrained.study.statistics import Interval

_DRAWS = 20_000  # of the coefficients, behind an interval
_SEED = 0


@dataclass(frozen=True)
class LearningCurve:
    """Mean IoU of n masks as ``1 - exp(a) n^-c``: the error falls by the same share with every doubling.

    The usual power law without a floor (Hestness et al., arXiv 1712.00409). It is made for going a little beyond what
    was measured, not for ten times as many masks.

    Attributes:
        log_error: a, the logarithm of the error at one mask.
        rate: c.
        covariance: (2, 2) of (a, -c), from the scatter of the scores around the curve.
        freedom: number of scores less two.
        largest: the most masks that were measured.
        smallest: the fewest.
    """

    log_error: float
    rate: float
    covariance: np.ndarray
    freedom: int
    smallest: int
    largest: int

    def __call__(self, masks: float) -> float:
        """Mean IoU with so many masks."""
        return 1.0 - math.exp(self.log_error - self.rate * math.log(masks))

    def draws(self, seed: int = _SEED) -> np.ndarray:
        """(20000, 2) values of (a, -c) that the scores do not rule out: multivariate t around the fit."""
        rng = np.random.default_rng(seed)
        normal = rng.multivariate_normal(np.zeros(2), self.covariance, _DRAWS, method="eigh")
        scale = np.sqrt(self.freedom / rng.chisquare(self.freedom, _DRAWS))
        return np.array([self.log_error, -self.rate]) + normal * scale[:, None]


def fit_learning_curve(masks: Sequence[int], scores: Sequence[float]) -> LearningCurve:
    """Least squares of the logarithm of the error (1 - score) on the logarithm of the number of masks.

    Args:
        masks: number of masks of each training.
        scores: its mean IoU, in [0, 1).

    Raises:
        PipelineError: for fewer than three scores, or scores of a single number of masks.
    """
    if len(scores) < 3 or len(set(masks)) < 2:
        raise PipelineError(
            f"a learning curve needs three trainings and two numbers of masks; found {len(scores)} and "
            f"{len(set(masks))}"
        )
    x = np.log(np.asarray(masks, dtype=np.float64))
    y = np.log(np.maximum(1.0 - np.asarray(scores, dtype=np.float64), 1e-9))
    design = np.column_stack([np.ones_like(x), x])
    inverse = np.linalg.inv(design.T @ design)
    intercept, slope = inverse @ design.T @ y
    freedom = len(x) - 2
    variance = float(((y - design @ [intercept, slope]) ** 2).sum() / freedom)
    return LearningCurve(
        float(intercept), float(-slope), variance * inverse, freedom, int(min(masks)), int(max(masks))
    )


def gain_of_more(curve: LearningCurve, more: int) -> Interval:
    """What so many masks beyond the most that were measured would add to the mean IoU."""

    def gain(a: np.ndarray, slope: np.ndarray) -> np.ndarray:
        now, then = math.log(curve.largest), math.log(curve.largest + more)
        return np.asarray(np.exp(a + slope * now) - np.exp(a + slope * then))

    return _interval(gain, curve(curve.largest + more) - curve(curve.largest), curve)


def masks_saved(curve: LearningCurve, reference: LearningCurve) -> Interval:
    """How many masks fewer a start needs for what the reference reaches with the most that were measured.

    Returns:
        The number, negative where it needs more, with infinite ends where a curve that the scores do not rule out
        never gets there. Trainings that were measured in pairs count as independent: the interval is rather wide.
    """
    target = reference.draws(_SEED + 1)
    log_error = target[:, 0] + target[:, 1] * math.log(reference.largest)

    def saved(a: np.ndarray, slope: np.ndarray) -> np.ndarray:
        with np.errstate(divide="ignore", over="ignore"):
            needed = np.exp(np.where(slope < 0, (log_error - a) / slope, np.inf))
        return reference.largest - needed

    if curve.rate <= 0:
        return Interval(-math.inf, -math.inf, math.inf)
    at = math.log(1.0 - reference(reference.largest))
    mean = reference.largest - math.exp((curve.log_error - at) / curve.rate)
    return _interval(saved, mean, curve)


def _interval(
    value: Callable[[np.ndarray, np.ndarray], np.ndarray], mean: float, curve: LearningCurve
) -> Interval:
    drawn = value(*curve.draws().T)
    low, high = np.quantile(drawn, [0.025, 0.975], method="nearest")
    return Interval(mean, float(low), float(high))


def difference_is_clear(interval: Interval) -> bool:
    """Whether an interval is on one side of 0."""
    return interval.low > 0 or interval.high < 0

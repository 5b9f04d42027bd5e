from __future__ import annotations

import math

import numpy as np
import pytest

from ae_pretrained.errors import PipelineError
from ae_pretrained.study.learning_curve import fit_learning_curve, gain_of_more, masks_saved

MASKS = [25, 50, 100] * 3


def scores(log_error: float, rate: float, noise: float = 0.0, seed: int = 0) -> list[float]:
    rng = np.random.default_rng(seed)
    errors = np.exp(log_error - rate * np.log(MASKS) + noise * rng.standard_normal(len(MASKS)))
    return [float(value) for value in 1 - errors]


def test_a_power_law_is_found_again() -> None:
    curve = fit_learning_curve(MASKS, scores(0.3, 0.4))
    assert (curve.log_error, curve.rate) == pytest.approx((0.3, 0.4))
    assert (curve.smallest, curve.largest, curve.freedom) == (25, 100, 7)
    gain = gain_of_more(curve, 100)
    assert gain.mean == pytest.approx(math.exp(0.3) * (100**-0.4 - 200**-0.4))
    assert gain.low == pytest.approx(gain.mean) == gain.high


def test_masks_saved_are_read_off_the_curves() -> None:
    scratch = fit_learning_curve(MASKS, scores(0.3, 0.4))
    ours = fit_learning_curve(MASKS, scores(0.3 + 0.4 * math.log(0.6), 0.4))  # as good with 60 % of the masks
    saved = masks_saved(ours, scratch)
    assert saved.mean == pytest.approx(40)
    assert saved.low == pytest.approx(40, abs=0.01)
    assert masks_saved(scratch, ours).mean == pytest.approx(100 - 100 / 0.6)


def test_intervals_cover_the_truth_in_95_of_100_cases() -> None:
    """Within what 400 repetitions can tell: 95 % ± 2.2 points (two standard errors), of the rather wide one above."""
    gain = math.exp(0.3) * (100**-0.4 - 150**-0.4)
    covered = []
    for seed in range(400):
        ours = fit_learning_curve(MASKS, scores(0.3, 0.4, 0.1, seed))
        interval = gain_of_more(ours, 50)
        covered.append(interval.low <= gain <= interval.high)
    assert 0.925 <= np.mean(covered) <= 0.975


def test_a_start_that_saves_masks_is_told_from_chance() -> None:
    clear = []
    for seed in range(100):
        scratch = fit_learning_curve(MASKS, scores(0.3, 0.4, 0.03, seed))
        same = fit_learning_curve(MASKS, scores(0.3, 0.4, 0.03, 1000 + seed))
        ours = fit_learning_curve(MASKS, scores(0.1, 0.4, 0.03, 2000 + seed))
        clear.append((masks_saved(same, scratch).low > 0, masks_saved(ours, scratch).low > 0))
    by_chance, found = np.mean(clear, axis=0)
    assert by_chance <= 0.05
    assert found >= 0.95


def test_a_curve_that_does_not_rise_saves_nothing_that_can_be_told() -> None:
    scratch = fit_learning_curve(MASKS, scores(0.3, 0.4, 0.03))
    flat = fit_learning_curve(MASKS, scores(-0.9, -0.01, 0.03))
    saved = masks_saved(flat, scratch)
    assert saved.low < 0 < saved.high


@pytest.mark.parametrize(("masks", "found"), [([10, 20], "found 2 and 2"), ([10, 10, 10], "found 3 and 1")])
def test_too_few_scores_are_refused(masks: list[int], found: str) -> None:
    with pytest.raises(PipelineError, match=found):
        fit_learning_curve(masks, [0.5] * len(masks))

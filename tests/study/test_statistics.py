from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import auc

from ae_pretrained.errors import PipelineError
from ae_pretrained.study.statistics import (
    area_under_curve,
    paired_difference,
    t_interval,
    updates_to_reach,
)


def test_interval_agrees_with_scipy() -> None:
    values = np.random.default_rng(0).normal(0.6, 0.02, size=5)
    interval = t_interval(values.tolist())
    low, high = stats.ttest_1samp(values, 0.0).confidence_interval(0.95)
    assert interval.mean == pytest.approx(values.mean(), abs=1e-12)
    assert (interval.low, interval.high) == pytest.approx((low, high), abs=1e-12)


def test_paired_difference_agrees_with_scipy_whatever_the_order_of_the_seeds() -> None:
    rng = np.random.default_rng(1)
    ours, theirs = rng.normal(0.6, 0.05, 4), rng.normal(0.55, 0.05, 4)
    difference = paired_difference(
        dict(zip((3, 0, 2, 1), ours, strict=True)), dict(zip((3, 0, 2, 1), theirs, strict=True))
    )
    low, high = stats.ttest_rel(ours, theirs).confidence_interval(0.95)
    assert difference.mean == pytest.approx((ours - theirs).mean(), abs=1e-12)
    assert (difference.low, difference.high) == pytest.approx((low, high), abs=1e-12)


def test_one_seed_says_nothing_about_the_spread() -> None:
    interval = t_interval([0.5])
    assert interval.mean == 0.5
    assert math.isnan(interval.low)
    assert math.isnan(interval.high)


def test_other_seeds_are_refused() -> None:
    with pytest.raises(PipelineError, match=r"\[0, 1\] cannot be paired with \[0, 2\]"):
        paired_difference({0: 0.5, 1: 0.5}, {0: 0.5, 2: 0.5})


def test_updates_to_reach() -> None:
    curve = [(100, 0.3), (200, 0.5), (300, 0.4), (400, 0.6)]
    assert updates_to_reach(0.5, curve) == 200
    assert updates_to_reach(0.55, curve) == 400
    assert updates_to_reach(0.7, curve) is None


def test_the_area_is_the_mean_height_over_doublings() -> None:
    assert area_under_curve([20, 40, 80], [0.4, 0.5, 0.6]) == pytest.approx(0.5)
    masks = np.array([20, 33, 66, 100, 164])
    line = 0.1 + 0.07 * np.log(masks)  # the rule is exact for it
    assert area_under_curve(masks.tolist(), line.tolist()) == pytest.approx((line[0] + line[-1]) / 2)
    # Far from the line: sklearn's trapezoids on the same axis.
    scores = [0.3, 0.5, 0.45, 0.6, 0.62]
    expected = auc(np.log(masks), scores) / np.log(164 / 20)
    assert area_under_curve(masks.tolist(), scores) == pytest.approx(expected)

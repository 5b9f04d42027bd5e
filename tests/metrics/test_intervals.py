from __future__ import annotations

import numpy as np
import pytest

from ae_pretrained.metrics.confusion import class_counts, iou_per_class
from ae_pretrained.metrics.intervals import mean_iou_difference, mean_iou_interval


def draw(count: int, seed: int = 0) -> np.ndarray:
    counts = np.random.default_rng(seed).integers(1, 50, (count, 3, 3))
    return counts + 100 * np.eye(3, dtype=int)


def test_matches_a_plain_loop_over_images() -> None:
    confusion = draw(20)
    rng = np.random.default_rng(7)
    scores = [iou_per_class(confusion[rng.integers(0, 20, 20)].sum(0)).mean() for _ in range(4000)]
    low, high = mean_iou_interval(confusion, 4000, seed=7)
    # Other draws, so only as close as 4,000 of them allow.
    spread = np.quantile(scores, 0.975) - np.quantile(scores, 0.025)
    assert low == pytest.approx(np.quantile(scores, 0.025), abs=0.08 * spread)
    assert high == pytest.approx(np.quantile(scores, 0.975), abs=0.08 * spread)


def test_covers_the_score_and_narrows_with_more_images() -> None:
    few, many = draw(10), np.tile(draw(10), (20, 1, 1))
    widths = []
    for confusion in (few, many):
        low, high = mean_iou_interval(confusion, 500, seed=0)
        assert low <= iou_per_class(confusion.sum(0)).mean() <= high
        widths.append(high - low)
    assert widths[1] < widths[0] / 3


def test_seed_decides() -> None:
    assert mean_iou_interval(draw(9), 100, 1) == mean_iou_interval(draw(9), 100, 1)
    assert mean_iou_interval(draw(9), 100, 1) != mean_iou_interval(draw(9), 100, 2)


def test_a_single_image_leaves_no_choice() -> None:
    confusion = draw(1)
    score = iou_per_class(confusion[0]).mean()
    assert mean_iou_interval(confusion, 50, 0) == pytest.approx((score, score))


def test_images_without_labels_do_not_spoil_it() -> None:
    confusion = np.concatenate([draw(3), np.zeros((3, 3, 3), dtype=int)])
    low, high = mean_iou_interval(confusion, 300, 0)
    assert 0 < low <= high < 1
    with pytest.raises(ValueError, match="labelled"):
        mean_iou_interval(np.zeros((2, 3, 3), dtype=int), 10, 0)


def test_difference_matches_a_plain_loop_over_the_same_drawings() -> None:
    before = draw(20)
    after = before + np.random.default_rng(1).integers(0, 9, (20, 3, 3)) * np.eye(3, dtype=int)
    rng = np.random.default_rng(7)
    differences, apart = [], []
    for _ in range(4000):
        chosen, other = rng.integers(0, 20, (2, 20))
        scores = [iou_per_class(counts[chosen].sum(0)).mean() for counts in (before, after)]
        differences.append(scores[1] - scores[0])
        apart.append(scores[1] - iou_per_class(before[other].sum(0)).mean())
    low, high = mean_iou_difference(class_counts(before), class_counts(after), 4000, seed=7)
    spread = np.quantile(differences, 0.975) - np.quantile(differences, 0.025)
    assert low == pytest.approx(np.quantile(differences, 0.025), abs=0.08 * spread)
    assert high == pytest.approx(np.quantile(differences, 0.975), abs=0.08 * spread)
    # Drawn together, so far narrower than if each were drawn by itself.
    assert high - low < (np.quantile(apart, 0.975) - np.quantile(apart, 0.025)) / 3


def test_difference_has_a_sign_and_none_to_itself() -> None:
    before, after = class_counts(draw(9)), class_counts(draw(9) + 40 * np.eye(3, dtype=int))
    low, high = mean_iou_difference(before, after, 200, 0)
    assert 0 < low < high
    assert mean_iou_difference(after, before, 200, 0) == pytest.approx((-high, -low))
    assert mean_iou_difference(before, before, 200, 0) == (0, 0)
    with pytest.raises(ValueError, match=r"\(9, 3, 3\) and \(8, 3, 3\)"):
        mean_iou_difference(before, after[:8], 10, 0)

from __future__ import annotations

import numpy as np
import pytest

from ae_pretrained.evaluation.selection import best_median_worst, spread


def test_either_end_and_the_middle() -> None:
    scores = np.arange(20)[::-1] / 20.0
    groups = {group.name: group.rows for group in best_median_worst(scores, 3)}
    assert groups == {"best": [0, 1, 2], "median": [8, 9, 10], "worst": [19, 18, 17]}


@pytest.mark.parametrize("total", range(1, 14))
def test_no_image_twice(total: int) -> None:
    groups = best_median_worst(np.random.default_rng(0).random(total), 4)
    rows = [row for group in groups for row in group.rows]
    assert len(rows) == len(set(rows))
    assert {group.name for group in groups} == set(("best", "worst", "median")[: min(total, 3)])


def test_images_without_a_score_are_left_out() -> None:
    groups = best_median_worst(np.array([0.5, np.nan, 0.7]), 1)
    assert {group.name: group.rows for group in groups} == {"best": [2], "worst": [0]}


def test_spread() -> None:
    assert spread(10, 0).tolist() == list(range(10))
    assert spread(3, 5).tolist() == [0, 1, 2]
    assert spread(11, 3).tolist() == [0, 5, 10]

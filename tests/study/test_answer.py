from __future__ import annotations

from typing import Any

import numpy as np

from ae_pretrained.study.answer import _points, answer, fitted_curves
from ae_pretrained.study.statistics import Interval
from ae_pretrained.study.summarise import area_rows, summarise_groups
from tests.study.test_summarise import CLASSES, cell

TITLES = {"scratch": "from scratch", "ours": "Ours"}


def study(better: float, noise: float) -> list[dict[str, Any]]:
    """Cells of two arms at three shares of 200 masks, three seeds each; ``ours`` makes so much of scratch's error."""
    rng = np.random.default_rng(0)
    return [
        cell(
            arm,
            share,
            400,
            seed,
            1 - factor * (200 * share) ** -0.3 * float(np.exp(noise * rng.standard_normal())),
        )
        for arm, factor in (("scratch", 1.0), ("ours", better))
        for share in (0.05, 0.25, 0.5, 1.0)
        for seed in range(3)
    ]


def said(cells: list[dict[str, Any]], reference: str = "scratch") -> list[str]:
    for one in cells:
        one["num_labelled"] = round(200 * one["label_fraction"])
    table = summarise_groups(cells, CLASSES, reference)
    return answer(table, fitted_curves(cells, table), area_rows(cells, table, reference), TITLES, reference)


def test_what_pretraining_saves_and_more_masks_bring() -> None:
    lines = said(study(better=0.6**0.3, noise=0.0))
    assert lines == [
        "200 masks, from scratch: mean IoU 0.796; 3 trainings",
        "200 masks, Ours: mean IoU 0.825, +2.9 points (95 % interval +2.9 to +2.9) against from scratch; 3 trainings",
        "10 to 200 masks, Ours: +4.8 points (95 % interval +4.8 to +4.8) against from scratch in the mean of the "
        "curve, where each doubling of the masks counts alike",
        "50 more masks, from scratch: +1.3 points (95 % interval +1.3 to +1.3), by a power law through the scores",
        "50 more masks, Ours: +1.1 points (95 % interval +1.1 to +1.1), by a power law through the scores",
        "Ours: saves about 80 of 200 masks here (95 % interval 80 to 80)",
    ]


def test_what_cannot_be_told_is_said() -> None:
    lines = said(study(better=1.0, noise=0.3))
    assert any(
        line.startswith("50 more masks, Ours: what they would bring cannot be told from 200")
        for line in lines
    )
    assert lines[-1] == "Ours: whether it saves masks here cannot be told from 200 masks"


def test_no_more_is_claimed_than_was_tried() -> None:
    assert said(study(better=0.5, noise=0.001))[-1] == (
        "Ours: saves 150 of 200 masks here, or more (fewer were not tried)"
    )
    assert said(study(better=1.2, noise=0.001))[-1] == (
        "Ours: saves no masks here, and needs more than 200 for the mean IoU of 200 from scratch"
    )


def test_another_arm_may_be_the_reference() -> None:
    lines = said(study(better=0.8, noise=0.01), reference="ours")
    assert "against Ours; 3 trainings" in lines[0]
    assert any(line.startswith("10 to 200 masks, from scratch: -") for line in lines)
    assert (
        lines[-1] == "from scratch: saves no masks here, and needs more than 200 for the mean IoU of 200 Ours"
    )


def test_a_single_share_has_no_curve() -> None:
    lines = said([one for one in study(better=0.8, noise=0.01) if one["label_fraction"] == 1.0])
    assert len(lines) == 2
    assert all(line.startswith("200 masks") for line in lines)


def test_a_difference_that_rounds_to_nothing_has_no_minus() -> None:
    assert _points(Interval(-0.0002, -0.0004, 0.0003)) == "+0.0 points (95 % interval +0.0 to +0.0)"
    assert _points(Interval(-0.0006, float("nan"), float("nan"))) == "-0.1 points"

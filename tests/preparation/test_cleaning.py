from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from ae_pretrained.params.data_params import MaskCleaningParams
from ae_pretrained.preparation.cleaning import NO_FOREGROUND, NO_LABEL, mask_problem, remove_specks_and_holes

EVERY_SIDE = np.ones((3, 3))


def cleaned(mask: np.ndarray, speck: int = 0, hole: int = 0) -> np.ndarray:
    return remove_specks_and_holes(
        mask,
        MaskCleaningParams(threshold=0, empty="unlabelled", absent="stop", min_speck=speck, min_hole=hole),
    )


def test_problems() -> None:
    mask = np.full((4, 4), 255, dtype=np.uint8)
    assert mask_problem(mask) == NO_LABEL
    mask[0] = 0
    assert mask_problem(mask) == NO_FOREGROUND
    mask[1, 1] = 2
    assert mask_problem(mask) is None


@pytest.mark.parametrize("seed", range(5))
def test_specks_against_scipy(seed: int) -> None:
    mask = (np.random.default_rng(seed).random((40, 50)) < 0.25).astype(np.uint8) * 2
    labels, count = ndimage.label(mask, EVERY_SIDE)
    sizes = ndimage.sum_labels(mask > 0, labels, np.arange(count + 1))
    expected = np.where(sizes[labels] >= 6, mask, 0)
    assert np.array_equal(cleaned(mask, speck=6), expected)
    assert np.array_equal(cleaned(mask), mask)


@pytest.mark.parametrize("seed", range(5))
def test_holes_against_scipy(seed: int) -> None:
    mask = (np.random.default_rng(seed).random((40, 50)) < 0.6).astype(np.uint8)
    labels, count = ndimage.label(mask == 0)
    sizes = ndimage.sum_labels(mask == 0, labels, np.arange(count + 1))
    touching = np.unique(np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]]))
    filled = (labels > 0) & (sizes[labels] < 4) & ~np.isin(labels, touching)
    assert filled.any()
    assert np.array_equal(cleaned(mask, hole=4), np.where(filled, 1, mask))


def test_a_border_belongs_to_its_pet_and_is_never_made_background() -> None:
    mask = np.zeros((12, 30), dtype=np.uint8)
    mask[2:9, 2:9], mask[3:8, 3:8] = 255, 1  # a pet of 25 px in its border
    mask[2:5, 14:17], mask[3, 15] = 255, 1  # a speck of one pixel in its border
    mask[2:4, 22:24] = 255  # ignored, and no pet at all
    expected = mask.copy()
    expected[3, 15] = 0
    assert np.array_equal(cleaned(mask, speck=20), expected)


def test_a_hole_becomes_the_class_around_it() -> None:
    mask = np.zeros((12, 30), dtype=np.uint8)
    mask[1:10, 1:10] = 2
    mask[4:6, 4:6] = 0
    mask[1:10, 12:21], mask[4, 15] = 255, 0
    expected = mask.copy()
    expected[4:6, 4:6], expected[4, 15] = 2, 255
    assert np.array_equal(cleaned(mask, hole=5), expected)
    assert np.array_equal(cleaned(mask, hole=1), mask)

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from pycocotools import mask as coco_api

from ae_pretrained.sources.formats.run_lengths import brush_mask, coco_counts, coco_mask, expand_runs
from tests.sources.formats.shape_writers import brush_code, runs

FIXTURES = Path(__file__).parent / "fixtures"


def regions() -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    smooth = np.cumsum(rng.standard_normal((70, 90)), axis=0) > 0
    return [
        rng.random((17, 23)) < 0.5,
        rng.random((30, 1)) < 0.1,
        smooth,
        np.zeros((8, 9), dtype=bool),
        np.ones((400, 300), dtype=bool),
    ]


@pytest.mark.parametrize("pixels", regions())
def test_coco_codes_are_those_of_pycocotools(pixels: np.ndarray) -> None:
    code = coco_api.encode(np.asfortranarray(pixels.astype(np.uint8)))["counts"].decode()
    assert np.array_equal(coco_mask(code, *pixels.shape), pixels)
    counts = runs(pixels.ravel(order="F"))
    assert coco_counts(code) == counts
    assert np.array_equal(coco_mask(counts, *pixels.shape), pixels)


@pytest.mark.parametrize("pixels", regions())
def test_brush_codes(pixels: np.ndarray) -> None:
    assert np.array_equal(brush_mask(brush_code(pixels), *pixels.shape), pixels)


def test_a_brush_code_of_label_studios_own_converter() -> None:
    content = json.loads((FIXTURES / "label_studio_brush.json").read_text())
    expected = np.zeros((content["height"], content["width"]), dtype=bool)
    for y, x0, x1 in content["rows"]:
        expected[y, x0:x1] = True
    assert np.array_equal(brush_mask(content["rle"], *expected.shape), expected)


def test_damaged_codes_are_refused() -> None:
    code = coco_api.encode(np.asfortranarray(np.eye(300, dtype=np.uint8)))["counts"].decode()
    with pytest.raises(ValueError, match="add up to"):
        coco_mask(code, 299, 300)
    with pytest.raises(ValueError, match="breaks off"):
        coco_counts("o")
    with pytest.raises(ValueError, match="holds '~'"):
        coco_counts("~~")
    with pytest.raises(ValueError, match="add up to 5 pixels, expected 6"):
        expand_runs([2, 3], 6)
    with pytest.raises(ValueError, match="expected 6"):
        expand_runs([7, -1], 6)
    brush = brush_code(np.eye(9, dtype=bool))
    with pytest.raises(ValueError, match="holds 324 values, expected 8 x 9 x 4"):
        brush_mask(brush, 8, 9)
    with pytest.raises(ValueError, match="breaks off"):
        brush_mask(brush[: len(brush) // 2], 9, 9)
    with pytest.raises(ValueError, match="breaks off"):
        brush_mask([], 9, 9)

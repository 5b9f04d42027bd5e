"""Outlines along pixel edges, rasterised by the importer's rule and by labelme's own."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image, ImageDraw

from ae_pretrained.annotations.regions import ClassPolygon, outline, painted, stacked_polygons
from tests.conftest import REAL_DATA


def painted_by_labelme(polygons: list[ClassPolygon], height: int, width: int) -> np.ndarray:
    """The rule of labelme 6.3, ``_utils/shape.py``: ``shape_to_mask`` and, in order, ``shapes_to_label``."""
    mask = np.zeros((height, width), dtype=np.uint8)
    for item in polygons:
        image = Image.fromarray(np.zeros((height, width), dtype=np.uint8))
        corners = [tuple(point) for point in item.ring.tolist()]
        ImageDraw.Draw(image).polygon(xy=corners, outline=1, fill=1)
        mask[np.array(image, dtype=bool)] = item.class_id
    return mask


def mean_iou(truth: np.ndarray, found: np.ndarray) -> float:
    ious = [
        np.count_nonzero((truth == value) & (found == value))
        / np.count_nonzero((truth == value) | (found == value))
        for value in np.unique(truth)
    ]
    return float(np.mean(ious))


def real_masks(kind: str) -> list[np.ndarray]:
    if kind == "pets":
        files = sorted((REAL_DATA / "oxford-iiit-pet-sample/annotations/trimaps").glob("[!.]*.png"))[::10]
        trimaps = [np.asarray(Image.open(path)) for path in files]
        masks = [np.select([trimap == 1, trimap == 3], [1, 2], 0).astype(np.uint8) for trimap in trimaps]
    else:
        files = sorted((REAL_DATA / "camvid/masks").glob("*.png"))[::180]
        masks = [np.asarray(Image.open(path)) for path in files]
    if not masks:
        pytest.skip(f"no real masks of {kind} below {REAL_DATA}")
    return masks


def test_the_outline_of_a_pixel_is_its_edges() -> None:
    mask = np.zeros((9, 9), dtype=np.uint8)
    mask[5, 3] = 1
    (found,) = stacked_polygons(mask, 0)
    assert np.round(found.ring).tolist() == [[3, 5], [4, 5], [4, 6], [3, 6]]


def test_pixels_that_meet_at_a_corner_are_two_regions_and_an_outline_may_touch_itself() -> None:
    corners = np.array([[1, 0], [0, 1]], dtype=np.uint8)
    assert len(stacked_polygons(corners, 0)) == 2
    ring = np.array([[1, 1, 1], [1, 0, 1], [1, 1, 0]], dtype=bool)  # open at the lower right corner
    assert len(outline(ring)) == 10


def test_larger_regions_come_first_and_a_hole_is_background_later() -> None:
    mask = np.zeros((20, 20), dtype=np.uint8)
    mask[2:18, 2:18] = 1
    mask[5:15, 5:15] = 0
    mask[8:10, 8:10] = 2
    assert [item.class_id for item in stacked_polygons(mask, 0)] == [1, 0, 2]


@settings(max_examples=150, deadline=None)
@given(arrays(np.uint8, st.tuples(st.integers(1, 9), st.integers(1, 9)), elements=st.integers(0, 2)))
def test_every_corner_kept_gives_every_pixel_back_by_both_rules(mask: np.ndarray) -> None:
    polygons = stacked_polygons(mask, 0)
    assert np.array_equal(painted(polygons, *mask.shape), mask)
    assert np.array_equal(painted_by_labelme(polygons, *mask.shape), mask)


@pytest.mark.parametrize(
    ("kind", "epsilon", "ours", "labelme"),
    [
        ("pets", 0.4, 0.9999, 0.9999),
        ("pets", 0.5, 0.999, 0.994),
        ("pets", 1.0, 0.98, 0.97),
        ("camvid", 0.5, 0.999, 0.992),
    ],
)
def test_real_masks_come_back(kind: str, epsilon: float, ours: float, labelme: float) -> None:
    by_importer, by_labelme = [], []
    for mask in real_masks(kind):
        polygons = stacked_polygons(mask, epsilon)
        by_importer.append(mean_iou(mask, painted(polygons, *mask.shape)))
        by_labelme.append(mean_iou(mask, painted_by_labelme(polygons, *mask.shape)))
    assert np.mean(by_importer) >= ours
    assert np.mean(by_labelme) >= labelme

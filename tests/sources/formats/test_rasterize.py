from __future__ import annotations

import math

import cv2
import numpy as np
import pytest
from pycocotools import mask as coco_api
from skimage.draw import polygon2mask

from ae_pretrained.sources.formats.rasterize import Region, fill_ellipse, fill_polygon, rectangle, turned

SIZE = (60, 80)


def placed(region: Region, shape: tuple[int, int] = SIZE) -> np.ndarray:
    mask = np.zeros(shape, dtype=bool)
    height, width = region.mask.shape
    mask[region.y : region.y + height, region.x : region.x + width] = region.mask
    return mask


def filled(ring: np.ndarray, shape: tuple[int, int] = SIZE, holes: tuple[np.ndarray, ...] = ()) -> np.ndarray:
    return placed(fill_polygon(ring, *shape, holes), shape)


def star(rng: np.random.Generator, corners: int, reach: float = 25.0) -> np.ndarray:
    """A ring around the middle that does not cross itself."""
    angles = np.sort(rng.random(corners)) * 2 * math.pi
    radii = reach * (0.3 + 0.7 * rng.random(corners))
    return np.stack([40 + radii * np.cos(angles), 30 + radii * np.sin(angles)], axis=1)


@pytest.mark.parametrize("seed", range(20))
def test_pixels_whose_centre_is_inside(seed: int) -> None:
    """scikit-image asks for each point of a grid whether it is inside; its pixels are at whole coordinates."""
    rng = np.random.default_rng(seed)
    # Rings that cross themselves, and rings that reach beyond the image, too.
    for ring in (star(rng, 9), rng.random((7, 2)) * [80, 60], rng.random((12, 2)) * [160, 120] - [40, 30]):
        expected = polygon2mask(SIZE, ring[:, ::-1] - 0.5)
        assert np.array_equal(filled(ring), expected)
        assert np.array_equal(filled(ring[::-1]), expected)
        assert np.array_equal(filled(np.concatenate([ring, ring[:1]])), expected)


@pytest.mark.parametrize("seed", range(5))
def test_no_outline_is_painted(seed: int) -> None:
    """pycocotools goes along the pixels' edges in steps of a fifth, OpenCV and Pillow paint every pixel touched."""
    rng = np.random.default_rng(seed)
    ring = star(rng, 40, 28.0)
    ours = filled(ring)
    area = 0.5 * abs(np.sum(ring[:, 0] * np.roll(ring[:, 1], -1) - ring[:, 1] * np.roll(ring[:, 0], -1)))
    length = np.hypot(*(ring - np.roll(ring, -1, axis=0)).T).sum()
    coco = coco_api.decode(coco_api.frPyObjects([ring.ravel().tolist()], *SIZE))[..., 0] > 0
    assert (ours != coco).sum() < 0.15 * length
    assert abs(int(ours.sum()) - area) < 0.03 * area
    painted = cv2.fillPoly(np.zeros(SIZE, dtype=np.uint8), [np.round(ring).astype(np.int32)], 1)
    assert painted.sum() - area > 0.3 * length  # what is to be avoided


def test_half_open_edges() -> None:
    """Whole squares are exact, and a centre on the outline is in on the left and above, out otherwise."""
    assert np.array_equal(np.argwhere(filled(rectangle(2, 3, 4, 5))), [[3, 2], [3, 3], [4, 2], [4, 3]])
    assert np.array_equal(
        np.argwhere(filled(rectangle(2.5, 3.5, 4.5, 5.5))), [[3, 2], [3, 3], [4, 2], [4, 3]]
    )
    assert np.array_equal(np.argwhere(filled(rectangle(4, 5, 2, 3))), [[3, 2], [3, 3], [4, 2], [4, 3]])
    assert filled(rectangle(-5, -5, 500, 500)).all()
    assert filled(rectangle(-1e12, 10, 1e12, 20)).sum() == 10 * 80


def test_neighbours_share_no_pixel_and_leave_none() -> None:
    """A grid whose corners were moved about: every pixel is in exactly one of its cells."""
    rng = np.random.default_rng(3)
    corners = np.stack(np.meshgrid(np.arange(0, 81, 10.0), np.arange(0, 61, 10.0)), axis=-1)
    corners[1:-1, 1:-1] += (
        np.round(rng.random(corners[1:-1, 1:-1].shape) * 8 - 4) / 2
    )  # many centres on an edge
    covered = np.zeros(SIZE, dtype=int)
    for row in range(6):
        for column in range(8):
            ring = corners[[row, row, row + 1, row + 1], [column, column + 1, column + 1, column]]
            covered += filled(ring)
    assert (covered == 1).all()


def test_holes_and_bridges() -> None:
    outer, hole = rectangle(5, 5, 55, 45), rectangle(20.3, 15.2, 40.1, 30.7)
    expected = filled(outer) & ~filled(hole)
    assert np.array_equal(filled(outer, holes=(hole,)), expected)
    # One ring that goes in to the hole and out again on the same line, in either sense of the hole.
    for inner in (hole, hole[::-1]):
        bridged = np.concatenate([outer, outer[:1], inner, inner[:1], outer[:1]])
        assert np.array_equal(filled(bridged), expected)
    # Holes that overlap each other, reach over the outline, or lie beside it.
    holes = (hole, hole + 5, rectangle(50, 40, 70, 70), rectangle(60, 50, 70, 55))
    union = np.any([filled(ring) for ring in holes], axis=0)
    assert np.array_equal(filled(outer, holes=holes), filled(outer) & ~union)


@pytest.mark.parametrize(
    "ring",
    [
        np.zeros((0, 2)),
        np.array([[3.0, 4.0]]),
        np.array([[3.0, 4.0], [30.0, 40.0]]),
        rectangle(200, 5, 210, 9),
    ],
)
def test_what_has_no_area_or_lies_outside_has_no_pixels(ring: np.ndarray) -> None:
    assert not filled(ring).any()


def test_a_coordinate_that_is_no_number_is_an_error() -> None:
    with pytest.raises(ValueError, match="no finite number"):
        fill_polygon(np.array([[0.0, 0.0], [math.nan, 5.0], [5.0, 5.0]]), *SIZE)


def test_ellipses() -> None:
    y, x = np.mgrid[:60, :80] + 0.5
    round_one = placed(fill_ellipse((40.2, 30.7), (20.0, 20.0), 0, *SIZE))
    assert np.array_equal(round_one, (x - 40.2) ** 2 + (y - 30.7) ** 2 <= 400)
    # Turned clockwise by 90 degrees the axes change places; by 30 it is the outline turned likewise.
    flat = placed(fill_ellipse((40.0, 30.0), (25.0, 10.0), 0, *SIZE))
    steep = placed(fill_ellipse((40.0, 30.0), (10.0, 25.0), 90, *SIZE))
    assert np.array_equal(flat, steep)
    angle = np.linspace(0, 2 * math.pi, 2000, endpoint=False)
    outline = np.stack([40 + 25 * np.cos(angle), 30 + 10 * np.sin(angle)], axis=1)
    leaning = placed(fill_ellipse((40.0, 30.0), (25.0, 10.0), 30, *SIZE))
    assert (leaning != filled(turned(outline, 30, (40.0, 30.0)))).sum() <= 2
    assert leaning[42, 61]
    assert not leaning[42, 19]
    # Cut off at the border, or outside.
    assert placed(fill_ellipse((0.0, 0.0), (20.0, 20.0), 0, *SIZE)).sum() == pytest.approx(
        math.pi * 100, rel=0.02
    )
    assert not placed(fill_ellipse((200.0, 30.0), (20.0, 20.0), 0, *SIZE)).any()
    assert not placed(fill_ellipse((40.0, 30.0), (0.0, 20.0), 0, *SIZE)).any()

"""From outlines in continuous coordinates to pixels.

A pixel covers the unit square whose upper left corner is its (x, y), so its centre is at (x + 0.5, y + 0.5). A pixel
is inside when its centre is; a centre exactly on the outline is inside on the left and upper side and outside on the
right and lower side. Shapes that share an edge therefore neither overlap nor leave a gap, and no outline is painted
(drawing functions that paint one add half a pixel all around). What crosses itself is filled by the even-odd rule, so
that a hole that is reached over a bridge, there and back on the same line, stays a hole.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Region:
    """Pixels of an image.

    Attributes:
        x, y: column and row of the upper left pixel of ``mask``; it may reach beyond the image.
        mask: (h, w) bool.
    """

    x: int
    y: int
    mask: np.ndarray


def fill_polygon(ring: np.ndarray, height: int, width: int, holes: Sequence[np.ndarray] = ()) -> Region:
    """The pixels within a closed outline.

    Args:
        ring: (n, 2) x and y, px; the last point need not repeat the first. Fewer than three points have no area.
        height, width: of the image; what lies outside is cut off.
        holes: outlines within it whose pixels are taken out.

    Raises:
        ValueError: when a coordinate is not a finite number.
    """
    region = _fill_ring(ring, height, width)
    for hole in holes:
        cut = _fill_ring(hole, height, width)
        top, left = max(region.y, cut.y), max(region.x, cut.x)
        bottom = min(region.y + region.mask.shape[0], cut.y + cut.mask.shape[0])
        right = min(region.x + region.mask.shape[1], cut.x + cut.mask.shape[1])
        if top < bottom and left < right:
            within = cut.mask[top - cut.y : bottom - cut.y, left - cut.x : right - cut.x]
            region.mask[top - region.y : bottom - region.y, left - region.x : right - region.x] &= ~within
    return region


def _fill_ring(ring: np.ndarray, height: int, width: int) -> Region:
    if not np.isfinite(ring).all():
        raise ValueError("a coordinate is no finite number")
    start, end = ring, np.roll(ring, -1, axis=0)
    # Both directions of a line give the same crossings, bit for bit: every edge is followed downwards.
    swap = (start[:, 1] > end[:, 1])[:, None]
    upper, lower = np.where(swap, end, start), np.where(swap, start, end)
    first = _first_center(upper[:, 1], height)
    rows_of = _first_center(lower[:, 1], height) - first
    if len(ring) < 3 or not rows_of.any():
        return Region(0, 0, np.zeros((0, 0), dtype=bool))
    edge = np.repeat(np.arange(len(ring)), rows_of)
    rows = np.arange(len(edge)) - np.repeat(np.cumsum(rows_of) - rows_of, rows_of) + first[edge]
    x, y = upper.T
    slope = (lower[:, 0] - x)[edge] / (lower[:, 1] - y)[edge]
    columns = _first_center(x[edge] + (rows + 0.5 - y[edge]) * slope, width)
    top, left = int(rows.min()), int(columns.min())
    # Along a row, every crossing switches between outside and inside.
    switches = np.zeros((int(rows.max()) - top + 1, int(columns.max()) - left + 1), dtype=np.uint8)
    np.bitwise_xor.at(switches, (rows - top, columns - left), 1)
    inside = np.bitwise_xor.accumulate(switches, axis=1)[:, :-1]
    return Region(left, top, inside.astype(bool))


def _first_center(positions: np.ndarray, size: int) -> np.ndarray:
    """The first pixel whose centre is at or after each position, from 0 to ``size``."""
    return np.ceil(np.clip(positions, 0, size) - 0.5).astype(np.int64)


def fill_ellipse(
    center: tuple[float, float], radii: tuple[float, float], degrees: float, height: int, width: int
) -> Region:
    """The pixels within an ellipse.

    Args:
        center: x and y, px.
        radii: along the ellipse's own x and y axis, px.
        degrees: by which it is turned clockwise (y points down) around its centre.
        height, width: of the image; what lies outside is cut off.
    """
    reach = max(radii)
    (left, right), (top, bottom) = (
        (max(0, math.floor(middle - reach)), min(size, math.ceil(middle + reach)))
        for middle, size in zip(center, (width, height), strict=True)
    )
    if min(radii) <= 0 or left >= right or top >= bottom:
        return Region(0, 0, np.zeros((0, 0), dtype=bool))
    x = np.arange(left, right)[None, :] + 0.5 - center[0]
    y = np.arange(top, bottom)[:, None] + 0.5 - center[1]
    cosine, sine = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    along, across = x * cosine + y * sine, y * cosine - x * sine
    return Region(left, top, (along / radii[0]) ** 2 + (across / radii[1]) ** 2 <= 1)


def rectangle(left: float, top: float, right: float, bottom: float) -> np.ndarray:
    """The outline (4, 2) of an upright rectangle."""
    return np.array([[left, top], [right, top], [right, bottom], [left, bottom]], dtype=np.float64)


def turned(ring: np.ndarray, degrees: float, pivot: tuple[float, float]) -> np.ndarray:
    """An outline turned clockwise (y points down) around a point."""
    cosine, sine = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    offset = ring - np.asarray(pivot)
    return offset @ np.array([[cosine, sine], [-sine, cosine]]) + np.asarray(pivot)

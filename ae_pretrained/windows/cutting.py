"""Square windows cut out of an image, filled up with its mirror image where they reach beyond it."""

from __future__ import annotations

import numpy as np

Box = tuple[int, int, int, int]  # x0, y0, x1, y1 within a window


def mirrored(start: int, length: int, size: int) -> np.ndarray:
    """(length,) positions within an axis of ``size`` px, from ``start`` on; beyond its ends they run back again."""
    if size == 1:
        return np.zeros(length, dtype=np.int64)
    place = np.arange(start, start + length) % (2 * (size - 1))
    return np.minimum(place, 2 * (size - 1) - place)


def cut(image: np.ndarray, y: int, x: int, height: int, width: int) -> np.ndarray:
    """The window (height, width, …) of an image (H, W, …) whose first pixel is row y, column x, as a copy.

    Beyond the image it is the image's mirror image, whose axis runs through the outermost pixels. Of a memory map,
    only what lies in the window is read.
    """
    if 0 <= y <= image.shape[0] - height and 0 <= x <= image.shape[1] - width:
        return np.array(image[y : y + height, x : x + width])
    rows, columns = mirrored(y, height, image.shape[0]), mirrored(x, width, image.shape[1])
    top, left = rows.min(), columns.min()
    part = image[top : rows.max() + 1, left : columns.max() + 1]
    return np.ascontiguousarray(part[rows - top][:, columns - left])


def content(y: int, x: int, height: int, width: int, image_height: int, image_width: int) -> Box:
    """The part of a window that lies on the image; empty (all 0) where none does."""
    box = (max(0, -x), max(0, -y), min(width, image_width - x), min(height, image_height - y))
    return box if box[0] < box[2] and box[1] < box[3] else (0, 0, 0, 0)


def placed_around(y: int, x: int, side: int, image_height: int, image_width: int) -> tuple[int, int]:
    """First row and column of a window of ``side`` px around a pixel, moved into the image where that is possible.

    Along an axis on which the image is smaller, the image lies in the middle of the window.
    """
    return _place(y, side, image_height), _place(x, side, image_width)


def _place(middle: int, side: int, size: int) -> int:
    if size <= side:
        return (size - side) // 2
    return min(max(0, middle - side // 2), size - side)

"""Images of all sizes in one flat array, and windows of them that look like an array of squares."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ae_pretrained.constants import IGNORE_INDEX
from ae_pretrained.windows.cutting import Box, content, cut, placed_around


class PackedArray:
    """Images one after the other; indexing with a position gives a view of one. Its shape is (N,).

    Args:
        flat: (P, …) the pixels of all, possibly memory-mapped.
        offsets: (N,) first pixel of each image.
        sizes: (N, 2) width and height of each.
    """

    def __init__(self, flat: np.ndarray, offsets: np.ndarray, sizes: np.ndarray) -> None:
        self.flat, self.offsets, self.sizes = flat, offsets, sizes
        self.shape = (len(offsets),)

    def __len__(self) -> int:
        return len(self.offsets)

    def __getitem__(self, row: int) -> np.ndarray:
        """(h, w, …) image at a position."""
        width, height = self.sizes[row].tolist()
        start = int(self.offsets[row])
        return self.flat[start : start + width * height].reshape(height, width, *self.flat.shape[1:])


@dataclass(frozen=True)
class Window:
    """A square window of an image.

    Attributes:
        row: position of the image.
        y, x: its first row and column; it may reach beyond the image.
        box: the part of it that counts: x0, y0, x1, y1 within the window.
    """

    row: int
    y: int
    x: int
    box: Box


class WindowArray:
    """Windows of the images (or masks) of a PackedArray, cut out when they are asked for.

    Indexing with an array of positions, or a slice, gives (n, side, side, …), with one position (side, side, …).

    Args:
        images: the images, or masks.
        windows: the windows.
        side: of a window, px.
        masks: whether these are masks, which are 255 outside a window's box; images are their own mirror image beyond
            their edges.
    """

    def __init__(self, images: PackedArray, windows: Sequence[Window], side: int, *, masks: bool) -> None:
        self.images, self.windows, self.side, self.masks = images, windows, side, masks
        self.shape: tuple[int, ...] = (len(windows), side, side, *images.flat.shape[1:])

    def __len__(self) -> int:
        return len(self.windows)

    def __getitem__(self, rows: int | np.integer | slice | Sequence[int] | np.ndarray) -> np.ndarray:
        if isinstance(rows, int | np.integer):
            return self._cut(self.windows[int(rows)])
        chosen = np.arange(len(self))[rows]
        if not len(chosen):
            return np.zeros((0, *self.shape[1:]), dtype=np.uint8)
        return np.stack([self._cut(self.windows[row]) for row in chosen.tolist()])

    def _cut(self, window: Window) -> np.ndarray:
        pixels = cut(self.images[window.row], window.y, window.x, self.side, self.side)
        if not self.masks:
            return pixels
        x0, y0, x1, y1 = window.box
        framed = np.full_like(pixels, IGNORE_INDEX)
        framed[y0:y1, x0:x1] = pixels[y0:y1, x0:x1]
        return framed


def tile(row: int, height: int, width: int, side: int) -> list[Window]:
    """Windows of one image that show every pixel of it, each of them within the box of one window alone."""
    windows = []
    for y, top in _starts(height, side):
        for x, left in _starts(width, side):
            x0, y0, x1, y1 = content(y, x, side, side, height, width)
            windows.append(Window(row, y, x, (max(x0, left), max(y0, top), x1, y1)))
    return windows


def _starts(size: int, side: int) -> list[tuple[int, int]]:
    """First pixels of windows along an axis, and how much of each was seen by the one before.

    The last one is moved back into the image; an image smaller than a window lies in its middle.
    """
    if size <= side:
        return [((size - side) // 2, 0)]
    count = -(-size // side)
    starts = [min(place * side, size - side) for place in range(count)]
    return [(start, place * side - start) for place, start in enumerate(starts)]


def close_up(row: int, mask: np.ndarray, anchors: np.ndarray, side: int) -> Window:
    """A window around a pixel of the foreground class that an image shows least of, or around its middle.

    Args:
        row: position of the image.
        mask: (H, W) uint8 of it.
        anchors: (C, K, 2) rows and columns of pixels of each foreground class.
        side: of the window, px.
    """
    height, width = mask.shape
    counts = np.bincount(mask.ravel(), minlength=IGNORE_INDEX + 1)[: len(anchors)]
    there = [label for label in range(1, len(anchors)) if counts[label]]
    y, x = height // 2, width // 2
    if there:
        y, x = anchors[min(there, key=lambda label: counts[label]), 0].tolist()
    return around(row, y, x, side, height, width)


def around(row: int, y: int, x: int, side: int, height: int, width: int) -> Window:
    """The window around a pixel of an image of ``height`` x ``width`` px, within the image as far as it fits."""
    top, left = placed_around(y, x, side, height, width)
    return Window(row, top, left, content(top, left, side, side, height, width))

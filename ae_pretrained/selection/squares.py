"""Images as squares that a network takes, and what is measured of squares brought back to images."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ae_pretrained.dataset.arrays import Split
from ae_pretrained.evaluation.inference import tiles_of
from ae_pretrained.windows.packed import WindowArray

_BATCH = 32


@dataclass(frozen=True)
class Squares:
    """Some images of a split as squares: themselves, or windows that count each pixel of a whole image once.

    Attributes:
        split: all squares.
        rows: (m,) those of the images that are meant, in the order of the images.
        owners: (m,) place of its image for each, 0 to n - 1.
        pixels: (m,) how many of its pixels count.
        batch_size: squares per batch.
    """

    split: Split
    rows: np.ndarray
    owners: np.ndarray
    pixels: np.ndarray
    batch_size: int

    def means(self, values: np.ndarray) -> np.ndarray:
        """(n, …) mean over the squares of each image, weighted by their pixels, of (m, …) values."""
        weights = self.pixels.reshape(-1, *[1] * (values.ndim - 1))
        return self.sums(values * weights) / self.sums(weights)

    def sums(self, values: np.ndarray) -> np.ndarray:
        """(n, …) sum over the squares of each image of (m, …) values."""
        starts = np.flatnonzero(np.diff(self.owners, prepend=-1))
        return np.asarray(np.add.reduceat(values, starts, axis=0))


def squares_of(split: Split, images: np.ndarray, side: int) -> Squares:
    """The squares of some images.

    Args:
        split: of prepared arrays.
        images: (n,) positions in it, none twice.
        side: of the windows of images that are kept whole, px.
    """
    squares, batch_size = tiles_of(split, side, _BATCH)
    image_of = np.arange(len(squares))
    if isinstance(squares.images, WindowArray):
        image_of = np.array([window.row for window in squares.images.windows])
    places = np.full(len(split), len(images))
    places[images] = np.arange(len(images))
    order = np.argsort(places[image_of], kind="stable")
    rows = order[: int((places[image_of] < len(images)).sum())]
    x0, y0, x1, y1 = squares.boxes[rows].T.astype(np.int64)
    return Squares(squares, rows, places[image_of[rows]], (x1 - x0) * (y1 - y0), batch_size)

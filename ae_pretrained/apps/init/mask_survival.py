"""What is left of the true masks when images are shrunk: a bound on every score, whatever the network does."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np

from ae_pretrained.constants import IGNORE_INDEX
from ae_pretrained.params.data_params import DataParams
from ae_pretrained.preparation.processes import count_processes
from ae_pretrained.preparation.resize import content_box, working_size
from ae_pretrained.sources.base import DataError, Sample, Source
from ae_pretrained.sources.image_reader import read_size

# Masks that are looked at: at most so many, and no more of them after so many pixels, but a few in any case.
_MOST, _PIXELS, _FEWEST = 300, 150_000_000, 20
_WINDOW = 2048  # px; of a larger mask, the side of the part that is looked at


@dataclass(frozen=True)
class WorkingSize:
    """A way to bring images to the size at which a network sees them.

    Attributes:
        how: as ``data.resize``.
        side: of the square, px; 0 for crops.
        scale: of crops, relative to the image.
    """

    how: Literal["stretch", "pad", "crop"]
    side: int = 0
    scale: float = 1.0

    def content(self, width: int, height: int) -> tuple[int, int]:
        """Width and height of what an image becomes, px."""
        if self.how == "crop":
            return working_size(width, height, self.scale)
        x0, y0, x1, y1 = content_box(width, height, self.side, self.how)
        return x1 - x0, y1 - y0


def round_trip(length: int, shrunk: int) -> np.ndarray:
    """Which pixel each pixel (length,) of a row shows once it was shrunk and enlarged again, by the nearest pixel."""
    row: np.ndarray = np.arange(length, dtype=np.float32)[None]
    for width in (shrunk, length):
        row = cv2.resize(row, (width, 1), interpolation=cv2.INTER_NEAREST_EXACT)
    return row[0].astype(np.int64)


def count_survival(mask: np.ndarray, sizes: Sequence[WorkingSize], corner: tuple[float, float]) -> np.ndarray:
    """Compare a mask with what is left of it at each size.

    Args:
        mask: (H, W) uint8, 255 on ignored pixels, which count nowhere.
        sizes: the ways to shrink it.
        corner: of a mask larger than 2048 px a side, where the part lies that is looked at: shares of the free way,
            down and to the right, in [0, 1].

    Returns:
        (sizes, 3, 256) pixels by class: true, left over, and both.
    """
    height, width = mask.shape
    top, left = (int(share * max(0, side - _WINDOW)) for share, side in zip(corner, mask.shape, strict=True))
    rows, columns = slice(top, top + _WINDOW), slice(left, left + _WINDOW)
    true = np.ascontiguousarray(mask[rows, columns])
    known = (true != IGNORE_INDEX).astype(np.uint8)
    counts = np.zeros((len(sizes), 3, 256), dtype=np.int64)
    counts[:, 0] = _by_value(true, known)
    for number, size in enumerate(sizes):
        small_w, small_h = size.content(width, height)
        left_over = mask.take(round_trip(height, small_h)[rows], axis=0)
        left_over = left_over.take(round_trip(width, small_w)[columns], axis=1)
        counts[number, 1] = _by_value(left_over, known)
        counts[number, 2] = _by_value(true, known & (left_over == true))
    return counts


def _by_value(values: np.ndarray, where: np.ndarray) -> np.ndarray:
    """Pixels (256,) by value; OpenCV takes a tenth of NumPy's time."""
    return np.asarray(cv2.calcHist([values], [0], where, [256], [0, 256])).ravel().astype(np.int64)


def mask_survival(
    samples: Sequence[Sample], source: Source, params: DataParams, sizes: Sequence[WorkingSize], seed: int
) -> tuple[np.ndarray, int]:
    """IoU of every class between the true masks and what is left of them at each size, pooled over a sample of them.

    Each mask is read once for all sizes: at most 300 masks, and at most 20 once they have 150 megapixels, of which
    at most 2048 px a side are looked at. Masks that cannot be read are passed over; ``inspect`` reports them.

    Args:
        samples: of the listing.
        source: turns mask values into classes.
        params: classes, and what is done about EXIF.
        sizes: the ways to shrink the masks.
        seed: of the sample.

    Returns:
        (sizes, classes) in [0, 1], nan for a class that the masks do not show; and the number of masks.
    """
    rng = np.random.default_rng(seed)
    labelled = [sample for sample in samples if sample.mask is not None]
    drawn = [labelled[row] for row in rng.permutation(len(labelled))[:_MOST]]
    sides = [_size_of(sample, params) for sample in drawn]
    areas = np.cumsum([width * height for width, height in sides])
    count = max(_FEWEST, int(np.searchsorted(areas, _PIXELS)))
    corners = rng.random((len(drawn), 2))

    def look(place: int) -> np.ndarray | None:
        width, height = sides[place]
        try:
            mask = source.mask_of(drawn[place], height, width)
        except DataError:
            return None
        return count_survival(mask, sizes, (corners[place, 0], corners[place, 1]))

    places = [place for place in range(min(count, len(drawn))) if sides[place] != (0, 0)]
    total, looked_at = np.zeros((len(sizes), 3, 256), dtype=np.int64), 0
    with ThreadPoolExecutor(count_processes(params.workers, len(places))) as pool:
        for counts in pool.map(look, places):
            if counts is not None:
                total, looked_at = total + counts, looked_at + 1
    true, left_over, both = total[:, :, : len(params.classes)].swapaxes(0, 1)
    with np.errstate(invalid="ignore"):
        return np.where(true > 0, both / (true + left_over - both), np.nan), looked_at


def _size_of(sample: Sample, params: DataParams) -> tuple[int, int]:
    """Width and height of the mask that belongs to an image, from the image's header; 0, 0 where it has none."""
    try:
        return read_size(sample.image, upright=params.exif == "apply")
    except DataError:
        return (0, 0)

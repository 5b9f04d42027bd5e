"""Between an image's own size and the scale at which a model sees it whole."""

from __future__ import annotations

import cv2
import numpy as np

from ae_pretrained.prediction.enlarge import neighbours
from ae_pretrained.preparation.resize import scale_image, working_size
from ae_pretrained.sources.base import DataError
from ae_pretrained.sources.plain_images import LARGEST
from ae_pretrained.windows import Bands

_STRIP_PIXELS = 2**18  # of the output, made at a time: memory does not grow with the factor


def at_scale(image: np.ndarray, scale: float) -> np.ndarray:
    """(H, W, 3) uint8 at the size that ``prepare`` brings it to; the image itself where that is its own.

    Raises:
        DataError: when it would have more than 1073 megapixels.
    """
    width, height = working_size(image.shape[1], image.shape[0], scale)
    if (height, width) == image.shape[:2]:
        return image
    if height * width > LARGEST:
        raise DataError(
            f"an image of {image.shape[1]} x {image.shape[0]} px has more than {LARGEST // 1_000_000} megapixels at "
            f"scale {scale:g} of this model; cut it into parts"
        )
    return scale_image(image, width, height)


def resize_bands(bands: Bands, size: tuple[int, int], own: tuple[int, int]) -> Bands:
    """Bring bands from the scale of a model to the image's own size, bilinearly (pixel centres at halves).

    Args:
        bands: of an image at the model's scale.
        size: its height and width there, px.
        own: height and width to come to, px.

    Returns:
        Bands of (C, rows, W), of at most some 262,144 px each.
    """
    if size == own:
        yield from bands
        return
    before, after, share = neighbours(size[0], own[0])
    strip = max(1, _STRIP_PIXELS // own[1])
    done, last = 0, np.empty((0, 0, 0), np.float32)
    for first, band in bands:
        rows = np.concatenate([last, band], axis=1) if first else band
        start = first - 1 if first else 0
        end = int(np.searchsorted(after, first + band.shape[1]))  # rows of which both neighbours are there
        while done < end:
            part = slice(done, min(done + strip, end))
            above, below = before[part] - start, after[part] - start
            source = rows[:, above[0] : below[-1] + 1]
            wide = np.stack([_widen(plane, own[1]) for plane in source])
            upper, lower = wide[:, above - above[0]], wide[:, below - above[0]]
            yield done, upper + share[part, None] * (lower - upper)
            done = part.stop
        last = band[:, -1:].copy()


def _widen(plane: np.ndarray, width: int) -> np.ndarray:
    return np.asarray(cv2.resize(plane, (width, len(plane)), interpolation=cv2.INTER_LINEAR))

"""Enlarge probabilities at the network's size to a mask at the image's own size."""

from __future__ import annotations

import cv2
import numpy as np

_STRIP_PIXELS = 2**18  # pixels worked on at a time: memory beside the result does not grow with the image


def neighbours(count_in: int, count_out: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """For each output pixel: the input pixels before and after it, and the weight of the one after."""
    place = (np.arange(count_out) + 0.5) * (count_in / count_out) - 0.5
    place = place.clip(0, count_in - 1)
    before = place.astype(np.int64)
    return before, np.minimum(before + 1, count_in - 1), (place - before).astype(np.float32)


def most_probable(probabilities: np.ndarray, height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """Enlarge probabilities bilinearly (pixel centres at halves) and take the most probable class.

    Args:
        probabilities: (C, h, w) float32, of the content alone, without padding.
        height, width: of the image, px.

    Returns:
        (height, width) uint8 class ids, the lower one of equals, and (height, width) float32 probabilities of them.
    """
    rows = probabilities.shape[1]
    wide = [cv2.resize(plane, (width, rows), interpolation=cv2.INTER_LINEAR) for plane in probabilities]
    before, after, share = neighbours(rows, height)
    mask = np.zeros((height, width), dtype=np.uint8)
    best = np.empty((height, width), dtype=np.float32)
    strip = max(1, _STRIP_PIXELS // width)
    for start in range(0, height, strip):
        part = slice(start, start + strip)
        weight = share[part, None]
        for label, plane in enumerate(wide):
            upper = plane[before[part]]
            values = upper + weight * (plane[after[part]] - upper)
            if label == 0:
                best[part] = values
            else:
                mask[part][values > best[part]] = label
                np.maximum(best[part], values, out=best[part])
    return mask, best

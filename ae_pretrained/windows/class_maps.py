"""From bands of probabilities to a mask."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np


def best_classes(probabilities: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The most probable class of every pixel.

    Args:
        probabilities: (C, rows, W) float32, at most 255 classes.

    Returns:
        (rows, W) uint8 class ids, the lower one of equals, and (rows, W) float32 probabilities of them.

    Example:
        >>> best_classes(np.array([[[0.75, 0.5, 0.25]], [[0.25, 0.5, 0.75]]], dtype=np.float32))[0].tolist()
        [[0, 0, 1]]
    """
    best = probabilities[0].copy()
    mask = np.zeros(best.shape, dtype=np.uint8)
    for label, plane in enumerate(probabilities[1:], start=1):  # argmax copies all of it first
        mask[plane > best] = label
        np.maximum(best, plane, out=best)
    return mask, best


def class_map(
    bands: Iterable[tuple[int, np.ndarray]], height: int, width: int
) -> tuple[np.ndarray, np.ndarray]:
    """Mask and confidence of an image from its bands.

    Args:
        bands: first row and (C, rows, width) probabilities each, as ``slide`` gives them.
        height, width: of the image, px.

    Returns:
        (height, width) uint8 class ids and (height, width) float32 probabilities of them.
    """
    mask = np.empty((height, width), dtype=np.uint8)
    confidence = np.empty((height, width), dtype=np.float32)
    for first, band in bands:
        part = slice(first, first + band.shape[1])
        mask[part], confidence[part] = best_classes(band)
    return mask, confidence

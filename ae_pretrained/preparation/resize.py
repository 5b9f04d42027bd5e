"""Bringing image and mask to the square that the models see."""

from __future__ import annotations

from typing import Literal

import cv2
import numpy as np

from ae_pretrained.constants import IGNORE_INDEX

Box = tuple[int, int, int, int]  # x0, y0, x1, y1 of the content within the square
_PADDING = 127  # mid-grey


def working_size(width: int, height: int, scale: float) -> tuple[int, int]:
    """Width and height of an image that is kept whole, at a scale."""
    return max(1, round(width * scale)), max(1, round(height * scale))


def content_box(width: int, height: int, size: int, how: Literal["stretch", "pad"]) -> Box:
    """Where the content of an image lies within the square."""
    if how == "stretch":
        return (0, 0, size, size)
    scale = size / max(width, height)
    inner_w, inner_h = max(1, round(width * scale)), max(1, round(height * scale))
    x0, y0 = (size - inner_w) // 2, (size - inner_h) // 2
    return (x0, y0, x0 + inner_w, y0 + inner_h)


def scale_image(image: np.ndarray, width: int, height: int) -> np.ndarray:
    """(H, W, 3) uint8 to (height, width, 3): by area when shrinking, bicubic when enlarging."""
    # One side may shrink while the other grows. OpenCV's area mode averages only where both shrink, so the
    # shrinking comes first, on its own.
    shrunk = (min(width, image.shape[1]), min(height, image.shape[0]))
    image = cv2.resize(image, shrunk, interpolation=cv2.INTER_AREA)
    if image.shape[:2] != (height, width):
        image = cv2.resize(image, (width, height), interpolation=cv2.INTER_CUBIC)
    return image


def scale_mask(mask: np.ndarray, width: int, height: int) -> np.ndarray:
    """(H, W) uint8 to (height, width), by the nearest pixel."""
    return cv2.resize(mask, (width, height), interpolation=cv2.INTER_NEAREST_EXACT)


def resize_image(image: np.ndarray, size: int, box: Box) -> np.ndarray:
    """(H, W, 3) uint8 to (size, size, 3) by :func:`scale_image`, grey around the box."""
    x0, y0, x1, y1 = box
    inner = scale_image(image, x1 - x0, y1 - y0)
    if box == (0, 0, size, size):
        return inner
    out = np.full((size, size, 3), _PADDING, dtype=np.uint8)
    out[y0:y1, x0:x1] = inner
    return out


def resize_mask(mask: np.ndarray, size: int, box: Box) -> np.ndarray:
    """(H, W) uint8 to (size, size) by :func:`scale_mask`; padding is 255."""
    x0, y0, x1, y1 = box
    inner = scale_mask(mask, x1 - x0, y1 - y0)
    if box == (0, 0, size, size):
        return inner
    out = np.full((size, size), IGNORE_INDEX, dtype=np.uint8)
    out[y0:y1, x0:x1] = inner
    return out

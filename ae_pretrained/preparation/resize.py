"""Bringing image and mask to the square that the models see."""

from __future__ import annotations

from typing import Literal

import cv2
import numpy as np

from ae_pretrained.constants import IGNORE_INDEX

Box = tuple[int, int, int, int]  # x0, y0, x1, y1 of the content within the square
_PADDING = 127  # mid-grey


def content_box(width: int, height: int, size: int, how: Literal["stretch", "pad"]) -> Box:
    """Where the content of an image lies within the square."""
    if how == "stretch":
        return (0, 0, size, size)
    scale = size / max(width, height)
    inner_w, inner_h = max(1, round(width * scale)), max(1, round(height * scale))
    x0, y0 = (size - inner_w) // 2, (size - inner_h) // 2
    return (x0, y0, x0 + inner_w, y0 + inner_h)


def resize_image(image: np.ndarray, size: int, box: Box) -> np.ndarray:
    """(H, W, 3) uint8 to (size, size, 3): by area when shrinking, bicubic when enlarging, grey around it."""
    x0, y0, x1, y1 = box
    height, width = image.shape[:2]
    inner_w, inner_h = x1 - x0, y1 - y0
    # One side may shrink while the other grows. OpenCV's area mode averages only where both shrink, so the
    # shrinking comes first, on its own.
    inner = cv2.resize(image, (min(inner_w, width), min(inner_h, height)), interpolation=cv2.INTER_AREA)
    if inner.shape[:2] != (inner_h, inner_w):
        inner = cv2.resize(inner, (inner_w, inner_h), interpolation=cv2.INTER_CUBIC)
    if box == (0, 0, size, size):
        return inner
    out = np.full((size, size, 3), _PADDING, dtype=np.uint8)
    out[y0:y1, x0:x1] = inner
    return out


def resize_mask(mask: np.ndarray, size: int, box: Box) -> np.ndarray:
    """(H, W) uint8 to (size, size), by the nearest pixel; padding is 255."""
    x0, y0, x1, y1 = box
    inner = cv2.resize(mask, (x1 - x0, y1 - y0), interpolation=cv2.INTER_NEAREST_EXACT)
    if box == (0, 0, size, size):
        return inner
    out = np.full((size, size), IGNORE_INDEX, dtype=np.uint8)
    out[y0:y1, x0:x1] = inner
    return out

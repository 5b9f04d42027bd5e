"""What a decoded image file says about itself, by which a data set that came out wrong is told."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np

FULL_RANGE = 65535  # largest value of 16 bits
_SAMPLED = 200_000  # px of an image at which its levels are counted
_PLENTY = 64  # levels, and width of their range, from which on the other channels need no look


@dataclass(frozen=True, slots=True)
class DecodeOptions:
    """How pixels are made of a file.

    Attributes:
        white: the value of 16-bit images that becomes 255, as do larger ones.
        alpha: ``matte`` lays transparent pixels on mid-grey, ``drop`` takes the colours as they are.
        upright: whether images are turned as their EXIF says.
    """

    white: int = FULL_RANGE
    alpha: Literal["matte", "drop"] = "matte"
    upright: bool = True


@dataclass(frozen=True, slots=True)
class ImageFacts:
    """What became known of an image while it was decoded.

    Attributes:
        largest: the largest value, of an image of 16 bits; 0 of others. Lone pixels do not count, see
            :func:`largest_value`. Of several channels its upper eight bits are known, and the lower ones taken for
            ones.
        alpha_levels: different values of the fourth band, where many pixels are partly transparent; 0 otherwise.
        transparent: whether every pixel is fully transparent.
        orientation: 1 to 8, as EXIF has it; 1 is upright.
        pages: pages or frames of the file, of which the first one was read.
        levels: different values in the channel that has most of them.
        spread: width of the range in which 98 % of the pixels lie, in the channel where it is widest.
    """

    largest: int = 0
    alpha_levels: int = 0
    transparent: bool = False
    orientation: int = 1
    pages: int = 1
    levels: int = 0
    spread: int = 0


def count_levels(pixels: np.ndarray) -> tuple[int, int]:
    """``levels`` and ``spread`` of :class:`ImageFacts`, of (H, W, 3) uint8; at most 200,000 pixels are looked at."""
    step = max(1, round((pixels.shape[0] * pixels.shape[1] / _SAMPLED) ** 0.5))
    sample = np.ascontiguousarray(pixels[::step, ::step])
    levels = spread = 0
    for channel in (1, 0, 2):
        counts = cv2.calcHist([sample], [channel], None, [256], [0, 256]).ravel()
        below = np.cumsum(counts)
        low, high = np.searchsorted(below, [0.01 * below[-1], 0.99 * below[-1]])
        levels, spread = max(levels, int(np.count_nonzero(counts))), max(spread, int(high - low))
        if levels >= _PLENTY and spread >= _PLENTY:
            break
    return levels, spread


def largest_value(values: np.ndarray) -> int:
    """The largest value (H, W, …) uint8 or uint16 that is no lone pixel's: the largest 3 x 3 median of a channel.

    A hot pixel of a camera may have any value, wherever it is. A percentile would not do: it takes small bright
    structures (spots of a stain, stars) for noise, and depends on how much of the image they cover.
    """
    return int(cv2.medianBlur(np.ascontiguousarray(values), 3).max())


def bit_depth_white(largest: int) -> int:
    """The white point of data whose values reach ``largest``: the full scale of its bit depth, from 8 to 16 bits.

    That is what the detector counts up to (1023, 4095, 16383), so no value of it is cut off, at least half of the
    grey levels are used, and one more image hardly ever changes the scale of all others.
    """
    return int(2 ** max(8, largest.bit_length()) - 1)


def turn_back(pixels: np.ndarray, orientation: int) -> np.ndarray:
    """Pixels (H, W, …) as they are stored, from upright ones: undoes :func:`turn`."""
    return turn(pixels, {6: 8, 8: 6}.get(orientation, orientation))


def turn(pixels: np.ndarray, orientation: int) -> np.ndarray:
    """Turn pixels (H, W, …) upright that are stored as an EXIF orientation (1 to 8) says; contiguous."""
    if orientation in (5, 6, 7, 8):
        pixels = pixels.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    return np.ascontiguousarray(pixels)

"""Masks as images: a palette PNG that programs read as class ids, and the image with its classes tinted."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from ae_pretrained.constants import IGNORE_INDEX
from ae_pretrained.figures.style import IGNORE_COLOR, class_rgb, hex_to_rgb
from ae_pretrained.files import replacing
from ae_pretrained.prediction.png_stream import write_png

_OPACITY = 0.45
_STRIP_PIXELS = 2**20


def mask_png(mask: np.ndarray, num_classes: int) -> bytes:
    """A mask as an 8-bit palette PNG: its values are the class ids, its palette is the colours of the classes.

    Args:
        mask: (H, W) uint8 class ids; 255, ignored, is dark grey.
        num_classes: classes with the background.
    """
    palette = np.zeros((256, 3), dtype=np.uint8)
    palette[:num_classes] = class_rgb(num_classes)
    palette[IGNORE_INDEX] = hex_to_rgb([IGNORE_COLOR])[0]
    image = Image.fromarray(mask, mode="L")
    image.putpalette(palette.tobytes())
    stream = io.BytesIO()
    image.save(stream, format="PNG", compress_level=6)
    return stream.getvalue()


def tint_image(image: np.ndarray, mask: np.ndarray, num_classes: int) -> np.ndarray:
    """Tint the foreground in the colours of its classes and draw its outline; the background is not changed.

    Args:
        image: (H, W, 3) uint8 RGB.
        mask: (H, W) uint8 class ids; 0 and 255 are left alone.
        num_classes: classes with the background.

    Returns:
        (H, W, 3) uint8 RGB, a new array.
    """
    return np.concatenate(list(_tinted_strips(image, mask, num_classes)))


def write_overlay(path: Path, image: np.ndarray, mask: np.ndarray, num_classes: int) -> None:
    """Write :func:`tint_image` as PNG, whole or not at all, without ever holding it whole.

    Raises:
        OSError: when it cannot be written.
    """
    height, width = mask.shape
    with replacing(path) as temporary, temporary.open("wb") as file:
        write_png(file, height, width, _tinted_strips(image, mask, num_classes))


def _tinted_strips(image: np.ndarray, mask: np.ndarray, num_classes: int) -> Iterator[np.ndarray]:
    """The overlay from top to bottom, in strips of about a megapixel."""
    colors = np.zeros((256, 3), dtype=np.uint8)
    colors[:num_classes] = class_rgb(num_classes)
    shown = np.zeros(256, dtype=bool)
    shown[1:num_classes] = True
    height, width = mask.shape
    reach = max(1, round(min(height, width) / 400))
    kernel = np.ones((2 * reach + 1, 2 * reach + 1), np.uint8)
    rows = max(1, _STRIP_PIXELS // width)
    for start in range(0, height, rows):
        part = slice(start, start + rows)
        above = max(0, start - reach)
        # A pixel is on the outline where its neighbourhood holds another class.
        near = cv2.morphologyEx(mask[above : start + rows + reach], cv2.MORPH_GRADIENT, kernel)
        outline = near[start - above :][:rows] > 0
        tint = colors[mask[part]]
        foreground = shown[mask[part]]
        strip = image[part].copy()
        np.copyto(strip, cv2.addWeighted(strip, 1 - _OPACITY, tint, _OPACITY, 0), where=foreground[..., None])
        np.copyto(strip, tint, where=(foreground & outline)[..., None])
        yield strip

"""Masks as images: a palette PNG that programs read as class ids, and the image with its classes tinted."""

from __future__ import annotations

import io

import cv2
import numpy as np
from PIL import Image

from ae_pretrained.constants import IGNORE_INDEX
from ae_pretrained.figures.style import IGNORE_COLOR, class_rgb, hex_to_rgb

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
    colors = np.zeros((256, 3), dtype=np.uint8)
    colors[:num_classes] = class_rgb(num_classes)
    shown = np.zeros(256, dtype=bool)
    shown[1:num_classes] = True
    height, width = mask.shape
    thickness = 2 * max(1, round(min(height, width) / 400)) + 1
    # A pixel is on the outline where its neighbourhood holds another class.
    outline = cv2.morphologyEx(mask, cv2.MORPH_GRADIENT, np.ones((thickness, thickness), np.uint8)) > 0
    out = image.copy()
    rows = max(1, _STRIP_PIXELS // width)
    for start in range(0, height, rows):  # in strips: only the result is as large as the image
        part = slice(start, start + rows)
        tint = colors[mask[part]]
        blended = cv2.addWeighted(image[part], 1 - _OPACITY, tint, _OPACITY, 0)
        foreground = shown[mask[part]]
        np.copyto(out[part], blended, where=foreground[..., None])
        np.copyto(out[part], tint, where=(foreground & outline[part])[..., None])
    return out


def image_png(image: np.ndarray) -> bytes:
    """(H, W, 3) uint8 RGB as PNG."""
    # OpenCV writes a large PNG several times faster than Pillow, of about the same size.
    done, content = cv2.imencode(".png", cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
    if not done:
        raise ValueError(f"OpenCV cannot write a PNG of shape {image.shape}")
    return content.tobytes()

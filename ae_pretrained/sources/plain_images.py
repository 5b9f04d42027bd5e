"""Very large images of a plain kind, decoded without a copy: 8 bits, RGB or grey, no alpha.

Pillow holds 4 bytes a pixel of an RGB image, and hands them over by way of two more copies; OpenCV decodes into the
array itself, with the same pixels. Smaller images and other kinds stay with Pillow, which knows more of them.
"""

from __future__ import annotations

import io
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

import cv2
import numpy as np
from PIL import ExifTags, Image

LARGE = 50_000_000  # px, from which on the copies matter
LARGEST = 2**30  # px; OpenCV decodes no more
_PNG_TEXTS = (b"tEXt", b"zTXt", b"iTXt")
_PROFILE = b"Raw profile type exif"
_limit_lock = threading.Lock()


def is_plain(image: Image.Image, content: bytes) -> bool:
    """Whether :func:`decode_plain` gives the pixels that Pillow would give.

    Args:
        image: with its header read, and no pixel yet.
        content: the bytes of the file.
    """
    if image.mode not in ("RGB", "L") or "transparency" in image.info or getattr(image, "n_frames", 1) > 1:
        return False
    if image.format == "PNG":
        return content[24] == 8 and not png_may_turn(io.BytesIO(content))
    return image.format == "TIFF" and image.getexif().get(ExifTags.Base.Orientation, 1) == 1


def png_may_turn(file: BinaryIO) -> bool:
    """Whether a PNG has EXIF, at any place; Pillow would decode all of it to find out."""
    file.seek(8)
    while len(head := file.read(8)) == 8:
        kind, length = head[4:], int.from_bytes(head[:4], "big")
        begin = file.read(min(length, len(_PROFILE))) if kind in _PNG_TEXTS else b""
        if kind == b"eXIf" or begin == _PROFILE:
            return True
        file.seek(length - len(begin) + 4, os.SEEK_CUR)  # and its checksum
    return False


def decode_plain(content: bytes) -> np.ndarray:
    """(H, W, 3) uint8 RGB.

    Raises:
        ValueError: for a damaged file.
    """
    how = cv2.IMREAD_COLOR_RGB | cv2.IMREAD_IGNORE_ORIENTATION
    image = cv2.imdecode(np.frombuffer(content, dtype=np.uint8), how)
    if image is None:
        raise ValueError("damaged or truncated")
    return np.asarray(image)


@contextmanager
def any_size() -> Iterator[None]:
    """Have Pillow open an image of any size; who calls this looks at the size itself."""
    with _limit_lock:
        before, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
        try:
            yield
        finally:
            Image.MAX_IMAGE_PIXELS = before

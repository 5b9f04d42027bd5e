"""From a mask file to the numbers in it, as stored: what a decoder makes of them for the eye is undone."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import Image

from ae_pretrained.sources.base import DataError
from ae_pretrained.sources.image_facts import turn_back
from ae_pretrained.sources.image_reader import exif_orientation, opened_file
from ae_pretrained.sources.jpeg_end import end_of_jpeg

_BITS_PER_SAMPLE, _PHOTOMETRIC = 258, 262  # TIFF tags
_WHITE_IS_ZERO = 0
_PNG_BITS = 24  # where the bit depth stands in a PNG
WHITE_ON_BLACK = (0, 65535)  # in 16 bits
_SHOWN = {"1": "1 bit", "L": "grey", "P": "palette", "LA": "grey with alpha", "I": "32 bits", "F": "float"}


@dataclass(frozen=True)
class MaskFile:
    """What a mask file holds.

    Attributes:
        pixels: (H, W) numbers of any type, of grey values stored three times too; (H, W, 3) uint8 for colours.
        kind: format and mode, in words.
        lossy: whether the format changes values (JPEG, JPEG 2000, AVIF, HEIC, lossy WebP).
        palette: (n, 3) uint8 colour of each value, or None.
    """

    pixels: np.ndarray
    kind: str
    lossy: bool
    palette: np.ndarray | None


def open_mask(path: Path) -> MaskFile:
    """Decode a mask: one channel of 1 to 32 bits, a palette, colours, or grey stored as colours.

    Pixels are as stored, whatever EXIF says: how masks lie on turned images, ``data.exif`` says. Transparency is
    allowed where it can hide nothing.

    Raises:
        DataError: naming the file, when it cannot be read, has several pages, transparent pixels that hold values,
            or a colour space that no mask has.
    """
    with opened_file(path) as (image, content):
        pages = getattr(image, "n_frames", 1)
        if pages > 1:
            raise DataError(
                f"{path}: holds {pages} pages; expected a mask of one page. Save each page as a file"
            )
        mode, form = image.mode, "JPEG" if image.format == "MPO" else str(image.format)
        kind = f"{form} ({'16 bits' if mode.startswith('I;16') else _SHOWN.get(mode, mode)})"
        if form in ("JPEG", "JPEG2000", "AVIF", "HEIF") or (form == "WEBP" and b"VP8 " in content[12:64]):
            if form == "JPEG" and end_of_jpeg(content) is None:
                raise ValueError("truncated: no end mark after the last scan")
            return MaskFile(np.asarray(image.convert("L")), kind, True, None)
        orientation = exif_orientation(image)
        image.load()
        palette = None
        if mode in ("P", "PA"):
            palette = np.array(image.getpalette("RGB"), dtype=np.uint8).reshape(-1, 3)
        pixels = _pixels(path, image, content)
        if exif_orientation(image) != orientation:  # a TIFF is turned when it is decoded
            pixels = turn_back(pixels, orientation)
        return MaskFile(pixels, kind, False, palette)


def _pixels(path: Path, image: Image.Image, content: bytes) -> np.ndarray:
    mode = image.mode
    bits = _bits(image, content)
    if bits == 16 and mode in ("RGB", "RGBA", "LA"):  # Pillow keeps the upper half alone
        stored = cv2.imdecode(
            np.frombuffer(content, np.uint8), cv2.IMREAD_UNCHANGED | cv2.IMREAD_IGNORE_ORIENTATION
        )
        if stored is None or stored.ndim != 3:
            raise ValueError("16 bits in several channels, which cannot be read")
        return _one_channel(path, stored[..., [2, 1, 0, *range(3, stored.shape[2])]])
    values = np.asarray(image)
    if mode in ("1", "P", "I", "F") or mode.startswith("I;16"):
        return values.astype(np.uint8) if mode == "1" else values
    if mode == "L":
        if image.format == "TIFF" and _tag(image, _PHOTOMETRIC) == _WHITE_IS_ZERO:
            values = 255 - values
        # Pillow stretches the grey values of 2 and 4 bits to 0 … 255; class numbers are what is stored.
        return values // (255 // (2**bits - 1)) if bits < 8 else values
    if mode in ("LA", "PA", "RGB", "RGBA"):
        return _one_channel(path, values)
    raise DataError(
        f"{path}: a mask in the colour space {mode}; expected one channel with class numbers, or RGB"
    )


def _bits(image: Image.Image, content: bytes) -> int:
    if image.format == "PNG":
        return content[_PNG_BITS]
    found = _tag(image, _BITS_PER_SAMPLE) if image.format == "TIFF" else 8
    return int(found[0] if isinstance(found, tuple) else found or 8)


def _tag(image: Image.Image, number: int) -> Any:
    return image.tag_v2.get(number)  # type: ignore[attr-defined]


def _one_channel(path: Path, values: np.ndarray) -> np.ndarray:
    """Several channels (H, W, C), the last of 2 or 4 being alpha, as numbers where all colours are grey."""
    if values.shape[2] in (2, 4):
        clear = values[..., -1] < np.iinfo(values.dtype).max
        if values[clear][:, :-1].any():
            raise DataError(
                f"{path}: {np.count_nonzero(clear)} of {clear.size} pixels are transparent and hold a value all the "
                "same; save the mask without transparency"
            )
        values = values[..., :-1]
    if (values == values[..., :1]).all():
        return np.ascontiguousarray(values[..., 0])
    if values.dtype != np.uint8:
        raise DataError(f"{path}: a mask in colour with 16 bits a channel; save it with 8")
    return values


def read_mask(path: Path) -> np.ndarray:
    """Decode a mask of class numbers.

    Returns:
        (H, W) uint8.

    Raises:
        DataError: naming the file, also for a mask in colour, and for numbers that are not whole or above 255.
    """
    return small_numbers(open_mask(path), path)


def small_numbers(file: MaskFile, path: Path) -> np.ndarray:
    """The numbers (H, W) uint8 of a mask; 0 and 65535 are 0 and 255, white in 16 bits.

    Raises:
        DataError: as :func:`read_mask`.
    """
    values = file.pixels
    if values.ndim == 3:
        raise DataError(
            f"{path}: the mask is in colour; expected one channel with class numbers. Say which colour is which "
            "class with data.colors"
        )
    if values.dtype == np.uint8:
        return values
    found = np.unique(values)
    if found[-1] == WHITE_ON_BLACK[1] and np.isin(found, WHITE_ON_BLACK).all():
        return np.where(values == 0, 0, 255).astype(np.uint8)
    if not np.isfinite(found).all() or (found != np.floor(found)).any() or found[0] < 0:
        shown = ", ".join(f"{value:g}" for value in found[:6].tolist())
        raise DataError(
            f"{path}: {file.kind} with the values {shown}{', …' if len(found) > 6 else ''}; expected whole class "
            "numbers from 0 to 255. Save class numbers as PNG with 8 bits"
        )
    if found[-1] > 255:
        raise DataError(
            f"{path}: {file.kind} with {len(found)} values up to {int(found[-1])}; class numbers end at 255. Are "
            "they numbers of instances? `init --binary` (data.masks.threshold=1) reads them as one class"
        )
    return values.astype(np.uint8)

"""From an image file to pixels, by what the file holds, not by what it is called."""

from __future__ import annotations

import io
import warnings
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageOps

from ae_pretrained.sources.base import DataError
from ae_pretrained.sources.image_files import sniff_format
from ae_pretrained.sources.jpeg_end import end_of_jpeg

MAX_PIXELS = 178_000_000  # beyond that a file is taken for a decompression bomb; Pillow opens hardly more
# No others: Pillow also opens formats that run programs (EPS) or mean something else (fonts, videos).
IMAGE_FORMATS = ("JPEG", "PNG", "GIF", "BMP", "WEBP", "TIFF")
_MATTE = (127, 127, 127)  # what stands behind transparent pixels: their own hidden colours mean nothing


def read_image(path: Path) -> np.ndarray:
    """Decode a JPEG, PNG, GIF, BMP, WebP or TIFF, turned upright as its EXIF says (HEIC with pillow-heif).

    Transparent pixels are laid on mid-grey, 16-bit images are scaled to 8 bits (full scale to full scale), of an
    animation the first frame counts.

    Returns:
        (H, W, 3) uint8 RGB.

    Raises:
        DataError: naming the file, when it is absent, empty, truncated, no image, of a kind whose range of values
            is not known (32-bit integers, floats), or larger than 178 megapixels.
    """
    return decode_image(_content(path), path)


def decode_image(content: bytes, name: Path | str) -> np.ndarray:
    """Decode the bytes of an image file; ``name`` is what errors call it. Otherwise as :func:`read_image`."""
    try:
        with _opened(name, content) as image:
            if image.format in ("JPEG", "MPO"):
                end = end_of_jpeg(content)
                if end is None:  # decoders fill what is missing with grey
                    raise ValueError("truncated: no end mark after the last scan")
                if image.mode in ("RGB", "L"):
                    return _decode_jpeg(content[:end])
            image.load()
            return np.asarray(_to_rgb(ImageOps.exif_transpose(image)))
    except DataError:
        raise
    except Exception as error:  # a damaged file can make a decoder raise anything
        raise _unreadable(name, content, error) from None


def read_mask(path: Path) -> np.ndarray:
    """Decode a mask as stored: grey values of 1 to 8 bits, or palette positions. EXIF is not looked at.

    Returns:
        (H, W) uint8.

    Raises:
        DataError: naming the file, also for a mask with several channels or more than 8 bits.
    """
    content = _content(path)
    try:
        with _opened(path, content) as image:
            if image.mode not in ("L", "P", "1"):
                raise DataError(
                    f"{path}: expected a mask with one 8-bit channel (class numbers), found mode {image.mode}"
                )
            image.load()
            values = np.asarray(image).astype(np.uint8)
            # Pillow stretches the grey values of 2 and 4 bits to 0 … 255; class numbers are what is stored.
            bits = content[24] if image.format == "PNG" and image.mode == "L" else 8
            return values // (255 // (2**bits - 1)) if bits < 8 else values
    except DataError:
        raise
    except Exception as error:
        raise _unreadable(path, content, error) from None


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise DataError(f"{path}: no such file") from None
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from None


def _unreadable(name: Path | str, content: bytes, error: Exception) -> DataError:
    # Pillow names the object in memory that it was given, which says nothing.
    said = str(error) if "BytesIO" not in str(error) else f"none of {', '.join(IMAGE_FORMATS)}"
    return DataError(f"{name}: not a readable image ({len(content)} bytes; {said})")


def _opened(name: Path | str, content: bytes) -> Image.Image:
    """Read the header, and no pixel yet."""
    formats = allowed_formats(name, content)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the size is looked at below
        try:
            image = Image.open(io.BytesIO(content), formats=formats)
        except Image.DecompressionBombError as error:
            raise DataError(f"{name}: too large to be decoded safely ({error})") from None
    if image.width * image.height > MAX_PIXELS:
        raise DataError(
            f"{name}: too large to be decoded safely ({image.width} x {image.height} px; at most "
            f"{MAX_PIXELS // 1_000_000} megapixels)"
        )
    return image


def allowed_formats(name: Path | str, content: bytes) -> tuple[str, ...]:
    """What Pillow may open the bytes as: it knows more formats, some of which run programs.

    Raises:
        DataError: naming the file and the way on, when it is HEIC without pillow-heif, or AVIF.
    """
    kind = sniff_format(content[:16])
    if kind == "HEIC":
        try:
            import pillow_heif
        except ImportError:
            raise DataError(
                f"{name}: is a HEIC image, as iPhones write them; `pip install pillow-heif` has them read, or save "
                "it as JPEG"
            ) from None
        pillow_heif.register_heif_opener()
        return (*IMAGE_FORMATS, "HEIF")
    if kind == "AVIF":
        raise DataError(f"{name}: is an AVIF image, which is not read; save it as PNG or JPEG")
    return IMAGE_FORMATS


def _decode_jpeg(content: bytes) -> np.ndarray:
    """Decode a whole RGB or grey JPEG, upright. OpenCV takes half of Pillow's time, with the same pixels."""
    image = cv2.imdecode(np.frombuffer(content, dtype=np.uint8), cv2.IMREAD_COLOR_RGB)
    if image is None:
        raise ValueError("the JPEG decoder found no image")
    return np.asarray(image)


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I;16"):
        values = np.asarray(image).astype(np.uint32)
        return Image.fromarray(((values + 128) // 257).astype(np.uint8)).convert("RGB")
    if image.mode in ("I", "F"):
        raise ValueError("32 bits a pixel, whose range is not known; save it with 8 or 16 bits")
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        layer = image.convert("RGBA")
        matte = Image.new("RGBA", layer.size, (*_MATTE, 255))
        return Image.alpha_composite(matte, layer).convert("RGB")
    return image.convert("RGB")

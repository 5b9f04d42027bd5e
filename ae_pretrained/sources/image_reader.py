"""From an image file to pixels, by what the file holds, not by what it is called."""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
from PIL import ExifTags, Image, features
from PIL.TiffImagePlugin import TiffImageFile

from ae_pretrained.sources.base import DataError
from ae_pretrained.sources.image_facts import (
    FULL_RANGE,
    DecodeOptions,
    ImageFacts,
    count_levels,
    largest_value,
    turn,
    turn_back,
)
from ae_pretrained.sources.image_files import sniff_format
from ae_pretrained.sources.jpeg_end import end_of_jpeg
from ae_pretrained.sources.plain_images import LARGE, LARGEST, any_size, decode_plain, is_plain, png_may_turn

MAX_PIXELS = 178_000_000  # beyond that a file is taken for a decompression bomb; Pillow opens hardly more
# No others: Pillow also opens formats that run programs (EPS) or mean something else (fonts, videos).
IMAGE_FORMATS = ("JPEG", "PNG", "GIF", "BMP", "WEBP", "TIFF", "JPEG2000")
_PAGED = ("TIFF", "GIF", "PNG", "WEBP", "HEIF", "AVIF")  # formats that hold several images of one kind
_IMAGE_WIDTH, _IMAGE_LENGTH, _BITS_PER_SAMPLE = 256, 257, 258  # tags of TIFF
_PARTLY = 0.2  # share of partly transparent pixels above which alpha is no cut-out with soft edges
_DEFAULT = DecodeOptions()
_MATTE = (127, 127, 127)  # what stands behind transparent pixels: their own hidden colours mean nothing


def read_image(path: Path, options: DecodeOptions = _DEFAULT, *, very_large: bool = False) -> np.ndarray:
    """Decode a JPEG, PNG, GIF, BMP, WebP, AVIF, JPEG 2000 or TIFF (HEIC with pillow-heif).

    By default it is turned upright as its EXIF says, transparent pixels are laid on mid-grey, and 16-bit images are
    scaled to 8 bits, full scale to full scale. Of an animation or several pages the first one counts.

    Args:
        path: the file.
        options: how its pixels are made.
        very_large: take JPEG, PNG and TIFF of 8 bits, RGB or grey without alpha, of up to 1073 megapixels.

    Returns:
        (H, W, 3) uint8 RGB.

    Raises:
        DataError: naming the file, when it is absent, empty, truncated, no image, of a kind whose range of values
            is not known (32-bit integers, floats), or larger than 178 megapixels.
    """
    return decode_image(_content(path), path, options, very_large=very_large)


def read_first_page(
    path: Path, options: DecodeOptions = _DEFAULT, *, very_large: bool = False
) -> tuple[np.ndarray, int]:
    """As :func:`read_image`, and how many pages or frames the file has, of which the first one was read."""
    pixels, facts = _decode(_content(path), path, options, very_large)
    return pixels, facts.pages


def read_with_facts(path: Path, options: DecodeOptions = _DEFAULT) -> tuple[np.ndarray, ImageFacts]:
    """As :func:`read_image`, and what became known of the file on the way."""
    pixels, facts = _decode(_content(path), path, options)
    levels, spread = count_levels(pixels)
    return pixels, replace(facts, levels=levels, spread=spread)


def decode_image(
    content: bytes, name: Path | str, options: DecodeOptions = _DEFAULT, *, very_large: bool = False
) -> np.ndarray:
    """Decode the bytes of an image file; ``name`` is what errors call it. Otherwise as :func:`read_image`."""
    return _decode(content, name, options, very_large)[0]


def _decode(
    content: bytes, name: Path | str, options: DecodeOptions, very_large: bool = False
) -> tuple[np.ndarray, ImageFacts]:
    """Pixels and facts, without the levels."""
    try:
        with _opened_very_large(name, content) if very_large else _opened(name, content) as image:
            if image.format in ("JPEG", "MPO"):
                end = end_of_jpeg(content)
                if end is None:  # decoders fill what is missing with grey
                    raise ValueError("truncated: no end mark after the last scan")
                if image.mode in ("RGB", "L"):
                    facts = ImageFacts(orientation=exif_orientation(image))
                    return _decode_jpeg(content[:end], options.upright), facts
            if image.width * image.height > LARGE and is_plain(image, content):
                return decode_plain(content), ImageFacts()
            return _decode_other(content, image, options)
    except DataError:
        raise
    except Exception as error:  # a damaged file can make a decoder raise anything
        raise _unreadable(name, content, error) from None


def read_size(path: Path, upright: bool = True) -> tuple[int, int]:
    """Width and height that a file will be decoded to, px, from its header alone.

    Raises:
        DataError: as :func:`read_image`, as far as a header tells.
    """
    try:
        with path.open("rb") as file:
            formats = allowed_formats(path, file.read(16))
            file.seek(0)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                image = Image.open(file, formats=formats)
            size = (image.width, image.height)
            if isinstance(image, TiffImageFile):  # Pillow gives the size of the turned image
                size = (int(image.tag_v2[_IMAGE_WIDTH]), int(image.tag_v2[_IMAGE_LENGTH]))
            if not upright or (image.format == "PNG" and not png_may_turn(file)):
                return size
            return size[::-1] if exif_orientation(image) in (5, 6, 7, 8) else size
    except DataError:
        raise
    except Exception as error:  # a damaged file can make a decoder raise anything
        raise DataError(f"{path}: not a readable image ({error})") from None


def largest_of_16_bits(path: Path) -> int:
    """The largest value of an image of 16 bits a channel, lone pixels left out; 0 of any other, which is not decoded.

    Raises:
        DataError: as :func:`read_image`.
    """
    content = _content(path)
    try:
        with _opened(path, content) as image:
            if not _has_16_bits(image, content):
                return 0
            values = np.asarray(image) if image.mode.startswith("I;16") else _values_of_16_bits(content)
            return largest_value(values if values.ndim == 2 else values[..., :3])
    except DataError:
        raise
    except Exception as error:
        raise _unreadable(path, content, error) from None


@contextmanager
def opened_file(path: Path) -> Iterator[tuple[Image.Image, bytes]]:
    """An image file with only its header read, and its bytes; what goes wrong within becomes a DataError."""
    content = _content(path)
    try:
        with _opened(path, content) as image:
            yield image, content
    except DataError:
        raise
    except Exception as error:  # a damaged file can make a decoder raise anything
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


def _opened_very_large(name: Path | str, content: bytes) -> Image.Image:
    """As :func:`_opened`, for images whose decoding takes no more memory than their pixels do."""
    formats = allowed_formats(name, content)
    with any_size():
        image = Image.open(io.BytesIO(content), formats=formats)
    pixels = image.width * image.height
    jpeg = image.format in ("JPEG", "MPO") and image.mode in ("RGB", "L")
    if pixels > LARGEST:
        raise DataError(
            f"{name}: too large to be decoded ({image.width} x {image.height} px; at most {LARGEST // 1_000_000} "
            "megapixels); cut it into parts that overlap by some hundred px"
        )
    if pixels > MAX_PIXELS and not jpeg and not is_plain(image, content):
        raise DataError(
            f"{name}: too large to be decoded safely ({image.width} x {image.height} px; at most "
            f"{MAX_PIXELS // 1_000_000} megapixels of {image.format}, {image.mode}); save it as PNG, TIFF or JPEG "
            "of 8 bits, RGB or grey, without alpha, palette or pages, or cut it into parts"
        )
    return image


def allowed_formats(name: Path | str, content: bytes) -> tuple[str, ...]:
    """What Pillow may open the bytes as: it knows more formats, some of which run programs.

    Raises:
        DataError: naming the file and the way on, when it is HEIC without pillow-heif, or AVIF and this
            Pillow has no decoder for it.
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
        if not features.check("avif"):
            raise DataError(
                f"{name}: is an AVIF image, which Pillow has read since its version 11.3, and this one does not; "
                "`pip install --upgrade pillow`, or save it as PNG or JPEG"
            )
        return (*IMAGE_FORMATS, "AVIF")
    return IMAGE_FORMATS


def _decode_jpeg(content: bytes, upright: bool) -> np.ndarray:
    """Decode a whole RGB or grey JPEG. OpenCV takes half of Pillow's time, with the same pixels."""
    how = cv2.IMREAD_COLOR_RGB if upright else cv2.IMREAD_COLOR_RGB | cv2.IMREAD_IGNORE_ORIENTATION
    image = cv2.imdecode(np.frombuffer(content, dtype=np.uint8), how)
    if image is None:
        raise ValueError("the JPEG decoder found no image")
    return np.asarray(image)


def _decode_other(
    content: bytes, image: Image.Image, options: DecodeOptions
) -> tuple[np.ndarray, ImageFacts]:
    """Any image by Pillow; 16-bit channels that are not scaled by their full range by OpenCV, with all their bits."""
    pages = getattr(image, "n_frames", 1) if image.format in _PAGED else 1
    orientation = exif_orientation(image)
    image.load()
    left = exif_orientation(image)  # Pillow turns a TIFF when it loads it, and so does OpenCV
    largest, scaled = 0, image
    if image.mode.startswith("I;16"):
        values = np.asarray(image)
        largest, scaled = largest_value(values), Image.fromarray(_to_8_bits(values, options.white))
    elif _has_16_bits(image, content):
        if options.white == FULL_RANGE:
            upper = np.asarray(image).reshape(image.height, image.width, -1)
            largest = largest_value(upper[..., : 1 if image.mode == "LA" else 3]) * 256 + 255
        else:
            values = _values_of_16_bits(content)
            largest, scaled = (
                largest_value(values[..., :3]),
                Image.fromarray(_to_8_bits(values, options.white)),
            )
    rgb, alpha = _to_rgb(scaled, options.alpha)
    facts = ImageFacts(largest, *_alpha_facts(alpha), orientation=orientation, pages=pages)
    if options.upright:
        return turn(np.asarray(rgb), left), facts
    return turn_back(np.asarray(rgb), orientation if left != orientation else 1), facts


def exif_orientation(image: Image.Image) -> int:
    """EXIF orientation, 1 where there is none or it is none of the eight."""
    if image.format == "JPEG" and not {"exif", "xmp"} & image.info.keys():
        return 1
    found = image.getexif().get(ExifTags.Base.Orientation, 1)
    return found if found in range(1, 9) else 1


def _has_16_bits(image: Image.Image, content: bytes) -> bool:
    """Whether a channel has 16 bits, which Pillow's mode says for grey images alone."""
    if image.format == "PNG":
        return content[24] == 16
    bits = image.tag_v2.get(_BITS_PER_SAMPLE, ()) if isinstance(image, TiffImageFile) else ()
    return image.mode.startswith("I;16") or (16 in bits and image.mode not in ("I", "F"))


def _values_of_16_bits(content: bytes) -> np.ndarray:
    """(H, W, 3 or 4) uint16 in the order RGB(A); a TIFF turned upright, others as stored."""
    how = cv2.IMREAD_UNCHANGED | cv2.IMREAD_IGNORE_ORIENTATION
    values = cv2.imdecode(np.frombuffer(content, dtype=np.uint8), how)
    if values is None or values.dtype != np.uint16 or (values.ndim == 3 and values.shape[2] not in (3, 4)):
        raise ValueError("16 bits a channel, of a kind that cannot be scaled; save it as PNG")
    if values.ndim == 2:
        return np.repeat(values[..., None], 3, axis=2)
    return np.asarray(
        cv2.cvtColor(values, cv2.COLOR_BGR2RGB if values.shape[2] == 3 else cv2.COLOR_BGRA2RGBA)
    )


def _to_8_bits(values: np.ndarray, white: int) -> np.ndarray:
    """16-bit values to 0 … 255, rounded; of four channels the last is alpha, whose full scale is always 65535."""
    if white == FULL_RANGE:
        return ((values.astype(np.uint32) + 128) // 257).astype(np.uint8)
    scaled = np.minimum((values.astype(np.uint32) * 255 + white // 2) // white, 255).astype(np.uint8)
    if values.ndim == 3 and values.shape[2] == 4:
        scaled[..., 3] = _to_8_bits(values[..., 3], FULL_RANGE)
    return scaled


def _to_rgb(image: Image.Image, alpha: Literal["matte", "drop"]) -> tuple[Image.Image, Image.Image | None]:
    """The image in RGB, and its alpha channel where it has one."""
    if image.mode in ("I", "F"):
        raise ValueError("32 bits a pixel, whose range is not known; save it with 8 or 16 bits")
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        layer = image.convert("RGBA")
        if alpha == "drop":
            return layer.convert("RGB"), layer.getchannel("A")
        matte = Image.new("RGBA", layer.size, (*_MATTE, 255))
        return Image.alpha_composite(matte, layer).convert("RGB"), layer.getchannel("A")
    return image.convert("RGB"), None


def _alpha_facts(alpha: Image.Image | None) -> tuple[int, bool]:
    """``alpha_levels`` and ``transparent``."""
    if alpha is None:
        return 0, False
    counts = np.array(alpha.histogram())
    partly, total = counts[1:255].sum(), counts.sum()
    return int(np.count_nonzero(counts)) if partly > _PARTLY * total else 0, bool(counts[0] == total)

"""Pictures inside the page: re-encoded as WebP, as data URIs."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from ae_pretrained.errors import PipelineError

_LOSSLESS_UP_TO = 90_000  # bytes: charts are sharper and no larger without loss


@dataclass(frozen=True)
class Encoding:
    """How hard pictures are compressed: largest width in pixels and WebP quality."""

    width: int
    quality: int


ENCODINGS = (Encoding(1400, 86), Encoding(1200, 78), Encoding(1000, 70), Encoding(800, 60))
"""Tried in turn until the page is small enough."""


@dataclass(frozen=True)
class Embedded:
    """A picture as it goes into the page."""

    uri: str
    width: int
    height: int
    caption: str


def embed(content: bytes | Path, caption: str, encoding: Encoding) -> Embedded:
    """Re-encode a picture; the same picture gives the same text.

    Args:
        content: the bytes of a PNG, or where it lies.

    Raises:
        PipelineError: when the file is no picture.
    """
    try:
        with Image.open(io.BytesIO(content) if isinstance(content, bytes) else content) as opened:
            picture = opened.convert("RGB")
    except OSError as error:
        raise PipelineError(f"{content!r}: not a readable picture ({error}); run `dvc repro` again") from None
    if picture.width > encoding.width:
        height = round(picture.height * encoding.width / picture.width)
        picture = picture.resize((encoding.width, height), Image.Resampling.LANCZOS)
    data = _webp(picture, lossless=True, quality=60)
    if len(data) > _LOSSLESS_UP_TO:
        data = _webp(picture, lossless=False, quality=encoding.quality)
    text = base64.b64encode(data).decode("ascii")
    return Embedded(f"data:image/webp;base64,{text}", picture.width, picture.height, caption)


def _webp(picture: Image.Image, *, lossless: bool, quality: int) -> bytes:
    stream = io.BytesIO()
    picture.save(stream, "WEBP", lossless=lossless, quality=quality, method=4)
    return stream.getvalue()

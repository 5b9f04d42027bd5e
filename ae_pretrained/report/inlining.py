"""Images inside the page: re-encoded as WebP, as data URIs."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from ae_pretrained.errors import PipelineError

_COLORS_OF_A_CHART = 4096  # at most; photographs have far more. Charts are sharper and smaller without loss


@dataclass(frozen=True)
class Encoding:
    """How hard images are compressed: largest width in pixels and WebP quality."""

    width: int
    quality: int


ENCODINGS = (Encoding(1400, 86), Encoding(1200, 78), Encoding(1000, 70), Encoding(800, 60))
"""Tried in turn until the page is small enough."""


@dataclass(frozen=True)
class Embedded:
    """An image as it goes into the page."""

    uri: str
    width: int
    height: int
    caption: str


def embed(content: bytes | Path, caption: str, encoding: Encoding) -> Embedded:
    """Re-encode an image; the same image gives the same text.

    Args:
        content: the bytes of a PNG, or where it lies.

    Raises:
        PipelineError: when the file is no image.
    """
    try:
        with Image.open(
            io.BytesIO(content) if isinstance(content, bytes) else content, formats=("PNG",)
        ) as opened:
            image = opened.convert("RGB")
    except OSError as error:
        name = content if isinstance(content, Path) else caption
        raise PipelineError(f"{name}: not a readable image ({error}); run `dvc repro` again") from None
    if image.width > encoding.width:
        height = round(image.height * encoding.width / image.width)
        image = image.resize((encoding.width, height), Image.Resampling.LANCZOS)
    chart = image.getcolors(_COLORS_OF_A_CHART) is not None
    stream = io.BytesIO()
    # For a lossless WebP `quality` is the effort: 20 takes a quarter of the time for a tenth more bytes.
    image.save(stream, "WEBP", lossless=chart, quality=20 if chart else encoding.quality, method=2)
    text = base64.b64encode(stream.getvalue()).decode("ascii")
    return Embedded(f"data:image/webp;base64,{text}", image.width, image.height, caption)

"""From a picture file to pixels, by what the file holds, not by what it is called."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from ae_pretrained.data.records import DataError

Image.MAX_IMAGE_PIXELS = 200_000_000  # beyond that a file is taken for a decompression bomb
_MATTE = (127, 127, 127)  # what stands behind transparent pixels: their own hidden colours mean nothing


def read_picture(path: Path) -> np.ndarray:
    """Decode a picture of any format that Pillow knows, turned upright as its EXIF says.

    Transparent pixels are laid on mid-grey, 16-bit pictures are scaled to 8 bits, of an animation the first
    frame counts.

    Returns:
        (H, W, 3) uint8 RGB.

    Raises:
        DataError: naming the file, when it is absent, empty, truncated, no picture, or larger than 200
            megapixels.
    """
    with _opened(path) as image:
        upright = ImageOps.exif_transpose(image)
        return np.asarray(_to_rgb(upright))


def read_mask(path: Path) -> np.ndarray:
    """Decode a mask as stored: grey values, or palette positions.

    Returns:
        (H, W) uint8.

    Raises:
        DataError: naming the file, also for a mask with several channels.
    """
    with _opened(path) as image:
        if image.mode not in ("L", "P", "1"):
            raise DataError(f"{path}: expected a mask with one 8-bit channel, found mode {image.mode}")
        values = np.asarray(image)
        return values.astype(np.uint8)


def _opened(path: Path) -> Image.Image:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            image = Image.open(path)
            image.load()
    except FileNotFoundError:
        raise DataError(f"{path}: no such file") from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise DataError(f"{path}: too large to be decoded safely ({error})") from None
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError) as error:
        size = path.stat().st_size if path.exists() else 0
        raise DataError(f"{path}: not a readable picture ({size} bytes; {error})") from None
    return image


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I;16") or image.mode in ("I", "F"):
        values = np.asarray(image).astype(np.float64)
        # Integers of more than 8 bits fill 16; floats are taken as they come.
        top = 65535.0 if image.mode != "F" else max(1.0, float(values.max()))
        return Image.fromarray(np.clip(values / top * 255.0, 0, 255).astype(np.uint8)).convert("RGB")
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        layer = image.convert("RGBA")
        matte = Image.new("RGBA", layer.size, (*_MATTE, 255))
        return Image.alpha_composite(matte, layer).convert("RGB")
    return image.convert("RGB")

"""Images to predict: finding them and decoding them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ae_pretrained.sources.base import DataError
from ae_pretrained.sources.image_files import IMAGE_ENDINGS
from ae_pretrained.sources.image_reader import decode_image, read_image


def read_input_image(source: Path | bytes, name: str) -> np.ndarray:
    """Decode an image and turn it upright as its EXIF says, as ``image_reader.read_image`` does.

    Args:
        source: a file, or the bytes of one.
        name: what errors call it, where ``source`` is bytes.

    Returns:
        (H, W, 3) uint8 RGB.

    Raises:
        DataError: naming the image, when it is absent, damaged, no image, or larger than 200 megapixels.
    """
    return decode_image(source, name) if isinstance(source, bytes) else read_image(source)


def find_images(sources: Sequence[Path], leave_out: Path | None = None) -> list[Path]:
    """The images that files and folders name.

    A file counts whatever its ending. In a folder and its sub-folders, files with the ending of an image count, in
    order of name; hidden files do not. An image that is named twice counts once.

    Args:
        sources: files and folders.
        leave_out: a sub-folder to skip, such as the one with earlier results.

    Raises:
        DataError: for a source that is absent, and a folder without an image.
    """
    images: dict[Path, Path] = {}
    for source in sources:
        if source.is_dir():
            found = _in_folder(source, leave_out.resolve() if leave_out else None)
        elif source.is_file():
            found = [source]
        else:
            raise DataError(f"{source}: no such file or folder")
        for path in found:
            images.setdefault(path.resolve(), path)
    return list(images.values())


def _in_folder(folder: Path, leave_out: Path | None) -> list[Path]:
    found, others = [], 0

    def stop(error: OSError) -> None:
        raise DataError(f"{error.filename}: cannot be read ({error.strerror})") from None

    for place, folders, files in os.walk(folder, onerror=stop):
        folders[:] = sorted(
            name
            for name in folders
            if not name.startswith(".") and (Path(place) / name).resolve() != leave_out
        )
        for name in sorted(files):
            if name.startswith("."):
                continue
            path = Path(place) / name
            if path.suffix.lower() in IMAGE_ENDINGS:
                found.append(path)
            else:
                others += 1
    if not found:
        beside = f" ({others} other files)" if others else ""
        raise DataError(
            f"{folder}: no image in this folder{beside}; looked for {' '.join(sorted(IMAGE_ENDINGS))}. "
            "Name an image with another ending itself"
        )
    return found

"""Images to predict: finding them and decoding them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ae_pretrained.names import named
from ae_pretrained.sources.base import DataError
from ae_pretrained.sources.image_facts import DecodeOptions
from ae_pretrained.sources.image_files import files_below, is_image
from ae_pretrained.sources.image_reader import decode_image, read_image


def read_input_image(source: Path | bytes, name: str, options: DecodeOptions | None = None) -> np.ndarray:
    """Decode an image and turn it upright as its EXIF says, as ``image_reader.read_image`` does.

    Args:
        source: a file, or the bytes of one.
        name: what errors call it, where ``source`` is bytes.
        options: of the model, ``Segmenter.decode``; None: as by default.

    Returns:
        (H, W, 3) uint8 RGB.

    Raises:
        DataError: naming the image, when it is absent, damaged, no image, or too large.
    """
    options = options or DecodeOptions()
    return decode_image(source, name, options) if isinstance(source, bytes) else read_image(source, options)


@dataclass(frozen=True)
class FoundImages:
    """What files and folders hold.

    Attributes:
        images: files to predict.
        passed_over: files in the folders that are no images, by name and by content.
    """

    images: list[Path]
    passed_over: list[Path]


def find_images(
    sources: Sequence[Path], leave_out: Path | None = None, results: Collection[Path] = ()
) -> FoundImages:
    """The images that files and folders name.

    A file counts whatever its ending. In a folder and its sub-folders, files count that are called images or are
    images by their content, in order of name; hidden ones do not. An image that is named twice counts once.

    Args:
        sources: files and folders.
        leave_out: a sub-folder to skip, such as the one with earlier results.
        results: files to skip in folders, such as earlier results beside the images.

    Raises:
        DataError: for a source that is absent, a folder that cannot be read, and one without an image.
    """
    images: dict[Path, Path] = {}
    passed_over: dict[Path, Path] = {}
    skipped = {path.resolve() for path in results}
    for source in sources:
        if source.is_dir():
            found = _in_folder(source, leave_out, skipped)
        elif source.is_file():
            found = FoundImages([source], [])
        else:
            raise DataError(f"{source}: no such file or folder")
        for kept, paths in ((images, found.images), (passed_over, found.passed_over)):
            for path in paths:
                kept.setdefault(path.resolve(), path)
    return FoundImages(
        list(images.values()), [path for real, path in passed_over.items() if real not in images]
    )


def _in_folder(folder: Path, leave_out: Path | None, results: Collection[Path]) -> FoundImages:
    found = FoundImages([], [])
    for path in sorted(files_below(folder, leave_out)):
        hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
        if hidden or path.resolve() in results:
            continue
        (found.images if is_image(path) else found.passed_over).append(path)
    if not found.images:
        others = found.passed_over
        beside = f" ({count_files(len(others))} that are none: {named(others)})" if others else ""
        raise DataError(
            f"{folder}: no image in this folder{beside}; looked for JPEG, PNG, GIF, BMP, WebP, TIFF, AVIF, JPEG "
            "2000 and HEIC, by name and by content"
        )
    return found


def count_files(count: int) -> str:
    """``1 file``, ``2 files``."""
    return "1 file" if count == 1 else f"{count} files"

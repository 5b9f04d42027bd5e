"""What the pixels of a mask file are: colours, or numbers without a name."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from ae_pretrained.constants import IGNORE_INDEX
from ae_pretrained.sources.base import DataError
from ae_pretrained.sources.formats.named_mask import BACKGROUND, NamedMask
from ae_pretrained.sources.image_reader import opened_file
from ae_pretrained.sources.mask_reader import MaskFile, open_mask, small_numbers

_IGNORED = "ignored"
_WHITE = 255


def read_numbers(path: Path) -> np.ndarray:
    """The values (H, W) uint8 of a mask with one channel, palette positions included.

    Raises:
        DataError: for a file that cannot be read, and for JPEG, which changes values.
    """
    return small_numbers(_lossless(path), path)


def read_colors(path: Path) -> np.ndarray:
    """The colours (H, W, 3) uint8 of a mask; those of its palette where it has one.

    Raises:
        DataError: for a file that cannot be read, and for JPEG, which changes colours.
    """
    file = _lossless(path)
    if file.palette is not None:
        if file.pixels.max() >= len(file.palette):
            raise DataError(
                f"{path}: has {len(file.palette)} colours, but pixels of colour {file.pixels.max()}"
            )
        return np.asarray(file.palette[file.pixels])
    if file.pixels.ndim == 3:
        return file.pixels
    return np.repeat(small_numbers(file, path)[..., None], 3, axis=2)


def _lossless(path: Path) -> MaskFile:
    file = open_mask(path)
    if file.lossy:
        raise DataError(f"{path}: is a {file.kind}, which changes the values of a mask; export masks as PNG")
    return file


def channels(path: Path) -> str:
    """Pillow's mode of a mask file: ``P`` for a palette, ``L`` for grey values, and so on."""
    with opened_file(path) as (image, _):
        return image.mode


def numbered_mask(values: np.ndarray, classes: Sequence[str], ignore_index: int) -> NamedMask:
    """A mask of numbers without names: number n is the class at position n.

    Where there are two classes and 255 does not stand for unlabelled pixels, it is the second class: masks in black
    and white, some written as 0 and 255 and others as 0 and 1.

    Args:
        values: (H, W) uint8.
        classes: background first.
        ignore_index: value of unlabelled pixels.
    """
    names = [f"value {number}" for number in range(256)]
    names[: len(classes)] = classes
    names[ignore_index] = _IGNORED
    if len(classes) == 2 and ignore_index != _WHITE:
        names[_WHITE] = names[1]
    return NamedMask(values, names)


def find_numbers(paths: Sequence[Path]) -> list[int]:
    """The values that occur in any of these masks, in order.

    Raises:
        DataError: for a file that cannot be read.
    """
    with ThreadPoolExecutor() as pool:
        counts = pool.map(lambda path: np.bincount(read_numbers(path).ravel(), minlength=256) > 0, paths)
        found = np.zeros(256, dtype=bool)
        for present in counts:
            found |= present
    return np.flatnonzero(found).tolist()


def name_numbers(found: Sequence[int], where: Path) -> tuple[list[str], int]:
    """Class names for the values of numbered masks, and the value that stands for unlabelled pixels.

    Args:
        found: of :func:`find_numbers`.
        where: the masks, for the error.

    Raises:
        DataError: when the values are not 0, 1, 2, … (255 for unlabelled) or black and white.
    """
    if list(found) in ([0, _WHITE], [0, 1, _WHITE]):
        return [BACKGROUND, "class_1"], _WHITE - 1
    numbers = [value for value in found if value != IGNORE_INDEX]
    if len(numbers) < 2 or numbers != list(range(len(numbers))):
        shown = ", ".join(map(str, found[:12])) + (", …" if len(found) > 12 else "")
        raise DataError(
            f"{where}: the masks hold the values {shown}; expected 0, 1, 2, … without a gap (background first, 255 "
            "where nobody labelled), or 0 and 255 alone. Renumber the classes"
        )
    return [BACKGROUND, *(f"class_{number}" for number in numbers[1:])], IGNORE_INDEX

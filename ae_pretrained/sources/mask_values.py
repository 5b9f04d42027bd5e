"""From the values of a mask file to class numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache

import cv2
import numpy as np

from ae_pretrained.constants import IGNORE_INDEX
from ae_pretrained.sources.base import DataError, Sample
from ae_pretrained.sources.mask_reader import read_mask


def check_size(sample: Sample, found: Sequence[int | None], height: int, width: int) -> None:
    """Refuse a mask that was made on an image of another size.

    Args:
        sample: whose mask it is.
        found: height and width of the mask; None or 0 where an annotation does not say.
        height, width: of the image.

    Raises:
        DataError: naming both files and both sizes.
    """
    if not all(found) or list(found) == [height, width]:
        return
    way = ". Export the masks at the size of the images, or resize them with the nearest neighbour"
    if list(found) == [width, height]:
        way = (
            " (turned by its EXIF; turn the mask too, or have both turned with data.exif=with_mask, or neither with "
            "data.exif=ignore)"
        )
    raise DataError(
        f"{sample.mask}: the mask has {found[1]} x {found[0]} px, its image {sample.image.name} has "
        f"{width} x {height} px{way}"
    )


def read_sized_mask(sample: Sample, height: int, width: int) -> np.ndarray:
    """The values (height, width) uint8 of a sample's mask file, as stored.

    Raises:
        DataError: naming the file, when it cannot be read or is of another size than its image.
    """
    assert sample.mask is not None
    values = read_mask(sample.mask)
    check_size(sample, values.shape, height, width)
    return values


def translate(values: np.ndarray, table: Mapping[int, int]) -> tuple[np.ndarray, list[int]]:
    """Replace every value of a mask.

    Args:
        values: (H, W) uint8.
        table: new value by old value.

    Returns:
        (H, W) uint8, and the values found that the table does not hold, in order.
    """
    new, unknown = _lookup(tuple(table.items()))
    mask = np.asarray(cv2.LUT(values, new))
    if unknown is None or not (mask == unknown).any():
        return mask, []
    found = np.flatnonzero(np.bincount(values.ravel(), minlength=256))
    return mask, [value for value in found.tolist() if value not in table]


@lru_cache
def _lookup(table: tuple[tuple[int, int], ...]) -> tuple[np.ndarray, int | None]:
    """New values by old value, (256,) uint8, and the one that stands for what the table does not hold."""
    unknown = min(set(range(256)) - {value for _, value in table}, default=None)
    new = np.full(256, 0 if unknown is None else unknown, dtype=np.uint8)
    for old, value in table:
        new[old] = value
    return new, unknown


def class_numbers(
    values: np.ndarray,
    sample: Sample,
    classes: Sequence[str],
    ignore_index: int,
    mask_values: Sequence[int] = (),
) -> np.ndarray:
    """Check the values of a mask, and turn the ignored ones to 255.

    Args:
        values: (H, W) uint8 as stored.
        sample: whose mask it is, for the error.
        classes: names by value, background first.
        ignore_index: value of unlabelled pixels in the file.
        mask_values: value in the file of each class; empty: class numbers.

    Returns:
        (H, W) uint8.

    Raises:
        DataError: for a value that is neither a class nor ``ignore_index``.
    """
    stored = list(mask_values) or list(range(len(classes)))
    table = {value: number for number, value in enumerate(stored)}
    mask, unknown = translate(values, {**table, ignore_index: IGNORE_INDEX})
    if unknown:
        allowed = ", ".join(f"{value} ({name})" for value, name in zip(stored, classes, strict=True))
        shown = ", ".join(map(str, unknown[:8])) + (", …" if len(unknown) > 8 else "")
        advice = ""
        if sample.mask is not None and sample.mask.suffix.lower() in (".jpg", ".jpeg"):
            advice = ". JPEG changes pixel values; save masks as PNG"
        elif len(unknown) < len(classes):
            advice = (
                ". Are classes stored as shades of grey? Say with data.mask_values which value is which class"
            )
        raise DataError(
            f"{sample.mask}: unknown values {shown}; expected {allowed} and {ignore_index} (ignored){advice}"
        )
    return mask

"""Masks whose pixels are class numbers already."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ae_pretrained.data.constants import IGNORE_INDEX
from ae_pretrained.data.records import DataError, Record


def class_numbers(
    values: np.ndarray, record: Record, classes: Sequence[str], ignore_index: int
) -> np.ndarray:
    """Check the values of a mask, and turn the ignored ones to 255.

    Args:
        values: (H, W) uint8 as stored.
        record: whose mask it is, for the error.
        classes: names by value, background first.
        ignore_index: value of unlabelled pixels in the file.

    Returns:
        (H, W) uint8.

    Raises:
        DataError: for a value that is neither a class nor ``ignore_index``.
    """
    found = np.flatnonzero(np.bincount(values.ravel(), minlength=256)).tolist()
    unknown = [value for value in found if value >= len(classes) and value != ignore_index]
    if unknown:
        allowed = ", ".join(f"{value} ({name})" for value, name in enumerate(classes))
        shown = ", ".join(map(str, unknown[:8])) + (", …" if len(unknown) > 8 else "")
        advice = ""
        if record.mask is not None and record.mask.suffix.lower() in (".jpg", ".jpeg"):
            advice = ". JPEG changes pixel values; save masks as PNG"
        elif len(found) <= len(classes):
            advice = ". Are classes stored as shades of grey? Save class numbers"
        raise DataError(
            f"{record.mask}: unknown values {shown}; expected {allowed} and {ignore_index} (ignored){advice}"
        )
    return np.where(values == ignore_index, IGNORE_INDEX, values).astype(np.uint8)

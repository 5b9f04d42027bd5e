"""Sheets of reconstructions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure

from ae_pretrained.figures.image_grids import ColorScale, ImageRow, color_scalar, image_sheet, to_uint8

_LARGEST_ERROR = 0.5  # end of the scale of the error; one scale for all sheets keeps them comparable


@dataclass(frozen=True)
class ReconstructedImage:
    """An image and what the autoencoder made of it; (3, H, W) floats in [0, 1].

    Attributes:
        caption: name and scores.
        original, reconstruction: the image before and after.
        corrupted: what the autoencoder saw, None where that was the original.
    """

    caption: str
    original: np.ndarray
    reconstruction: np.ndarray
    corrupted: np.ndarray | None = None


def reconstruction_sheet(title: str, images: Sequence[ReconstructedImage]) -> Figure:
    """Original, corrupted input where there is one, reconstruction, absolute error (mean over channels)."""
    scale = ColorScale("magma", 0.0, _LARGEST_ERROR, "absolute error, mean over the three channels")
    rows, headings = [], ["Original", "Reconstruction", "Absolute error"]
    if any(item.corrupted is not None for item in images):
        headings.insert(1, "Corrupted input")
    for item in images:
        error = np.abs(item.reconstruction - item.original).mean(axis=0)
        shown = [to_uint8(item.original), to_uint8(item.reconstruction), color_scalar(error, scale)]
        if item.corrupted is not None:
            shown.insert(1, to_uint8(item.corrupted))
        rows.append(ImageRow(item.caption, shown))
    return image_sheet(title, rows, headings, scale=scale)

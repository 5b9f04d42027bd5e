"""What is written for one image: its mask, its overlay, and its row of the tables."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ae_pretrained.files import write_bytes
from ae_pretrained.names import shown
from ae_pretrained.prediction.naming import MASK, OVERLAY
from ae_pretrained.prediction.outcome import Segmentation
from ae_pretrained.prediction.overlays import mask_png, write_overlay
from ae_pretrained.prediction.prediction_tables import Row
from ae_pretrained.prediction.streaming import InputImage


def write_results(
    image: InputImage,
    pixels: np.ndarray,
    found: Segmentation,
    folder: Path,
    name: str,
    classes: Sequence[str],
) -> Row:
    """Write ``NAME_mask.png`` and ``NAME_overlay.png`` into a folder.

    Args:
        image: the file.
        pixels: (H, W, 3) uint8 RGB of it.
        found: what the model says.
        folder: of the results.
        name: of the results, without their endings.
        classes: names by class id.

    Raises:
        OSError: when a file cannot be written.
    """
    height, width = found.mask.shape
    mask, overlay = f"{name}{MASK}", f"{name}{OVERLAY}"
    write_bytes(folder / mask, mask_png(found.mask, len(classes)))
    write_overlay(folder / overlay, pixels, found.mask, len(classes))
    return Row(
        shown(image.path),
        width,
        height,
        found.class_name,
        found.mean_confidence,
        found.shares,
        mask,
        overlay,
        image.pages,
    )

"""Parameters of a project, chosen by the number and the shape of its images."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from ae_pretrained.params.editing import Key

# Updates that bring training from scratch near its plateau at these sizes, on pets and on the example of the docs.
_UPDATES_AE, _UPDATES_SEG = 600, 1200
_EPOCHS = (10, 100)  # fewest and most
# Of the width to the height: within it, stretching to a square distorts little.
_NEARLY_SQUARE = (0.7, 1.43)
_SMALLEST_SIZE = 64  # px; the encoder's six stages leave 2 x 2


def smallest_image_size() -> int:
    """Smallest ``data.image_size`` that the network of a project takes, px."""
    return _SMALLEST_SIZE


def choose_resize(sizes: np.ndarray) -> Literal["stretch", "pad"]:
    """``pad`` where many of the images (n, 2: width, height) are far from square; ``stretch`` loses no pixel."""
    low, high = np.percentile(sizes[:, 0] / sizes[:, 1], [5, 95])
    return "stretch" if low >= _NEARLY_SQUARE[0] and high <= _NEARLY_SQUARE[1] else "pad"


def training_values(num_labelled: int, num_images: int, image_size: int) -> dict[Key, Any]:
    """Batch sizes, epochs and block size.

    Training is meant to take about the same number of updates whatever the number of images, within limits: few
    images are seen more often, and many at least ten times.

    Args:
        num_labelled: training images with masks.
        num_images: training images with or without masks, which the autoencoder sees.
        image_size: side of the square images, px.
    """
    values: dict[Key, Any] = {("train_ae", "corruption", "mask_block"): max(4, image_size // 8)}
    for section, count, updates in (
        ("train_ae", num_images, _UPDATES_AE),
        ("train_seg", num_labelled, _UPDATES_SEG),
    ):
        batch = next(size for size in (32, 16, 8, 4) if count >= 10 * size or size == 4)
        per_epoch = max(1, count // batch)
        epochs = min(max(round(updates / per_epoch), _EPOCHS[0]), _EPOCHS[1])
        values[section, "batch_size"] = batch
        values[section, "epochs"] = epochs
    return values

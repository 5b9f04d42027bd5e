"""Parameters of a project, chosen by the number and the shape of its images."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from ae_pretrained.params.editing import Key

# Updates that bring training from scratch near its plateau at these sizes, on pets and on the example of the docs.
_UPDATES_AE, _UPDATES_SEG = 600, 1200
_EPOCHS = (10, 100)  # fewest and most
# Of crops: an epoch is one pass over the pixels, but at least a thirtieth of the run, since validation looks at every
# pixel, and at most a tenth.
_CROP_EPOCHS = (10, 30)
# Pixels of a batch, which is what takes memory: a process that trains on 8 crops of 256 px took 1.3 GB.
_BATCH_PIXELS = 8 * 256**2
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


def crop_training_values(labelled_pixels: float, pixels: float, side: int) -> dict[Key, Any]:
    """Batch sizes, epochs, updates an epoch and block size of a project that is trained on crops.

    Args:
        labelled_pixels: of the training images with masks, at the scale of the project.
        pixels: of the training images with or without masks.
        side: of the crops, px.
    """
    batch = min(32, max(4, _BATCH_PIXELS // side**2))
    values: dict[Key, Any] = {
        ("train_ae", "corruption", "mask_block"): max(4, side // 8),
        ("eval_ae", "batch_size"): 2 * batch,
        ("eval_seg", "batch_size"): 4,  # windows
        ("robustness", "batch_size"): 4,
    }
    for section, count, updates in (
        ("train_ae", pixels, _UPDATES_AE),
        ("train_seg", labelled_pixels, _UPDATES_SEG),
    ):
        one_pass = round(count / (batch * side**2))
        per_epoch = min(max(one_pass, updates // _CROP_EPOCHS[1]), updates // _CROP_EPOCHS[0])
        values[section, "batch_size"] = batch
        values[section, "updates_per_epoch"] = per_epoch
        values[section, "epochs"] = round(updates / per_epoch)
    return values

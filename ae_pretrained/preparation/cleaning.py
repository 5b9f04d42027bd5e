"""What is wrong with a mask, and the removal of its specks and holes."""

from __future__ import annotations

import cv2
import numpy as np

from ae_pretrained.constants import IGNORE_INDEX
from ae_pretrained.params.data_params import MaskCleaningParams

NO_FOREGROUND = "no foreground pixel in the mask"
NO_LABEL = "no labelled pixel in the mask"
VANISHED = "foreground too small for data.image_size"
VANISHED_AT_SCALE = "foreground too small for data.scale"


def mask_problem(mask: np.ndarray) -> str | None:
    """Why a class mask (H, W) is of no use, or None; ``data.masks.empty`` may overrule NO_FOREGROUND."""
    labelled = mask != IGNORE_INDEX
    if not labelled.any():
        return NO_LABEL
    if not ((mask != 0) & labelled).any():
        return NO_FOREGROUND
    return None


def remove_specks_and_holes(mask: np.ndarray, params: MaskCleaningParams) -> np.ndarray:
    """A class mask without small foreground regions and without small holes in the foreground.

    A region is what is connected by sides or corners, ignored pixels included, for the border band belongs to the
    pet that it surrounds; its size is that of its foreground. Of a region that is too small the foreground becomes
    background, and ignored pixels stay ignored. A hole is background that no path of sides links to the edge of
    the image; it becomes the class that most of its surroundings have, or, within a border band alone, ignored.

    Args:
        mask: (H, W) uint8 at its original size.
        params: the sizes, in pixels; 0 leaves all as it is.
    """
    if params.min_speck > 0:
        mask = _without_specks(mask, params.min_speck)
    if params.min_hole > 0:
        mask = _without_holes(mask, params.min_hole)
    return mask


def _without_specks(mask: np.ndarray, smallest: int) -> np.ndarray:
    count, regions = cv2.connectedComponents((mask != 0).astype(np.uint8), connectivity=8)
    foreground = (mask != 0) & (mask != IGNORE_INDEX)
    sizes = np.bincount(regions[foreground], minlength=count)
    return np.where(foreground & (sizes[regions] < smallest), 0, mask).astype(np.uint8)


def _without_holes(mask: np.ndarray, smallest: int) -> np.ndarray:
    _, regions, stats, _ = cv2.connectedComponentsWithStats((mask == 0).astype(np.uint8), connectivity=4)
    height, width = mask.shape
    filled = mask.copy()
    for region in range(1, len(stats)):
        x, y, w, h, area = (int(value) for value in stats[region])
        inside = x > 0 and y > 0 and x + w < width and y + h < height
        if not inside or area >= smallest:
            continue
        window = (slice(y - 1, y + h + 1), slice(x - 1, x + w + 1))
        hole = regions[window] == region
        around = cv2.dilate(hole.astype(np.uint8), np.ones((3, 3), np.uint8)).astype(bool) & ~hole
        classes = mask[window][around]
        classes = classes[(classes != IGNORE_INDEX) & (classes != 0)]
        filled[window][hole] = np.bincount(classes).argmax() if len(classes) else IGNORE_INDEX
    return filled

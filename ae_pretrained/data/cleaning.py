"""What is wrong with a mask, and the removal of its specks and holes."""

from __future__ import annotations

import cv2
import numpy as np

from ae_pretrained.data.constants import IGNORE_INDEX
from ae_pretrained.params.data import MaskCleaningParams

NO_FOREGROUND = "no foreground pixel in the mask"
NO_LABEL = "no labelled pixel in the mask"


def mask_problem(mask: np.ndarray) -> str | None:
    """Why a class mask (H, W) is of no use, or None. One without any pet is one that nobody drew."""
    labelled = mask != IGNORE_INDEX
    if not labelled.any():
        return NO_LABEL
    if not mask[labelled].any():
        return NO_FOREGROUND
    return None


def remove_specks_and_holes(mask: np.ndarray, params: MaskCleaningParams) -> np.ndarray:
    """A class mask without small foreground regions and without small holes in the foreground.

    A region is what is connected by sides or corners, ignored pixels included: the border band belongs to
    the pet that it surrounds. A hole is background that no path of sides links to the edge of the picture;
    it becomes the class that most of its surroundings have.

    Args:
        mask: (H, W) uint8 at its original size.
        params: the sizes, in pixels; 0 leaves all as it is.
    """
    if params.min_speck > 0:
        count, regions, stats, _ = cv2.connectedComponentsWithStats(
            (mask != 0).astype(np.uint8), connectivity=8
        )
        small = [n for n in range(1, count) if stats[n, cv2.CC_STAT_AREA] < params.min_speck]
        mask = np.where(np.isin(regions, small), 0, mask).astype(np.uint8)
    if params.min_hole > 0:
        count, regions, stats, _ = cv2.connectedComponentsWithStats(
            (mask == 0).astype(np.uint8), connectivity=4
        )
        height, width = mask.shape
        mask = mask.copy()
        for n in range(1, count):
            x, y, w, h = (int(stats[n, key]) for key in range(4))
            inside = x > 0 and y > 0 and x + w < width and y + h < height
            if inside and stats[n, cv2.CC_STAT_AREA] < params.min_hole:
                hole = (regions == n).astype(np.uint8)
                around = cv2.dilate(hole, np.ones((3, 3), np.uint8)).astype(bool) & (regions != n)
                classes = mask[around & (mask != IGNORE_INDEX) & (mask != 0)]
                # Within a border band alone nothing says which class it is.
                mask[regions == n] = np.bincount(classes).argmax() if len(classes) else IGNORE_INDEX
    return mask

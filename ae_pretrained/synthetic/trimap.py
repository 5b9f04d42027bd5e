"""Trimaps in the values of the official annotations."""

from __future__ import annotations

import cv2
import numpy as np

PET, BACKGROUND, BORDER = 1, 2, 3

# Half the width of the band along the outline, as a share of the image's side: with it about a tenth of all
# pixels are border, as in the official trimaps (12 %).
BORDER_HALF_WIDTH = 0.017


def trimap(coverage: np.ndarray, size: int) -> np.ndarray:
    """The trimap of a pet.

    Args:
        coverage: (H, H) float32, how much of each canvas pixel shows the pet, 0 to 1; H a multiple of `size`.
        size: side of the result.

    Returns:
        (size, size) uint8: 1 pet, 2 background, 3 border around the visible outline. The frame of the image
        is no outline.
    """
    side = coverage.shape[0]
    pet = (coverage > 0.5).astype(np.uint8)
    inside = cv2.distanceTransform(pet, cv2.DIST_L2, 5)
    outside = cv2.distanceTransform(1 - pet, cv2.DIST_L2, 5)
    result = np.where(pet == 1, PET, BACKGROUND).astype(np.uint8)
    if pet.any() and not pet.all():
        result[np.where(pet == 1, inside, outside) <= BORDER_HALF_WIDTH * side] = BORDER
    step = side // size
    return result[step // 2 :: step, step // 2 :: step].copy()

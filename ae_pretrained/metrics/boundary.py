"""Boundary IoU (Cheng et al., "Boundary IoU: Improving Object-Centric Image Segmentation", CVPR 2021)."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ae_pretrained.constants import IGNORE_INDEX


def inner_boundary(mask: Tensor, width: int) -> Tensor:
    """The pixels of a mask that lie within ``width`` pixels of its contour.

    As in the authors' code, the mask is eroded ``width`` times by a 3 x 3 square with zeros around the
    image, so the edge of the image counts as contour.

    Args:
        mask: (..., H, W) boolean.
        width: in pixels, >= 1.

    Returns:
        (..., H, W) boolean.
    """
    shape = mask.shape
    outside = 1.0 - mask.reshape(-1, 1, *shape[-2:]).float()
    outside = F.pad(outside, (width,) * 4, value=1.0)
    # A (2w+1)-square maximum of the outside, taken along rows and then columns, is w erosions by 3 x 3.
    near = F.max_pool2d(outside, kernel_size=(1, 2 * width + 1), stride=1)
    near = F.max_pool2d(near, kernel_size=(2 * width + 1, 1), stride=1)
    return mask & (near.reshape(shape) > 0)


def boundary_counts(
    prediction: Tensor, truth: Tensor, num_classes: int, width: int = 2, ignore_index: int = IGNORE_INDEX
) -> Tensor:
    """Intersection and union of the boundary regions, summed over a batch.

    Pixels marked ``ignore_index`` in the truth are taken out of truth and prediction alike before the boundary
    regions are formed: with trimaps the contour that is compared is the one beside the ignored band.

    Args:
        prediction: (N, H, W) integer class of every pixel.
        truth: (N, H, W) integer class mask.
        num_classes: C.
        width: of the boundary region, pixels.
        ignore_index: mask value of pixels that count nowhere.

    Returns:
        (2, C) int64: row 0 intersections, row 1 unions.

    Example:
        >>> import torch
        >>> truth = torch.zeros(1, 8, 8, dtype=torch.long)
        >>> truth[:, 2:6, 2:6] = 1
        >>> boundary_counts(truth.roll(1, dims=2), truth, num_classes=2, width=1)
        tensor([[38,  6],
                [52, 18]])
    """
    valid = truth != ignore_index
    classes = torch.arange(num_classes, device=truth.device).view(1, -1, 1, 1)
    there = inner_boundary((truth.unsqueeze(1) == classes) & valid.unsqueeze(1), width)
    found = inner_boundary((prediction.unsqueeze(1) == classes) & valid.unsqueeze(1), width)
    dims = (0, 2, 3)
    return torch.stack([(there & found).sum(dims), (there | found).sum(dims)])


def boundary_iou(counts: np.ndarray) -> np.ndarray:
    """(2, C) sums of :func:`boundary_counts` to (C,) boundary IoU; NaN where a class occurs nowhere.

    Example:
        >>> import numpy as np
        >>> boundary_iou(np.array([[38, 6, 0], [40, 24, 0]]))
        array([0.95, 0.25,  nan])
    """
    intersection, union = counts
    return np.where(union > 0, intersection / np.where(union > 0, union, 1), np.nan)

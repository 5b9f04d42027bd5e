"""Error of a reconstruction, image by image, padding left out: squared error and PSNR."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

PSNR_CAP = 100.0
"""PSNR of an image without error, dB: infinity has no place in a mean or in JSON."""


def squared_error(output: Tensor, target: Tensor, counted: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """Sum of squared errors and number of values, image by image.

    Args:
        output, target: (N, 3, H, W) in [0, 1].
        counted: (N, 1, H, W) boolean, the pixels that count; None for all.

    Returns:
        (N,) float64 sums and (N,) int64 numbers of values (three a pixel).

    Example:
        >>> import torch
        >>> total, count = squared_error(torch.full((1, 3, 2, 2), 0.5), torch.zeros(1, 3, 2, 2))
        >>> (total / count).tolist(), count.tolist()
        ([0.25], [12])
    """
    if counted is None:
        counted = output.new_ones(len(output), 1, *output.shape[-2:], dtype=torch.bool)
    error = (output.float() - target.float()).square() * counted
    return error.double().sum(dim=(1, 2, 3)), counted.sum(dim=(1, 2, 3)) * output.shape[1]


def psnr(mse: np.ndarray | float) -> np.ndarray:
    """Peak signal-to-noise ratio in dB of mean squared errors of images in [0, 1], at most ``PSNR_CAP``.

    Args:
        mse: of any shape, at least 0.

    Returns:
        Of the same shape.

    Example:
        >>> import numpy as np
        >>> psnr(np.array([0.01, 0.0]))
        array([ 20., 100.])
    """
    return -10.0 * np.log10(np.maximum(mse, 10.0 ** (-PSNR_CAP / 10.0)))

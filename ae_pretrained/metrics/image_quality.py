"""Reconstruction measures per image: squared error, PSNR and SSIM, padding left out."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ae_pretrained.metrics.ssim import WINDOW, ssim_map

PSNR_CAP = 100.0
"""PSNR of an image without error, dB: infinity has no place in a mean or in JSON."""


def squared_error(output: Tensor, target: Tensor, counted: Tensor) -> tuple[Tensor, Tensor]:
    """Sum of squared errors and number of values, image by image.

    Args:
        output, target: (N, 3, H, W) in [0, 1].
        counted: (N, 1, H, W) boolean, the pixels that count.

    Returns:
        (N,) float64 sums and (N,) int64 numbers of values (three a pixel).
    """
    error = (output.float() - target.float()).square() * counted
    return error.double().sum(dim=(1, 2, 3)), counted.sum(dim=(1, 2, 3)) * output.shape[1]


def psnr(mse: np.ndarray) -> np.ndarray:
    """Peak signal-to-noise ratio in dB of mean squared errors of images in [0, 1], at most ``PSNR_CAP``."""
    return -10.0 * np.log10(np.maximum(mse, 10.0 ** (-PSNR_CAP / 10.0)))


def ssim_per_image(output: Tensor, target: Tensor, valid: Tensor) -> Tensor:
    """Structural similarity (Wang et al., 2004): Gaussian window 11 x 11, sigma 1.5, data range 1.

    The mean is taken over the windows that lie wholly inside ``valid``. For a rectangle of valid pixels that
    is the SSIM of the cropped images.

    Args:
        output, target: (N, 3, H, W) in [0, 1].
        valid: (N, 1, H, W) boolean, False on padding.

    Returns:
        (N,) float64 in [-1, 1]; NaN for an image too small to hold a single window.
    """
    if min(output.shape[-2:]) < WINDOW:
        return torch.full((output.shape[0],), float("nan"), dtype=torch.float64, device=output.device)
    windows = ssim_map(output, target).double().mean(dim=1)
    inside = F.max_pool2d(1.0 - valid.float(), kernel_size=WINDOW, stride=1)[:, 0] == 0
    count = inside.sum(dim=(1, 2))
    total = torch.where(inside, windows, 0.0).sum(dim=(1, 2))
    return torch.where(count > 0, total / count.clamp(min=1), float("nan"))

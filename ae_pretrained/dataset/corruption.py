"""The pretext tasks: what is done to an image that the autoencoder then has to undo.

Block masking after masked image modelling for convolutional networks (SparK, arXiv 2301.03580; Wald et al.,
arXiv 2410.23132); Gaussian noise after DDeP (arXiv 2205.11423).
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from ae_pretrained.params.training_params import CorruptionParams

HIDDEN = 0.5  # the grey that stands in a hidden block


def corrupt(images: Tensor, params: CorruptionParams, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Corrupt a batch.

    Args:
        images: (N, 3, H, W) floats in [0, 1].
        params: kind and strength.
        generator: source of every draw, on the device of the batch.

    Returns:
        The corrupted images, in [0, 1], and an (N, 1, H, W) boolean mask of the pixels that were changed:
        those of hidden blocks where blocks are hidden, all of them for noise alone, none for ``none``.
    """
    n, _, height, width = images.shape
    changed = torch.zeros((n, 1, height, width), dtype=torch.bool, device=images.device)
    if params.kind in ("noise", "both"):
        noise = torch.randn(images.shape, generator=generator, device=images.device)
        images = (images + params.noise_std * noise).clamp(0.0, 1.0)
        changed = ~changed
    if params.kind in ("mask", "both"):
        changed = _blocks(images, params, generator)
        images = torch.where(changed, HIDDEN, images)
    return images, changed


def _blocks(images: Tensor, params: CorruptionParams, generator: torch.Generator) -> Tensor:
    """Hide the same number of blocks in every image: the blocks of lowest random score."""
    n, _, height, width = images.shape
    rows, columns = -(-height // params.mask_block), -(-width // params.mask_block)
    score = torch.rand((n, rows * columns), generator=generator, device=images.device)
    hidden = round(params.mask_fraction * rows * columns)
    rank = score.argsort(dim=1).argsort(dim=1)
    blocks = (rank < hidden).view(n, 1, rows, columns).float()
    full = F.interpolate(blocks, scale_factor=float(params.mask_block), mode="nearest")
    return full[..., :height, :width] > 0.5

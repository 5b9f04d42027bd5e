"""The pretext tasks: what is done to an image that the autoencoder then has to undo.

Block masking after masked image modelling for convolutional networks (SparK, arXiv 2301.03580; Wald et al.,
arXiv 2410.23132); Gaussian noise after DDeP (arXiv 2205.11423).
"""

from __future__ import annotations

from typing import Literal, get_args

import torch
import torch.nn.functional as F
from torch import Tensor

from ae_pretrained.errors import PipelineError, check_choice

Corruption = Literal["none", "noise", "mask", "both"]
HIDDEN = 0.5  # the grey that stands in a hidden block


def corrupt(
    images: Tensor,
    kind: Corruption = "mask",
    *,
    noise_std: float = 0.1,
    mask_fraction: float = 0.6,
    mask_block: int = 8,
    generator: torch.Generator | None = None,
) -> tuple[Tensor, Tensor]:
    """Corrupt a batch.

    Args:
        images: (N, 3, H, W) floats in [0, 1].
        kind: ``noise`` adds Gaussian noise, ``mask`` hides blocks, ``both`` does both, ``none`` nothing.
        noise_std: standard deviation of the noise.
        mask_fraction: share of the blocks that is hidden, in [0, 1).
        mask_block: side of a block, px.
        generator: source of every draw, on the device of the batch; None for PyTorch's global one.

    Returns:
        The corrupted images, in [0, 1], and an (N, 1, H, W) boolean mask of the pixels that were changed:
        those of hidden blocks where blocks are hidden, all of them for noise alone, none for ``none``.

    Raises:
        PipelineError: for another kind, or a strength out of its range.

    Example:
        >>> import torch
        >>> images = torch.rand(2, 3, 32, 32)
        >>> seen, changed = corrupt(images, kind="mask", mask_fraction=0.5, mask_block=8)
        >>> changed.float().mean()
        tensor(0.5000)
    """
    check_choice("kind", kind, get_args(Corruption))
    if not 0 <= mask_fraction < 1 or mask_block < 1 or noise_std < 0:
        raise PipelineError(
            f"mask_fraction, mask_block, noise_std: found {mask_fraction}, {mask_block} and {noise_std}, expected a "
            "share below 1, at least 1 px and at least 0"
        )
    n, _, height, width = images.shape
    changed = torch.zeros((n, 1, height, width), dtype=torch.bool, device=images.device)
    if kind in ("noise", "both"):
        noise = torch.randn(images.shape, generator=generator, device=images.device)
        images = (images + noise_std * noise).clamp(0.0, 1.0)
        changed = ~changed
    if kind in ("mask", "both"):
        changed = _blocks(images, mask_fraction, mask_block, generator)
        images = torch.where(changed, HIDDEN, images)
    return images, changed


def _blocks(images: Tensor, fraction: float, side: int, generator: torch.Generator | None) -> Tensor:
    """Hide the same number of blocks in every image: the blocks of lowest random score."""
    n, _, height, width = images.shape
    rows, columns = -(-height // side), -(-width // side)
    score = torch.rand((n, rows * columns), generator=generator, device=images.device)
    hidden = round(fraction * rows * columns)
    rank = score.argsort(dim=1).argsort(dim=1)
    blocks = (rank < hidden).view(n, 1, rows, columns).float()
    full = F.interpolate(blocks, scale_factor=float(side), mode="nearest")
    return full[..., :height, :width] > 0.5

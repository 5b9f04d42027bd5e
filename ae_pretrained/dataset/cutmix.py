"""CutMix: a box of every image comes from another image of the batch (Yun et al. 2019, arXiv 1905.04899)."""

from __future__ import annotations

import torch
from torch import Tensor

_AREA = 0.5  # of the image, as French et al. 2020 (arXiv 1906.01916) for segmentation


def cutmix_boxes(
    shape: tuple[int, int, int],
    probability: float,
    generator: torch.Generator | None = None,
    device: torch.device | str = "cpu",
) -> Tensor:
    """One box per image, of half of its area, anywhere in it, of any shape that fits.

    Args:
        shape: (N, H, W) of the batch.
        probability: that an image has a box.
        generator: source of every draw, on the device; None for PyTorch's global one.
        device: of the boxes.

    Returns:
        (N, H, W) booleans, True inside.
    """
    number, height, width = shape
    chosen, share, y, x = torch.rand((4, number), generator=generator, device=device)
    inside = (chosen < probability).view(-1, 1, 1)
    # Sides a^u and a^(1-u): every shape of area a, without a preference for tall or wide.
    for place, side, length, axis in (
        (y, _AREA**share, height, (1, -1, 1)),
        (x, _AREA ** (1 - share), width, (1, 1, -1)),
    ):
        position = ((torch.arange(length, device=device) + 0.5) / length).view(axis)
        start = (place * (1 - side)).view(-1, 1, 1)
        inside = inside & (position >= start) & (position < start + side.view(-1, 1, 1))
    return inside


def cutmix(values: Tensor, boxes: Tensor) -> Tensor:
    """Each item of a batch with its box taken from the item before it, the first from the last.

    Args:
        values: (N, H, W) or (N, C, H, W): images, or what belongs to their pixels.
        boxes: (N, H, W) booleans.
    """
    inside = boxes if values.ndim == 3 else boxes.unsqueeze(1)
    return torch.where(inside, values.roll(1, dims=0), values)

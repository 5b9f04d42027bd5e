"""CutMix: a box of one image, pasted into another."""

from __future__ import annotations

import torch
from torch import Tensor

_AREA = 0.5  # share of the image, as of French et al.


def draw_boxes(
    count: int,
    size: tuple[int, int],
    probability: float = 1.0,
    generator: torch.Generator | None = None,
    device: torch.device | str = "cpu",
) -> Tensor:
    """A box for each image, of half the area and a random shape and place (French et al., 2020, arXiv 1906.01916).

    Args:
        count: number of images.
        size: (H, W).
        probability: of an image getting a box.
        generator: source of every draw, on the device; None for PyTorch's global one.
        device: of the result.

    Returns:
        (N, H, W) booleans, True within the box.

    Example:
        >>> import torch
        >>> boxes = draw_boxes(2, (64, 64), generator=torch.Generator().manual_seed(0))
        >>> boxes.float().mean(dim=(1, 2))  # up to the rounding of the sides
        tensor([0.4944, 0.5103])
    """
    share, top, left, chosen = torch.rand(4, count, generator=generator, device=device)
    heights = _AREA**share  # between all of the height and half of it; the width makes up the area
    inside = (chosen < probability).view(-1, 1, 1)
    for length, side, start, view in (
        (size[0], heights, top, (1, -1, 1)),
        (size[1], _AREA / heights, left, (1, 1, -1)),
    ):
        pixels = (side * length).round().view(-1, 1, 1)
        first = (start.view(-1, 1, 1) * (length - pixels)).round()
        place = torch.arange(length, device=device).view(view)
        inside = inside & (place >= first) & (place < first + pixels)
    return inside


def paste(values: Tensor, boxes: Tensor) -> Tensor:
    """Within its box, each entry of a batch becomes the one before it.

    Args:
        values: (N, H, W) or (N, C, H, W).
        boxes: (N, H, W) booleans.

    Returns:
        Of the shape of ``values``.

    Example:
        >>> import torch
        >>> paste(torch.tensor([[[1, 1]], [[2, 2]]]), torch.tensor([[[True, False]], [[False, False]]]))
        tensor([[[2, 1]],
        <BLANKLINE>
                [[2, 2]]])
    """
    inside = boxes if values.ndim == 3 else boxes.unsqueeze(1)
    return torch.where(inside, values.roll(1, dims=0), values)

"""Two views of every image of a batch, for contrastive losses, and the places that both of them show.

A view is a crop of random size and shape, resized, mirrored and recoloured (SimCLR, Chen et al. 2020, arXiv
2002.05709, appendix A). Every draw comes from an explicit generator, as of Augmentation.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from ae_pretrained.constants import IGNORE_INDEX
from ae_pretrained.dataset.colours import Colours
from ae_pretrained.errors import PipelineError, check_probability

_LONGEST = 4 / 3  # ratio of the sides of a crop, either way


class ViewPair(NamedTuple):
    """Two views of N images: first the first view of every image, then the second of every image.

    Attributes:
        images: (2N, 3, S, S) in [0, 1].
        masks: (2N, S, S), of the type that came in.
        places: (2, N, K, 2) x and y of K places of each image as each of its views shows them; a view runs from -1 to
            1, as in ``grid_sample`` with ``align_corners=False``.
        counted: (N, K) booleans, False where there is no such place: the crops do not overlap, or it is padding.
    """

    images: Tensor
    masks: Tensor
    places: Tensor
    counted: Tensor


@dataclass(frozen=True)
class Views:
    """Draws two views of every image whenever it is called.

    Attributes:
        smallest_area: the area of a crop is drawn from [smallest_area, 1] of the image.
        flip: probability of a left-right flip.
        colours: changes of colour and sharpness.
        places: how many places that both views show are drawn per image.

    Raises:
        PipelineError: when ``flip`` is not in [0, 1], the area not in (0, 1], or ``places`` below 1.

    Example:
        >>> import torch
        >>> images, masks = torch.rand(4, 3, 32, 32), torch.zeros(4, 32, 32, dtype=torch.uint8)
        >>> pair = Views()(images, masks, torch.Generator().manual_seed(0))
        >>> pair.images.shape, pair.places.shape
        (torch.Size([8, 3, 32, 32]), torch.Size([2, 4, 4, 2]))
    """

    smallest_area: float = 0.3
    flip: float = 0.5
    colours: Colours = field(default_factory=Colours)
    places: int = 4

    def __post_init__(self) -> None:
        check_probability("flip", self.flip)
        if not 0 < self.smallest_area <= 1 or self.places < 1:
            raise PipelineError(
                f"smallest_area, places: found {self.smallest_area} and {self.places}, expected a share above 0 and "
                "up to 1, and at least 1"
            )

    def margin(self, side: int) -> int:
        """Pixels beyond a square of ``side`` px, on each side, that views are drawn from where there is more image.

        With it, crops of the largest area are reduced as much as those of the smallest are enlarged. An even number,
        so that at half the size pixels still lie on pixels.
        """
        return 2 * math.ceil(side * (self.smallest_area**-0.25 - 1) / 4)

    def __call__(
        self,
        images: Tensor,
        masks: Tensor,
        generator: torch.Generator | None = None,
        *,
        size: int | None = None,
    ) -> ViewPair:
        """Draw two views of every image.

        Args:
            images: (N, 3, H, W) floats in [0, 1].
            masks: (N, H, W) integers; 255 marks pixels that count nowhere.
            generator: source of every draw, on the device of the batch; None for PyTorch's global one.
            size: side of the views; None for that of the images.
        """
        # Positions are products, which autocast would round to 16 bits.
        with torch.autocast(images.device.type, enabled=False):
            return self._draw(images, masks, generator, size)

    def _draw(
        self, images: Tensor, masks: Tensor, generator: torch.Generator | None, size: int | None
    ) -> ViewPair:
        number, height, width = len(images), *images.shape[-2:]
        centre, extent, mirror = self._crops(2 * number, images.device, generator)
        across, down = extent.T
        zero = torch.zeros_like(across)
        matrix = torch.stack(
            [
                torch.stack([across * mirror, zero, centre[:, 0]], dim=1),
                torch.stack([zero, down, centre[:, 1]], dim=1),
            ],
            dim=1,
        )
        grid = F.affine_grid(matrix, [2 * number, 3, size or height, size or width], align_corners=False)
        places, counted = self._places(
            centre.unflatten(0, (2, number)), extent.unflatten(0, (2, number)), mirror, masks, generator
        )
        seen = F.grid_sample(
            images.repeat(2, 1, 1, 1), grid, mode="bilinear", padding_mode="border", align_corners=False
        )
        hidden = F.grid_sample(
            masks.repeat(2, 1, 1).unsqueeze(1).float(),
            grid,
            mode="nearest",
            padding_mode="border",
            align_corners=False,
        )
        hidden = hidden.squeeze(1).to(masks.dtype)
        seen, hidden = self.colours(seen, hidden, generator)
        return ViewPair(seen, hidden, places, counted)

    def _crops(
        self, number: int, device: torch.device, generator: torch.Generator | None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Centres (n, 2), x and y from -1 to 1; sides (n, 2) as shares of the image's; (n,) -1 where mirrored."""
        area, shape, x, y, flip = torch.rand((5, number), generator=generator, device=device)
        area = self.smallest_area + (1 - self.smallest_area) * area
        ratio = torch.exp(math.log(_LONGEST) * (2 * shape - 1))
        # A side that would be longer than the image's is cut to it.
        extent = torch.stack([(area * ratio).sqrt(), (area / ratio).sqrt()], dim=1).clamp(max=1.0)
        centre = (2 * torch.stack([x, y], dim=1) - 1) * (1 - extent)
        return centre, extent, 1.0 - 2.0 * (flip < self.flip).float()

    def _places(
        self,
        centre: Tensor,
        extent: Tensor,
        mirror: Tensor,
        masks: Tensor,
        generator: torch.Generator | None,
    ) -> tuple[Tensor, Tensor]:
        """Places anywhere in what both crops of an image show."""
        number, height, width = masks.shape
        low, high = (centre - extent).amax(dim=0), (centre + extent).amin(dim=0)  # (N, 2) from -1 to 1
        share = torch.rand((number, self.places, 2), generator=generator, device=masks.device)
        place = low.unsqueeze(1) + share * (high - low).unsqueeze(1)
        size = torch.tensor([width, height], device=masks.device)
        pixel = ((place + 1) / 2 * size).long().clamp(min=0).minimum(size - 1)
        rows = torch.arange(number, device=masks.device).unsqueeze(1)
        counted = (masks[rows, pixel[..., 1], pixel[..., 0]] != IGNORE_INDEX) & (low < high).all(
            dim=1, keepdim=True
        )
        seen = (place - centre.unsqueeze(2)) / extent.unsqueeze(2)
        turn = torch.stack([mirror, torch.ones_like(mirror)], dim=1).view(2, number, 1, 2)
        return seen * turn, counted

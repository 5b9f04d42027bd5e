"""Strong random changes of colour and sharpness, which leave every pixel where it is."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ae_pretrained.dataset.augmentation import Augmentation
from ae_pretrained.errors import check_probability

_LUMA = (0.299, 0.587, 0.114)


@dataclass(frozen=True)
class Colours:
    """Recolours, greys or blurs the images of a batch (SimCLR, Chen et al. 2020, arXiv 2002.05709, appendix A).

    Attributes:
        jitter: probability of a change of colours.
        brightness, contrast, saturation: each factor is drawn from [1 - value, 1 + value].
        hue: largest turn of the hue, in turns.
        grey: probability that an image loses its colours.
        blur: probability of a Gaussian blur (3x3, sigma 0.1 to 1.5).

    Raises:
        PipelineError: when a probability is not in [0, 1].
    """

    jitter: float = 0.8
    brightness: float = 0.4
    contrast: float = 0.4
    saturation: float = 0.4
    hue: float = 0.1
    grey: float = 0.2
    blur: float = 0.5

    def __post_init__(self) -> None:
        for name in ("jitter", "grey", "blur"):
            check_probability(name, getattr(self, name))

    def __call__(
        self, images: Tensor, masks: Tensor, generator: torch.Generator | None = None
    ) -> tuple[Tensor, Tensor]:
        """New images in [0, 1], (N, 3, H, W), and the masks (N, H, W) as they came."""
        change = Augmentation(
            flip=0.0,
            affine=0.0,
            jitter=self.jitter,
            brightness=self.brightness,
            contrast=self.contrast,
            saturation=self.saturation,
            hue=self.hue,
            blur=self.blur,
            noise=0.0,
        )
        images, masks = change(images, masks, generator)
        chosen = torch.rand(len(images), generator=generator, device=images.device) < self.grey
        luma = torch.tensor(_LUMA, device=images.device).view(1, 3, 1, 1)
        grey = (images * luma).sum(dim=1, keepdim=True)
        return torch.where(chosen.view(-1, 1, 1, 1), grey, images), masks

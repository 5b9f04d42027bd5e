"""Latent perceptual loss: the code of a picture must say what an ImageNet network sees in it.

The perceptual loss compares pictures, and its gradient reaches the encoder by way of the decoder, which can satisfy
it from the shallow skip connections alone. This one asks the deep stages themselves (feature distillation, FitNets,
arXiv 1412.6550). It brings in what the network learnt from ImageNet's labels: see ``docs/method.md``.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ae_pretrained.errors import PipelineError
from ae_pretrained.losses.perceptual import FrozenEyes, enlarged, frozen_lite
from ae_pretrained.models.imagenet import lite_strides, smallest_side

_STAGES = 2  # the deepest stages of the encoder that are asked; shallower ones hold edges, which pixels teach


class LatentPerceptualLoss(FrozenEyes):
    """Share of the variance of ImageNet features that a linear map of the encoder's deep features leaves unexplained.

    The encoder's two deepest stages are compared with EfficientNet-Lite0's maps of the same strides, whose channels
    are standardised over the batch. 1 is chance, 0 a perfect prediction. The linear maps are trained along; the
    ImageNet network is frozen and no submodule.

    Args:
        channels: channels of every stage of the encoder, shallow to deep.
        strides: their strides.
        size: shorter side in px to which smaller pictures are enlarged before the ImageNet network sees them.

    Raises:
        PipelineError: when no stage of the encoder has a stride of the ImageNet network.
    """

    def __init__(self, channels: Sequence[int], strides: Sequence[int], size: int = 0) -> None:
        known = lite_strides()
        stages = [stage for stage, stride in enumerate(strides) if stride in known][-_STAGES:]
        if not stages:
            raise PipelineError(
                f"train_ae.loss.latent: the encoder's strides {list(strides)} have none of ImageNet's {list(known)}; "
                "give model.features more stages or set the weight to 0"
            )
        levels = [known.index(strides[stage]) for stage in stages]
        eyes = frozen_lite(levels[-1] + 1)
        super().__init__(eyes)
        self.stages, self.levels = stages, levels
        self.smallest = max(size, smallest_side(levels[-1] + 1))
        self.maps = nn.ModuleList(
            nn.Conv2d(channels[stage], eyes.channels[level], 1)
            for stage, level in zip(stages, levels, strict=True)
        )

    def forward(self, features: Sequence[Tensor], images: Tensor) -> Tensor:
        """A scalar of about 1 at chance.

        Args:
            features: the encoder's maps of the corrupted pictures, shallow to deep, each (N, C, H / s, W / s).
            images: (N, 3, H, W) in [0, 1], uncorrupted.
        """
        with torch.no_grad():
            wanted = self.network(enlarged(images, self.smallest))
        losses = []
        for mapping, stage, level in zip(self.maps, self.stages, self.levels, strict=True):
            found = mapping(features[stage]).float()
            target = F.adaptive_avg_pool2d(wanted[level].float(), found.shape[-2:])
            mean = target.mean(dim=(0, 2, 3), keepdim=True)
            spread = target.std(dim=(0, 2, 3), keepdim=True).clamp(min=1e-6)
            losses.append(F.mse_loss(found, (target - mean) / spread))
        return torch.stack(losses).mean()

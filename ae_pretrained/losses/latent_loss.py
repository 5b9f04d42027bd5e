"""Latent perceptual loss: the encoder's features of an image must say what an ImageNet network sees in it.

The perceptual loss compares images, and its gradient reaches the encoder by way of the decoder, which can satisfy
it from the shallow skip connections alone. This one asks the deep stages themselves (feature distillation, FitNets,
arXiv 1412.6550). It brings in what the network learnt from ImageNet's labels: see ``docs/method.md``.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ae_pretrained.errors import PipelineError
from ae_pretrained.losses.feature_cache import FeatureCache
from ae_pretrained.losses.frozen_network_loss import (
    FrozenNetworkLoss,
    enlarge_small,
    frozen,
    frozen_efficientnet,
)
from ae_pretrained.models.imagenet import lite_strides, smallest_side
from ae_pretrained.models.timm_networks import TimmTeacher

_STAGES = 2  # the deepest stages of the encoder that are asked; shallower ones hold edges, which pixels teach
_BATCH = (0, 2, 3)  # axes over which a channel's features are standardised
_SMALLEST_SPREAD = 1e-6


class LatentPerceptualLoss(FrozenNetworkLoss):
    """Share of the variance of a teacher's features that a linear map of the encoder's deep ones leaves unexplained.

    The encoder's two deepest stages are compared with the teacher's maps of the same strides, or both with the patch
    tokens of a ViT, brought to the size of the stage's map; their channels are standardised over the batch. 1 is
    chance, 0 a perfect prediction. The linear maps are trained along; the teacher is frozen and no submodule.

    Args:
        channels: channels of every stage of the encoder, shallow to deep.
        strides: their strides.
        size: shorter side in px to which smaller images are enlarged before EfficientNet-Lite0 sees them; side at
            which a teacher of timm sees them, 0 for its own.
        teacher: ``efficientnet_lite0``, or a name of :class:`~ae_pretrained.models.timm_networks.TimmTeacher`.

    Attributes:
        cache: where the teacher's maps of images that come again are kept; None to compute them every time.

    Raises:
        PipelineError: when no stage of the encoder has a stride of the teacher, or the teacher's weights cannot be
            had.

    Example:
        >>> import torch
        >>> from ae_pretrained.models import Encoder
        >>> encoder = Encoder((8, 16, 32, 64))
        >>> loss = LatentPerceptualLoss(encoder.channels, encoder.strides)
        >>> images = torch.rand(4, 3, 64, 64)
        >>> loss(encoder(images), images).backward()
    """

    def __init__(
        self,
        channels: Sequence[int],
        strides: Sequence[int],
        size: int = 0,
        teacher: str = "efficientnet_lite0",
    ) -> None:
        named = None if teacher == "efficientnet_lite0" else TimmTeacher(teacher, size)
        known = lite_strides() if named is None else named.strides
        if len(known) == 1:  # a ViT
            stages = list(range(len(strides)))[-_STAGES:]
            levels = [0] * len(stages)
        else:
            stages = [stage for stage, stride in enumerate(strides) if stride in known][-_STAGES:]
            levels = [known.index(strides[stage]) for stage in stages]
        if not stages:
            raise PipelineError(
                f"train_ae.loss.latent: the encoder's strides {list(strides)} have none of the teacher's "
                f"{list(known)}; give model.features more stages or set the weight to 0"
            )
        network = frozen_efficientnet(levels[-1] + 1) if named is None else frozen(named)
        super().__init__(network)
        self.cache: FeatureCache | None = None
        self.stages, self.levels = stages, levels
        # A teacher of timm brings images to its size itself.
        self.side = max(size, smallest_side(levels[-1] + 1)) if named is None else 0
        self.channels: list[int] = [network.channels[level] for level in levels]
        self.maps = nn.ModuleList(
            nn.Conv2d(channels[stage], wanted, 1) for stage, wanted in zip(stages, self.channels, strict=True)
        )

    def forward(
        self,
        features: Sequence[Tensor],
        images: Tensor,
        valid: Tensor | None = None,
        *,
        come_again: bool = False,
    ) -> Tensor:
        """A scalar of about 1 at chance.

        Args:
            features: the encoder's maps of the corrupted images, shallow to deep, each (N, C, H / s, W / s).
            images: (N, 3, H, W) in [0, 1], uncorrupted.
            valid: (N, 1, H, W) booleans, False on padding; a position counts by its share of valid pixels.
            come_again: whether the same images are to be expected again, so that ``cache`` is used.
        """
        sizes = [(features[stage].shape[-2], features[stage].shape[-1]) for stage in self.stages]
        if self.cache is not None and come_again:
            shapes = [(channels, *size) for channels, size in zip(self.channels, sizes, strict=True)]
            wanted = self.cache.maps(images, shapes, partial(self._wanted, sizes=sizes))
        else:
            wanted = self._wanted(images, sizes)
        # Without padding both ways say the same. To ask whether there is any, one would wait for a GPU at every step.
        padded = valid is not None and (valid.device.type != "cpu" or not bool(valid.all()))
        losses = []
        for mapping, stage, target in zip(self.maps, self.stages, wanted, strict=True):
            found = mapping(features[stage]).float()
            if padded:
                assert valid is not None
                losses.append(_padded(found, target, F.adaptive_avg_pool2d(valid.float(), found.shape[-2:])))
                continue
            mean = target.mean(dim=_BATCH, keepdim=True)
            spread = target.std(dim=_BATCH, keepdim=True).clamp(min=_SMALLEST_SPREAD)
            losses.append(F.mse_loss(found, (target - mean) / spread))
        return torch.stack(losses).mean()

    @torch.no_grad()
    def _wanted(self, images: Tensor, sizes: Sequence[tuple[int, int]]) -> list[Tensor]:
        """The teacher's maps, brought to the sizes of the encoder's."""
        seen = self.network(enlarge_small(images, self.side))
        return [
            F.adaptive_avg_pool2d(seen[level].float(), size)
            for level, size in zip(self.levels, sizes, strict=True)
        ]


def _padded(found: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    """Unexplained variance where each position (N, 1, h, w) has its own weight."""
    total = weight.sum().clamp(min=1.0)
    mean = (weight * target).sum(dim=_BATCH, keepdim=True) / total
    variance = (weight * (target - mean).square()).sum(dim=_BATCH, keepdim=True) / total
    error = (found - (target - mean) / variance.sqrt().clamp(min=_SMALLEST_SPREAD)).square()
    return (weight * error).sum() / (total * found.shape[1])

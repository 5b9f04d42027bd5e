"""Perceptual loss: the distance of two images as an ImageNet network sees them (arXiv 1603.08155).

The network is always a trained one. Features of a network with random weights, which the original
implementation compared by mistake, measure nothing of the kind.
"""

from __future__ import annotations

from typing import Literal, get_args

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ae_pretrained.errors import PipelineError, check_choice
from ae_pretrained.losses.frozen_network_loss import (
    FrozenNetworkLoss,
    enlarge_small,
    frozen,
    frozen_efficientnet,
)
from ae_pretrained.models.imagenet import smallest_side

PerceptualNetwork = Literal["efficientnet_lite0", "vgg16"]
_VGG_LAYERS = (3, 8, 15, 22)  # relu1_2, relu2_2, relu3_3, relu4_3
_VGG_MEAN, _VGG_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


class _VGG16Features(nn.Module):
    """relu1_2, relu2_2, relu3_3 and relu4_3 of torchvision's VGG16, whose weights are downloaded once."""

    mean: Tensor
    std: Tensor

    def __init__(self) -> None:
        super().__init__()
        from torchvision.models import VGG16_Weights, vgg16

        weights = VGG16_Weights.IMAGENET1K_V1
        try:
            network = vgg16(weights=weights)
        except (OSError, RuntimeError) as error:  # no connection; a broken download
            raise PipelineError(
                f"train_ae.loss.perceptual_network: the weights of 'vgg16' could not be downloaded from "
                f"{weights.url} ({error}); use 'efficientnet_lite0', which needs no download, or put the file "
                f"into {torch.hub.get_dir()}/checkpoints"
            ) from error
        self.layers = nn.ModuleList(network.features[: _VGG_LAYERS[-1] + 1])
        self.register_buffer("mean", torch.tensor(_VGG_MEAN).view(1, 3, 1, 1))
        self.register_buffer("std", torch.tensor(_VGG_STD).view(1, 3, 1, 1))

    def forward(self, x: Tensor) -> list[Tensor]:
        x = (x - self.mean) / self.std
        features = []
        for index, layer in enumerate(self.layers):
            x = layer(x)
            if index in _VGG_LAYERS:
                # The next layer of VGG works in place.
                features.append(x.clone() if index != _VGG_LAYERS[-1] else x)
        return features


class PerceptualLoss(FrozenNetworkLoss):
    """Mean squared difference of the features of a frozen ImageNet network, averaged over its levels.

    ``efficientnet_lite0``: the maps at strides 2, 4, 8 and so on, each scaled by the root mean square of the
    target's map, since the levels of that network differ tenfold in size; images too small for the deepest
    are enlarged first. ``vgg16``: relu1_2, relu2_2, relu3_3 and relu4_3, unscaled, as in the original.

    Args:
        network: which one.
        levels: how many resolutions of ``efficientnet_lite0`` are compared, 1 (stride 2) to 5 (stride 32).
        size: images whose shorter side is below this many px are enlarged to it first. ImageNet networks learnt on
            224 px: of 64 px images their deep maps say little (which of cat and dog, read off linearly: 0.80 right
            at 64 px, 0.89 enlarged to 128 px, 0.93 to 192 px, on Oxford-IIIT Pet).

    Raises:
        PipelineError: for another network, or when the weights of ``vgg16`` cannot be downloaded.

    Example:
        >>> import torch
        >>> images = torch.rand(2, 3, 32, 32)
        >>> loss = PerceptualLoss(levels=2)
        >>> bool(loss(images, images) < loss(images.flip(-1), images))
        True
    """

    def __init__(
        self, network: PerceptualNetwork = "efficientnet_lite0", levels: int = 3, size: int = 0
    ) -> None:
        check_choice("network", network, get_args(PerceptualNetwork))
        lite = network == "efficientnet_lite0"
        super().__init__(frozen_efficientnet(levels) if lite else frozen(_VGG16Features()))
        self.side = max(smallest_side(levels) if lite else 16, size)
        self.relative = lite

    def forward(self, output: Tensor, target: Tensor, valid: Tensor | None = None) -> Tensor:
        """A scalar of at least 0.

        Args:
            output, target: (N, 3, H, W) in [0, 1].
            valid: (N, 1, H, W) booleans; invalid pixels of the output are replaced by the target's, so that
                they add nothing.
        """
        if valid is not None:
            output = torch.where(valid, output, target.to(output.dtype))
        with torch.no_grad():
            wanted = self.network(enlarge_small(target, self.side))
        found = self.network(enlarge_small(output, self.side))
        losses = []
        for a, b in zip(found, wanted, strict=True):
            if b.dtype != torch.float64:
                a, b = a.float(), b.float()
            loss = F.mse_loss(a, b)
            losses.append(loss / b.square().mean().clamp(min=1e-6) if self.relative else loss)
        return torch.stack(losses).mean()

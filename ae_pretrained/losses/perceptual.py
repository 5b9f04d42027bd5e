"""Perceptual loss: the distance of two pictures as an ImageNet network sees them (arXiv 1603.08155).

The network is always a trained one. Features of a network with random weights, which the original
implementation compared by mistake, measure nothing of the kind.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ae_pretrained.errors import PipelineError
from ae_pretrained.models.imagenet import EfficientNetLiteEncoder, smallest_side

PerceptualNetwork = Literal["efficientnet_lite0", "vgg16"]
_LITE_LEVELS = 3  # up to stride 8: deeper maps of small pictures are a few pixels
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


class PerceptualLoss(nn.Module):
    """Mean squared difference of the features of a frozen ImageNet network, averaged over its levels.

    ``efficientnet_lite0``: the maps at strides 2, 4 and 8, each scaled by the root mean square of the
    target's map, since the levels of that network differ tenfold in size; pictures below 16 px are enlarged
    to 16 px first. ``vgg16``: relu1_2, relu2_2, relu3_3 and relu4_3, unscaled, as in the original.

    The network is no submodule: neither its weights nor its buffers are parameters of whatever holds this loss,
    or part of its state and checkpoints. It follows to devices and formats nevertheless.

    Args:
        network: which one.
    """

    def __init__(self, network: PerceptualNetwork = "efficientnet_lite0") -> None:
        super().__init__()
        chosen: nn.Module
        if network == "efficientnet_lite0":
            encoder = EfficientNetLiteEncoder(_LITE_LEVELS).eval()
            encoder.load_imagenet_weights()
            # Folded and with channels last it takes a third less time on a CPU (98 ms to 64 ms at 64 px,
            # batch 32, bf16, one core).
            encoder.fold_norms()
            chosen, self.smallest, self.relative = encoder, smallest_side(_LITE_LEVELS), True
        else:
            chosen, self.smallest, self.relative = _VGG16Features(), 16, False
        chosen.eval().requires_grad_(False).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._held = (chosen,)

    @property
    def network(self) -> nn.Module:
        """The frozen network, in evaluation mode."""
        return self._held[0]

    def _apply(self, fn: Callable[..., Any], recurse: bool = True) -> PerceptualLoss:
        """What ``to``, ``cuda``, ``double`` and so on come down to."""
        self.network._apply(fn, recurse)
        super()._apply(fn, recurse)
        return self

    def _sized(self, x: Tensor) -> Tensor:
        height, width = x.shape[-2:]
        if min(height, width) < self.smallest:
            size = (max(height, self.smallest), max(width, self.smallest))
            x = F.interpolate(x, size=size, mode="bilinear", align_corners=False)
        return x.contiguous(memory_format=torch.channels_last)

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
            wanted = self.network(self._sized(target))
        found = self.network(self._sized(output))
        losses = []
        for a, b in zip(found, wanted, strict=True):
            if b.dtype != torch.float64:
                a, b = a.float(), b.float()
            loss = F.mse_loss(a, b)
            losses.append(loss / b.square().mean().clamp(min=1e-6) if self.relative else loss)
        return torch.stack(losses).mean()

"""The UNet-style convolutional autoencoder."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from ae_pretrained.errors import PipelineError
from ae_pretrained.models.config import ModelConfig
from ae_pretrained.models.decoder import Decoder
from ae_pretrained.models.encoders import build_encoder
from ae_pretrained.models.layers import make_head

Skips = Literal["full", "none"] | int


def _dropped_levels(skips: Skips, levels: int) -> int:
    if skips == "full":
        return 0
    if skips == "none":
        return levels
    if not isinstance(skips, int) or not 0 <= skips <= levels:
        raise PipelineError(
            f"skips: {skips!r}, expected 'full', 'none' or a number from 0 to {levels}, the skip connections "
            f"of {levels + 1} stages (model.features)"
        )
    return skips


class Autoencoder(nn.Module):
    """Encoder, decoder with skip connections, and a sigmoid output.

    With every skip open, copying the input is the easy solution and the deep stages learn little. Dropped
    skips are *zeroed*, not removed: the decoder keeps its shapes, so that its weights fit the U-Net whose
    skips are all open.

    Args:
        config: the architecture; None for ``ModelConfig()``.
        skips: ``full``, ``none``, or how many of the top levels (highest resolutions) are dropped.
        pretrained: the encoder starts with the weights that are published with it.

    Raises:
        PipelineError: when there are fewer skip connections than ``skips`` drops.

    Example:
        >>> import torch
        >>> model = Autoencoder(skips=2).eval()
        >>> model(torch.rand(1, 3, 64, 64)).shape
        torch.Size([1, 3, 64, 64])
        >>> [features.shape[1] for features in model.encoder(torch.rand(1, 3, 64, 64))]
        [16, 32, 64, 128, 256, 256]
    """

    def __init__(
        self, config: ModelConfig | None = None, skips: Skips = "full", pretrained: bool = False
    ) -> None:
        super().__init__()
        config = config or ModelConfig()
        self.config, self.skips = config, skips
        self.encoder = build_encoder(config, pretrained)
        self.decoder = Decoder(
            self.encoder.channels, self.encoder.strides, config.decoder_dropout, config.norm
        )
        self.head = make_head(self.decoder.out_channels, 3)
        self._dropped = _dropped_levels(skips, len(self.encoder.channels) - 1)

    def forward(
        self, x: Tensor, with_features: bool = False, decoded: int | None = None
    ) -> Tensor | tuple[Tensor, list[Tensor]]:
        """Reconstruct images (N, 3, H, W) in [0, 1]; the output has their shape and range.

        Args:
            x: the images.
            with_features: return the encoder's maps too, of all images, shallow to deep.
            decoded: reconstruct that many images alone, the first ones; None for all.
        """
        features = self.encoder(x)
        output = self.decode([stage[:decoded] for stage in features], (x.shape[-2], x.shape[-1]))
        return (output, features) if with_features else output

    def decode(self, features: list[Tensor], size: tuple[int, int]) -> Tensor:
        """The reconstruction (N, 3, H, W) in [0, 1] from the encoder's maps.

        Args:
            features: as the encoder gives them, shallow to deep.
            size: (H, W).
        """
        kept = [torch.zeros_like(f) if level < self._dropped else f for level, f in enumerate(features)]
        return torch.sigmoid(self.head(self.decoder(kept, size)))

"""The one convolutional encoder that the autoencoder and the U-Net share."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from ae_pretrained.errors import PipelineError
from ae_pretrained.models.config import Norm, dropout_rates
from ae_pretrained.models.layers import Stage


class ImageSizeError(PipelineError):
    """An image is too small for the depth of a network."""


def check_image_size(x: Tensor, stride: int, network: str) -> None:
    """Refuse images of which an encoder would leave a single row or column, which a norm cannot use.

    Args:
        x: (N, 3, H, W).
        stride: of the deepest feature map, px.
        network: what the encoder is called, and the parameter that names it.

    Raises:
        ImageSizeError: naming the size and the smallest that will do.
    """
    height, width = x.shape[-2:]
    if min(height, width) <= stride:
        raise ImageSizeError(
            f"images of {width} x {height} px are too small for {network}: both sides must be above {stride} px"
        )


class Encoder(nn.Module):
    """Stages of two convolutions; every stage after the first halves the size.

    Args:
        features: channels per stage, shallow to deep.
        dropout: spatial dropout per stage, or one rate for all.
        norm: ``instance``, ``batch`` or ``group``.
        in_channels: channels of the image.

    Attributes:
        channels: channels of every feature map, shallow to deep; decoders read them.
        strides: how many input pixels one pixel of every feature map stands for.

    Example:
        >>> import torch
        >>> encoder = Encoder((8, 16, 32))
        >>> [tuple(features.shape) for features in encoder(torch.rand(1, 3, 64, 48))]
        [(1, 8, 64, 48), (1, 16, 32, 24), (1, 32, 16, 12)]
    """

    def __init__(
        self,
        features: Sequence[int],
        dropout: float | Sequence[float] = 0.0,
        norm: Norm = "instance",
        in_channels: int = 3,
    ) -> None:
        super().__init__()
        rates = dropout_rates(dropout, len(features))
        if len(rates) != len(features):
            raise PipelineError(
                f"dropout: {len(features)} stages need {len(features)} values, found {len(rates)}"
            )
        self.channels = tuple(features)
        self.strides = tuple(2**level for level in range(len(features)))
        inputs = [in_channels, *features[:-1]]
        self.stages = nn.ModuleList(
            Stage(inputs[level], features[level], norm, rates[level], stride=1 if level == 0 else 2)
            for level in range(len(features))
        )

    def forward(self, x: Tensor) -> list[Tensor]:
        """Feature maps of a batch of images.

        Args:
            x: (N, 3, H, W); H and W need not be multiples of the strides.

        Returns:
            One map per stage, shallow to deep: (N, channels[i], ceil(H / strides[i]), ceil(W / strides[i])).

        Raises:
            ImageSizeError: when the deepest map would be a single row or column, which a norm cannot use.
        """
        check_image_size(x, self.strides[-1], f"{len(self.channels)} stages (model.features)")
        features = []
        for stage in self.stages:
            x = stage(x)
            features.append(x)
        return features

"""The decoder that the autoencoder and the U-Net share."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ae_pretrained.models.config import Norm, dropout_rates
from ae_pretrained.models.layers import Stage


def enlarge(x: Tensor, size: tuple[int, int]) -> Tensor:
    """Bilinear enlargement of (N, C, H, W) to ``size``, corners not aligned.

    On a CPU under bf16, autocast computes ``F.interpolate`` in float32 and its gradient is slow. There the usual
    doubling is written as two matrix products, along rows and columns, with the same weights: a training step of
    the U-Net takes about a tenth less CPU time (64 px, batch 32, width 16). Other cases gain nothing and are left
    alone. The memory format of ``x`` is kept.
    """
    height, width = x.shape[-2:]
    slow = x.requires_grad and x.dtype == torch.bfloat16 and x.device.type == "cpu"
    if slow and size == (2 * height, 2 * width):
        rows, columns = _doubling(height, x.dtype), _doubling(width, x.dtype)
        # Columns first: in NCHW that product is one large matrix, the other a batch of small ones.
        if x.is_contiguous():
            return rows @ (x @ columns.t())
        wide = columns @ x.permute(0, 2, 3, 1)  # (N, H, 2W, C)
        return (rows @ wide.flatten(2)).unflatten(2, wide.shape[2:]).permute(0, 3, 1, 2)
    return F.interpolate(x, size=size, mode="bilinear", align_corners=False)


def _doubling(length: int, dtype: torch.dtype) -> Tensor:
    """The (2 length, length) matrix that enlarges linearly to twice the length; bf16 holds its quarters exactly."""
    matrix = F.interpolate(torch.eye(length)[None], size=2 * length, mode="linear", align_corners=False)
    return matrix[0].t().to(dtype)


class Decoder(nn.Module):
    """From the deepest feature map back to the size of the image, fusing a skip connection per level.

    Each level enlarges bilinearly to the size of the next shallower feature map, concatenates that map, and
    applies two convolutions. An encoder whose first map is already smaller than the image gets one more
    level without a skip.

    Args:
        channels: channels of the encoder's feature maps, shallow to deep.
        strides: their strides.
        dropout: spatial dropout per level, deepest first, or one rate for all; a decoder of more levels repeats the
            last value.
        norm: normalisation layer.

    Attributes:
        out_channels: channels of the output.

    Example:
        >>> import torch
        >>> from ae_pretrained.models import Encoder
        >>> encoder = Encoder((8, 16, 32))
        >>> decoder = Decoder(encoder.channels, encoder.strides)
        >>> decoder(encoder(torch.rand(1, 3, 64, 48)), (64, 48)).shape
        torch.Size([1, 8, 64, 48])
    """

    def __init__(
        self,
        channels: Sequence[int],
        strides: Sequence[int],
        dropout: float | Sequence[float] = 0.0,
        norm: Norm = "instance",
    ) -> None:
        super().__init__()
        given = dropout_rates(dropout, len(channels))
        rates = [*given, *[given[-1]] * len(channels)]
        deep_first = list(channels)[::-1]
        self.stages = nn.ModuleList(
            Stage(deep_first[level] + deep_first[level + 1], deep_first[level + 1], norm, rates[level])
            for level in range(len(deep_first) - 1)
        )
        self.out_channels = deep_first[-1]
        self.last: Stage | None = None
        if strides[0] > 1:
            self.last = Stage(self.out_channels, self.out_channels, norm, rates[len(deep_first) - 1])

    def forward(self, features: Sequence[Tensor], size: tuple[int, int]) -> Tensor:
        """(N, out_channels, H, W) from the encoder's maps, shallow to deep, and the image's (H, W)."""
        x = features[-1]
        for level, stage in enumerate(self.stages):
            skip = features[-2 - level]
            x = enlarge(x, (skip.shape[-2], skip.shape[-1]))
            x = stage(torch.cat([x, skip.to(x.dtype)], dim=1))
        if self.last is not None:
            x = self.last(enlarge(x, size))
        return x

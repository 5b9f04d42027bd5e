"""Depthwise convolutions of networks that come from elsewhere, trained under bf16 on a CPU."""

from __future__ import annotations

from functools import cache
from typing import Any

import torch
from torch import Tensor, nn


def float32_depthwise(network: nn.Module) -> None:
    """On a CPU, let autocast compute the depthwise convolutions in float32, in place.

    oneDNN has no fast kernel for their gradient in bf16 where they have a stride (25 ms for float32's 2: 3 x 3 on
    16 x 96 x 32 x 32, one core) or where maps are small (34 ms for 13: 5 x 5 on 16 x 1152 x 2 x 2). They took most of
    a training step of EfficientNet-Lite0: 0.53 s, now 0.33 (16 images of 64 px). What they return has the number
    format of what they were given. Names and values of the weights, and all other devices and formats, stay.
    """
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d) and layer.groups == layer.in_channels > 1:
            # The class, not `forward` of the object, which copies of the network would share with the original.
            layer.__class__ = _in_float32(type(layer))  # type: ignore[arg-type]


@cache
def _in_float32(kind: Any) -> type[nn.Conv2d]:
    class Float32Depthwise(kind):
        def forward(self, x: Tensor) -> Tensor:
            if x.device.type != "cpu" or not torch.is_autocast_enabled("cpu"):
                return super().forward(x)
            with torch.autocast("cpu", enabled=False):
                return super().forward(x.float()).to(x.dtype)

    return Float32Depthwise

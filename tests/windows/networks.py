"""Networks for the tests of the sliding window."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch

from ae_pretrained.models.config import ModelConfig, Norm
from ae_pretrained.models.unet import UNet


def deep_unet(norm: Norm = "batch", classes: int = 4) -> UNet:
    """A narrow U-Net of six stages, the default depth, with statistics of its own and sharp answers."""
    torch.manual_seed(0)
    model = UNet(ModelConfig((4, 4, 8, 8, 8, 8), 0.0, 0.0, norm), classes)
    model(torch.rand(4, 3, 128, 128))
    with torch.no_grad():
        model.head.weight.mul_(4)
    return model.eval()


def logits_of(model: torch.nn.Module) -> Callable[[np.ndarray], np.ndarray]:
    def logits(images: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            return np.asarray(model(torch.from_numpy(images)))

    return logits


def by_color(images: np.ndarray) -> np.ndarray:
    """A network that sees single pixels: three classes, as probable as their colour is bright."""
    return np.asarray((images + 0.01) / (images + 0.01).sum(axis=1, keepdims=True), dtype=np.float32)

"""Networks for the tests of the sliding window."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
import torch.nn.functional as F

from ae_pretrained.models.config import ModelConfig, Norm
from ae_pretrained.models.unet import UNet
from ae_pretrained.windows.cutting import cut


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


def trained(images: Sequence[np.ndarray], masks: Sequence[np.ndarray], steps: int) -> UNet:
    """A U-Net of six stages, trained on crops of 128 px of images and their masks (0, 1 and 2)."""
    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    model = UNet(ModelConfig((8, 8, 16, 16, 32, 32), 0.0, 0.0, "batch"), 3).train()
    optimizer = torch.optim.AdamW(model.parameters(), 3e-3)
    for _ in range(steps):
        crops, truths = [], []
        for index in rng.integers(len(images), size=8):
            y, x = (int(rng.integers(max(1, side - 128))) for side in masks[index].shape)
            crops.append(cut(images[index], y, x, 128, 128))
            truths.append(cut(masks[index], y, x, 128, 128))
        batch = torch.from_numpy(np.stack(crops)).permute(0, 3, 1, 2).float() / 255
        loss = F.cross_entropy(model(batch), torch.from_numpy(np.stack(truths)).long())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return model.eval()

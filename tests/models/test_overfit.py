"""A network that learns anything can learn one batch by heart."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from torch import Tensor

from ae_pretrained.losses.reconstruction_loss import ReconstructionLoss
from ae_pretrained.losses.segmentation_loss import SegmentationLoss
from ae_pretrained.models.autoencoder import Autoencoder, Skips
from ae_pretrained.models.config import ModelConfig, Norm
from ae_pretrained.models.unet import UNet

CONFIG = ModelConfig((8, 16, 32), (0.0, 0.0, 0.0), (0.0, 0.0))


@pytest.fixture
def batch() -> tuple[Tensor, Tensor]:
    """Images (4, 3, 24, 24) of one disc each, and its mask: the class is the colour, 255 on a margin."""
    generator = torch.Generator().manual_seed(0)
    rows, columns = torch.meshgrid(torch.arange(24.0), torch.arange(24.0), indexing="ij")
    images, masks = [], []
    for label in (1, 2, 1, 2):
        y, x = (torch.rand(2, generator=generator) * 8 + 8).tolist()
        disc = (rows - y) ** 2 + (columns - x) ** 2 < 36
        colour = torch.tensor([0.9, 0.5, 0.1] if label == 1 else [0.1, 0.4, 0.8]).view(3, 1, 1)
        images.append(torch.where(disc, colour, 0.2 + 0.3 * rows / 24))
        mask = disc.long() * label
        mask[:2] = 255
        masks.append(mask)
    return torch.stack(images), torch.stack(masks)


@pytest.mark.parametrize("norm", ["instance", "batch", "group"])
def test_unet(batch: tuple[Tensor, Tensor], norm: Norm) -> None:
    torch.manual_seed(0)
    images, masks = batch
    model = UNet(dataclasses.replace(CONFIG, norm=norm), 3)
    loss = SegmentationLoss()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    for _ in range(60):
        optimizer.zero_grad()
        loss(model(images), masks)["total"].backward()
        optimizer.step()
    labelled = masks != 255
    right = (model(images).argmax(dim=1) == masks)[labelled]
    assert right.float().mean() > 0.99


@pytest.mark.parametrize(("skips", "reached"), [("full", 3e-4), ("none", 2e-3)])
def test_autoencoder(batch: tuple[Tensor, Tensor], skips: Skips, reached: float) -> None:
    """Mean squared error: without skips it has to come through 6 x 6 px of code, hence the wider bound."""
    torch.manual_seed(0)
    images = batch[0]
    model = Autoencoder(CONFIG, skips)
    loss = ReconstructionLoss(perceptual=0.1)
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-2)
    for _ in range(150):
        optimizer.zero_grad()
        loss(model(images), images)["total"].backward()
        optimizer.step()
    error = (model(images) - images).detach().square().mean()
    assert float(error) < reached < float(images.var())

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from ae_pretrained.evaluation.explanations import explained_layers, grad_cam
from ae_pretrained.evaluation.inference import Compute
from ae_pretrained.models.config import ModelConfig
from ae_pretrained.models.unet import UNet
from tests.evaluation.small import BrightnessSegmenter, tiny_unet


class Looker(nn.Module):
    """A layer that finds red and one that finds green; class 1 looks at red, class 2 at green."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        found = self.layer(x)
        return torch.stack([torch.full_like(found[:, 0], 0.1), found[:, 0], found[:, 1]], dim=1)


def test_the_map_of_a_class_lies_where_its_evidence_is() -> None:
    images = torch.zeros(1, 3, 8, 8)
    images[0, 0, :, :4] = 1.0
    images[0, 1, :, 4:] = 1.0
    model = Looker()
    maps = grad_cam(model, model.layer, images, 3, Compute())
    expected = np.zeros((8, 8))
    expected[:, :4] = 1.0
    np.testing.assert_allclose(maps[0, 1], expected)
    np.testing.assert_allclose(maps[0, 2], 1 - expected)
    assert not maps[0, 0].any()  # nothing in this layer speaks for the background


def test_every_layer_of_the_unet_gives_maps_even_when_frozen() -> None:
    model = tiny_unet()
    model.requires_grad_(False)
    for layer in explained_layers(model).values():
        maps = grad_cam(model, layer, torch.rand(2, 3, 32, 32), 3, Compute())
        assert maps.shape == (2, 3, 32, 32)
        assert maps.min() >= 0
        assert maps.max() == 1.0


def test_layers_of_the_imagenet_encoder() -> None:
    torch.manual_seed(0)
    model = UNet(ModelConfig((4, 8), (0.0, 0.0), (0.0,), encoder="efficientnet_lite0"), 3)
    layers = explained_layers(model)
    assert layers["last decoder stage"] is model.decoder.last
    maps = grad_cam(model, layers["bottleneck"], torch.rand(1, 3, 64, 64), 3, Compute())
    assert maps.shape == (1, 3, 64, 64)


def test_class_that_is_never_predicted_is_explained_by_all_pixels() -> None:
    images = torch.full((1, 3, 8, 8), 0.45)

    class Named(BrightnessSegmenter):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Identity()

        def forward(self, x: Tensor) -> Tensor:
            return super().forward(self.layer(x))

    model = Named()
    assert grad_cam(model, model.layer, images, 3, Compute())[0, 1].min() == 1.0

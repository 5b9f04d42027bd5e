from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from ae_pretrained.errors import PipelineError
from ae_pretrained.losses.latent_loss import LatentPerceptualLoss
from ae_pretrained.models.imagenet import EfficientNetLiteEncoder

STRIDES = (1, 2, 4, 8, 16)
CHANNELS = (4, 4, 6, 40, 112)  # the last two as many as ImageNet's, so that a map can be the identity


def sample_images(n: int = 3, size: int = 64) -> Tensor:
    return torch.rand(n, 3, size, size, generator=torch.Generator().manual_seed(0))


def seen(images: Tensor) -> list[np.ndarray]:
    """What the published network, norms in place, says at strides 8 and 16, standardised in float64."""
    encoder = EfficientNetLiteEncoder(4).eval()
    encoder.load_imagenet_weights()
    with torch.no_grad():
        maps = [value.double().numpy() for value in encoder(images)[2:]]
    axes = (0, 2, 3)
    return [(m - m.mean(axes, keepdims=True)) / m.std(axes, keepdims=True, ddof=1) for m in maps]


def features(images: Tensor) -> list[Tensor]:
    generator = torch.Generator().manual_seed(1)
    n, side = len(images), images.shape[-1]
    return [
        torch.randn(n, c, side // s, side // s, generator=generator)
        for c, s in zip(CHANNELS, STRIDES, strict=True)
    ]


def test_is_the_unexplained_variance_of_published_features() -> None:
    images = sample_images()
    loss = LatentPerceptualLoss(CHANNELS, STRIDES)
    given = features(images)
    expected = []
    for mapping, value, wanted in zip(loss.maps, given[3:], seen(images), strict=True):
        weight = mapping.weight.detach().double().numpy()[:, :, 0, 0]
        bias = mapping.bias.detach().double().numpy()[:, None, None]  # type: ignore[union-attr]
        found = np.einsum("oc,nchw->nohw", weight, value.double().numpy()) + bias
        expected.append(((found - wanted) ** 2).mean())
    assert float(loss(given, images).detach()) == pytest.approx(np.mean(expected), rel=1e-3)


def test_one_is_chance_and_zero_is_perfect() -> None:
    images = sample_images(8)
    loss = LatentPerceptualLoss(CHANNELS, STRIDES)
    with torch.no_grad():
        for mapping in loss.maps:
            mapping.bias.zero_()
            mapping.weight.zero_()
        assert float(loss(features(images), images)) == pytest.approx(1, abs=0.01)
        for mapping in loss.maps:
            torch.nn.init.dirac_(mapping.weight)
        perfect = features(images)[:3] + [torch.from_numpy(value).float() for value in seen(images)]
        assert float(loss(perfect, images)) == pytest.approx(0, abs=1e-4)


def test_its_maps_are_trained_and_its_network_is_not() -> None:
    images = sample_images()
    loss = LatentPerceptualLoss(CHANNELS, STRIDES).train()
    assert set(loss.state_dict()) == {f"maps.{i}.{name}" for i in (0, 1) for name in ("weight", "bias")}
    given = [value.requires_grad_(True) for value in features(images)]
    loss(given, images).backward()
    assert all(parameter.grad is not None for parameter in loss.parameters())
    assert [value.grad is not None for value in given] == [False, False, False, True, True]
    assert not any(module.training for module in loss.network.modules())
    assert not any(parameter.requires_grad for parameter in loss.network.parameters())


def test_padding_counts_by_its_share() -> None:
    """The lower half padded: only features of the upper half count, standardised over the upper half."""
    images = sample_images()
    loss = LatentPerceptualLoss(CHANNELS, STRIDES)
    given = features(images)
    valid = torch.ones(len(images), 1, 64, 64, dtype=torch.bool)
    whole = float(loss(given, images).detach())
    assert float(loss(given, images, valid).detach()) == whole
    # The weighted sums, which a GPU computes always, say the same, but for n in place of the n - 1 of 48 positions.
    valid[0, 0, 0, 0] = False
    assert float(loss(given, images, valid).detach()) == pytest.approx(whole, rel=2e-2)
    valid[:, :, 32:] = False
    expected = []
    with torch.no_grad():
        for mapping, stage, wanted in zip(loss.maps, (3, 4), loss.network(images)[2:], strict=True):
            rows = wanted.shape[-2] // 2
            upper = wanted[:, :, :rows].double()
            mean, spread = (
                upper.mean((0, 2, 3), keepdim=True),
                upper.std((0, 2, 3), keepdim=True, correction=0),
            )
            expected.append((mapping(given[stage])[:, :, :rows] - (upper - mean) / spread).square().mean())
        assert float(loss(given, images, valid)) == pytest.approx(float(sum(expected)) / 2, rel=1e-3)


def test_images_are_enlarged_for_the_network() -> None:
    images = sample_images(2, 32)
    given = features(images)
    torch.manual_seed(2)  # linear maps whose loss tells the two sizes apart by more than the bound below
    loss = LatentPerceptualLoss(CHANNELS, STRIDES, size=96)
    same = LatentPerceptualLoss(CHANNELS, STRIDES)
    same.load_state_dict(loss.state_dict())
    enlarged = torch.nn.functional.interpolate(images, size=(96, 96), mode="bilinear", align_corners=False)
    assert loss(given, images).item() == pytest.approx(same(given, enlarged).item(), rel=1e-5)
    assert loss(given, images).item() != pytest.approx(same(given, images).item(), rel=1e-2)


def test_an_encoder_without_a_common_stride_is_refused() -> None:
    with pytest.raises(PipelineError, match=r"train_ae\.loss\.latent: .*\[1\]"):
        LatentPerceptualLoss((8,), (1,))

from __future__ import annotations

import dataclasses
from itertools import pairwise
from typing import Literal

import pytest
import torch
from torch import nn

from ae_pretrained.errors import PipelineError
from ae_pretrained.models.autoencoder import Autoencoder, Skips
from ae_pretrained.models.config import ModelConfig, Norm
from ae_pretrained.models.decoder import enlarge
from ae_pretrained.models.encoder import Encoder, ImageSizeError
from ae_pretrained.models.layers import InstanceNorm, make_norm
from ae_pretrained.models.memory_layout import channels_last_pays
from ae_pretrained.models.unet import UNet

SMALL = ModelConfig((4, 8, 16), (0.0, 0.1, 0.2), (0.2, 0.1))
PAPER = ModelConfig((32, 64, 128, 256, 512, 512), (0.0, 0.0, 0.1, 0.2, 0.3, 0.3), (0.3, 0.2, 0.2, 0.1, 0.0))
LITE = dataclasses.replace(PAPER, encoder="efficientnet_lite0")


def convolution_parameters(inputs: int, outputs: int) -> int:
    """A 3x3 convolution without bias and the two vectors of its norm."""
    return 9 * inputs * outputs + 2 * outputs


def test_the_original_architecture() -> None:
    """Layer by layer what the design says, and the number of parameters that follows from it."""
    model = Autoencoder(PAPER)
    widths = [3, 32, 64, 128, 256, 512, 512]
    expected = sum(convolution_parameters(a, b) + convolution_parameters(b, b) for a, b in pairwise(widths))
    deep_first = widths[:0:-1]
    expected += sum(
        convolution_parameters(a + b, b) + convolution_parameters(b, b) for a, b in pairwise(deep_first)
    )
    expected += 32 * 3 + 3
    assert sum(p.numel() for p in model.parameters()) == expected
    strides = [m.stride[0] for m in model.encoder.modules() if isinstance(m, nn.Conv2d)]
    assert strides == [1, 1, 2, 1, 2, 1, 2, 1, 2, 1, 2, 1]
    dropouts = [m.p for m in model.encoder.modules() if isinstance(m, nn.Dropout2d)]
    assert dropouts == [0.0, 0.0, 0.1, 0.2, 0.3, 0.3]
    assert [m.p for m in model.decoder.modules() if isinstance(m, nn.Dropout2d)] == [0.3, 0.2, 0.2, 0.1, 0.0]
    slopes = {m.negative_slope for m in model.modules() if isinstance(m, nn.LeakyReLU)}
    assert slopes == {0.01}


@pytest.mark.parametrize("size", [(64, 64), (65, 70), (33, 100), (128, 96)])
def test_every_size_works(size: tuple[int, int]) -> None:
    x = torch.rand(2, 3, *size)
    output = Autoencoder(PAPER, skips=2)(x)
    assert output.shape == x.shape
    assert output.min() >= 0
    assert output.max() <= 1
    assert UNet(PAPER, 3)(x).shape == (2, 3, *size)
    assert UNet(LITE, 4)(x).shape == (2, 4, *size)


@pytest.mark.parametrize("memory", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("shape", [(2, 3, 8, 8), (1, 5, 1, 2), (2, 2, 16, 5)])
def test_doubling_under_bf16_is_bilinear(
    shape: tuple[int, int, int, int], memory: torch.memory_format
) -> None:
    size = (2 * shape[2], 2 * shape[3])
    exact = torch.randn(shape, dtype=torch.bfloat16).double().requires_grad_()
    rounded = exact.detach().bfloat16().contiguous(memory_format=memory).requires_grad_()
    expected = nn.functional.interpolate(exact, size=size, mode="bilinear", align_corners=False)
    doubled = enlarge(rounded, size)
    assert doubled.dtype == torch.bfloat16
    assert doubled.is_contiguous(memory_format=memory)
    # Two roundings of 2^-9 each, and sums of four terms below 4 in size.
    torch.testing.assert_close(doubled.double(), expected, rtol=2**-7, atol=2**-6)
    gradient = torch.randn(doubled.shape, dtype=torch.bfloat16)
    doubled.backward(gradient)
    expected.backward(gradient.double())
    torch.testing.assert_close(rounded.grad.double(), exact.grad, rtol=2**-7, atol=2**-5)  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("norm", "precision", "pays"),
    [("batch", "bf16-mixed", True), ("instance", "bf16-mixed", False), ("group", "bf16-mixed", False)]
    + [(norm, "32-true", True) for norm in ("batch", "instance")],
)
def test_channels_last_is_for_networks_without_group_norm(norm: Norm, precision: str, pays: bool) -> None:
    network = UNet(dataclasses.replace(LITE, norm=norm), 3)
    assert channels_last_pays(network, precision) is pays


def test_other_enlargements_are_interpolation_to_the_letter() -> None:
    x = torch.randn(2, 3, 5, 4, dtype=torch.bfloat16)
    learning = x.clone().requires_grad_()
    for values, size in ((x, (10, 8)), (x.float().requires_grad_(), (10, 8)), (learning, (9, 8))):
        expected = nn.functional.interpolate(values, size=size, mode="bilinear", align_corners=False)
        assert torch.equal(enlarge(values, size), expected)


def test_feature_maps_are_as_declared() -> None:
    for encoder in (Encoder(SMALL.features, SMALL.encoder_dropout, "batch"), UNet(LITE, 3).encoder):
        maps = encoder(torch.rand(1, 3, 64, 96))
        assert [m.shape[1] for m in maps] == list(encoder.channels)
        assert [(64 // m.shape[2], 96 // m.shape[3]) for m in maps] == [(s, s) for s in encoder.strides]


@pytest.mark.parametrize("config", [PAPER, LITE])
def test_too_small_an_image_is_refused_with_the_size_that_works(config: ModelConfig) -> None:
    with pytest.raises(ImageSizeError, match=r"32 x 40 px.*above 32 px"):
        UNet(config, 3)(torch.rand(1, 3, 40, 32))
    assert UNet(config, 3).train()(torch.rand(2, 3, 33, 33)).shape == (2, 3, 33, 33)


@pytest.mark.parametrize("norm", ["instance", "batch", "group"])
def test_norms_train_and_repeat(norm: Literal["instance", "batch", "group"]) -> None:
    model = UNet(dataclasses.replace(SMALL, norm=norm), 3)
    model(torch.rand(2, 3, 16, 16)).sum().backward()
    assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in model.parameters())
    model.eval()
    x = torch.rand(1, 3, 16, 16)
    assert torch.equal(model(x), model(x))


def test_instance_norm_is_that_of_pytorch() -> None:
    own, reference = InstanceNorm(6), nn.InstanceNorm2d(6, affine=True)
    with torch.no_grad():
        for module in (own, reference):
            module.weight.copy_(torch.linspace(0.5, 2, 6))
            module.bias.copy_(torch.linspace(-1, 1, 6))
    x = torch.randn(4, 6, 9, 7) * 3 + 5
    torch.testing.assert_close(own(x), reference(x), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(("skips", "dropped"), [("full", 0), (1, 1), (2, 2), ("none", 2)])
def test_dropped_skips_carry_nothing(skips: Skips, dropped: int) -> None:
    """What passes through a level's skip is seen by changing that level's map alone."""
    torch.manual_seed(0)
    model = Autoencoder(SMALL, skips).eval()
    x = torch.rand(1, 3, 16, 16)
    before = model(x)
    for level in range(2):
        stage = model.encoder.stages[level]
        changed: list[torch.Tensor] = []

        def disturb(
            _: nn.Module, __: object, output: torch.Tensor, kept: list[torch.Tensor] = changed
        ) -> torch.Tensor:
            kept.append(output)
            return output + 1.0

        def undo(
            _: nn.Module, args: tuple[torch.Tensor], kept: list[torch.Tensor] = changed
        ) -> tuple[torch.Tensor]:
            return (kept[0],)

        handles = [
            stage.register_forward_hook(disturb),
            model.encoder.stages[level + 1].register_forward_pre_hook(undo),
        ]
        same = torch.equal(model(x), before)
        for handle in handles:
            handle.remove()
        assert same == (level < dropped)


@pytest.mark.parametrize("skips", [3, -1, "some"])
def test_more_skips_than_there_are(skips: Skips) -> None:
    with pytest.raises(PipelineError, match=rf"skips: {skips!r}, expected .* 0 to 2, .* of 3 stages"):
        Autoencoder(SMALL, skips)


def test_dropout_that_does_not_fit_the_stages() -> None:
    with pytest.raises(PipelineError, match="decoder_dropout: 3 features need 2 values, found 1"):
        dataclasses.replace(SMALL, decoder_dropout=(0.1,))


def test_groups_divide_the_channels() -> None:
    found = {c: make_norm("group", c).num_groups for c in (1, 6, 8, 12, 22, 112)}
    assert found == {1: 1, 6: 6, 8: 8, 12: 6, 22: 2, 112: 8}


def test_initialisation() -> None:
    """Kaiming for LeakyReLU 0.01: variance 2 / (1 + 0.01**2) / fan-in; a new network starts without bias."""
    torch.manual_seed(0)
    model = UNet(PAPER, 3)
    for stage in [*model.encoder.stages, *model.decoder.stages]:
        for block in (stage[0], stage[1]):
            weight = block[0].weight
            expected = (2 / (1 + 0.01**2) / weight[0].numel()) ** 0.5
            assert float(weight.detach().std()) == pytest.approx(expected, rel=0.1)
            assert block[0].bias is None
            assert (block[1].weight == 1).all()
            assert (block[1].bias == 0).all()
    assert (model.head.bias == 0).all()


def test_weights_fit_whatever_the_skips() -> None:
    shapes = [
        {name: value.shape for name, value in Autoencoder(SMALL, skips).state_dict().items()}
        for skips in ("full", 1, "none")
    ]
    assert shapes[0] == shapes[1] == shapes[2]

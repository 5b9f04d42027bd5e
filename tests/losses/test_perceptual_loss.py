from __future__ import annotations

from pathlib import Path
from urllib.error import URLError

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from ae_pretrained.errors import PipelineError
from ae_pretrained.losses.perceptual_loss import PerceptualLoss
from ae_pretrained.models.imagenet import EfficientNetLiteEncoder


@pytest.fixture(scope="module")
def loss() -> PerceptualLoss:
    return PerceptualLoss()


def batch(size: int) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    x = torch.rand(2, 3, size, size, generator=generator)
    return x, torch.rand(2, 3, size, size, generator=generator)


def test_is_the_relative_error_of_published_features(loss: PerceptualLoss) -> None:
    """Against the formula in float64, over the features of the published network with its norms in place."""
    x, y = batch(40)
    encoder = EfficientNetLiteEncoder(3).eval()
    encoder.load_imagenet_weights()
    with torch.no_grad():
        pairs = [
            (a.double().numpy(), b.double().numpy()) for a, b in zip(encoder(x), encoder(y), strict=True)
        ]
    expected = np.mean([((a - b) ** 2).mean() / (b**2).mean() for a, b in pairs])
    assert float(loss(x, y)) == pytest.approx(expected, rel=1e-4)


def test_its_network_belongs_to_nobody() -> None:
    """Frozen, in evaluation mode, and in no state dict, checkpoint, optimiser or count of parameters."""
    holder = nn.Sequential(nn.Conv2d(3, 3, 1), PerceptualLoss()).train()
    assert set(holder.state_dict()) == {"0.weight", "0.bias"}
    assert len(list(holder.parameters())) == 2
    assert not list(holder[1].buffers())
    network = holder[1].network
    assert isinstance(network, nn.Module)
    assert not any(module.training for module in network.modules())
    assert not any(p.requires_grad for p in network.parameters())
    x, y = batch(16)
    holder[1](holder[0](x), y).backward()
    assert holder[0].weight.grad is not None
    assert all(p.grad is None for p in network.parameters())


def test_follows_to_another_format_and_has_the_right_slope() -> None:
    """In float64 a step along the gradient changes the loss by the square of its length."""
    holder = nn.Sequential(PerceptualLoss()).double()
    assert {p.dtype for p in holder[0].network.parameters()} == {torch.float64}
    x, y = (value.double() for value in batch(16))
    x.requires_grad_(True)
    (gradient,) = torch.autograd.grad(holder[0](x, y), x)
    step = 1e-6 / gradient.norm() * gradient
    with torch.no_grad():
        change = (holder[0](x + step, y) - holder[0](x - step, y)) / 2e-6
    assert float(change) == pytest.approx(float(gradient.norm()), rel=1e-3)


def test_holds_under_autocast(loss: PerceptualLoss) -> None:
    x, y = batch(32)
    with torch.autocast("cpu", torch.bfloat16):
        mixed = loss(x, y)
    assert mixed.dtype == torch.float32
    assert float(mixed) == pytest.approx(float(loss(x, y)), rel=0.02)


@pytest.mark.parametrize("size", [(8, 8), (11, 40), (16, 16), (37, 51)])
def test_every_size_has_a_gradient(loss: PerceptualLoss, size: tuple[int, int]) -> None:
    x = torch.rand(1, 3, *size, requires_grad=True)
    loss(x, torch.rand(1, 3, *size)).backward()
    assert x.grad is not None
    assert torch.isfinite(x.grad).all()
    assert x.grad.abs().sum() > 0


def test_a_black_target_is_no_division_by_zero(loss: PerceptualLoss) -> None:
    x = torch.zeros(1, 3, 16, 16, requires_grad=True)
    value = loss(x, torch.zeros(1, 3, 16, 16))
    value.backward()
    assert float(value.detach()) == 0
    assert x.grad is not None
    assert torch.isfinite(x.grad).all()


def test_orders_distances_as_people_do(loss: PerceptualLoss, oxford_128: Path) -> None:
    """A slight blur of a photo is nearer to it than another photo of the same kind."""
    import cv2

    def image(name: str) -> np.ndarray:
        return np.asarray(Image.open(oxford_128 / "images" / f"{name}.jpg").convert("RGB"))

    def tensor(x: np.ndarray) -> Tensor:
        return torch.from_numpy(x.copy()).permute(2, 0, 1).unsqueeze(0) / 255.0

    photo, other = image("pug_10"), image("pug_100")
    same = float(loss(tensor(photo), tensor(photo)))
    blurred = float(loss(tensor(cv2.GaussianBlur(photo, (0, 0), 0.8)), tensor(photo)))
    different = float(loss(tensor(other), tensor(photo)))
    assert same == pytest.approx(0.0, abs=1e-9)
    assert same < blurred < different


def test_vgg_without_network_names_the_way_out(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def offline(*_: object, **__: object) -> None:
        raise URLError("no route to host")

    monkeypatch.setattr(torch.hub, "download_url_to_file", offline)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    with pytest.raises(PipelineError, match=r"'vgg16' could not be downloaded.*efficientnet_lite0"):
        PerceptualLoss("vgg16")


def test_vgg_features_are_those_of_the_original(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where its weights are at hand: MSE of relu1_2, relu2_2, relu3_3 and relu4_3, taken with hooks."""
    weights = Path(torch.hub.get_dir()) / "checkpoints" / "vgg16-397923af.pth"
    if not weights.is_file():
        pytest.skip(f"the weights of VGG16 are not at {weights}, and tests download nothing")
    from torchvision.models import VGG16_Weights, vgg16

    x, y = batch(48)
    network = vgg16(weights=VGG16_Weights.IMAGENET1K_V1).eval()
    seen: list[Tensor] = []
    for index in (3, 8, 15, 22):
        network.features[index].register_forward_hook(lambda _, __, output: seen.append(output.clone()))
    normalise = VGG16_Weights.IMAGENET1K_V1.transforms()
    mean, std = (torch.tensor(v).view(1, 3, 1, 1) for v in (normalise.mean, normalise.std))
    with torch.no_grad():
        for value in (x, y):
            network.features((value - mean) / std)
    expected = np.mean([float(((a - b) ** 2).mean()) for a, b in zip(seen[:4], seen[4:], strict=True)])
    assert float(PerceptualLoss("vgg16")(x, y)) == pytest.approx(expected, rel=1e-4)


def test_more_levels_and_enlarged_images() -> None:
    """Five levels of images enlarged to 96 px, against the formula over the published network."""
    x, y = batch(40)
    encoder = EfficientNetLiteEncoder(5).eval()
    encoder.load_imagenet_weights()
    with torch.no_grad():
        large = [
            nn.functional.interpolate(v, size=(96, 96), mode="bilinear", align_corners=False) for v in (x, y)
        ]
        pairs = [(a.double().numpy(), b.double().numpy()) for a, b in zip(*map(encoder, large), strict=True)]
    assert len(pairs) == 5
    expected = np.mean([((a - b) ** 2).mean() / (b**2).mean() for a, b in pairs])
    assert float(PerceptualLoss(levels=5, size=96)(x, y)) == pytest.approx(expected, rel=1e-3)

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from skimage.metrics import structural_similarity

from ae_pretrained.errors import PipelineError
from ae_pretrained.losses.reconstruction_loss import ReconstructionLoss, masked_mse


def batch(seed: int = 0, size: int = 24) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(2, 3, size, size, generator=generator), torch.rand(
        2, 3, size, size, generator=generator
    )


def test_masked_mse_is_the_mean_over_counted_pixels() -> None:
    x, y = batch()
    counted = torch.rand(2, 1, 24, 24, generator=torch.Generator().manual_seed(1)) > 0.4
    chosen = np.broadcast_to(counted.numpy(), x.shape)
    expected = np.mean((x.numpy().astype(np.float64) - y.numpy())[chosen] ** 2)
    assert float(masked_mse(x, y, counted)) == pytest.approx(expected, rel=1e-5)
    assert float(masked_mse(x, y)) == pytest.approx(float(((x - y) ** 2).mean()), rel=1e-6)


def test_masked_mse_of_nothing_is_zero_with_a_gradient() -> None:
    x, y = batch()
    x.requires_grad_(True)
    loss = masked_mse(x, y, torch.zeros(2, 1, 24, 24, dtype=torch.bool))
    loss.backward()
    assert loss == 0
    assert x.grad is not None
    assert (x.grad == 0).all()


def test_masked_mse_gradient() -> None:
    x, y = (value.double() for value in batch(size=5))
    counted = torch.rand(2, 1, 5, 5) > 0.5
    assert torch.autograd.gradcheck(lambda value: masked_mse(value, y, counted), (x.requires_grad_(True),))


def test_total_is_the_weighted_sum() -> None:
    x, y = batch()
    losses = ReconstructionLoss(mse=0.7, perceptual=0.2, ssim=0.3)(x, y)
    expected = 0.7 * losses["mse"] + 0.2 * losses["perceptual"] + 0.3 * losses["ssim_loss"]
    torch.testing.assert_close(losses["total"], expected)


def test_parts_without_weight_are_not_computed() -> None:
    loss = ReconstructionLoss(perceptual=0.0, ssim=0.0)
    assert set(loss(*batch())) == {"total", "mse"}
    assert loss.perceptual is None


def test_corrupted_and_valid_pixels() -> None:
    x, y = batch()
    corrupted, valid = torch.zeros(2, 1, 24, 24, dtype=torch.bool), torch.ones(2, 1, 24, 24, dtype=torch.bool)
    corrupted[..., :12, :] = True
    valid[..., :, :6] = False
    loss = ReconstructionLoss(perceptual=0.0, ssim=0.0, on="corrupted")
    expected = ((x - y) ** 2)[..., :12, 6:].mean()
    torch.testing.assert_close(loss(x, y, valid, corrupted)["mse"], expected)
    with pytest.raises(ValueError, match="which they are"):
        loss(x, y)


def test_defaults_are_mse_and_a_little_ssim() -> None:
    x, y = (value.double().numpy() for value in batch())
    similar = [
        structural_similarity(
            a,
            b,
            gaussian_weights=True,
            sigma=1.5,
            use_sample_covariance=False,
            data_range=1.0,
            channel_axis=0,
        )
        for a, b in zip(x, y, strict=True)
    ]
    expected = ((x - y) ** 2).mean() + 0.1 * (1 - np.mean(similar))
    assert float(ReconstructionLoss()(*batch())["total"]) == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"mse": 0.0, "ssim": 0.0}, "found weights of 0, 0 and 0, expected none below 0 and one above"),
        ({"ssim": -0.1}, "found weights of 1, 0 and -0.1"),
        ({"on": "changed"}, "on: found 'changed', expected one of 'all', 'corrupted'"),
        (
            {"perceptual": 1.0, "perceptual_network": "vgg19"},
            "network: found 'vgg19', expected one of 'efficientnet",
        ),
    ],
)
def test_arguments_that_mean_nothing(wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(PipelineError, match=said):
        ReconstructionLoss(**wrong)


def test_padding_changes_no_part() -> None:
    x, y = batch(size=48)
    valid = torch.zeros(2, 1, 48, 48, dtype=torch.bool)
    valid[..., 8:40, 8:40] = True
    loss = ReconstructionLoss(perceptual=0.1)
    other = torch.where(valid, x, 1.0 - x)
    first, second = loss(x, y, valid), loss(other, y, valid)
    for name in first:
        torch.testing.assert_close(first[name], second[name])

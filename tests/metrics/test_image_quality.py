from __future__ import annotations

import pytest
import torch
from skimage.metrics import mean_squared_error, peak_signal_noise_ratio

from ae_pretrained.metrics.image_quality import PSNR_CAP, psnr, squared_error


def draw(count: int = 3, side: int = 24) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    target = torch.rand(count, 3, side, side, generator=generator)
    noise = 0.1 * torch.randn(target.shape, generator=generator)
    return (target + noise).clamp(0, 1), target


def everything(target: torch.Tensor) -> torch.Tensor:
    return torch.ones(len(target), 1, *target.shape[-2:], dtype=torch.bool)


def test_error_and_psnr_match_skimage() -> None:
    output, target = draw()
    total, count = squared_error(output, target, everything(target))
    mse = (total / count).numpy()
    for place in range(len(target)):
        a, b = target[place].numpy(), output[place].numpy()
        assert mse[place] == pytest.approx(mean_squared_error(a, b), rel=1e-5)
        assert psnr(mse)[place] == pytest.approx(peak_signal_noise_ratio(a, b, data_range=1.0), rel=1e-5)


def test_padding_counts_nowhere() -> None:
    output, target = draw()
    valid = everything(target)
    valid[:, :, :4] = False
    valid[:, :, :, 20:] = False
    spoilt = torch.where(valid, output, 1 - target)
    total, count = squared_error(spoilt, target, valid)
    cropped = squared_error(output[:, :, 4:, :20], target[:, :, 4:, :20], everything(target)[:, :, 4:, :20])
    torch.testing.assert_close(total / count, cropped[0] / cropped[1])
    masked = squared_error(output, target, everything(target))
    for found, expected in zip(squared_error(output, target), masked, strict=True):
        assert torch.equal(found, expected), "without a mask every pixel counts"


def test_perfect_image_is_capped() -> None:
    _, target = draw()
    total, count = squared_error(target, target, everything(target))
    assert psnr((total / count).numpy()).tolist() == [PSNR_CAP] * 3

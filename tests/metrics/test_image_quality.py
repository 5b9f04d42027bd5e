from __future__ import annotations

import numpy as np
import pytest
import torch
from skimage.metrics import mean_squared_error, peak_signal_noise_ratio, structural_similarity
from torchmetrics.functional.image import structural_similarity_index_measure

from ae_pretrained.metrics.image_quality import PSNR_CAP, psnr, squared_error, ssim_per_image


def draw(count: int = 3, side: int = 24) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    target = torch.rand(count, 3, side, side, generator=generator)
    noise = 0.1 * torch.randn(target.shape, generator=generator)
    return (target + noise).clamp(0, 1), target


def everything(target: torch.Tensor) -> torch.Tensor:
    return torch.ones(len(target), 1, *target.shape[-2:], dtype=torch.bool)


def reference_ssim(output: torch.Tensor, target: torch.Tensor) -> float:
    return structural_similarity(
        output.double().numpy(),
        target.double().numpy(),
        data_range=1.0,
        channel_axis=0,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
    )


def test_error_and_psnr_match_skimage() -> None:
    output, target = draw()
    total, count = squared_error(output, target, everything(target))
    mse = (total / count).numpy()
    for place in range(len(target)):
        a, b = target[place].numpy(), output[place].numpy()
        assert mse[place] == pytest.approx(mean_squared_error(a, b), rel=1e-5)
        assert psnr(mse)[place] == pytest.approx(peak_signal_noise_ratio(a, b, data_range=1.0), rel=1e-5)


def test_ssim_matches_skimage() -> None:
    output, target = draw()
    found = ssim_per_image(output, target, everything(target))
    for place in range(len(target)):
        assert float(found[place]) == pytest.approx(reference_ssim(output[place], target[place]), abs=1e-5)


def test_ssim_matches_torchmetrics() -> None:
    output, target = draw(side=40)
    expected = structural_similarity_index_measure(
        output, target, sigma=1.5, data_range=1.0, reduction="none", return_full_image=True
    )[1]
    inner = expected[:, :, 5:-5, 5:-5].mean(dim=(1, 2, 3))  # without the windows that reach over the edge
    torch.testing.assert_close(ssim_per_image(output, target, everything(target)).float(), inner)


def test_padding_counts_nowhere() -> None:
    output, target = draw()
    valid = everything(target)
    valid[:, :, :4] = False
    valid[:, :, :, 20:] = False
    spoilt = torch.where(valid, output, 1 - target)
    total, count = squared_error(spoilt, target, valid)
    cropped = squared_error(output[:, :, 4:, :20], target[:, :, 4:, :20], everything(target)[:, :, 4:, :20])
    torch.testing.assert_close(total / count, cropped[0] / cropped[1])
    found = ssim_per_image(spoilt, target, valid)
    for place in range(len(target)):
        expected = reference_ssim(output[place, :, 4:, :20], target[place, :, 4:, :20])
        assert float(found[place]) == pytest.approx(expected, abs=1e-5)


def test_perfect_image_is_capped() -> None:
    _, target = draw()
    total, count = squared_error(target, target, everything(target))
    assert psnr((total / count).numpy()).tolist() == [PSNR_CAP] * 3
    assert ssim_per_image(target, target, everything(target)).numpy() == pytest.approx(np.ones(3))


def test_too_small_for_a_window() -> None:
    output, target = draw(side=10)
    assert ssim_per_image(output, target, everything(target)).isnan().all()
    output, target = draw(side=16)
    valid = everything(target)
    valid[0, :, 8:] = False  # 16 x 8 of content
    found = ssim_per_image(output, target, valid)
    assert found.isnan().tolist() == [True, False, False]

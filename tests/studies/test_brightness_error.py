from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from ae_pretrained.dataset.arrays import open_split
from ae_pretrained.evaluation.inference import Compute
from studies.brightness_error import CORRECTIONS, brightness_error, corrected
from tests.evaluation.small import real_processed, write_split


class Faded(nn.Module):
    """A reconstruction that has every detail, at half the contrast and brighter, but for a little noise."""

    def forward(self, images: Tensor) -> Tensor:
        noise = torch.rand(images.shape, generator=torch.Generator().manual_seed(0)) - 0.5
        return 0.5 * images + 0.3 + 0.02 * noise


@pytest.fixture
def batch() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    target = rng.random((3, 3, 8, 10))
    output = np.clip(0.4 * target + 0.2 + 0.1 * rng.random(target.shape), 0, 1)
    counted = np.ones((3, 1, 8, 10), dtype=bool)
    counted[1, :, :, 7:] = False
    output[1, :, :, 7:] = 0.9  # padding, which must not matter
    return output, target, counted


def test_corrections_agree_with_least_squares(batch: tuple[np.ndarray, np.ndarray, np.ndarray]) -> None:
    output, target, counted = batch
    shifted, fitted = (part.numpy() for part in corrected(*(torch.from_numpy(part) for part in batch)))
    for image in range(3):
        inside = counted[image, 0]
        for channel in range(3):
            x, y = output[image, channel][inside], target[image, channel][inside]
            gain, offset = np.polyfit(x, y, 1)
            np.testing.assert_allclose(fitted[image, channel][inside], gain * x + offset, atol=1e-9)
            np.testing.assert_allclose(shifted[image, channel][inside], x + (y - x).mean(), atol=1e-9)


def test_a_constant_channel_becomes_the_mean_of_its_target() -> None:
    target = torch.rand(1, 3, 4, 4, generator=torch.Generator().manual_seed(1))
    for part in corrected(torch.full_like(target, 0.2), target, torch.ones(1, 1, 4, 4, dtype=torch.bool)):
        mean = target.double().mean(dim=(2, 3), keepdim=True)
        torch.testing.assert_close(part, mean.expand_as(part))


def test_noise_is_all_that_is_left_of_a_faded_image(tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    images = rng.integers(0, 256, (5, 16, 16, 3), dtype=np.uint8)
    write_split(tmp_path, "test", images, None, [{"name": f"p{place}"} for place in range(5)])
    result = brightness_error(Faded(), open_split(tmp_path, "test"), Compute())
    assert list(result) == list(CORRECTIONS)
    (_, plain), (_, shifted), (_, fitted) = result.values()
    # the noise, enlarged by the gain that undoes the fading: variance of a uniform draw of width 0.02 / 0.5
    assert fitted == pytest.approx(0.04**2 / 12, rel=0.05)
    scaled = images.astype(np.float64) / 255
    spread = scaled.var(axis=(1, 2)).mean()
    assert shifted == pytest.approx(0.25 * spread + 0.02**2 / 12, rel=0.02)
    assert plain == pytest.approx(((0.3 - 0.5 * scaled) ** 2).mean(), rel=0.02)


def test_real_images_gain_from_each_correction(tmp_path: Path, oxford_128: Path) -> None:
    root = real_processed(tmp_path, oxford_128)
    result = brightness_error(Faded(), open_split(root, "test"), Compute())
    (plain, _), (shifted, _), (fitted, _) = result.values()
    assert plain < shifted < fitted
    assert fitted > 35.0

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from skimage.metrics import structural_similarity

from ae_pretrained.errors import PipelineError
from ae_pretrained.metrics.ssim import image_ssim, ssim, ssim_map


def reference(x: np.ndarray, y: np.ndarray) -> float:
    """scikit-image on (H, W, 3) floats in [0, 1]."""
    return float(
        structural_similarity(
            x,
            y,
            gaussian_weights=True,
            sigma=1.5,
            use_sample_covariance=False,
            data_range=1.0,
            channel_axis=-1,
        )
    )


def tensor(x: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(x).permute(2, 0, 1).unsqueeze(0).float()


def pairs(image: np.ndarray) -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    return [
        np.clip(image + rng.normal(0, 0.1, image.shape), 0, 1),
        np.clip(image * 0.7 + 0.1, 0, 1),
        image[::-1].copy(),
        np.full_like(image, image.mean()),
        image,
    ]


def test_agrees_with_scikit_image_on_real_photos(oxford_128: Path) -> None:
    for name in ("Abyssinian_1", "pug_10", "samoyed_100"):
        image = np.asarray(Image.open(oxford_128 / "images" / f"{name}.jpg").convert("RGB")) / 255.0
        for other in pairs(image):
            assert float(ssim(tensor(image), tensor(other))) == pytest.approx(
                reference(image, other), abs=5e-4
            )


def test_agrees_with_scikit_image_on_noise() -> None:
    rng = np.random.default_rng(1)
    image = rng.random((23, 31, 3))
    for other in pairs(image):
        assert float(ssim(tensor(image), tensor(other))) == pytest.approx(reference(image, other), abs=5e-4)


@pytest.mark.parametrize("size", [(11, 11), (74, 75), (84, 150)])
def test_is_that_of_scikit_image_to_the_last_digits(size: tuple[int, int]) -> None:
    """In float64, at sizes of one window, one block of windows and several."""
    image = np.random.default_rng(3).random((*size, 3))
    for other in pairs(image):
        found = ssim(*(torch.from_numpy(v).permute(2, 0, 1).unsqueeze(0) for v in (image, other)))
        assert float(found) == pytest.approx(reference(image, other), abs=1e-10)


def test_padding_counts_nowhere() -> None:
    rng = np.random.default_rng(2)
    inner, other = rng.random((20, 16, 3)), rng.random((20, 16, 3))
    x, y = rng.random((32, 32, 3)), rng.random((32, 32, 3))
    x[5:25, 7:23], y[5:25, 7:23] = inner, other
    valid = torch.zeros(1, 1, 32, 32, dtype=torch.bool)
    valid[..., 5:25, 7:23] = True
    assert float(image_ssim(tensor(x), tensor(y), valid)[0]) == pytest.approx(
        reference(inner, other), abs=5e-4
    )
    assert float(image_ssim(tensor(x), tensor(y), torch.zeros_like(valid))[0]) == 1.0


def test_is_exact_under_autocast() -> None:
    x = torch.rand(2, 3, 24, 24, generator=torch.Generator().manual_seed(0))
    y = (x + 0.02).clamp(0, 1)
    with torch.autocast("cpu", torch.bfloat16):
        mixed = ssim_map(x, y)
    assert torch.equal(mixed, ssim_map(x, y))


def test_gradient() -> None:
    generator = torch.Generator().manual_seed(0)
    x = torch.rand(1, 2, 13, 12, generator=generator, dtype=torch.float64, requires_grad=True)
    y = torch.rand(1, 2, 13, 12, generator=generator, dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda value: ssim(value, y), (x,))


def test_too_small() -> None:
    with pytest.raises(PipelineError, match=r"at least 11 x 11 px, found 10 x 20"):
        ssim(torch.rand(1, 3, 20, 10), torch.rand(1, 3, 20, 10))

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from skimage.metrics import structural_similarity
from torchmetrics.functional.image import structural_similarity_index_measure

from ae_pretrained.errors import PipelineError
from ae_pretrained.metrics.ssim import ssim, ssim_map, ssim_per_image


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
    assert float(ssim_per_image(tensor(x), tensor(y), valid)[0]) == pytest.approx(
        reference(inner, other), abs=5e-4
    )
    exact = ssim_per_image(tensor(x).double(), tensor(y).double(), valid)
    # tensor() rounds to float32 first, and so does the reference.
    rounded = (inner.astype(np.float32).astype(float), other.astype(np.float32).astype(float))
    assert float(exact[0]) == pytest.approx(reference(*rounded), abs=1e-10)


def test_is_that_of_torchmetrics_image_by_image() -> None:
    generator = torch.Generator().manual_seed(4)
    x = torch.rand(3, 3, 40, 33, generator=generator)
    y = (x + 0.1 * torch.randn(x.shape, generator=generator)).clamp(0, 1)
    full = structural_similarity_index_measure(
        x, y, sigma=1.5, data_range=1.0, reduction="none", return_full_image=True
    )[1]
    inner = full[:, :, 5:-5, 5:-5].mean(dim=(1, 2, 3))  # without the windows that reach over the edge
    torch.testing.assert_close(ssim_per_image(x, y), inner, atol=1e-5, rtol=0)
    torch.testing.assert_close(ssim_per_image(x, y, torch.ones(3, 1, 40, 33, dtype=torch.bool)), inner)
    found = ssim_per_image(x, y, dtype=torch.float64)
    assert found.dtype == torch.float64
    torch.testing.assert_close(found.float(), inner)


def test_the_caller_says_what_an_empty_image_is_worth() -> None:
    """Smaller than the window, or with padding that leaves no room for one: NaN, or what is asked for."""
    x = torch.rand(3, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    valid = torch.ones(3, 1, 16, 16, dtype=torch.bool)
    valid[0, :, 8:] = False  # 8 x 16 px of content
    valid[1] = False
    y = 1 - x
    assert ssim_per_image(x, y, valid).isnan().tolist() == [True, True, False]
    assert ssim_per_image(x, y, valid, empty=1.0)[:2].tolist() == [1, 1]
    assert ssim_per_image(x[..., :10], y[..., :10], dtype=torch.float64).isnan().all()
    assert ssim_per_image(x[..., :10], y[..., :10], empty=0.5).tolist() == [0.5] * 3
    alone = ssim_per_image(x[2:], y[2:])
    torch.testing.assert_close(ssim(x, y, valid), (1 + 1 + alone[0]) / 3)


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

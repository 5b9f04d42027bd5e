from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image

from ae_pretrained.dataset.augmentation import Augmentation
from ae_pretrained.errors import PipelineError


def only(**values: float) -> Augmentation:
    """Nothing changes but what is named."""
    off = {field.name: 0.0 for field in dataclasses.fields(Augmentation) if field.name != "ignore_index"}
    return Augmentation(**{**off, **values})  # type: ignore[arg-type]


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.fixture
def batch() -> tuple[torch.Tensor, torch.Tensor]:
    """A smooth image whose red channel says which mask value lies there."""
    mask = torch.zeros(8, 32, 32, dtype=torch.uint8)
    mask[:, 6:20, 4:15] = 1
    mask[:, 18:30, 16:28] = 2
    images = torch.rand(8, 3, 32, 32, generator=generator(5))
    images[:, 0] = mask / 2.0
    return images, mask


def test_nothing_changes_when_everything_is_off(batch: Any) -> None:
    images, masks = only()(*batch, generator())
    assert torch.equal(images, batch[0])
    assert torch.equal(masks, batch[1])


def test_flip_is_an_exact_mirror_of_both(batch: Any) -> None:
    images, masks = only(flip=1.0)(*batch, generator())
    torch.testing.assert_close(images, batch[0].flip(-1), atol=1e-5, rtol=0)
    assert torch.equal(masks, batch[1].flip(-1))


def test_image_and_mask_move_together(batch: Any) -> None:
    augment = only(flip=0.5, affine=1.0, rotate=25, scale=0.3, translate=0.2)
    images, masks = augment(*batch, generator())
    assert set(masks.unique().tolist()) <= {0, 1, 2, 255}
    assert (masks == 255).any(), "what comes in from outside is ignored"
    for value in (0, 1, 2):
        red = images[:, 0][masks == value]
        # Away from edges the red channel still says the class: its median is exact.
        assert red.median().item() == pytest.approx(value / 2.0, abs=1e-4)
    assert not torch.equal(masks[0], masks[1]), "every image has its own draw"


def test_rotation_agrees_with_pillow() -> None:
    rng = np.random.default_rng(0)
    small = rng.integers(0, 256, (8, 8), dtype=np.uint8)
    pixels = np.asarray(Image.fromarray(small).resize((64, 64), Image.Resampling.BICUBIC))
    image = torch.from_numpy(pixels / 255.0).float().expand(1, 3, 64, 64)
    mask = torch.zeros(1, 64, 64, dtype=torch.uint8)
    # Draw until the angle is known: with one image and only rotation on, its draw is the second one.
    augment = only(affine=1.0, rotate=30)
    turned, _ = augment(image, mask, generator(3))
    best = min(
        np.abs(
            np.asarray(Image.fromarray(pixels).rotate(angle, Image.Resampling.BILINEAR), dtype=float)[
                16:48, 16:48
            ]
            - turned[0, 0, 16:48, 16:48].numpy() * 255
        ).mean()
        for angle in np.arange(-30, 30.1, 0.25)
    )
    unrotated = np.abs(pixels[16:48, 16:48] - turned[0, 0, 16:48, 16:48].numpy() * 255).mean()
    assert best < 1.5
    assert unrotated > 5 * best


def test_colour_changes_stay_in_range_and_leave_masks(batch: Any) -> None:
    augment = only(
        jitter=1.0, brightness=0.5, contrast=0.5, saturation=0.5, hue=0.2, noise=1.0, noise_std=0.3, blur=1.0
    )
    images, masks = augment(*batch, generator())
    assert images.min() >= 0.0
    assert images.max() <= 1.0
    assert torch.equal(masks, batch[1])


def test_hue_keeps_greys_and_luma() -> None:
    grey = torch.full((2, 3, 4, 4), 0.4)
    mask = torch.zeros(2, 4, 4, dtype=torch.uint8)
    images, _ = only(jitter=1.0, hue=0.5)(grey, mask, generator())
    torch.testing.assert_close(images, grey, atol=2e-3, rtol=0)
    coloured = torch.tensor([0.5, 0.4, 0.3]).view(1, 3, 1, 1).expand(2, 3, 4, 4)
    images, _ = only(jitter=1.0, hue=0.1)(coloured, mask, generator())
    luma = torch.tensor([0.299, 0.587, 0.114]).view(1, 3, 1, 1)
    torch.testing.assert_close((images * luma).sum(1), (coloured * luma).sum(1), atol=2e-3, rtol=0)
    assert not torch.allclose(images, coloured, atol=1e-3)


def test_blur_keeps_the_mean_and_lowers_the_variance() -> None:
    images = torch.rand(16, 3, 32, 32, generator=generator())
    mask = torch.zeros(16, 32, 32, dtype=torch.uint8)
    blurred, _ = only(blur=1.0)(images, mask, generator())
    torch.testing.assert_close(blurred.mean(), images.mean(), atol=2e-3, rtol=0)
    assert blurred.std() < 0.8 * images.std()


def test_erase_greys_one_box(batch: Any) -> None:
    images, masks = only(erase=1.0)(*batch, generator())
    grey = (images == 0.5).all(dim=1) & ~(batch[0] == 0.5).all(dim=1)
    share = grey.float().mean(dim=(1, 2))
    assert (share > 0.01).all()
    assert (share < 0.25).all()
    assert torch.equal(masks, batch[1])


def test_draws_depend_on_the_generator_alone(batch: Any) -> None:
    augment = only(flip=0.5, affine=1.0, rotate=10, jitter=1.0, brightness=0.3, noise=0.5, noise_std=0.1)
    torch.manual_seed(1)
    one, _ = augment(*batch, generator(7))
    torch.manual_seed(2)
    two, _ = augment(*batch, generator(7))
    other, _ = augment(*batch, generator(8))
    assert torch.equal(one, two)
    assert not torch.equal(one, other)


def test_defaults_change_images_and_masks(batch: Any) -> None:
    augment = Augmentation(ignore_index=9)
    images, masks = augment(*batch, generator(1))
    assert not torch.equal(images, batch[0])
    assert set(masks.unique().tolist()) == {0, 1, 2, 9}
    torch.manual_seed(1)  # without a generator the draws come from PyTorch's global one
    one, _ = augment(*batch)
    torch.manual_seed(1)
    assert torch.equal(augment(*batch)[0], one)


@pytest.mark.parametrize("name", ["flip", "affine", "jitter", "blur", "noise", "erase"])
def test_a_probability_above_one_is_refused(name: str) -> None:
    with pytest.raises(PipelineError, match=f"{name}: found 50, expected a probability from 0 to 1"):
        only(**{name: 50})


def test_positions_are_exact_under_autocast(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is sampled lies within a hundredth of a pixel of float64, at 512 px and in bf16 training."""
    matrices: list[torch.Tensor] = []
    grids: list[torch.Tensor] = []
    make_grid, sample = F.affine_grid, F.grid_sample

    def affine_grid(theta: torch.Tensor, size: list[int], align_corners: bool) -> torch.Tensor:
        matrices.append(theta)
        return make_grid(theta, size, align_corners)

    def grid_sample(images: torch.Tensor, grid: torch.Tensor, **words: Any) -> torch.Tensor:
        grids.append(grid)
        return sample(images, grid, **words)

    monkeypatch.setattr(F, "affine_grid", affine_grid)
    monkeypatch.setattr(F, "grid_sample", grid_sample)
    images, masks = torch.rand(2, 3, 512, 512), torch.zeros(2, 512, 512, dtype=torch.uint8)
    with torch.autocast("cpu", torch.bfloat16):
        only(affine=1.0, rotate=30, scale=0.2, translate=0.1)(images, masks, generator())
    exact = make_grid(matrices[0].double(), list(images.shape), False)
    assert len(grids) == 2, "of the images and of the masks"
    for grid in grids:
        assert ((grid.double() - exact).abs() * 512 / 2).max() < 0.01


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize(
    "augment",
    [only(affine=1.0, rotate=30), only(jitter=1.0, brightness=0.3, hue=0.1), only(blur=1.0), Augmentation()],
    ids=["positions", "colours", "blur", "defaults"],
)
def test_autocast_changes_no_bit(batch: Any, augment: Augmentation, dtype: torch.dtype) -> None:
    expected = augment(*batch, generator())
    with torch.autocast("cpu", dtype):
        found = augment(*batch, generator())
    for one, other in zip(found, expected, strict=True):
        assert one.dtype == other.dtype
        assert torch.equal(one, other)

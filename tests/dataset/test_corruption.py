from __future__ import annotations

import pytest
import torch

from ae_pretrained.dataset.corruption import HIDDEN, corrupt
from ae_pretrained.params.training_params import CorruptionParams


def settings(kind: str, **values: float) -> CorruptionParams:
    return CorruptionParams.model_validate(
        {"kind": kind, "noise_std": 0.2, "mask_fraction": 0.6, "mask_block": 8, **values}
    )


@pytest.fixture
def images() -> torch.Tensor:
    return torch.rand(4, 3, 32, 40, generator=torch.Generator().manual_seed(0))


def generator() -> torch.Generator:
    return torch.Generator().manual_seed(1)


def test_none(images: torch.Tensor) -> None:
    seen, changed = corrupt(images, settings("none"), generator())
    assert torch.equal(seen, images)
    assert not changed.any()


def test_mask_hides_whole_blocks_of_the_stated_share(images: torch.Tensor) -> None:
    seen, changed = corrupt(images, settings("mask"), generator())
    assert changed.shape == (4, 1, 32, 40)
    blocks = changed.view(4, 4, 8, 5, 8).float().mean(dim=(2, 4))
    assert set(blocks.unique().tolist()) == {0.0, 1.0}
    assert (blocks.sum(dim=(1, 2)) == round(0.6 * 20)).all()
    assert (seen.masked_select(changed.expand_as(seen)) == HIDDEN).all()
    assert torch.equal(
        seen.masked_select(~changed.expand_as(seen)), images.masked_select(~changed.expand_as(seen))
    )
    assert not torch.equal(changed[0], changed[1])


def test_blocks_that_do_not_divide_the_image(images: torch.Tensor) -> None:
    seen, changed = corrupt(images[..., :30, :37], settings("mask", mask_block=7), generator())
    assert seen.shape == (4, 3, 30, 37)
    assert changed.shape == (4, 1, 30, 37)


def test_noise_has_the_stated_strength_and_changes_everything(images: torch.Tensor) -> None:
    middle = images * 0.0 + 0.5
    seen, changed = corrupt(middle, settings("noise", noise_std=0.1), generator())
    assert (seen - middle).std().item() == pytest.approx(0.1, rel=0.05)
    assert changed.all()


def test_both(images: torch.Tensor) -> None:
    seen, changed = corrupt(images, settings("both"), generator())
    hidden = changed.expand_as(seen)
    assert (seen[hidden] == HIDDEN).all()
    assert (seen[~hidden] != images[~hidden]).float().mean() > 0.9
    assert seen.min() >= 0.0
    assert seen.max() <= 1.0

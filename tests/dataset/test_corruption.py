from __future__ import annotations

from typing import Any

import pytest
import torch

from ae_pretrained.dataset.corruption import HIDDEN, corrupt
from ae_pretrained.errors import PipelineError

STRENGTH: dict[str, Any] = {"noise_std": 0.2, "mask_fraction": 0.6, "mask_block": 8}


@pytest.fixture
def images() -> torch.Tensor:
    return torch.rand(4, 3, 32, 40, generator=torch.Generator().manual_seed(0))


def generator() -> torch.Generator:
    return torch.Generator().manual_seed(1)


def test_none(images: torch.Tensor) -> None:
    seen, changed = corrupt(images, "none", **STRENGTH, generator=generator())
    assert torch.equal(seen, images)
    assert not changed.any()


def test_mask_hides_whole_blocks_of_the_stated_share(images: torch.Tensor) -> None:
    seen, changed = corrupt(images, "mask", **STRENGTH, generator=generator())
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
    seen, changed = corrupt(
        images[..., :30, :37], "mask", **{**STRENGTH, "mask_block": 7}, generator=generator()
    )
    assert seen.shape == (4, 3, 30, 37)
    assert changed.shape == (4, 1, 30, 37)


def test_noise_has_the_stated_strength_and_changes_everything(images: torch.Tensor) -> None:
    middle = images * 0.0 + 0.5
    seen, changed = corrupt(middle, "noise", **{**STRENGTH, "noise_std": 0.1}, generator=generator())
    assert (seen - middle).std().item() == pytest.approx(0.1, rel=0.05)
    assert changed.all()


def test_both(images: torch.Tensor) -> None:
    seen, changed = corrupt(images, "both", **STRENGTH, generator=generator())
    hidden = changed.expand_as(seen)
    assert (seen[hidden] == HIDDEN).all()
    assert (seen[~hidden] != images[~hidden]).float().mean() > 0.9
    assert seen.min() >= 0.0
    assert seen.max() <= 1.0


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"kind": "blocks"}, "kind: found 'blocks', expected one of 'none', 'noise', 'mask', 'both'"),
        ({"mask_fraction": 1.0}, "found 1.0, 8 and 0.1"),
        ({"mask_block": 0}, "found 0.6, 0 and 0.1"),
        ({"noise_std": -1.0}, "found 0.6, 8 and -1.0"),
    ],
)
def test_arguments_that_mean_nothing(images: torch.Tensor, wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(PipelineError, match=said):
        corrupt(images, **wrong)

"""Views of an image, and the places that both show: exact on an image whose colours are its coordinates."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from ae_pretrained.dataset.colours import Colours
from ae_pretrained.dataset.views import ViewPair, Views
from ae_pretrained.errors import PipelineError
from ae_pretrained.losses.contrastive_loss import features_at

PLAIN: dict[str, Any] = {"colours": Colours(jitter=0.0, grey=0.0, blur=0.0)}


def coordinates(number: int, side: int) -> tuple[Tensor, Tensor]:
    """Images whose red says x and green says y, from 0 to 1, and masks without padding."""
    axis = (torch.arange(side) + 0.5) / side
    y, x = torch.meshgrid(axis, axis, indexing="ij")
    image = torch.stack([x, y, torch.zeros_like(x)])
    return image.repeat(number, 1, 1, 1), torch.zeros(number, side, side, dtype=torch.uint8)


def draw(views: Views, number: int = 64, side: int = 32, size: int | None = None, seed: int = 0) -> ViewPair:
    return views(*coordinates(number, side), torch.Generator().manual_seed(seed), size=size)


@pytest.mark.parametrize("size", [None, 24])
def test_places_are_the_same_in_both_views(size: int | None) -> None:
    """What the first view shows at a place, the second shows there too: mirrored or not, large or small."""
    pair = draw(Views(**PLAIN, places=16), size=size)
    seen = features_at(pair.images, pair.places)  # (2, N, K, 3)
    side = pair.images.shape[-1]
    # Within half a pixel of the edge of a view, or of the image, there is no pixel on the other side to read between.
    inside = (pair.places.abs() < 1 - 2 / side).all(dim=-1).all(dim=0) & pair.counted
    assert inside.float().mean() > 0.6
    torch.testing.assert_close(seen[0][inside], seen[1][inside], atol=1e-5, rtol=0)
    assert seen[0][inside].std(dim=0)[:2].min() > 0.1, "places all over the image"
    flips = (pair.images[:, 0, 0, 0] > pair.images[:, 0, 0, -1]).float().mean()
    assert 0.3 < flips < 0.7


def test_a_wrong_pairing_of_places_would_be_seen() -> None:
    pair = draw(Views(**PLAIN, places=16))
    seen = features_at(pair.images, pair.places.roll(1, dims=2))
    other = features_at(pair.images, pair.places)
    assert (seen[0] - other[1])[pair.counted].abs().max() > 0.3


@pytest.mark.parametrize("smallest", [0.3, 1.0])
def test_area_of_the_crops(smallest: float) -> None:
    pair = draw(Views(**PLAIN, smallest_area=smallest), number=500)
    red, green = pair.images[:, 0], pair.images[:, 1]
    width = (red[:, 0, 0] - red[:, 0, -1]).abs() * 32 / 31
    height = (green[:, -1, 0] - green[:, 0, 0]) * 32 / 31
    area = width * height
    assert area.max() <= 1.001
    # A side that would be longer than the image's is cut to it, 3/4 of the area at most are left.
    assert area.min() >= smallest * 0.74
    if smallest < 1:
        assert 0.55 < area.mean() < 0.66
        assert (width / height).max() <= 4 / 3 * 1.05


def test_places_that_are_not_shown_do_not_count() -> None:
    tiny = draw(Views(**PLAIN, smallest_area=0.02), number=200)
    shown = (tiny.places.abs() <= 1.0001).all(dim=-1).all(dim=0)
    assert shown[tiny.counted].all()
    assert not tiny.counted.all()
    assert tiny.counted.any()
    images, masks = coordinates(200, 32)
    masks[:, :, 16:] = 255  # the right half is padding
    pair = Views(**PLAIN)(images, masks, torch.Generator().manual_seed(0))
    place = features_at(pair.images, pair.places)[0, ..., 0]  # x in the image
    inside = (pair.places.abs() < 0.9).all(dim=-1).all(dim=0)
    assert place[pair.counted & inside].max() <= 0.5 + 1e-4
    assert place[~pair.counted & inside].min() >= 0.5 - 1e-4
    assert torch.equal(pair.masks == 255, pair.images[:, 0] > 0.5) or (
        ((pair.masks == 255) != (pair.images[:, 0] > 0.5)).float().mean() < 0.03
    )


def test_draws_come_from_the_generator() -> None:
    torch.manual_seed(0)
    before = torch.get_rng_state()
    one, two, other = draw(Views()), draw(Views()), draw(Views(), seed=1)
    assert torch.equal(torch.get_rng_state(), before)
    assert all(torch.equal(a, b) for a, b in zip(one, two, strict=True))
    assert not torch.equal(one.images, other.images)
    half = one.images.shape[0] // 2
    assert not torch.equal(one.images[:half], one.images[half:])
    assert one.images.min() >= 0
    assert one.images.max() <= 1


def test_grey_views_have_one_value_a_pixel() -> None:
    pair = draw(Views(colours=Colours(grey=1.0)))
    assert (pair.images.amax(dim=1) - pair.images.amin(dim=1)).max() < 1e-6


def test_a_margin_makes_enlarging_and_reducing_equal() -> None:
    assert Views(smallest_area=1.0).margin(64) == 0
    margin = Views(smallest_area=0.3).margin(256)
    assert margin % 2 == 0
    window = 256 + 2 * margin
    assert window / 256 == pytest.approx(256 / (0.3**0.5 * window), rel=0.03)


@pytest.mark.parametrize("change", [{"flip": 1.5}, {"smallest_area": 0.0}, {"places": 0}])
def test_values_out_of_range_are_named(change: dict[str, float]) -> None:
    with pytest.raises(PipelineError, match=next(iter(change))):
        Views(**change)  # type: ignore[arg-type]

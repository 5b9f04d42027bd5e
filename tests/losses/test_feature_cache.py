from __future__ import annotations

import copy
from pathlib import Path

import pytest
import torch
from torch import Tensor

from ae_pretrained.dataset.augmentation import Augmentation
from ae_pretrained.errors import PipelineError
from ae_pretrained.losses.feature_cache import FeatureCache
from ae_pretrained.losses.latent_loss import LatentPerceptualLoss

SHAPES = [(3, 4, 4), (1, 2, 2)]
CHANNELS, STRIDES = (4, 6, 8, 10, 12), (1, 2, 4, 8, 16)


class Network:
    """Counts the images that it was asked about."""

    def __init__(self) -> None:
        self.seen = 0

    def __call__(self, images: Tensor) -> list[Tensor]:
        self.seen += len(images)
        return [images[:, :, ::8, ::8], images[:, :1, ::16, ::16]]


def pictures(n: int = 4, seed: int = 0) -> Tensor:
    """Images as they come out of uint8 arrays."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (n, 3, 32, 32), generator=generator).float() / 255


def test_only_new_images_are_computed(tmp_path: Path) -> None:
    network, cache = Network(), FeatureCache(tmp_path / "new folder" / "maps.sqlite")
    images = pictures()
    first = cache.maps(images, SHAPES, network)
    assert network.seen == 4
    mixed = torch.stack([images[2], pictures(1, seed=1)[0], images[0]])
    found = cache.maps(mixed, SHAPES, network)
    assert network.seen == 5
    for value, wanted in zip(found, Network()(mixed), strict=True):
        assert torch.equal(value, wanted)
    again = FeatureCache(cache.file)  # another process, later
    for value, wanted in zip(again.maps(images, SHAPES, network), first, strict=True):
        assert torch.equal(value, wanted)
    assert network.seen == 5


def test_maps_of_other_shapes_are_others(tmp_path: Path) -> None:
    network, cache = Network(), FeatureCache(tmp_path / "maps.sqlite")
    cache.maps(pictures(), SHAPES, network)
    halves = cache.maps(pictures(), [(3, 2, 2)], lambda some: [some[:, :, ::16, ::16]])
    assert torch.equal(halves[0], pictures()[:, :, ::16, ::16])


def test_a_copy_opens_the_file_itself(tmp_path: Path) -> None:
    """As where a moving average copies the task, or a process is started."""
    network, cache = Network(), FeatureCache(tmp_path / "maps.sqlite")
    cache.maps(pictures(), SHAPES, network)
    copy.deepcopy(cache).maps(pictures(), SHAPES, network)
    assert network.seen == 4


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "maps.sqlite").write_bytes(b"no database" * 100)
    with pytest.raises(PipelineError, match=r"maps\.sqlite: .*cannot be kept there .*not a database.*remove"):
        FeatureCache(tmp_path / "maps.sqlite").maps(pictures(), SHAPES, Network())


@pytest.mark.parametrize("autocast", [False, True])
def test_the_latent_loss_and_its_gradient_are_the_same(tmp_path: Path, autocast: bool) -> None:
    torch.manual_seed(0)
    loss = LatentPerceptualLoss(CHANNELS, STRIDES)
    images = pictures()
    features = [
        torch.randn(4, c, 32 // s, 32 // s, requires_grad=True)
        for c, s in zip(CHANNELS, STRIDES, strict=True)
    ]
    with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
        plain = loss(features, images)
        plain.backward()
        wanted = features[-1].grad
        loss.cache = FeatureCache(tmp_path / "maps.sqlite")
        for _ in range(2):
            features[-1].grad = None
            kept = loss(features, images, come_again=True)
            kept.backward()
            torch.testing.assert_close(kept, plain, rtol=1e-5, atol=0)
            torch.testing.assert_close(features[-1].grad, wanted, rtol=1e-4, atol=1e-7)


def test_a_flipped_image_is_found_again(tmp_path: Path) -> None:
    """Flips go through a resampling, whose rounding must not make another picture of it."""
    flips = Augmentation(flip=0.5, affine=0, jitter=0, blur=0, noise=0)
    assert flips.only_flips
    assert not Augmentation().only_flips
    network, cache = Network(), FeatureCache(tmp_path / "maps.sqlite")
    images, masks = pictures(8), torch.zeros(8, 32, 32, dtype=torch.uint8)
    for seed in range(20):
        drawn, _ = flips(images, masks, torch.Generator().manual_seed(seed))
        cache.maps(drawn, SHAPES, network)
    assert network.seen == 16

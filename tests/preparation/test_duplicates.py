from __future__ import annotations

from pathlib import Path

import imagehash
import numpy as np
from PIL import Image

from ae_pretrained.preparation.duplicates import grey_thumbnail, near_duplicates, perceptual_hashes


def smooth(rng: np.random.Generator, count: int) -> np.ndarray:
    """Thumbnails of large shapes, all different."""
    coarse = rng.integers(0, 256, (count, 5, 5), dtype=np.uint8)
    return np.stack(
        [np.asarray(Image.fromarray(one).resize((32, 32), Image.Resampling.BICUBIC)) for one in coarse]
    )


def test_hashes_are_those_of_imagehash(oxford_sample: Path) -> None:
    paths = sorted((oxford_sample / "images").glob("*.jpg"))[:20]
    thumbnails = np.stack([grey_thumbnail(np.asarray(Image.open(path).convert("RGB"))) for path in paths])
    found = perceptual_hashes(thumbnails)
    expected = [imagehash.phash(Image.fromarray(thumbnail)).hash.ravel() for thumbnail in thumbnails]
    bits = np.unpackbits(found.astype(">u8").view(np.uint8).reshape(-1, 8), axis=1).astype(bool)
    assert np.array_equal(bits, np.stack(expected))


def test_copies_are_found_and_nothing_else() -> None:
    rng = np.random.default_rng(0)
    images = smooth(rng, 3000)  # more than one block
    brighter = np.clip(images[10] * 0.8 + 30, 0, 255).astype(np.uint8)
    noisy = np.clip(images[2999] + rng.normal(0, 4, (32, 32)), 0, 255).astype(np.uint8)
    mirrored = images[1500][:, ::-1]
    pairs = near_duplicates(np.concatenate([images, [brighter, noisy, mirrored]]), 10, 0.2)
    assert [(pair.first, pair.second, pair.mirrored) for pair in pairs] == [
        (10, 3000, False),
        (1500, 3002, True),
        (2999, 3001, False),
    ]
    assert pairs[0].difference > 10
    assert pairs[0].distance < 0.05
    assert pairs[1].difference == 0


def test_against_every_pair_one_by_one() -> None:
    rng = np.random.default_rng(1)
    images = smooth(rng, 60)
    images = np.concatenate([images, np.clip(images[:20] + rng.normal(0, 30, (20, 32, 32)), 0, 255)]).astype(
        np.uint8
    )
    hashes = [imagehash.phash(Image.fromarray(image)) for image in images]
    normal = [(image - image.mean()) / image.std() for image in images.astype(float)]
    expected = {
        (one, two)
        for one in range(80)
        for two in range(one + 1, 80)
        if hashes[one] - hashes[two] <= 12 and np.abs(normal[one] - normal[two]).mean() <= 0.6
    }
    found = {(pair.first, pair.second) for pair in near_duplicates(images, 12, 0.6) if not pair.mirrored}
    assert expected
    assert found == expected


def test_flat_images_and_few_images() -> None:
    flat = np.full((2, 32, 32), 7, dtype=np.uint8)
    assert len(near_duplicates(flat, 0, 0.0)) == 1
    assert near_duplicates(flat[:1], 10, 0.2) == []
    assert near_duplicates(flat[:0], 10, 0.2) == []

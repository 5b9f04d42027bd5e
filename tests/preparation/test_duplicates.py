from __future__ import annotations

from pathlib import Path

import imagehash
import numpy as np
import pytest
from PIL import Image

from ae_pretrained.preparation import duplicates
from ae_pretrained.preparation.duplicates import find_duplicates, grey_thumbnail, perceptual_hashes


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
    found = find_duplicates(np.concatenate([images, [brighter, noisy, mirrored]]), 10, 0.2)
    pairs = found.pairs
    assert found.groups == [[10, 3000], [1500, 3002], [2999, 3001]]
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
    found = {
        (pair.first, pair.second) for pair in find_duplicates(images, 12, 0.6).pairs if not pair.mirrored
    }
    assert expected
    assert found == expected


def test_flat_images_and_few_images() -> None:
    flat = np.full((2, 32, 32), 7, dtype=np.uint8)
    assert find_duplicates(flat, 0, 0.0).groups == [[0, 1]]
    assert find_duplicates(flat[:1], 10, 0.2).groups == []
    assert find_duplicates(flat[:0], 10, 0.2).groups == []


def test_being_alike_is_passed_on() -> None:
    rng = np.random.default_rng(2)
    base = smooth(rng, 1)[0].astype(float)
    shift = smooth(rng, 1)[0].astype(float) - 128
    steps = np.clip([base + share * shift for share in (0.0, 0.15, 0.3)], 0, 255).astype(np.uint8)
    normal = [(step - step.mean()) / step.std() for step in steps.astype(float)]
    near, far = (np.abs(normal[one] - normal[two]).mean() for one, two in ((1, 2), (0, 2)))
    near = max(near, np.abs(normal[0] - normal[1]).mean())
    found = find_duplicates(steps, 64, float(near + far) / 2)
    assert [(pair.first, pair.second) for pair in found.pairs] == [(0, 1), (1, 2)], "the ends are not alike"
    assert found.groups == [[0, 1, 2]]


def test_frames_of_a_fixed_camera_are_one_group_and_few_comparisons(monkeypatch: pytest.MonkeyPatch) -> None:
    """2,000 frames make two million pairs; each frame is compared about once."""
    rng = np.random.default_rng(3)
    scene = smooth(rng, 1)[0].astype(float)
    frames = np.clip(scene + rng.normal(0, 4, (2000, 32, 32)), 0, 255).astype(np.uint8)
    others = smooth(rng, 500)
    compared = 0
    distances = duplicates._Search.distances

    def counted(search: duplicates._Search, first: int, rows: np.ndarray, mirrored: bool) -> np.ndarray:
        nonlocal compared
        compared += len(rows)
        return distances(search, first, rows, mirrored)

    monkeypatch.setattr(duplicates._Search, "distances", counted)
    found = find_duplicates(np.concatenate([frames, others]), 10, 0.25)
    assert found.groups == [list(range(2000))]
    assert 0 < len(found.pairs) <= 3, "examples, not all two million"
    assert compared < 3 * len(frames)

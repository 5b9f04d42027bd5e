from __future__ import annotations

import numpy as np
import pytest

from ae_pretrained.preparation.resize import content_box, resize_image, resize_mask


def noise(height: int, width: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)


def test_shrinking_takes_the_mean_of_each_area() -> None:
    image = noise(60, 80)
    found = resize_image(image, 20, (0, 0, 20, 20))
    expected = image.reshape(20, 3, 20, 4, 3).mean(axis=(1, 3))
    assert np.abs(found - expected).max() <= 1


def test_a_side_that_shrinks_is_averaged_while_the_other_grows() -> None:
    image = np.zeros((10, 200, 3), dtype=np.uint8)
    image[:, ::2] = 255  # stripes of one pixel: skipping pixels would show as black or white
    found = resize_image(image, 40, (0, 0, 40, 40))
    assert found.shape == (40, 40, 3)
    assert (np.abs(found.astype(int) - 127) <= 26).all()


def test_enlarging_keeps_the_range_and_the_mean() -> None:
    image = noise(10, 10)
    found = resize_image(image, 64, (0, 0, 64, 64))
    assert abs(found.mean() - image.mean()) < 6


@pytest.mark.parametrize(("height", "width", "size"), [(37, 53, 16), (16, 16, 16), (9, 11, 32), (40, 10, 16)])
def test_masks_take_the_pixel_under_the_centre(height: int, width: int, size: int) -> None:
    mask = np.random.default_rng(1).integers(0, 3, (height, width)).astype(np.uint8)
    rows = np.floor((np.arange(size) + 0.5) * height / size).astype(int)
    columns = np.floor((np.arange(size) + 0.5) * width / size).astype(int)
    found = resize_mask(mask, size, (0, 0, size, size))
    # Where a centre falls on the edge of two pixels, either is the nearest.
    assert (found == mask[np.ix_(rows, columns)]).mean() > 0.99


@pytest.mark.parametrize(
    ("width", "height", "box"),
    [
        (100, 50, (0, 16, 64, 48)),
        (50, 100, (16, 0, 48, 64)),
        (64, 64, (0, 0, 64, 64)),
        (10_000, 8, (0, 31, 64, 32)),
    ],
)
def test_pad(width: int, height: int, box: tuple[int, int, int, int]) -> None:
    assert content_box(width, height, 64, "pad") == box
    x0, y0, x1, y1 = box
    image = resize_image(noise(height, width), 64, box)
    mask = resize_mask(np.ones((height, width), dtype=np.uint8), 64, box)
    inside = np.zeros((64, 64), dtype=bool)
    inside[y0:y1, x0:x1] = True
    assert (mask[inside] == 1).all()
    assert (mask[~inside] == 255).all()
    assert (image[~inside] == 127).all()

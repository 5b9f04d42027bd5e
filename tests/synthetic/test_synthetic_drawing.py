"""The renderer against independent references, and the trimaps against the pet they belong to."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from ae_pretrained.synthetic.body import POSES, View, sculpt_pet
from ae_pretrained.synthetic.breeds import BREEDS, Breed
from ae_pretrained.synthetic.scene import draw_image
from ae_pretrained.synthetic.solid import Part, Sculptor, rasterise
from ae_pretrained.synthetic.trimap import BORDER_HALF_WIDTH, trimap


def test_the_front_of_a_tilted_ellipsoid_lies_where_its_equation_says() -> None:
    rotation, _ = np.linalg.qr(np.random.default_rng(0).normal(size=(3, 3)))
    s = Sculptor()
    s.ellipsoid((20.0, 15.0, 3.0), (9.0, 6.0, 3.0), Part.TORSO, turn=rotation)
    depth, owner = rasterise(s.splats(), (32, 40))
    inverse = rotation @ np.diag([1 / 81, 1 / 36, 1 / 9]) @ rotation.T

    # Reference: walk along every line of sight from the front until the quadric says "inside".
    z = np.linspace(16, -10, 5201)
    y, x = np.mgrid[0:32, 0:40] + 0.5
    expected = np.full((32, 40), -np.inf)
    for i, j in np.ndindex(32, 40):
        d = np.stack([np.full_like(z, x[i, j] - 20), np.full_like(z, y[i, j] - 15), z - 3], axis=1)
        inside = np.einsum("ki,ij,kj->k", d, inverse, d) <= 1
        if inside.any():
            expected[i, j] = z[np.argmax(inside)]
    both = np.isfinite(expected) & np.isfinite(depth)
    assert (np.isfinite(expected) != np.isfinite(depth)).sum() <= 2, "only grazing rays may differ"
    assert np.array_equal(owner >= 0, np.isfinite(depth))
    np.testing.assert_allclose(depth[both], expected[both], atol=0.05)


def test_the_nearer_of_two_bodies_hides_the_other() -> None:
    s = Sculptor()
    s.ellipsoid((10.0, 10.0, 8.0), (4.0, 4.0, 4.0), Part.PAW)
    s.ellipsoid((10.0, 10.0, 0.0), (8.0, 8.0, 4.0), Part.TORSO)
    _, owner = rasterise(s.splats(), (20, 20))
    assert owner[10, 10] == 0
    assert owner[10, 16] == 1
    assert owner[0, 0] == -1


@pytest.mark.parametrize("breed", BREEDS, ids=lambda breed: breed.name)
def test_a_body_hangs_together_and_stands_on_the_ground(breed: Breed) -> None:
    for pose in POSES:
        view = View(body=0.5, head=0.9, pitch=0.0, nod=0.0, tilt=0.0, mirror=False)
        pet = sculpt_pet(breed, pose, view, collar=True, tongue=True, rng=np.random.default_rng(5))
        low, high = pet.splats.bounds()
        scale = 200.0 / float((high - low).max())
        matrix = np.diag([scale, -scale, scale])
        _, owner = rasterise(
            pet.splats.transformed(matrix, np.array([-low[0] * scale + 5, high[1] * scale + 5, 0])),
            (212, 212),
        )
        parts, _ = cv2.connectedComponents((owner >= 0).astype(np.uint8))
        assert parts == 2, f"{breed.name} in pose {pose} falls into {parts - 1} parts"
        assert abs(low[1]) < 0.06, (
            f"{breed.name} in pose {pose}: its lowest point is at {low[1]:.3f}, not the ground"
        )


def test_the_border_is_a_band_along_the_outline_of_its_nominal_width() -> None:
    side, radius = 256, 70.0
    y, x = np.mgrid[0:side, 0:side] + 0.5
    distance = np.hypot(x - 128, y - 128) - radius
    result = trimap((distance < 0).astype(np.float32), 128)
    inner = distance[1::2, 1::2]  # the canvas pixels that are kept
    half = BORDER_HALF_WIDTH * side
    assert np.all(result[inner < -half - 1.5] == 1)
    assert np.all(result[inner > half + 1.5] == 2)
    assert np.all(result[np.abs(inner) < half - 1.5] == 3)


def test_the_frame_of_the_image_is_no_outline() -> None:
    coverage = np.zeros((128, 128), np.float32)
    coverage[:, 64:] = 1.0
    result = trimap(coverage, 64)
    assert np.all(result[:, -1] == 1)
    assert np.all(result[[0, -1], 40:] == 1)


@pytest.mark.parametrize("size", [32, 64, 100])
def test_an_image_has_the_size_asked_for_and_depends_on_its_seed_alone(size: int) -> None:
    first, mask = draw_image(BREEDS[3], size, np.random.default_rng([1, 2]))
    again, mask_again = draw_image(BREEDS[3], size, np.random.default_rng([1, 2]))
    assert first.shape == (size, size, 3)
    assert mask.shape == (size, size)
    assert first.dtype == mask.dtype == np.uint8
    assert np.array_equal(first, again)
    assert np.array_equal(mask, mask_again)

"""Names, images and tables of results."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ae_pretrained.errors import PipelineError
from ae_pretrained.figures.style import class_rgb
from ae_pretrained.prediction import overlays
from ae_pretrained.prediction.naming import check_no_image_is_replaced, result_names
from ae_pretrained.prediction.overlays import mask_png, tint_image, write_overlay
from ae_pretrained.sources.image_reader import decode_image
from ae_pretrained.sources.mask_reader import read_mask
from tests.prediction.small import random_image


def test_every_image_has_a_name_of_its_own() -> None:
    images = [Path(name) for name in ("a/cat.jpg", "b/cat.jpg", "b/Cat.png", "cat_2.jpg", "dog.tar.gz.png")]
    names = result_names(images)
    assert names == ["cat", "cat_3", "Cat_4", "cat_2", "dog.tar.gz"]
    assert len({name.casefold() for name in names}) == len(images)


def test_an_image_is_never_replaced(tmp_path: Path) -> None:
    images = [tmp_path / "cat.jpg", tmp_path / "cat_mask.png"]
    with pytest.raises(PipelineError, match=r"cat_mask\.png: the result for .*cat\.jpg would replace"):
        check_no_image_is_replaced(images, result_names(images), tmp_path)
    check_no_image_is_replaced(images, result_names(images), tmp_path / "out")


def test_a_mask_keeps_its_class_ids_and_shows_their_colours(tmp_path: Path) -> None:
    mask = np.array([[0, 1, 2], [255, 0, 1]], dtype=np.uint8)
    (tmp_path / "m.png").write_bytes(mask_png(mask, 3))
    assert np.array_equal(read_mask(tmp_path / "m.png"), mask)
    with Image.open(tmp_path / "m.png") as image:
        assert image.mode == "P"
        colors = np.asarray(image.convert("RGB"))
    assert np.array_equal(colors[0], class_rgb(3))
    assert len({tuple(color) for color in colors.reshape(-1, 3)}) == 4  # ignored has a colour of its own


@pytest.mark.parametrize("classes", [2, 3, 20, 255])
def test_masks_of_any_number_of_classes(tmp_path: Path, classes: int) -> None:
    mask = np.arange(classes, dtype=np.uint8)[None]
    (tmp_path / "m.png").write_bytes(mask_png(mask, classes))
    assert np.array_equal(read_mask(tmp_path / "m.png"), mask)


def test_an_overlay_tints_the_foreground_alone(tmp_path: Path) -> None:
    image = random_image(60, 80)
    before = image.copy()
    mask = np.zeros((60, 80), dtype=np.uint8)
    mask[10:50, 20:60], mask[0, 0] = 2, 255
    out = tint_image(image, mask, 3)
    assert np.array_equal(image, before)
    assert np.array_equal(out[mask != 2], image[mask != 2])
    color = class_rgb(3)[2]
    assert np.array_equal(out[10, 30], color)  # the outline is opaque
    np.testing.assert_allclose(out[30, 40], 0.55 * image[30, 40] + 0.45 * color, atol=1)
    write_overlay(tmp_path / "o.png", image, mask, 3)
    assert np.array_equal(np.asarray(Image.open(tmp_path / "o.png")), out)
    assert np.array_equal(decode_image((tmp_path / "o.png").read_bytes(), "x"), out)


@pytest.mark.parametrize("rows", [1, 7, 100])
def test_an_overlay_is_the_same_in_strips(rows: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The outline reaches over the edges of the strips."""
    image = random_image(1300, 1700)
    mask = (random_image(1300, 1700, 1)[..., 0] // 100).astype(np.uint8)
    whole = tint_image(image, mask, 3)
    monkeypatch.setattr(overlays, "_STRIP_PIXELS", rows * 1700)
    write_overlay(tmp_path / "o.png", image, mask, 3)
    assert np.array_equal(np.asarray(Image.open(tmp_path / "o.png")), whole)

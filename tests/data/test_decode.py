from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ae_pretrained.data.decode import read_mask, read_picture
from ae_pretrained.data.records import DataError


@pytest.fixture
def picture() -> np.ndarray:
    """Smooth enough to survive lossy formats, different in all corners."""
    y, x = np.mgrid[0:24, 0:32]
    return np.stack([x * 8, y * 10, 255 - x * 4 - y * 4], axis=-1).astype(np.uint8)


@pytest.mark.parametrize("format_", ["PNG", "BMP", "TIFF", "WEBP", "JPEG", "GIF"])
def test_formats_are_told_by_content(tmp_path: Path, picture: np.ndarray, format_: str) -> None:
    path = tmp_path / "Ünï code.JPG"
    options = {"quality": 95} if format_ in ("JPEG", "WEBP") else {}
    Image.fromarray(picture).save(path, format=format_, **options)
    found = read_picture(path)
    assert found.shape == picture.shape
    assert np.abs(found.astype(int) - picture).mean() < (14 if format_ == "GIF" else 4)


def test_grey_palette_and_sixteen_bits(tmp_path: Path, picture: np.ndarray) -> None:
    grey = picture[..., 0]
    Image.fromarray(grey).save(tmp_path / "grey.png")
    Image.fromarray(grey.astype(np.uint16) * 257).save(tmp_path / "deep.png")
    Image.fromarray(grey).convert("P").save(tmp_path / "palette.png")
    for name in ("grey", "deep", "palette"):
        found = read_picture(tmp_path / f"{name}.png")
        assert np.abs(found.astype(int) - grey[..., None]).max() <= 1, name


def test_cmyk(tmp_path: Path, picture: np.ndarray) -> None:
    Image.fromarray(picture).convert("CMYK").save(tmp_path / "cmyk.jpg", quality=95)
    assert np.abs(read_picture(tmp_path / "cmyk.jpg").astype(int) - picture).mean() < 8


def test_transparent_pixels_are_laid_on_grey(tmp_path: Path, picture: np.ndarray) -> None:
    alpha = np.full(picture.shape[:2], 255, dtype=np.uint8)
    alpha[:12] = 0
    Image.fromarray(np.dstack([picture, alpha])).save(tmp_path / "alpha.png")
    found = read_picture(tmp_path / "alpha.png")
    assert (found[:12] == 127).all()
    assert np.array_equal(found[12:], picture[12:])


def test_exif_rotation(tmp_path: Path, picture: np.ndarray) -> None:
    image = Image.fromarray(picture)
    exif = image.getexif()
    exif[0x0112] = 6  # to be turned by 90 degrees clockwise
    image.save(tmp_path / "turned.png", exif=exif)
    assert np.array_equal(read_picture(tmp_path / "turned.png"), np.rot90(picture, -1))


def test_masks_keep_their_values(tmp_path: Path) -> None:
    values = np.array([[0, 1], [2, 255]], dtype=np.uint8)
    Image.fromarray(values).save(tmp_path / "grey.png")
    palette = Image.fromarray(values, mode="P")
    palette.putpalette([90, 10, 10] * 256)
    palette.save(tmp_path / "palette.png")
    for name in ("grey", "palette"):
        assert np.array_equal(read_mask(tmp_path / f"{name}.png"), values)


@pytest.mark.parametrize("size", [(1, 1), (10_000, 3)])
def test_tiny_and_long_pictures(tmp_path: Path, size: tuple[int, int]) -> None:
    Image.new("RGB", size, (1, 2, 3)).save(tmp_path / "a.png")
    assert read_picture(tmp_path / "a.png").shape == (size[1], size[0], 3)


def test_a_decompression_bomb_is_refused(tmp_path: Path) -> None:
    Image.new("1", (20_000, 20_000)).save(tmp_path / "bomb.png")
    with pytest.raises(DataError, match=r"bomb.png: too large"):
        read_picture(tmp_path / "bomb.png")


def test_real_oddities(oxford_sample: Path) -> None:
    assert read_picture(oxford_sample / "images/Abyssinian_34.jpg").shape[2] == 3
    found = read_picture(oxford_sample / "images/Abyssinian_5.jpg")
    assert found.shape[2] == 3
    assert found.std() > 20
    with pytest.raises(DataError, match=r"Abyssinian_100.mat: not a readable picture"):
        read_picture(oxford_sample / "images/Abyssinian_100.mat")

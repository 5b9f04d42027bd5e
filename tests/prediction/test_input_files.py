from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ae_pretrained.prediction.input_files import find_images, read_input_image
from ae_pretrained.sources.base import DataError
from tests.prediction.small import enormous_png, save_image


def test_an_image_from_bytes_is_that_from_its_file(oxford_sample: Path) -> None:
    for name in ("Abyssinian_5.jpg", "Abyssinian_34.jpg", "Bengal_10.jpg"):  # PNG with alpha, GIF, JPEG
        path = oxford_sample / "images" / name
        image = read_input_image(path, name)
        assert image.dtype == np.uint8
        assert image.ndim == 3
        assert np.array_equal(image, read_input_image(path.read_bytes(), name))


def test_exif_turns_an_image(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees
    Image.fromarray(np.zeros((20, 30, 3), np.uint8)).save(tmp_path / "a.jpg", exif=exif)
    assert read_input_image((tmp_path / "a.jpg").read_bytes(), "a").shape == (30, 20, 3)


def test_errors_name_the_image(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"upload\.jpg: not a readable image"):
        read_input_image(b"no image", "upload.jpg")
    with pytest.raises(DataError, match="no such file"):
        read_input_image(tmp_path / "a.jpg", "a.jpg")


def test_an_enormous_image_is_refused_before_it_is_decoded() -> None:
    with pytest.raises(DataError, match=r"upload: too large to be decoded safely"):
        read_input_image(enormous_png(), "upload")


def test_finding(tmp_path: Path) -> None:
    for name in ("b.JPG", "a.png", "sub/c.webp", ".hidden/d.png", ".e.png", "out/f.png", "sub/out/g.png"):
        save_image(tmp_path / name)
    (tmp_path / "notes.txt").touch()
    found = find_images([tmp_path], leave_out=tmp_path / "out")
    assert found.passed_over == [tmp_path / "notes.txt"]
    assert [path.relative_to(tmp_path).as_posix() for path in found.images] == [
        "a.png",
        "b.JPG",
        "sub/c.webp",
        "sub/out/g.png",
    ]
    twice = find_images([tmp_path / "a.png", tmp_path / "sub", tmp_path / "sub" / ".." / "a.png"])
    assert [path.name for path in twice.images] == ["a.png", "c.webp", "g.png"]
    assert find_images([tmp_path / "notes.txt"]).images == [tmp_path / "notes.txt"]  # named itself: tried


def test_nothing_to_find(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").touch()
    with pytest.raises(
        DataError, match=r"no image in this folder \(1 file that are none: notes\.txt\); looked for JPEG"
    ):
        find_images([tmp_path])
    with pytest.raises(DataError, match=r"absent: no such file or folder"):
        find_images([tmp_path / "absent"])

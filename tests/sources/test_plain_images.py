from __future__ import annotations

import io
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from ae_pretrained.sources import image_reader, plain_images
from ae_pretrained.sources.base import DataError
from ae_pretrained.sources.image_reader import read_image
from ae_pretrained.sources.plain_images import is_plain
from tests.prediction.small import random_image

LIMIT = 4000  # px, for these tests


@pytest.fixture(autouse=True)
def everything_is_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(image_reader, "LARGE", 0)
    monkeypatch.setattr(image_reader, "MAX_PIXELS", LIMIT)


def saved(path: Path, image: Image.Image, **options: Any) -> Path:
    image.save(path, **options)
    return path


@pytest.mark.parametrize("mode", ["RGB", "L"])
@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("a.png", {}),
        ("a.tif", {}),
        ("b.tif", {"compression": "tiff_lzw"}),
        ("c.tif", {"compression": "tiff_deflate"}),
        ("a.jpg", {"quality": 90}),
    ],
)
def test_pixels_are_those_of_pillow(tmp_path: Path, mode: str, name: str, options: dict[str, Any]) -> None:
    path = saved(tmp_path / name, Image.fromarray(random_image(70, 93)).convert(mode), **options)
    with Image.open(path) as image:
        expected = np.asarray(image.convert("RGB"))
        assert is_plain(image, path.read_bytes()) == (image.format != "JPEG")  # which has a way of its own
    assert np.array_equal(read_image(path, very_large=True), expected)
    with pytest.raises(DataError, match="too large to be decoded safely"):
        read_image(path)


@pytest.mark.parametrize("name", ["a.png", "a.tif"])
@pytest.mark.parametrize("share", [0.3, 0.6, 0.9, 0.99])
def test_truncated_files_are_refused(tmp_path: Path, name: str, share: float) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (70, 93, 3), dtype=np.uint8)
    path = saved(tmp_path / name, Image.fromarray(noise))
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(DataError, match=rf"{name}: not a readable image"):
        read_image(path, very_large=True)


def _with_exif() -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = 6
    return exif


OTHERS: dict[str, tuple[str, dict[str, Any]]] = {
    "alpha.png": ("RGBA", {}),
    "palette.png": ("P", {}),
    "transparent.png": ("RGB", {"transparency": (1, 2, 3)}),
    "turned.png": ("RGB", {"exif": _with_exif()}),
    "turned.tif": ("RGB", {"tiffinfo": {0x0112: 6}}),
    "deep.png": ("I;16", {}),
    "pages.tif": ("RGB", {"save_all": True, "append_images": [Image.new("RGB", (9, 9))]}),
    "cmyk.jpg": ("CMYK", {}),
    "plain.bmp": ("RGB", {}),
}


@pytest.mark.parametrize("name", OTHERS)
def test_other_kinds_stay_with_pillow_up_to_its_limit(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mode, options = OTHERS[name]
    grey = random_image(70, 93)[..., 0]
    image = Image.fromarray(grey.astype(np.uint16)) if mode == "I;16" else Image.fromarray(grey).convert(mode)
    path = saved(tmp_path / name, image, **options)
    with pytest.raises(DataError) as caught:
        read_image(path, very_large=True)
    assert f"{name}: too large to be decoded safely (" in str(caught.value)
    assert "save it as PNG, TIFF or JPEG of 8 bits" in str(caught.value)
    monkeypatch.setattr(image_reader, "MAX_PIXELS", 93 * 70)
    found = read_image(path, very_large=True)
    monkeypatch.setattr(image_reader, "LARGE", 93 * 70)
    assert np.array_equal(found, read_image(path))


def test_more_than_opencv_decodes_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = saved(tmp_path / "a.png", Image.new("RGB", (80, 60)))
    monkeypatch.setattr(image_reader, "LARGEST", 4799)
    with pytest.raises(
        DataError, match=r"a\.png: too large to be decoded \(80 x 60 px; .* cut it into parts"
    ):
        read_image(path, very_large=True)


def test_the_limit_of_pillow_is_lifted_and_comes_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    path = saved(tmp_path / "a.png", Image.fromarray(random_image(70, 93)))
    assert read_image(path, very_large=True).shape == (70, 93, 3)
    assert Image.MAX_IMAGE_PIXELS == 100
    with pytest.raises(Image.DecompressionBombError), plain_images.any_size():
        raise Image.DecompressionBombError
    assert Image.MAX_IMAGE_PIXELS == 100
    with pytest.raises(DataError, match="too large to be decoded safely"):
        read_image(path)


def test_exif_after_the_pixels_of_a_png_is_found(tmp_path: Path) -> None:
    content = saved(tmp_path / "a.png", Image.fromarray(random_image(70, 93))).read_bytes()
    chunk = b"\0\0\0\0eXIf" + zlib.crc32(b"eXIf").to_bytes(4, "big")
    for late in (content[:-12] + chunk + content[-12:], content[:33] + chunk + content[33:]):
        with Image.open(io.BytesIO(late)) as image:
            assert not is_plain(image, late)

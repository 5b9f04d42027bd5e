from __future__ import annotations

import struct
import sys
import types
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFile, ImageOps, features

from ae_pretrained.preparation.resize import content_box, resize_image, resize_mask
from ae_pretrained.sources.base import DataError
from ae_pretrained.sources.image_facts import DecodeOptions
from ae_pretrained.sources.image_files import is_image
from ae_pretrained.sources.image_reader import read_image, read_size
from ae_pretrained.sources.mask_reader import read_mask


@pytest.fixture
def pixels() -> np.ndarray:
    """Smooth enough to survive lossy formats, different in all corners."""
    y, x = np.mgrid[0:24, 0:32]
    return np.stack([x * 8, y * 10, 255 - x * 4 - y * 4], axis=-1).astype(np.uint8)


@pytest.mark.parametrize("format_", ["PNG", "BMP", "TIFF", "WEBP", "JPEG", "GIF"])
def test_formats_are_told_by_content(tmp_path: Path, pixels: np.ndarray, format_: str) -> None:
    path = tmp_path / "Ünï code.JPG"
    options = {"quality": 95} if format_ in ("JPEG", "WEBP") else {}
    Image.fromarray(pixels).save(path, format=format_, **options)
    found = read_image(path)
    assert found.shape == pixels.shape
    assert np.abs(found.astype(int) - pixels).mean() < (14 if format_ == "GIF" else 4)


def test_grey_palette_and_sixteen_bits(tmp_path: Path, pixels: np.ndarray) -> None:
    grey = pixels[..., 0]
    Image.fromarray(grey).save(tmp_path / "grey.png")
    Image.fromarray(grey.astype(np.uint16) * 257).save(tmp_path / "deep.png")
    Image.fromarray(grey).convert("P").save(tmp_path / "palette.png")
    for name in ("grey", "deep", "palette"):
        found = read_image(tmp_path / f"{name}.png")
        assert np.abs(found.astype(int) - grey[..., None]).max() <= 1, name


def test_cmyk(tmp_path: Path, pixels: np.ndarray) -> None:
    Image.fromarray(pixels).convert("CMYK").save(tmp_path / "cmyk.jpg", quality=95)
    assert np.abs(read_image(tmp_path / "cmyk.jpg").astype(int) - pixels).mean() < 8


def test_transparent_pixels_are_laid_on_grey(tmp_path: Path, pixels: np.ndarray) -> None:
    alpha = np.full(pixels.shape[:2], 255, dtype=np.uint8)
    alpha[:12] = 0
    Image.fromarray(np.dstack([pixels, alpha])).save(tmp_path / "alpha.png")
    found = read_image(tmp_path / "alpha.png")
    assert (found[:12] == 127).all()
    assert np.array_equal(found[12:], pixels[12:])


def test_exif_rotation(tmp_path: Path, pixels: np.ndarray) -> None:
    image = Image.fromarray(pixels)
    exif = image.getexif()
    exif[0x0112] = 6  # to be turned by 90 degrees clockwise
    image.save(tmp_path / "turned.png", exif=exif)
    assert np.array_equal(read_image(tmp_path / "turned.png"), np.rot90(pixels, -1))


def test_masks_keep_their_values(tmp_path: Path) -> None:
    values = np.array([[0, 1], [2, 255]], dtype=np.uint8)
    Image.fromarray(values).save(tmp_path / "grey.png")
    palette = Image.fromarray(values, mode="P")
    palette.putpalette([90, 10, 10] * 256)
    palette.save(tmp_path / "palette.png")
    for name in ("grey", "palette"):
        assert np.array_equal(read_mask(tmp_path / f"{name}.png"), values)


@pytest.mark.parametrize("size", [(1, 1), (10_000, 3), (4_000, 3_000)])
def test_tiny_and_long_images(tmp_path: Path, size: tuple[int, int]) -> None:
    Image.new("RGB", size, (1, 2, 3)).save(tmp_path / "a.png")
    assert read_image(tmp_path / "a.png").shape == (size[1], size[0], 3)


@pytest.mark.parametrize("format_", ["JPEG", "PNG", "GIF", "BMP", "WEBP", "TIFF"])
@pytest.mark.parametrize("share", [0.3, 0.6, 0.9])
def test_truncated_images_are_refused(tmp_path: Path, format_: str, share: float) -> None:
    path = tmp_path / "a.jpg"
    pixels = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path, format=format_)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(DataError, match=r"a\.jpg: not a readable image"):
        read_image(path)


@pytest.mark.parametrize("progressive", [False, True])
def test_a_jpeg_filled_up_with_zeros_is_refused(
    tmp_path: Path, pixels: np.ndarray, progressive: bool
) -> None:
    """An interrupted copy can have its full length, and libjpeg would decode it to grey."""
    path = tmp_path / "a.jpg"
    Image.fromarray(np.tile(pixels, (4, 4, 1))).save(path, quality=95, progressive=progressive)
    whole = path.read_bytes()
    half = len(whole) * 2 // 3
    path.write_bytes(whole[:half] + bytes(len(whole) - half))
    with pytest.raises(DataError, match="truncated"):
        read_image(path)
    # What other programs append after the end mark does no harm.
    path.write_bytes(whole + b"appended")
    assert read_image(path).shape == (96, 128, 3)


def test_every_jpeg_has_the_pixels_that_pillow_finds(oxford_128: Path) -> None:
    for path in sorted((oxford_128 / "images").glob("*.jpg"))[::100]:
        assert np.array_equal(read_image(path), np.asarray(Image.open(path).convert("RGB"))), path.name


@pytest.mark.parametrize("orientation", range(1, 9))
def test_jpeg_is_turned_as_pillow_turns_it(tmp_path: Path, pixels: np.ndarray, orientation: int) -> None:
    image = Image.fromarray(pixels)
    exif = image.getexif()
    exif[0x0112] = orientation
    image.save(tmp_path / "a.jpg", quality=95, exif=exif)
    expected = np.asarray(ImageOps.exif_transpose(Image.open(tmp_path / "a.jpg")))
    assert np.array_equal(read_image(tmp_path / "a.jpg"), expected)


def test_values_of_unknown_range_are_refused(tmp_path: Path) -> None:
    Image.fromarray(np.ones((9, 9), dtype=np.float32)).save(tmp_path / "float.tif")
    Image.fromarray(np.ones((9, 9), dtype=np.int32)).save(tmp_path / "integer.tif")
    for name in ("float.tif", "integer.tif"):
        with pytest.raises(DataError, match=r"32 bits a pixel, whose range is not known"):
            read_image(tmp_path / name)


def test_transparent_palette_and_grey(tmp_path: Path, pixels: np.ndarray) -> None:
    grey = Image.fromarray(pixels[..., 0])
    grey.putalpha(Image.fromarray(np.where(np.arange(32) < 16, 0, 255).astype(np.uint8)[None].repeat(24, 0)))
    grey.save(tmp_path / "grey.png")
    palette = Image.fromarray(pixels[..., 0] // 64, mode="P")
    palette.putpalette([10, 20, 30, 40, 50, 60, 70, 80, 90, 100, 110, 120])
    palette.save(tmp_path / "palette.png", transparency=0)
    assert (read_image(tmp_path / "grey.png")[:, :16] == 127).all()
    found = read_image(tmp_path / "palette.png")
    assert (found[:, 0] == 127).all()
    assert (found[:, -1] == (100, 110, 120)).all()


@pytest.mark.parametrize("name", ["a.jp2", "a.j2k", "a.jpg"])
def test_jpeg_2000_is_read_whatever_it_is_called(tmp_path: Path, oxford_sample: Path, name: str) -> None:
    before = read_image(next((oxford_sample / "images").glob("*.jpg")))
    file = tmp_path / name
    Image.fromarray(before).save(file, format="JPEG2000", no_jp2=name.endswith("j2k"))
    assert is_image(file)
    assert np.array_equal(read_image(file), before)
    assert read_size(file) == before.shape[1::-1]
    grey = before[..., 1].astype(np.uint16) * 257
    Image.fromarray(grey).save(file, format="JPEG2000", no_jp2=name.endswith("j2k"))
    assert np.array_equal(read_image(file)[..., 0], before[..., 1])
    file.write_bytes(file.read_bytes()[:-500])
    with pytest.raises(DataError, match=rf"{name}: not a readable image"):
        read_image(file)


HEIC = b"\0\0\0\x18ftypheic" + bytes(12)


def test_heic_names_the_way_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.jpg").write_bytes(HEIC)
    monkeypatch.setitem(sys.modules, "pillow_heif", None)  # not installed
    with pytest.raises(DataError, match=r"a.jpg: is a HEIC image.*`pip install pillow-heif`"):
        read_image(tmp_path / "a.jpg")


@pytest.mark.skipif(not features.check("avif"), reason="this Pillow has no decoder of AVIF")
def test_avif_is_read_whatever_it_is_called(tmp_path: Path, oxford_sample: Path) -> None:
    before = read_image(next((oxford_sample / "images").glob("*.jpg")))
    Image.fromarray(before).save(tmp_path / "a.jpg", format="AVIF", quality=95)
    assert is_image(tmp_path / "a.jpg")
    found = read_image(tmp_path / "a.jpg")
    assert found.shape == before.shape
    assert np.abs(found.astype(int) - before).mean() < 4
    assert read_size(tmp_path / "a.jpg") == before.shape[1::-1]
    turned = Image.Exif()
    turned[0x0112] = 6  # by a quarter
    Image.fromarray(before).save(tmp_path / "b.avif", exif=turned)
    assert read_image(tmp_path / "b.avif").shape == (before.shape[1], before.shape[0], 3)
    (tmp_path / "c.avif").write_bytes((tmp_path / "b.avif").read_bytes()[:3000])
    with pytest.raises(DataError, match=r"c.avif: not a readable image"):
        read_image(tmp_path / "c.avif")


def test_avif_without_a_decoder_names_the_way_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "b.avif").write_bytes(b"\0\0\0\x18ftypavif" + bytes(12))
    monkeypatch.setattr("PIL.features.check", lambda feature: False)
    with pytest.raises(DataError, match=r"b.avif: is an AVIF image.*`pip install --upgrade pillow`"):
        read_image(tmp_path / "b.avif")


def test_heic_is_read_by_pillow_heif(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a plugin in its place: what it gives is what comes out."""

    class Plugin(ImageFile.ImageFile):
        format, format_description = "HEIF", "stand-in"

        def _open(self) -> None:
            self._size, self._mode, self.tile = (3, 2), "RGB", []

        def load(self) -> Image.core.PixelAccess | None:
            self.im = Image.new("RGB", (3, 2), (9, 8, 7)).im
            return self.im.pixel_access()

    stand_in = types.ModuleType("pillow_heif")
    stand_in.register_heif_opener = lambda: Image.register_open("HEIF", Plugin)  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "pillow_heif", stand_in)
    monkeypatch.setattr(Image, "OPEN", dict(Image.OPEN))
    monkeypatch.setattr(Image, "ID", list(Image.ID))
    (tmp_path / "a.heic").write_bytes(HEIC)
    found = read_image(tmp_path / "a.heic")
    assert found.shape == (2, 3, 3)
    assert (found == (9, 8, 7)).all()


def test_no_other_formats_are_opened(tmp_path: Path) -> None:
    Image.new("RGB", (9, 9)).save(tmp_path / "a.png", format="EPS")
    with pytest.raises(DataError, match="none of JPEG, PNG, GIF, BMP, WEBP, TIFF"):
        read_image(tmp_path / "a.png")
    Image.new("RGB", (9, 9)).save(tmp_path / "a.png", format="PPM")
    with pytest.raises(DataError, match="none of JPEG"):
        read_image(tmp_path / "a.png")


@pytest.mark.parametrize("bits", [1, 2, 4])
def test_masks_of_few_bits_keep_their_class_numbers(tmp_path: Path, bits: int) -> None:
    values = (np.arange(64, dtype=np.uint8) % 2**bits).reshape(8, 8)
    header = struct.pack(">IIBBBBB", 8, 8, bits, 0, 0, 0, 0)
    rows = b"".join(
        b"\0" + np.packbits(np.unpackbits(row[:, None], axis=1)[:, 8 - bits :].ravel()).tobytes()
        for row in values
    )
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    packed = b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks
    )
    (tmp_path / "mask.png").write_bytes(b"\x89PNG\r\n\x1a\n" + packed)
    assert np.array_equal(read_mask(tmp_path / "mask.png"), values)


def test_a_folder_and_a_file_of_nothing(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be read"):
        read_image(tmp_path)
    (tmp_path / "a.jpg").touch()
    with pytest.raises(DataError, match=r"0 bytes"):
        read_image(tmp_path / "a.jpg")


@pytest.mark.long
def test_an_image_of_10_000_px_a_side(tmp_path: Path) -> None:
    image = Image.new("RGB", (10_000, 10_000), (200, 100, 0))
    image.paste((0, 50, 250), (0, 0, 5_000, 10_000))
    image.save(tmp_path / "a.png", compress_level=1)
    mask = Image.new("L", (10_000, 10_000), 2)
    mask.paste(1, (0, 0, 5_000, 10_000))
    mask.save(tmp_path / "m.png", compress_level=1)
    box = content_box(10_000, 10_000, 32, "stretch")
    small = resize_image(read_image(tmp_path / "a.png"), 32, box)
    assert (small[:, :16] == (0, 50, 250)).all()
    assert (small[:, 16:] == (200, 100, 0)).all()
    small_mask = resize_mask(read_mask(tmp_path / "m.png"), 32, box)
    assert (small_mask[:, :16] == 1).all()
    assert (small_mask[:, 16:] == 2).all()


@pytest.mark.parametrize("side", [13_360, 14_000])
def test_the_limit_of_178_megapixels(tmp_path: Path, side: int) -> None:
    Image.new("1", (side, side)).save(tmp_path / "large.png")
    with pytest.raises(DataError, match=r"large.png: too large to be decoded safely"):
        read_image(tmp_path / "large.png")


def test_a_decompression_bomb_is_refused(tmp_path: Path) -> None:
    Image.new("1", (20_000, 20_000)).save(tmp_path / "bomb.png")
    with pytest.raises(DataError, match=r"bomb.png: too large"):
        read_image(tmp_path / "bomb.png")


def test_real_oddities(oxford_sample: Path) -> None:
    assert read_image(oxford_sample / "images/Abyssinian_34.jpg").shape[2] == 3
    found = read_image(oxford_sample / "images/Abyssinian_5.jpg")
    assert found.shape[2] == 3
    assert found.std() > 20
    with pytest.raises(DataError, match=r"Abyssinian_100.mat: not a readable image"):
        read_image(oxford_sample / "images/Abyssinian_100.mat")


@pytest.mark.parametrize("ending", [".png", ".jpg", ".tif", ".webp"])
@pytest.mark.parametrize("orientation", [1, 3, 6])
def test_the_size_is_known_from_the_header(tmp_path: Path, ending: str, orientation: int) -> None:
    image = Image.new("RGB", (70, 40), (90, 80, 70))
    exif = image.getexif()
    if orientation > 1:
        exif[0x0112] = orientation
    image.save(tmp_path / f"a{ending}", exif=exif)
    for upright in (True, False):
        height, width = read_image(tmp_path / f"a{ending}", DecodeOptions(upright=upright)).shape[:2]
        assert read_size(tmp_path / f"a{ending}", upright) == (width, height)


def test_a_png_is_not_decoded_for_its_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Image.new("RGB", (70, 40)).save(tmp_path / "a.png")
    monkeypatch.setattr(ImageFile.ImageFile, "load", None)
    assert read_size(tmp_path / "a.png") == (70, 40)

from __future__ import annotations

import struct
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from ae_pretrained.sources.base import DataError, Sample
from ae_pretrained.sources.image_facts import DecodeOptions, turn
from ae_pretrained.sources.image_reader import read_image
from ae_pretrained.sources.mask_reader import open_mask, read_mask
from ae_pretrained.sources.mask_rule import MaskRule

VALUES = (np.arange(64, dtype=np.uint8) % 3).reshape(8, 8)


def grey_tiff(path: Path, bits: int, photometric: int) -> None:
    """A TIFF of few bits with the numbers of VALUES, which Pillow itself cannot write."""
    packed = np.packbits(np.unpackbits(VALUES.reshape(-1, 1), axis=1)[:, 8 - bits :].ravel()).tobytes()
    tags = ((256, 8), (257, 8), (258, bits), (259, 1), (262, photometric), (273, 8), (277, 1), (278, 8))
    entries = [struct.pack("<HHII", tag, 4, 1, value) for tag, value in (*tags, (279, len(packed)))]
    directory = struct.pack("<H", len(entries)) + b"".join(entries) + bytes(4)
    path.write_bytes(b"II*\0" + struct.pack("<I", 8 + len(packed)) + packed + directory)


@pytest.mark.parametrize("bits", [4, 8])
def test_what_pillow_stretches_or_inverts_is_undone(tmp_path: Path, bits: int) -> None:
    for photometric in (0, 1):
        grey_tiff(tmp_path / "a.tif", bits, photometric)
        np.testing.assert_array_equal(read_mask(tmp_path / "a.tif"), VALUES)


@pytest.mark.parametrize("kind", ["uint16.png", "uint16.tif", "int32.tif", "float32.tif"])
def test_whole_numbers_of_more_bits_are_read(tmp_path: Path, kind: str) -> None:
    dtype, _, ending = kind.partition(".")
    Image.fromarray(VALUES.astype(dtype)).save(tmp_path / f"a.{ending}")
    np.testing.assert_array_equal(read_mask(tmp_path / f"a.{ending}"), VALUES)


@pytest.mark.parametrize("channels", [2, 3, 4])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_grey_stored_in_several_channels_is_read(tmp_path: Path, channels: int, dtype: type) -> None:
    pixels = np.repeat(VALUES[..., None].astype(dtype), channels, axis=2)
    if channels != 3:
        pixels[..., -1] = np.iinfo(dtype).max
    if dtype is np.uint8:
        Image.fromarray(pixels).save(tmp_path / "a.png")
    elif channels == 2:
        pytest.skip("nothing here writes grey with alpha of 16 bits")
    else:
        cv2.imwrite(str(tmp_path / "a.png"), pixels)
    np.testing.assert_array_equal(read_mask(tmp_path / "a.png"), VALUES)


def test_white_in_sixteen_bits_is_white(tmp_path: Path) -> None:
    Image.fromarray(np.where(VALUES > 0, 65535, 0).astype(np.uint16)).save(tmp_path / "a.png")
    assert set(np.unique(read_mask(tmp_path / "a.png"))) == {0, 255}


@pytest.mark.parametrize(
    ("pixels", "ending", "said"),
    [
        (VALUES * np.float32(0.5), "tif", r"values 0, 0.5, 1; expected whole class numbers"),
        (VALUES.astype(np.int32) - 1, "tif", r"values -1, 0, 1; expected whole class numbers"),
        (VALUES * np.float32(np.nan), "tif", r"expected whole class numbers"),
        (VALUES * np.uint16(200), "png", r"3 values up to 400; class numbers end at 255.*--binary"),
        (np.dstack([VALUES, VALUES, VALUES, VALUES]), "png", r"64 of 64 pixels are transparent and hold a value"),
        (np.dstack([VALUES, VALUES * 0, VALUES]), "png", r"the mask is in colour; .* data.colors"),
    ],
)  # fmt: skip
def test_what_is_no_class_number_is_refused(
    tmp_path: Path, pixels: np.ndarray, ending: str, said: str
) -> None:
    Image.fromarray(pixels).save(tmp_path / f"a.{ending}")
    with pytest.raises(DataError, match=said):
        read_mask(tmp_path / f"a.{ending}")


def test_several_pages_are_refused(tmp_path: Path) -> None:
    page = Image.fromarray(VALUES)
    page.save(tmp_path / "a.tif", save_all=True, append_images=[page, page])
    with pytest.raises(DataError, match="holds 3 pages"):
        read_mask(tmp_path / "a.tif")


def tiff_of_16_bits(values: np.ndarray, orientation: int) -> bytes:
    """(H, W, C) in a file that neither Pillow nor OpenCV writes: 16 bits, several channels, an orientation."""
    height, width, channels = values.shape
    data = values.astype("<u2").tobytes()
    entries = [(256, width), (257, height), (258, None), (259, 1), (262, 2), (273, 8), (274, orientation)]
    entries += [(277, channels), (278, height), (279, len(data))]
    start = 8 + len(data)
    head = struct.pack("<H", len(entries))
    for tag, value in entries:
        bits = value is None
        place = start + 2 + 12 * len(entries) + 4
        head += struct.pack("<HHII", tag, 3 if bits else 4, channels if bits else 1, place if bits else value)
    tail = struct.pack("<I", 0) + struct.pack(f"<{channels}H", *[16] * channels)
    return b"II*\0" + struct.pack("<I", start) + data + head + tail


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_tiff_with_an_orientation_is_read_as_stored_like_any_other(
    tmp_path: Path, orientation: int
) -> None:
    """Decoders turn a TIFF by themselves; of masks, ``data.exif`` decides."""
    stored = np.arange(20, dtype=np.uint8).reshape(4, 5)
    exif = Image.Exif()
    exif[0x0112] = orientation
    for name, image in {
        "a.png": Image.fromarray(stored),
        "a.tif": Image.fromarray(stored),
        "16.tif": Image.fromarray(stored.astype(np.uint16)),
        "rgb.tif": Image.fromarray(np.repeat(stored[..., None], 3, axis=2)),
    }.items():
        image.save(tmp_path / name, exif=exif)
        assert np.array_equal(read_mask(tmp_path / name), stored), name
    path = tmp_path / "rgb16.tif"
    path.write_bytes(tiff_of_16_bits(np.repeat(stored[..., None], 3, axis=2), orientation))
    assert np.array_equal(read_mask(path), stored)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("white", [65535, 4095])
def test_an_image_of_16_bits_is_turned_once(tmp_path: Path, orientation: int, white: int) -> None:
    rng = np.random.default_rng(0)
    stored = rng.integers(0, 4096, (6, 7, 3)).astype(np.uint16)
    path = tmp_path / "a.tif"
    path.write_bytes(tiff_of_16_bits(stored, orientation))
    eight = stored * (255 / white)
    for upright in (True, False):
        found = read_image(path, DecodeOptions(white=white, upright=upright))
        expected = turn(eight, orientation) if upright else eight
        assert np.abs(found - expected).max() <= 1


def test_lossy_formats_are_known_by_content(tmp_path: Path) -> None:
    for form, options, lossy in (
        ("JPEG", {}, True),
        ("WEBP", {"lossless": False}, True),
        ("WEBP", {"lossless": True}, False),
    ):
        Image.fromarray(VALUES).save(tmp_path / "a.png", format=form, **options)
        assert open_mask(tmp_path / "a.png").lossy is lossy, (form, options)


def sample(path: Path) -> Sample:
    return Sample("a", path.with_name("image.png"), path, "rest")


def test_a_threshold_reads_jpeg_and_instances(tmp_path: Path) -> None:
    truth = np.zeros((32, 32), np.uint8)
    truth[8:24, 8:24] = 1
    Image.fromarray(truth * 255).save(tmp_path / "a.jpg", quality=50)
    rule = MaskRule(["background", "cell"], threshold=128)
    np.testing.assert_array_equal(rule.class_mask(sample(tmp_path / "a.jpg"), 32, 32), truth)
    with pytest.raises(DataError, match=r"JPEG .*data.masks.threshold=128"):
        MaskRule(["background", "cell"]).class_mask(sample(tmp_path / "a.jpg"), 32, 32)
    Image.fromarray(truth.astype(np.uint16) * 700).save(tmp_path / "a.png")
    rule = MaskRule(["background", "cell"], threshold=1)
    np.testing.assert_array_equal(rule.class_mask(sample(tmp_path / "a.png"), 32, 32), truth)


def test_colours_stand_for_classes_whatever_their_number_in_the_palette(tmp_path: Path) -> None:
    colors = np.array([[0, 0, 0], [0, 128, 0], [200, 0, 0]], np.uint8)
    rule = MaskRule(["soil", "leaf"], colors=["void 200 0 0", "leaf 0 128 0", "soil 0 0 0"])
    expected = np.array([0, 1, 255], np.uint8)[VALUES]
    for order in ([0, 1, 2], [2, 0, 1]):
        image = Image.fromarray(np.argsort(order).astype(np.uint8)[VALUES], mode="P")
        image.putpalette(colors[order].ravel().tolist())
        image.save(tmp_path / "a.png")
        np.testing.assert_array_equal(rule.class_mask(sample(tmp_path / "a.png"), 8, 8), expected)
    rule = MaskRule(["soil", "stem"], colors=["void 200 0 0", "leaf 0 128 0", "soil 0 0 0"])
    with pytest.raises(DataError, match=r"holds leaf of data.colors, which is not among data.classes"):
        rule.class_mask(sample(tmp_path / "a.png"), 8, 8)

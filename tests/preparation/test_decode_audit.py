"""What comes out of files as people have them: read as meant, or warned of by name."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from ae_pretrained.dataset.arrays import open_split
from tests.preparation.test_prepare import run

SIDE = 64


def write_folder(root: Path, count: int = 16) -> Path:
    """Images of noise in 8 bits; each has a mask with one square in the upper left corner."""
    rng = np.random.default_rng(0)
    mask = np.zeros((SIDE, SIDE), dtype=np.uint8)
    mask[4:28, 4:28] = 1
    for folder in ("images", "masks"):
        (root / folder).mkdir(parents=True)
    for number in range(count):
        pixels = rng.integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)
        pixels[4:28, 4:28] = 255
        Image.fromarray(pixels).save(root / f"images/p{number:02}.png")
        Image.fromarray(mask).save(root / f"masks/p{number:02}.png")
    return root


def prepare_folder(root: Path, out: Path, **changes: Any) -> tuple[dict[str, Any], list[dict[str, str]]]:
    data = {"source": "folder", "classes": ["background", "square"], "test_fraction": 0.25, **changes}
    metrics = run(root, out, **data)
    with (out / "plots/tables/audit.csv").open(newline="") as file:
        return metrics, list(csv.DictReader(file))


def images_of(out: Path) -> dict[str, np.ndarray]:
    """Every prepared image by name."""
    found = {}
    for split in ("train", "val", "test"):
        part = open_split(out / "processed", split)
        found |= dict(zip(part.column("name"), np.array(part.images), strict=True))
    return found


def test_nothing_suspicious_is_no_finding(tmp_path: Path) -> None:
    metrics, table = prepare_folder(write_folder(tmp_path / "data"), tmp_path)
    assert metrics["audit"] == {}
    assert table == []
    assert not (tmp_path / "plots/suspicious.png").exists()


def odd_images() -> dict[str, Image.Image]:
    rng = np.random.default_rng(1)
    noise = rng.integers(0, 256, (SIDE, SIDE, 4), dtype=np.uint8)
    clear = noise.copy()
    clear[..., 3] = 0
    few = (rng.integers(0, 20, (SIDE, SIDE)) * 10).astype(np.uint8)
    flat = np.full((SIDE, SIDE), 100, dtype=np.uint8)
    flat[0, :40] = np.arange(40) * 5
    return {
        "fourth band with many levels": Image.fromarray(noise),
        "fully transparent": Image.fromarray(clear),
        "fewer than 32 grey levels": Image.fromarray(few),
        "nearly flat": Image.fromarray(flat),
    }


@pytest.mark.parametrize("reason", odd_images())
def test_each_kind_is_counted_named_and_shown(
    reason: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = write_folder(tmp_path / "data")
    odd_images()[reason].save(root / "images/p03.png")
    metrics, table = prepare_folder(root, tmp_path)
    assert metrics["audit"] == {reason: 1}
    assert [(row["name"], row["reason"]) for row in table] == [("p03.png", reason)]
    assert f"warning: 1 image: {reason} (p03.png; " in capsys.readouterr().out
    assert (tmp_path / "plots/suspicious.png").is_file()


def test_pages_are_counted_and_the_first_is_read(tmp_path: Path) -> None:
    root = write_folder(tmp_path / "data")
    rng = np.random.default_rng(2)
    pages = [Image.fromarray(rng.integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)) for _ in range(3)]
    (root / "images/p03.png").unlink()
    pages[0].save(root / "images/p03.tif", save_all=True, append_images=pages[1:])
    metrics, table = prepare_folder(root, tmp_path)
    assert metrics["audit"] == {"several pages or frames": 1}
    assert table[0]["detail"].startswith("3 pages")
    assert np.array_equal(images_of(tmp_path)["p03"], np.asarray(pages[0]))


def test_a_fourth_band_can_be_dropped(tmp_path: Path) -> None:
    root = write_folder(tmp_path / "data")
    image = odd_images()["fourth band with many levels"]
    image.save(root / "images/p03.png")
    metrics, _ = prepare_folder(root, tmp_path, alpha="drop")
    assert metrics["audit"] == {}
    assert np.array_equal(images_of(tmp_path)["p03"], np.asarray(image)[..., :3])


@pytest.mark.parametrize("channels", [1, 3])
def test_12_bits_in_16_are_named_and_scaled_by_one_value_for_all(channels: int, tmp_path: Path) -> None:
    import cv2

    root = write_folder(tmp_path / "data")
    rng = np.random.default_rng(3)
    stored = {}
    for number in range(16):
        top = 4096 if number else 2048  # one image is darker, and has to stay darker
        values = rng.integers(0, top, (SIDE, SIDE, channels)).astype(np.uint16)
        values[:3, :3] = top - 1
        stored[f"p{number:02}"] = values
        cv2.imwrite(str(root / f"images/p{number:02}.png"), values[..., ::-1])
    metrics, table = prepare_folder(root, tmp_path / "full")
    assert metrics["audit"] == {"16 bits, little of them used": 16}
    assert "in all images 4095, of 65535" in table[0]["detail"]
    assert not (tmp_path / "full/processed/decoding.json").exists()
    metrics, _ = prepare_folder(root, tmp_path / "found", sixteen_bits="found")
    assert json.loads((tmp_path / "found/processed/decoding.json").read_text()) == {
        "white": 4095,
        "alpha": "matte",
    }
    assert metrics["audit"] == {}
    for name, image in images_of(tmp_path / "found").items():
        expected = np.broadcast_to(stored[name] * (255 / 4095), image.shape)
        assert np.abs(image - expected).max() <= 0.5 + 1e-9


@pytest.mark.parametrize("channels", [1, 3])
def test_hot_pixels_do_not_set_the_scale_and_small_spots_do(channels: int, tmp_path: Path) -> None:
    """Stained spots as a microscope's camera of 12 bits sees them: dim, a few pixels wide, and with hot pixels."""
    import cv2

    root = write_folder(tmp_path / "data")
    rng = np.random.default_rng(4)
    rows, columns = np.mgrid[:SIDE, :SIDE]
    for number in range(16):
        expected = np.full((SIDE, SIDE), 150.0)
        centres = np.array([[16, 16], [16, 48], [48, 16], [48, 48]]) + rng.uniform(-8, 8, (4, 2))
        for row, column in centres:  # less than 1 % of the pixels are bright
            expected += 2600 * np.exp(-((rows - row) ** 2 + (columns - column) ** 2) / (2 * 1.5**2))
        values = rng.poisson(np.repeat(expected[..., None], channels, axis=2)).astype(np.uint16)
        values[tuple(rng.integers(0, SIDE, (2, 5)))] = 65535
        cv2.imwrite(str(root / f"images/p{number:02}.png"), values)
    metrics, _ = prepare_folder(root, tmp_path / "full")
    assert metrics["audit"] == {"16 bits, little of them used": 16}  # hot pixels do not hide it
    prepare_folder(root, tmp_path / "found", sixteen_bits="found")
    assert json.loads((tmp_path / "found/processed/decoding.json").read_text())["white"] == 4095
    for image in images_of(tmp_path / "found").values():
        assert np.median(image) == pytest.approx(150 * 255 / 4095, abs=2)
        assert 100 < np.sort(image.max(axis=2).ravel())[-8] < 255  # the spots, not cut off


def turn_every_second(root: Path, width: int = SIDE) -> None:
    """Half of the images say that they are upside down; what they show is as they are stored."""
    for number in range(0, 16, 2):
        path = root / f"images/p{number:02}.png"
        exif = Image.Exif()
        exif[0x0112] = 3
        with Image.open(path) as image:
            image.load()
            image.save(path, exif=exif)


@pytest.mark.parametrize(("exif", "fits"), [("apply", 8), ("ignore", 16), ("with_mask", 16)])
def test_masks_drawn_on_stored_pixels(exif: str, fits: int, tmp_path: Path) -> None:
    root = write_folder(tmp_path / "data")
    turn_every_second(root)
    metrics, table = prepare_folder(root, tmp_path, exif=exif)
    reason = "turned by EXIF, perhaps without its mask"
    assert metrics["audit"] == ({reason: 8} if exif == "apply" else {})
    assert [row["name"] for row in table] == [f"p{number:02}.png" for number in range(0, 16, 2)][: len(table)]
    fitting = 0
    for split in ("train", "val", "test"):
        part = open_split(tmp_path / "processed", split)
        for image, mask in zip(part.images, part.masks, strict=True):
            fitting += bool((image[mask == 1] == 255).all())
    assert fitting == fits


def test_a_mask_of_a_side_turn_is_turned_with_its_image(tmp_path: Path) -> None:
    root = write_folder(tmp_path / "data")
    exif = Image.Exif()
    exif[0x0112] = 6
    pixels = np.random.default_rng(4).integers(0, 256, (SIDE // 2, SIDE, 3), dtype=np.uint8)
    pixels[:16, :16] = 255
    Image.fromarray(pixels).save(root / "images/p03.png", exif=exif)
    mask = np.zeros((SIDE // 2, SIDE), dtype=np.uint8)
    mask[:16, :16] = 1
    Image.fromarray(mask).save(root / "masks/p03.png")
    with pytest.raises(Exception, match=r"data\.exif=with_mask"):
        prepare_folder(root, tmp_path / "apply")
    prepare_folder(root, tmp_path, exif="with_mask", resize="pad")
    for split in ("train", "val", "test"):
        part = open_split(tmp_path / "processed", split)
        if "p03" in part.column("name"):
            row = list(part.column("name")).index("p03")
            shown, drawn = np.array(part.images[row]), np.array(part.masks[row])
    assert (drawn == 1).sum() == 256
    assert (shown[drawn == 1] == 255).all()

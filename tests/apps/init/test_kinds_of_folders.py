"""``init`` on what people have: exports, marked masks, negatives; each to a params.yaml that prepare reads."""

from __future__ import annotations

import csv
import hashlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ae_pretrained.apps.cli import main
from ae_pretrained.params import load_params
from ae_pretrained.preparation.prepare import prepare
from ae_pretrained.sources.fetch import fetch
from tests.apps.init.folders import write_images
from tests.sources.formats.drawn_images import drawn
from tests.sources.formats.shape_writers import write_coco


def init(tmp_path: Path, folder: Path, *options: str) -> int:
    return main(["init", str(tmp_path / "project"), "--from", str(folder), *options])


def prepared(tmp_path: Path) -> dict[str, list[dict[str, str]]]:
    """The images of each split, by the stages fetch and prepare of the project."""
    params = load_params(tmp_path / "project" / "params.yaml")
    out = tmp_path / "stages"
    data = params.data.model_copy(update={"workers": 1})
    fetch(data, out / "raw")
    prepare(
        out / "raw",
        out / "processed",
        data,
        params.seed,
        metrics_file=out / "prepare.json",
        plots=out / "plots",
    )
    splits: dict[str, list[dict[str, str]]] = {}
    with (out / "processed" / "index.csv").open(newline="") as file:
        for row in csv.DictReader(file):
            splits.setdefault(row["split"], []).append(row)
    return splits


def digests(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_an_export_is_found_by_looking(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_coco(tmp_path / "export", drawn(names=3), ["background", "class 1", "class 2"])
    before = digests(tmp_path / "export")
    assert init(tmp_path, tmp_path / "export", "--leak-check", "off") == 0
    said = capsys.readouterr().out
    assert "(COCO JSON)" in said
    assert "images that show no class, trained on and measured (data.masks.empty: background)" in said
    data = load_params(tmp_path / "project/params.yaml").data
    assert (data.source, data.classes[0], len(data.classes)) == ("coco", "background", 3)
    assert not data.leak_check.enabled
    found = prepared(tmp_path)
    assert {split: len(rows) for split, rows in found.items()} == {"train": 6, "val": 3, "test": 3}
    assert digests(tmp_path / "export") == before


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--format", "coco"), "COCO JSON"),
        (("--format", "jpg"), "--format: expected one of folder, coco"),
        (("--binary", "--ignore-index", "3"), "--binary reads every value but 0 as one class; leave out"),
        (("--binary", "--classes", "a,b,c"), "the masks are read as background and one class"),
        (("--colors", "a 0 0 0,b 9 9 9", "--classes", "b,a"), "leave out --classes"),
    ],
)
def test_options_that_do_not_fit(
    tmp_path: Path, options: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    values = (0, 9) if "--colors" in options else (0, 1, 2)
    assert init(tmp_path, write_images(tmp_path / "images", values), *options) == 1
    assert said in capsys.readouterr().err


def test_options_of_numbers_are_refused_for_an_export(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_coco(tmp_path / "export", drawn(names=3), ["background", "class 1", "class 2"])
    for options in (("--mask-values", "0,1"), ("--binary",), ("--ignore-index", "0")):
        assert init(tmp_path, tmp_path / "export", *options) == 1
        assert f"{options[0]} is of masks with numbers" in capsys.readouterr().err
    assert init(tmp_path, tmp_path / "export", "--group-by", "folder") == 1
    assert "no image is in a sub-folder" in capsys.readouterr().err


def test_masks_with_a_mark_in_another_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Also black and white ones, which are translated as in a plain folder."""
    folder = write_images(tmp_path / "mine", (0, 255))
    for path in list((folder / "masks").iterdir()):
        path.rename(path.with_name(f"{path.stem}_mask.png"))
    (folder / "test.txt").write_text("p00\np01\n")
    assert init(tmp_path, folder, "--classes", "soil,leaf") == 0
    assert "(test as listed, the rest drawn by seed)" in capsys.readouterr().out
    data = load_params(tmp_path / "project/params.yaml").data
    assert (data.source, data.mask_values, data.classes) == ("suffix_masks", [0, 255], ["soil", "leaf"])
    assert {row["class"] for rows in prepared(tmp_path).values() for row in rows} == {"leaf"}


def test_images_of_a_phone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """HEIC in init, prepare and predict, with the real decoder."""
    pillow_heif = pytest.importorskip("pillow_heif")
    folder = write_images(tmp_path / "mine")
    for path in list((folder / "images").iterdir()):
        with Image.open(path) as image:
            pillow_heif.from_pillow(image.convert("RGB")).save(path.with_suffix(".HEIC"), quality=100)
        path.unlink()
    assert init(tmp_path, folder, "--classes", "background,leaf,flower") == 0
    assert all(rows for rows in prepared(tmp_path).values())
    heic = sorted((folder / "images").iterdir())[:2]
    assert main(["predict", *map(str, heic), "--out", str(tmp_path / "out"), "--device", "cpu"]) == 0
    assert "2 images in" in capsys.readouterr().out


def test_folders_called_like_those_of_tools(tmp_path: Path) -> None:
    folder = write_images(tmp_path / "mine")
    (folder / "images").rename(folder / "img_dir")
    (folder / "masks").rename(folder / "ann_dir")
    assert init(tmp_path, folder) == 0
    assert sum(map(len, prepared(tmp_path).values())) == 24


@pytest.mark.parametrize("choice", ["background", "unlabelled"])
def test_masks_without_foreground(tmp_path: Path, choice: str, capsys: pytest.CaptureFixture[str]) -> None:
    folder = write_images(tmp_path / "mine", (0, 1), count=30)
    for number in range(20):
        Image.fromarray(np.zeros((48, 64), np.uint8)).save(folder / f"masks/p{number:02}.png")
    assert init(tmp_path, folder, "--empty-masks", choice) == 0
    said = capsys.readouterr().out
    assert "20 masks have no foreground: read as" in said
    other = "unlabelled" if choice == "background" else "background"
    assert f"say --empty-masks {other}" in said
    counts = {split: len(rows) for split, rows in prepared(tmp_path).items()}
    if choice == "background":
        assert counts == {"train": 20, "val": 4, "test": 6}
    else:
        assert counts["unlabelled"] == 20


def test_one_palette_shows_its_colours_in_the_report(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = write_images(tmp_path / "mine")
    for path in (folder / "masks").iterdir():
        image = Image.fromarray(np.asarray(Image.open(path)), mode="P")
        image.putpalette([0, 0, 0, 0, 128, 0, 200, 0, 0])
        image.save(path)
    assert init(tmp_path, folder) == 0
    said = capsys.readouterr().out
    assert "1 (0, 128, 0)" in said
    assert "files: 24 PNG (palette)" in said


def test_jpeg_masks_of_black_and_white_come_to_the_right_classes(tmp_path: Path) -> None:
    folder = write_images(tmp_path / "mine", (0, 255))
    for path in list((folder / "masks").iterdir()):
        Image.open(path).save(path.with_suffix(".jpg"), quality=60)
        path.unlink()
    assert init(tmp_path, folder) == 0
    prepared(tmp_path)
    masks = np.load(tmp_path / "stages/processed/masks.npy")
    assert set(np.unique(masks)) == {0, 1}


def test_a_correction_of_the_users_own_mask_is_seen(tmp_path: Path) -> None:
    folder = write_images(tmp_path / "mine", (0, 255))
    assert init(tmp_path, folder) == 0
    prepared(tmp_path)
    before = np.load(tmp_path / "stages/processed/masks.npy")
    path = folder / "masks/p03.png"
    Image.fromarray(255 - np.asarray(Image.open(path))).save(path)
    prepared(tmp_path)
    assert (np.load(tmp_path / "stages/processed/masks.npy") != before).any()

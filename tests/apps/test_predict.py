from __future__ import annotations

import csv
import json
import os
import shutil
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO, Literal

import numpy as np
import pytest
from PIL import Image

from ae_pretrained import Segmenter
from ae_pretrained.apps.cli import main
from ae_pretrained.prediction import naming, overlays, streaming
from ae_pretrained.prediction.input_files import find_images, read_input_image
from ae_pretrained.prediction.overlays import tint_image
from ae_pretrained.sources.formats.detection import open_export
from ae_pretrained.sources.mask_reader import read_mask
from tests.prediction.small import CLASSES, enormous_png, random_image, save_image, save_small

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return save_small(tmp_path / "model" / "segmenter.safetensors")


def predict(model: Path, out: Path, *images: Path, more: tuple[str, ...] = ()) -> int:
    return main(["predict", *map(str, images), "--model", str(model), "--out", str(out), *more])


def written(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_real_images(model: Path, tmp_path: Path, oxford_sample: Path, capsys: Capture) -> None:
    """GIF, PNG with alpha and JPEGs of several sizes, all called .jpg: files, tables and the call agree."""
    names = ("Abyssinian_34", "Abyssinian_5", "Bengal_10", "Abyssinian_106")
    paths = [oxford_sample / "images" / f"{name}.jpg" for name in names]
    assert predict(model, tmp_path / "out", *paths) == 0
    told = json.loads((tmp_path / "out" / "predictions.json").read_text())
    assert told["classes"] == ["background", "cat", "dog"]
    assert told["unreadable"] == []
    images = [read_input_image(path, "") for path in paths]
    expected = Segmenter.load(model).predict(images)
    with (tmp_path / "out" / "predictions.csv").open(newline="") as file:
        lines = list(csv.DictReader(file))
    said = capsys.readouterr().out
    for name, image, prediction, entry, line in zip(
        names, images, expected, told["predictions"], lines, strict=True
    ):
        mask = read_mask(tmp_path / "out" / f"{name}_mask.png")
        assert np.mean(mask == prediction.mask) > 0.9999
        overlay = np.asarray(Image.open(tmp_path / "out" / f"{name}_overlay.png"))
        assert np.array_equal(overlay, tint_image(image, mask, 3))
        assert (entry["width"], entry["height"]) == (mask.shape[1], mask.shape[0])
        assert entry["class"] == prediction.class_name
        assert entry["confidence"] == pytest.approx(prediction.mean_confidence, abs=1e-5)
        assert entry["shares"] == pytest.approx(prediction.shares, abs=1e-4)
        assert line["file"] == entry["file"] == str(oxford_sample / "images" / f"{name}.jpg")
        assert float(line["share_cat"]) == entry["shares"]["cat"]
        assert (line["mask"], line["overlay"]) == (entry["mask"], entry["overlay"])
        assert f"{name}.jpg" in said
    assert "4 images in" in said
    assert len(written(tmp_path / "out")) == 2 * 4 + 2


def test_an_unreadable_image_is_named_and_the_others_are_done(
    model: Path, tmp_path: Path, capsys: Capture
) -> None:
    images = tmp_path / "images"
    save_image(images / "a.png")
    save_image(images / "z.jpg", 30, 20)
    (images / "broken.jpg").write_bytes((images / "z.jpg").read_bytes()[:-100])
    (images / "text.png").write_text("no image")
    (images / "empty.png").touch()
    (images / "huge.png").write_bytes(enormous_png())
    assert predict(model, tmp_path / "out", images, more=("--batch-size", "2")) == 2
    said = capsys.readouterr()
    for name, why in (
        ("broken.jpg", "truncated"),
        ("text.png", "not a readable image"),
        ("empty.png", "not a readable image"),
        ("huge.png", "too large to be decoded safely"),
    ):
        line = next(line for line in said.err.splitlines() if name in line)
        assert line.startswith("ERROR: ")
        assert why in line
    assert "2 images in" in said.out
    assert "4 could not be read" in said.out
    told = json.loads((tmp_path / "out" / "predictions.json").read_text())
    assert [Path(entry["file"]).name for entry in told["predictions"]] == ["a.png", "z.jpg"]
    assert [Path(entry["file"]).name for entry in told["unreadable"]] == [
        "broken.jpg",
        "empty.png",
        "huge.png",
        "text.png",
    ]
    assert "a_mask.png" in written(tmp_path / "out")


def test_nothing_readable_is_a_failure(model: Path, tmp_path: Path, capsys: Capture) -> None:
    (tmp_path / "a.png").write_text("no image")
    assert predict(model, tmp_path / "out", tmp_path / "a.png") == 1
    assert "none of 1 images could be read" in capsys.readouterr().err
    assert written(tmp_path / "out") == []


def test_bad_input(model: Path, tmp_path: Path, capsys: Capture) -> None:
    image = save_image(tmp_path / "a.png")
    (tmp_path / "empty").mkdir()
    out = tmp_path / "out"
    cases: list[tuple[tuple[Path, ...], tuple[str, ...], str]] = [
        ((tmp_path / "absent.jpg",), (), "absent.jpg: no such file or folder"),
        ((tmp_path / "empty",), (), "no image in this folder"),
        ((image,), ("--batch-size", "0"), "batch_size: found 0"),
        ((image,), ("--model", str(tmp_path / "none")), "no such model file"),
        ((image,), ("--model", str(image)), "not a readable safetensors file"),
    ]
    for images, more, message in cases:
        assert predict(model, out, *images, more=more) == 1
        assert message in capsys.readouterr().err
    assert not out.exists()


def test_images_of_the_same_stem_keep_their_own_results(model: Path, tmp_path: Path) -> None:
    images = [
        save_image(tmp_path / "in" / name, seed=seed)
        for seed, name in enumerate(("cat.png", "cat.jpg", "b/cat.png"))
    ]
    assert predict(model, tmp_path / "out", *images) == 0
    told = json.loads((tmp_path / "out" / "predictions.json").read_text())["predictions"]
    assert [entry["mask"] for entry in told] == ["cat_mask.png", "cat_2_mask.png", "cat_3_mask.png"]
    segmenter = Segmenter.load(model)
    for path, entry in zip(images, told, strict=True):
        mask = read_mask(tmp_path / "out" / entry["mask"])
        assert np.mean(mask == segmenter.predict([read_input_image(path, "")])[0].mask) > 0.999


def test_results_beside_the_images(model: Path, tmp_path: Path, capsys: Capture) -> None:
    """A second run over the same folder takes masks for images: refused where one would be replaced."""
    save_image(tmp_path / "in" / "cat.png")
    inside = tmp_path / "in" / "predictions"
    for _ in range(2):  # a folder of results below the images is left out
        assert predict(model, inside, tmp_path / "in") == 0
        assert len(json.loads((inside / "predictions.json").read_text())["predictions"]) == 1
    assert predict(model, tmp_path / "in", tmp_path / "in" / "cat.png") == 0
    before = (tmp_path / "in" / "cat_mask.png").read_bytes()
    capsys.readouterr()
    assert predict(model, tmp_path / "in", tmp_path / "in" / "cat.png", tmp_path / "in" / "cat_mask.png") == 1
    assert "would replace this file" in capsys.readouterr().err
    assert (tmp_path / "in" / "cat_mask.png").read_bytes() == before


def test_a_file_of_somebody_else_is_not_replaced(model: Path, tmp_path: Path, capsys: Capture) -> None:
    """`predict cat.jpg --out .` once replaced an unrelated cat_mask.png without a word."""
    image = save_image(tmp_path / "cat.png")
    for name in ("cat_mask.png", "predictions.csv"):
        (tmp_path / name).write_text("mine")
    before = written(tmp_path)
    assert predict(model, tmp_path, image) == 1
    said = capsys.readouterr().err
    for words in ("cat_mask.png, predictions.csv", "choose another folder with --out", "--overwrite"):
        assert words in said
    assert written(tmp_path) == before
    assert (tmp_path / "cat_mask.png").read_text() == "mine"
    assert predict(model, tmp_path, image, more=("--overwrite",)) == 0
    assert read_mask(tmp_path / "cat_mask.png").ndim == 2
    assert predict(model, tmp_path, image) == 0, "now they are predict's own"
    (tmp_path / "predictions.json").write_text('{"predictions": "of another program"}')
    assert predict(model, tmp_path, image) == 1
    assert "predictions.json" in capsys.readouterr().err


def test_results_of_all_earlier_runs_may_be_replaced(model: Path, tmp_path: Path) -> None:
    """The second run rewrites predictions.json; the third still knows what the first one wrote."""
    images = [save_image(tmp_path / f"{name}.png") for name in "ab"]
    for image in (*images, *images):
        assert predict(model, tmp_path / "out", image) == 0
    told = json.loads((tmp_path / "out" / "predictions.json").read_text())
    assert told["earlier_results"] == ["a_mask.png", "a_overlay.png"]


def test_a_folder_with_its_own_results_is_predicted_again(model: Path, tmp_path: Path) -> None:
    """Masks and overlays of the first run are no images of the second."""
    folder = tmp_path / "in"
    save_image(folder / "cat.png")
    for _ in range(2):
        assert predict(model, folder, folder) == 0
    told = json.loads((folder / "predictions.json").read_text())
    assert [Path(entry["file"]).name for entry in told["predictions"]] == ["cat.png"]
    assert told["passed_over"] == []


def test_a_folder_is_judged_by_content_and_nothing_is_passed_over_silently(
    model: Path, tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pillow_heif", None)  # not installed
    folder = tmp_path / "in"
    content = save_image(tmp_path / "ok.jpg").read_bytes()
    (folder / "sub").mkdir(parents=True)
    (tmp_path / "elsewhere").mkdir()
    (folder / "more").symlink_to(tmp_path / "elsewhere")
    for name in ("ok.jpg", "saved_by_windows.jfif", "noending", "sub/scan.dat", "more/linked.jpg"):
        (folder / name).write_bytes(content)
    (folder / "IMG_0001.HEIC").write_bytes(b"\0\0\0\x18ftypheic" + bytes(500))
    (folder / "values.npy").write_bytes(b"\x93NUMPY\x01\x00")
    for number in range(7):
        (folder / f"notes{number}.txt").write_text("no image")
    assert predict(model, tmp_path / "out", folder) == 2
    said = capsys.readouterr()
    told = json.loads((tmp_path / "out" / "predictions.json").read_text())
    assert [Path(entry["file"]).name for entry in told["predictions"]] == [
        "linked.jpg",
        "noending",
        "ok.jpg",
        "saved_by_windows.jfif",
        "scan.dat",
    ]
    assert "IMG_0001.HEIC: is a HEIC image" in said.err
    assert "pip install pillow-heif" in said.err
    assert "5 images in" in said.out
    assert "1 could not be read" in said.out
    assert "passed over 8 files, no image by name or content: notes0.txt" in said.out
    assert "and 3 more" in said.out
    assert len(told["passed_over"]) == 8


def test_pages_beyond_the_first_are_named_and_counted(model: Path, tmp_path: Path, capsys: Capture) -> None:
    save_image(tmp_path / "in" / "a.png")
    with Image.open(tmp_path / "in" / "a.png") as page:
        page.save(tmp_path / "in" / "scan.tif", save_all=True, append_images=[page, page])
    assert predict(model, tmp_path / "out", tmp_path / "in") == 0
    said = "1 file with several pages or frames, of which the first was predicted: scan.tif (3)"
    assert said in capsys.readouterr().out
    told = json.loads((tmp_path / "out" / "predictions.json").read_text())
    assert [entry["pages"] for entry in told["predictions"]] == [1, 3]


def test_a_second_run_gives_the_same_bytes(model: Path, tmp_path: Path) -> None:
    for seed in range(5):
        save_image(tmp_path / "in" / f"{seed}.png", 20 + seed, seed=seed)
    for out in ("one", "two"):
        assert predict(model, tmp_path / out, tmp_path / "in", more=("--no-flip",)) == 0
    for path in (tmp_path / "one").iterdir():
        assert path.read_bytes() == (tmp_path / "two" / path.name).read_bytes()


def test_an_output_folder_that_cannot_be_written(model: Path, tmp_path: Path, capsys: Capture) -> None:
    image = save_image(tmp_path / "a.png")
    (tmp_path / "file").touch()
    assert predict(model, tmp_path / "file", image) == 1
    assert f"{tmp_path / 'file'}: cannot be written" in capsys.readouterr().err
    assert predict(model, tmp_path / "file" / "below", image) == 1
    assert "cannot be written (Not a directory)" in capsys.readouterr().err
    if os.geteuid() != 0:  # root may write everywhere
        (tmp_path / "locked").mkdir(mode=0o500)
        assert predict(model, tmp_path / "locked", image) == 1
        assert "cannot be written (Permission denied)" in capsys.readouterr().err


def test_a_full_disk_leaves_nothing_half_written(
    model: Path, tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in "abc":
        save_image(tmp_path / "in" / f"{name}.png")
    genuine = overlays.write_png

    def full(file: BinaryIO, height: int, width: int, strips: Iterable[np.ndarray]) -> None:
        if "b_overlay" in file.name:
            file.write(b"some bytes")
            raise OSError(28, "No space left on device")
        genuine(file, height, width, strips)

    monkeypatch.setattr(overlays, "write_png", full)
    assert predict(model, tmp_path / "out", tmp_path / "in") == 1
    assert "cannot be written (No space left on device)" in capsys.readouterr().err
    there = written(tmp_path / "out")
    assert "b_overlay.png" not in there
    assert not [name for name in there if name.endswith(".tmp") or name.startswith("predictions")]


def test_memory_is_bounded_by_closing_batches_early(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for seed in range(7):
        save_image(tmp_path / f"{seed}.png", 40, 50, seed)
    monkeypatch.setattr(streaming, "_BATCH_PIXELS", 5000)
    batches = list(streaming.stream_images(find_images([tmp_path]).images, 16))
    assert [len(batch) for batch in batches] == [3, 3, 1]
    assert [image.position for batch in batches for image in batch] == list(range(7))


@pytest.mark.skipif(sys.platform == "win32", reason="file names there are text")
def test_a_file_name_that_is_no_text(model: Path, tmp_path: Path, capsys: Capture) -> None:
    odd = tmp_path / os.fsdecode(b"caf\xe9.png")
    try:
        odd.write_bytes(save_image(tmp_path / "a.png").read_bytes())
    except OSError:
        pytest.skip("this file system takes UTF-8 names alone")
    assert predict(model, tmp_path / "out", odd) == 0
    assert r"caf\xe9.png" in capsys.readouterr().out
    assert r"caf\xe9" in (tmp_path / "out" / "predictions.csv").read_text()


def test_help_says_what_is_written(capsys: Capture) -> None:
    with pytest.raises(SystemExit):
        main(["predict", "--help"])
    assert "STEM_mask.png" in capsys.readouterr().out
    assert naming.MASK == "_mask.png"


@pytest.mark.parametrize("resize", ["stretch", "pad", "crop"])
def test_files_for_annotation_tools_are_in_pixels_of_the_upright_image(
    resize: Literal["stretch", "pad", "crop"], tmp_path: Path
) -> None:
    model = save_small(tmp_path / "segmenter.safetensors", resize, scale=0.5 if resize == "crop" else 1.0)
    images, out = tmp_path / "images", tmp_path / "out"
    images.mkdir()
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(random_image(50, 80)).save(images / "turned.jpg", exif=exif)
    save_image(images / "plain.png", 60, 90)
    for kind in ("labelme", "cvat", "coco"):
        assert predict(model, out / kind, images, more=("--format", kind)) == 0
        assert predict(model, out / kind, images, more=("--format", kind)) == 0  # over its own results
        masks = {name: read_mask(out / kind / f"{name}_mask.png") for name in ("turned", "plain")}
        assert masks["turned"].shape == (80, 50)
        for path in images.iterdir():
            shutil.copy(path, out / kind)
        source = open_export({"cvat": "cvat_xml"}.get(kind, kind), out / kind, CLASSES)
        samples = {sample.name: sample for sample in source.listing().samples if sample.mask is not None}
        assert samples.keys() == masks.keys()
        for name, mask in masks.items():
            found = source.mask_of(samples[name], *mask.shape)
            assert np.mean(found == mask) > (0.99 if kind == "labelme" else 0.9999999)
        for path in images.iterdir():
            (out / kind / path.name).unlink()


def test_annotation_files_replace_nothing_of_somebody_else(
    model: Path, tmp_path: Path, capsys: Capture
) -> None:
    image = save_image(tmp_path / "a.png")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "a.json").write_text("mine")
    assert predict(model, tmp_path / "out", image, more=("--format", "labelme")) == 1
    assert "would replace a.json" in capsys.readouterr().err
    table = save_image(tmp_path / "predictions.png")
    assert predict(model, tmp_path / "out2", table, more=("--format", "labelme")) == 1
    assert "which is the table of the results" in capsys.readouterr().err
    twins = [save_image(tmp_path / folder / "b.png") for folder in ("one", "two")]
    assert predict(model, tmp_path / "out3", *twins, more=("--format", "cvat")) == 1
    assert "2 images are called so" in capsys.readouterr().err
    assert predict(model, tmp_path / "out4", image, more=("--epsilon", "1")) == 1
    assert "with --format labelme" in capsys.readouterr().err

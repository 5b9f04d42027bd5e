from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ae_pretrained.apps.init.export_scan import _size, scan_export
from ae_pretrained.sources.base import DataError
from ae_pretrained.sources.formats.detection import open_export
from tests.sources.formats.drawn_images import VOID, drawn
from tests.sources.formats.exports import MASK_EXPORTS

NAMES = ["background", "leaf", "red flower"]


@pytest.mark.parametrize("export", MASK_EXPORTS)
def test_classes_pixels_and_images(export: str, tmp_path: Path) -> None:
    kind, write = MASK_EXPORTS[export]
    drawings = drawn()
    write(tmp_path, drawings, NAMES)
    scan = scan_export(tmp_path, kind, workers=1)
    told = NAMES if not scan.classes[1].startswith("class_") else scan.classes
    assert sorted(scan.classes) == sorted(told)
    values = np.concatenate([drawing.mask.ravel() for drawing in drawings])
    truth = {told[value]: int((values == value).sum()) for value in range(3)}
    assert {name: scan.pixels[name] for name in told} == truth
    (ignored,) = scan.pixels.keys() - set(told)
    assert (ignored, scan.pixels[ignored]) == ("(ignored)", int((values == 255).sum()))
    assert scan.images["background"] == len(drawings)
    assert scan.faults == scan.unused == []
    # What it writes into params.yaml is what the source needs.
    params = {key[1]: value for key, value in scan.params().items()}
    source = open_export(params["source"], tmp_path, params["classes"], params["ignore_index"])
    for sample in scan.listing.samples:
        with Image.open(sample.image) as image:
            source.mask_of(sample, image.height, image.width)


def test_classes_that_no_mask_holds_are_left_out(tmp_path: Path) -> None:
    MASK_EXPORTS["coco"][1](tmp_path, drawn(), [*NAMES, "rare"])
    scan = scan_export(tmp_path, "coco", workers=2)
    assert scan.unused == ["rare"]
    assert "rare" not in scan.classes


def test_wanted_classes(tmp_path: Path) -> None:
    MASK_EXPORTS["coco"][1](tmp_path, drawn(), NAMES)
    with pytest.raises(
        DataError, match=r"--classes names 'rose', but the export has background, leaf, red flower"
    ):
        scan_export(tmp_path, "coco", classes=["background", "rose"])
    with pytest.raises(
        DataError, match=r"also hold 'red flower' \(\d+ px\), .*; add it to --classes, or say with"
    ):
        scan_export(tmp_path, "coco", classes=["ground", "leaf"])
    scan = scan_export(tmp_path, "coco", classes=["ground", "leaf"], unnamed="background")
    assert (scan.classes, scan.unnamed) == (["ground", "leaf"], "background")
    wanted = scan_export(tmp_path, "coco", classes=["background", VOID, "leaf", "red flower"])
    assert wanted.classes == ["background", VOID, "leaf", "red flower"]


def test_wanted_names_of_numbered_classes(tmp_path: Path) -> None:
    MASK_EXPORTS["suffix_masks"][1](tmp_path, drawn(), NAMES)
    assert scan_export(tmp_path, "suffix_masks", classes=["ground", "leaf", "oak"]).classes == [
        "ground",
        "leaf",
        "oak",
    ]
    with pytest.raises(DataError, match="hold 3 classes by number, --classes names 2"):
        scan_export(tmp_path, "suffix_masks", classes=["ground", "leaf"])


def test_faults_are_collected(tmp_path: Path) -> None:
    drawings = drawn()
    MASK_EXPORTS["labelme"][1](tmp_path, drawings, NAMES)
    for number in range(2):
        path = tmp_path / "train" / f"train_{number:02}.json"
        content = json.loads(path.read_text())
        path.write_text(json.dumps({**content, "imageWidth": 7}))
    (tmp_path / "train" / "train_02.jpg").write_bytes(b"no image")
    scan = scan_export(tmp_path, "labelme")
    assert [fault.partition(": ")[2].partition(",")[0] for fault in scan.faults[:2]] == [
        f"the mask has 7 x {drawings[number].mask.shape[0]} px" for number in range(2)
    ]
    assert "train_02.jpg: not a readable image" in scan.faults[2]


def test_sizes_are_those_of_the_upright_image(tmp_path: Path) -> None:
    MASK_EXPORTS["labelme"][1](tmp_path, drawn(), NAMES)
    path = tmp_path / "train" / "train_00.jpg"
    with Image.open(path) as image:
        turned = image.transpose(Image.Transpose.ROTATE_90)
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees to the right
    turned.save(path, exif=exif)
    assert scan_export(tmp_path, "labelme", workers=1).faults == []


def test_annotations_of_turned_images(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (30, 20)).save(tmp_path / "a.jpg", exif=exif)
    assert _size(tmp_path / "a.jpg", upright=True) == (30, 20)
    assert _size(tmp_path / "a.jpg", upright=False) == (20, 30)

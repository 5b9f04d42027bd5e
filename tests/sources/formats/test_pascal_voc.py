from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from ae_pretrained.sources.base import DataError
from ae_pretrained.sources.formats.detection import open_export
from tests.sources.formats.drawn_images import drawn, save_png
from tests.sources.formats.mask_writers import voc_palette, write_cvat_masks, write_lists, write_voc
from tests.sources.formats.small import NAMES, listed, photo, splits


def test_lists_of_pascal_voc(tmp_path: Path) -> None:
    drawings = drawn(6)
    write_voc(tmp_path, drawings, NAMES)
    (tmp_path / "ImageSets" / "Segmentation" / "val.txt").unlink()
    (tmp_path / "ImageSets" / "Segmentation" / "test.txt").write_text("val_03\nnobody\n")
    (tmp_path / "SegmentationClass" / "val_05.png").unlink()
    save_png(drawings[0].mask, tmp_path / "SegmentationClass" / "lost.png", voc_palette())
    listing = listed(tmp_path)
    assert splits(listing) == {
        **{f"JPEGImages/train_{n:02}": "trainval" for n in range(3)},
        "JPEGImages/val_03": "test",
        "JPEGImages/val_05": "unlabelled",  # trainval.txt is what train.txt and val.txt hold together
    }
    assert {(finding.name, finding.reason, finding.fault) for finding in listing.findings} == {
        ("nobody", "listed but absent", True),
        ("test_04", "not listed", False),
        ("SegmentationClass/lost.png", "mask without image", True),
    }
    (tmp_path / "ImageSets" / "Segmentation" / "test.txt").write_text("train_00\n")
    with pytest.raises(DataError, match=r"train.txt: train_00 is in a list of another split too"):
        listed(tmp_path)


def test_masks_without_their_images_say_how_to_export_them(tmp_path: Path) -> None:
    write_cvat_masks(tmp_path, drawn(6), NAMES)
    shutil.rmtree(tmp_path / "JPEGImages")
    with pytest.raises(
        DataError, match=r"there are 6 masks in SegmentationClass/, but no images.*'Save images'"
    ):
        listed(tmp_path)
    with pytest.raises(DataError):
        open_export("pascal_voc", tmp_path).listing()


def test_classes_of_pascal_voc_itself_and_of_nobody(tmp_path: Path) -> None:
    for root in (tmp_path / "VOC2012", tmp_path / "mine"):
        mask = np.array([[0, 2], [1, 255]], dtype=np.uint8).repeat(5, axis=0).repeat(6, axis=1)
        photo(root / "JPEGImages" / "a.jpg")
        save_png(mask, root / "SegmentationClass" / "a.png", voc_palette())
        write_lists(root, {"train": ["a"]})
    source = open_export("pascal_voc", tmp_path / "VOC2012")
    assert len(source.classes) == 21
    assert source.classes[:3] == ["background", "aeroplane", "bicycle"]
    nameless = open_export("pascal_voc", tmp_path / "mine")
    assert nameless.classes == ["background", "class_1", "class_2"]
    assert "neither labelmap.txt nor class_names.txt" in nameless.notes[0]
    # Without names in the export, classes go by their number, whatever they are called.
    named = open_export("pascal_voc", tmp_path / "mine", ["background", "leaf", "flower"])
    for one in (source, nameless, named):
        assert np.array_equal(one.mask_of(one.listing().samples[0], 10, 12), mask)


def test_cvat_masks_of_one_channel_hold_lines_or_greys(tmp_path: Path) -> None:
    photo(tmp_path / "JPEGImages" / "a.jpg")
    lines = ["# label:color_rgb:parts:actions", "background:0,0,0::", "leaf:128,0,0::", "flower:0,128,0::"]
    (tmp_path / "labelmap.txt").write_text("\n".join(lines))
    mask = np.arange(120, dtype=np.uint8).reshape(10, 12) % 3
    save_png(mask, tmp_path / "SegmentationClass" / "a.png")
    source = open_export("pascal_voc", tmp_path)
    assert np.array_equal(source.mask_of(source.listing().samples[0], 10, 12), mask)
    (tmp_path / "labelmap.txt").write_text("background:0,0,0::\nleaf:255,255,255::\nflower:7,7,7::\n")
    save_png(np.array([0, 255, 7], dtype=np.uint8)[mask], tmp_path / "SegmentationClass" / "a.png")
    source = open_export("pascal_voc", tmp_path)
    assert np.array_equal(source.mask_of(source.listing().samples[0], 10, 12), mask)


def test_hundreds_of_labels_of_which_few_are_used(tmp_path: Path) -> None:
    photo(tmp_path / "JPEGImages" / "a.jpg")
    lines = ["background:0,0,0::", *(f"label {n}:{n % 256},{n // 256},9::" for n in range(700))]
    (tmp_path / "labelmap.txt").write_text("\n".join(lines))
    colors = np.zeros((10, 12, 3), dtype=np.uint8)
    colors[2:5] = (650 % 256, 650 // 256, 9)
    save_png(colors, tmp_path / "SegmentationClass" / "a.png")
    source = open_export("pascal_voc", tmp_path)
    assert len(source.classes) == 701
    few = open_export("pascal_voc", tmp_path, ["background", "label 650"])
    mask = few.mask_of(few.listing().samples[0], 10, 12)
    assert np.array_equal(mask, (colors[..., 2] > 0).astype(np.uint8))
    other = open_export("pascal_voc", tmp_path, ["background", "label 3"])
    with pytest.raises(
        DataError, match=r"holds 'label 650' \(36 px\), but data.classes is background, label 3"
    ):
        other.mask_of(other.listing().samples[0], 10, 12)


def test_images_that_share_a_stem_are_a_fault(tmp_path: Path) -> None:
    write_voc(tmp_path, drawn(6), NAMES)
    photo(tmp_path / "JPEGImages" / "train_00.png")
    (fault,) = listed(tmp_path).findings
    assert (fault.reason, fault.fault) == ("stem used twice", True)
    assert fault.detail.startswith("JPEGImages/train_00.jpg and JPEGImages/train_00.png share a stem")

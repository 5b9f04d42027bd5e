"""Exports made by the tools' own code (fixtures/README.md)."""

from __future__ import annotations

import shutil
import zipfile
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from torchvision.datasets import Cityscapes

from ae_pretrained.constants import IGNORE_INDEX
from ae_pretrained.sources.base import NOT_ANNOTATED, DataError
from ae_pretrained.sources.formats.cityscapes import LEFT_OUT
from ae_pretrained.sources.formats.cityscapes import NAMES as OFFICIAL
from ae_pretrained.sources.formats.detection import detect_format, open_export

FIXTURES = Path(__file__).parent / "fixtures"
NAMES = ["background", "leaf", "red flower"]


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("datumaro_coco", "coco"),
        ("datumaro_voc", "pascal_voc"),
        ("datumaro_cvat", "cvat_xml"),
        ("datumaro_camvid", "color_masks"),
        ("labelme", "labelme"),
        ("supervisely", "supervisely"),
    ],
)
def test_exports_of_the_tools_come_back_pixel_by_pixel(name: str, kind: str, tmp_path: Path) -> None:
    with zipfile.ZipFile(FIXTURES / f"{name}.zip") as archive:
        archive.extractall(tmp_path)
    truth = np.load(tmp_path / "truth.npz")
    assert detect_format(tmp_path) == kind
    source = open_export(kind, tmp_path)
    assert source.classes == NAMES
    listing = source.listing()
    assert not listing.findings
    assert Counter(sample.split for sample in listing.samples) == {"train": 3, "val": 1, "test": 1}
    for sample in listing.samples:
        expected = truth[Path(sample.name).name]
        assert np.array_equal(source.mask_of(sample, *expected.shape), expected)


CITYSCAPES = ["road", "pole", "sky", "car"]


@pytest.fixture
def cityscapes(tmp_path: Path) -> Path:
    with zipfile.ZipFile(FIXTURES / "cityscapes.zip") as archive:
        archive.extractall(tmp_path)
    return tmp_path


def test_cityscapes_comes_back_as_its_own_tools_count_it(cityscapes: Path) -> None:
    """The truth are `labelTrainIds` of its tools. Fine masks go before coarse ones; those of test are dummies."""
    assert detect_format(cityscapes) == "cityscapes"
    source = open_export("cityscapes", cityscapes)
    assert source.classes == CITYSCAPES
    listing = source.listing()
    assert Counter(sample.split for sample in listing.samples) == {"rest": 4, "val": 1}
    assert [sample.image.name for sample in listing.held_out] == ["berlin_000000_000019_leftImg8bit.png"]
    assert [(finding.reason, finding.fault) for finding in listing.findings] == [(NOT_ANNOTATED, False)]
    truth = np.load(cityscapes / "truth.npz")
    train_ids = {entry.name: entry.train_id for entry in Cityscapes.classes}
    numbers = np.full(256, IGNORE_INDEX, dtype=np.uint8)
    numbers[[train_ids[name] for name in CITYSCAPES]] = range(len(CITYSCAPES))
    for sample in listing.samples:
        assert sample.mask is not None
        expected = numbers[truth[sample.image.stem.removesuffix("_leftImg8bit")]]
        assert np.array_equal(source.mask_of(sample, *expected.shape), expected), sample.name
        assert ("gtCoarse" in str(sample.mask)) == ("erlangen" in sample.name)


def test_a_class_that_the_evaluation_leaves_out_can_be_named(cityscapes: Path) -> None:
    source = open_export("cityscapes", cityscapes, [*CITYSCAPES, "parking"])
    sample = source.listing().samples[0]
    assert sample.mask is not None
    numbers = np.asarray(Image.open(sample.mask))
    assert np.array_equal(source.mask_of(sample, *numbers.shape) == 4, numbers == OFFICIAL.index("parking"))
    assert (numbers == OFFICIAL.index("parking")).any()


def test_the_table_of_cityscapes_is_that_of_torchvision() -> None:
    """Another copy of the official table."""
    official = {entry.id: entry for entry in Cityscapes.classes if entry.id >= 0}
    assert [entry.name for _, entry in sorted(official.items())] == list(OFFICIAL)
    assert {entry.name for entry in official.values() if entry.ignore_in_eval} == LEFT_OUT


def test_masks_of_cityscapes_that_cannot_be_told_apart(cityscapes: Path) -> None:
    mask = next(cityscapes.glob("gtFine/train/aachen/*_labelIds.png"))
    shutil.copy(mask, cityscapes / "gtFine/train/bochum")
    (cityscapes / "leftImg8bit/val/lindau/lindau_000000_000019_leftImg8bit.png").unlink()
    found = {
        finding.reason: finding.detail for finding in open_export("cityscapes", cityscapes).listing().findings
    }
    assert "are masks of one image; remove one" in found["several masks"]
    assert (
        "lindau_000000_000019_gtFine_labelIds.png: there is no image of this name"
        in found["mask without image"]
    )


def test_a_broken_test_mask_of_cityscapes_is_a_fault_of_its_own_image(cityscapes: Path) -> None:
    mask = next(cityscapes.glob("gtFine/test/berlin/*_labelIds.png"))
    mask.write_bytes(mask.read_bytes()[:60])
    source = open_export("cityscapes", cityscapes, CITYSCAPES)
    (sample,) = (sample for sample in source.listing().samples if sample.split == "test")
    with pytest.raises(DataError, match=mask.name):
        source.mask_of(sample, 24, 48)

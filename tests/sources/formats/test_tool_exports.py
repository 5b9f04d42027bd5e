"""Exports made by the tools' own code (fixtures/README.md)."""

from __future__ import annotations

import zipfile
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

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

"""Exports through the stages fetch and prepare."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest

from ae_pretrained.constants import IGNORE_INDEX
from ae_pretrained.dataset.arrays import open_split
from ae_pretrained.errors import PipelineError
from ae_pretrained.params.data_params import SourceName
from ae_pretrained.preparation.prepare import prepare
from ae_pretrained.sources.base import DataError
from ae_pretrained.sources.fetch import fetch
from ae_pretrained.sources.formats.detection import FORMATS
from tests.preparation.test_prepare import data_params
from tests.sources.formats.drawn_images import Labelled, drawn
from tests.sources.formats.exports import MASK_EXPORTS

NAMES = ["background", "leaf", "red flower"]
SIDE = 64


def run(root: Path, out: Path, source: str, **changes: Any) -> dict[str, Any]:
    values = {"source": source, "root": str(root), "classes": NAMES, "image_size": SIDE, **changes}
    params = data_params(**values)
    fetch(params, out / "raw")
    prepare(out / "raw", out / "processed", params, 1, metrics_file=out / "prepare.json", plots=out / "plots")
    return dict(json.loads((out / "prepare.json").read_text()))


def drawings() -> list[Labelled]:
    return drawn(24, side=SIDE, ignored=True)


def test_every_format_is_a_source() -> None:
    own = {"synthetic", "oxford_iiit_pet", "folder", "original_project"}
    assert set(get_args(SourceName)) == own | set(FORMATS)


@pytest.mark.parametrize(
    ("export", "workers"), [("coco", 2), ("color_masks", 2), ("labelme", 1), ("suffix_masks", 1)]
)
def test_arrays_are_what_was_exported(export: str, workers: int, tmp_path: Path) -> None:
    """One format of each kind, in one process and in several, to which source and samples are sent."""
    kind, write = MASK_EXPORTS[export]
    truth = {drawing.name: drawing for drawing in drawings()}
    write(tmp_path / "export", list(truth.values()), NAMES)
    run(tmp_path / "export", tmp_path, kind, workers=workers)
    seen = 0
    for split in ("train", "val", "test"):
        found = open_split(tmp_path / "processed", split)
        assert found.masks is not None
        for name, mask in zip(found.column("name"), found.masks, strict=True):
            drawing = truth[Path(name).name.partition("_jpg.rf.")[0]]
            assert drawing.split == split
            assert np.array_equal(mask, drawing.mask)
            seen += 1
    assert seen == 22  # two are empty
    assert not any((tmp_path / "raw").rglob("*.png"))  # a pointer, not a copy


def test_a_class_that_is_not_named_stops_or_is_background_or_ignored(tmp_path: Path) -> None:
    MASK_EXPORTS["coco"][1](tmp_path / "export", drawings(), NAMES)
    two = NAMES[:2]
    with pytest.raises(
        DataError, match=r"holds 'red flower' \(\d+ px\), but data.classes is background, leaf. .*"
    ):
        run(tmp_path / "export", tmp_path, "coco", classes=two)
    for policy, value in (("background", 0), ("ignore", IGNORE_INDEX)):
        run(tmp_path / "export", tmp_path, "coco", classes=two, unnamed_classes=policy)
        found = open_split(tmp_path / "processed", "train")
        assert found.masks is not None
        truth = {drawing.name: drawing.mask for drawing in drawings()}
        for name, mask in zip(found.column("name"), found.masks, strict=True):
            expected = truth[Path(name).name]
            assert np.array_equal(mask, np.where(expected == 2, value, expected))


def test_an_unusable_annotation_stops_or_is_left_out(tmp_path: Path) -> None:
    MASK_EXPORTS["coco"][1](tmp_path / "export", drawings(), NAMES)
    path = tmp_path / "export" / "annotations" / "instances_train.json"
    content = json.loads(path.read_text())
    content["annotations"][0]["segmentation"] = []
    path.write_text(json.dumps(content))
    with pytest.raises(DataError, match=r"instances_train.json: annotation 1 of train_00.jpg is a box"):
        run(tmp_path / "export", tmp_path, "coco")
    metrics = run(tmp_path / "export", tmp_path, "coco", on_error="skip")
    assert metrics["left_out"]["unusable file"] == 1


def test_a_folder_that_holds_no_such_export(tmp_path: Path) -> None:
    (tmp_path / "export").mkdir()
    for kind in FORMATS:
        with pytest.raises(DataError, match=r"export: .*expected"):
            run(tmp_path / "export", tmp_path, kind)


def test_colours_of_another_source_are_refused() -> None:
    with pytest.raises(PipelineError, match=r"colors: are of sources .* found source 'coco'"):
        data_params(source="coco", colors=["leaf 0 128 0"])

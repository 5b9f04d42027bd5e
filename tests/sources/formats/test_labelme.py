from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ae_pretrained.sources.base import DataError
from ae_pretrained.sources.formats.detection import open_export
from tests.sources.formats.shape_writers import labelme_file, labelme_shape
from tests.sources.formats.small import (
    FLOWER,
    HEIGHT,
    HOLE,
    LEAF,
    WIDTH,
    expected,
    image_at,
    inside,
    listed,
    mask_in,
    photo,
    splits,
)


def labelme(root: Path, shapes: list[dict[str, Any]]) -> Path:
    image = image_at(root / "a.jpg")
    image.with_suffix(".json").write_text(json.dumps(labelme_file(image, (HEIGHT, WIDTH), shapes)))
    return image.with_suffix(".json")


def test_labelme_shapes_in_file_order(tmp_path: Path) -> None:
    labelme(
        tmp_path,
        [
            labelme_shape("leaf", "polygon", LEAF),
            labelme_shape("flower", "rectangle", [[70.0, 40.0], [52.0, 20.0]]),
            labelme_shape("moon", "circle", [[20.0, 45.0], [26.0, 45.0]]),
            labelme_shape("leaf", "oriented_rectangle", HOLE),
            labelme_shape("__ignore__", "polygon", FLOWER),
        ],
    )
    mask, classes = mask_in(tmp_path, "labelme")
    assert classes == ["background", "flower", "leaf", "moon"]
    box = np.zeros((HEIGHT, WIDTH), dtype=bool)
    box[20:40, 52:70] = True
    y, x = np.mgrid[:HEIGHT, :WIDTH] + 0.5
    moon = (x - 20) ** 2 + (y - 45) ** 2 <= 36
    layers = ((2, inside(LEAF)), (1, box), (3, moon), (2, inside(HOLE)), (255, inside(FLOWER)))
    assert np.array_equal(mask, expected(*layers))


def test_labelme_of_version_3_has_no_kinds(tmp_path: Path) -> None:
    path = labelme(tmp_path, [{"label": "leaf", "points": LEAF, "line_color": None, "fill_color": None}])
    content = json.loads(path.read_text())
    del content["imageHeight"], content["imageWidth"]
    path.write_text(json.dumps(content))
    assert np.array_equal(mask_in(tmp_path, "labelme")[0], expected((1, inside(LEAF))))


@pytest.mark.parametrize("kind", ["line", "linestrip", "point"])
def test_labelme_refuses_shapes_without_area(kind: str, tmp_path: Path) -> None:
    path = labelme(tmp_path, [labelme_shape("leaf", "polygon", LEAF), labelme_shape("vein", kind, LEAF[:2])])
    with pytest.raises(DataError, match=rf"shape 1 \('vein'\) is a {kind}, which has no area") as error:
        mask_in(tmp_path, "labelme")
    assert str(path) in str(error.value)


def test_damaged_annotations_name_file_image_and_format(tmp_path: Path) -> None:
    path = labelme(tmp_path, [{"label": "leaf", "shape_type": "polygon"}])
    with pytest.raises(DataError, match=r"a.jpg is not what labelme JSON writes .'points' is missing"):
        mask_in(tmp_path, "labelme")
    path.write_text(path.read_text()[:-40])
    source = open_export("labelme", tmp_path, ["background", "leaf"])
    with pytest.raises(DataError, match=r"a.json: is no valid JSON"):
        source.mask_of(source.listing().samples[0], HEIGHT, WIDTH)
    labelme(tmp_path, [labelme_shape("leaf", "polygon", [[1.0, math.inf], [4.0, 5.0], [6.0, 3.0]])])
    with pytest.raises(DataError, match="no finite number"):
        mask_in(tmp_path, "labelme")


def labelme_of(path: Path, image: Path, labels: list[str]) -> None:
    square = [[2.0, 2.0], [6.0, 2.0], [6.0, 6.0], [2.0, 6.0]]
    shapes = [labelme_shape(label, "polygon", square) for label in labels]
    path.write_text(json.dumps(labelme_file(image, (10, 12), shapes)))


def test_labelme_finds_images_beside_elsewhere_or_not_at_all(tmp_path: Path) -> None:
    beside = photo(tmp_path / "a.jpg")
    labelme_of(tmp_path / "a.json", beside, ["leaf"])
    other = photo(tmp_path / "drawings" / "b.jpg")
    labelme_of(tmp_path / "json_of_b.json", other, [])
    content = json.loads((tmp_path / "json_of_b.json").read_text())
    (tmp_path / "json_of_b.json").write_text(json.dumps({**content, "imagePath": "..\\drawings\\b.jpg"}))
    labelme_of(tmp_path / "gone.json", beside, ["leaf"])
    (tmp_path / "gone.json").write_text((tmp_path / "gone.json").read_text().replace("a.jpg", "gone.jpg"))
    (tmp_path / "settings.json").write_text("{}")
    photo(tmp_path / "c.jpg")
    listing = listed(tmp_path)
    assert splits(listing) == {"a": "rest", "drawings/b": "rest", "c": "unlabelled"}
    found = {finding.name: (finding.reason, finding.fault) for finding in listing.findings}
    assert found == {
        "gone.jpg": ("listed but absent", True),
        "settings.json": ("no annotation", False),
    }
    # A file without shapes is a labelled image, and empty.
    source = open_export("labelme", tmp_path)
    empty = next(sample for sample in listing.samples if sample.name == "drawings/b")
    assert not source.mask_of(empty, 10, 12).any()


def test_labelme_images_without_any_shape_have_no_classes(tmp_path: Path) -> None:
    labelme_of(tmp_path / "a.json", photo(tmp_path / "a.jpg"), [])
    with pytest.raises(DataError, match="labelme JSON: names no class beside the background"):
        assert open_export("labelme", tmp_path).classes

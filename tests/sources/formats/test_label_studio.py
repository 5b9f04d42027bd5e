from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ae_pretrained.sources.base import DataError
from ae_pretrained.sources.formats.detection import detect_format, open_export
from tests.sources.formats.drawn_images import drawn
from tests.sources.formats.shape_writers import write_label_studio
from tests.sources.formats.small import (
    HEIGHT,
    HOLE,
    LEAF,
    NAMES,
    WIDTH,
    expected,
    image_at,
    inside,
    mask_in,
    photo,
)


def label_studio(root: Path, results: list[dict[str, Any]]) -> Path:
    image_at(root / "a.jpg")
    common = {"original_width": WIDTH, "original_height": HEIGHT, "image_rotation": 0, "to_name": "image"}
    filled = [{"id": f"r{number}", **common, **result} for number, result in enumerate(results)]
    task = {
        "id": 1,
        "data": {"image": "/data/local-files/?d=folder/a.jpg"},
        "annotations": [{"result": filled}],
    }
    (root / "export.json").write_text(json.dumps([task]))
    return root / "export.json"


def percent(ring: Any) -> list[list[float]]:
    return [[100 * x / WIDTH, 100 * y / HEIGHT] for x, y in ring]


def test_label_studio_outlines_in_percent(tmp_path: Path) -> None:
    label_studio(
        tmp_path,
        [
            {
                "type": "polygonlabels",
                "value": {"points": percent(LEAF), "closed": True, "polygonlabels": ["leaf"]},
            },
            {
                "type": "rectanglelabels",
                "value": {
                    "x": 25,
                    "y": 50,
                    "width": 25,
                    "height": 10,
                    "rotation": 0,
                    "rectanglelabels": ["flower"],
                },
            },
            {
                "type": "ellipselabels",
                "value": {
                    "x": 75,
                    "y": 50,
                    "radiusX": 10,
                    "radiusY": 5,
                    "rotation": 90,
                    "ellipselabels": ["flower"],
                },
            },
            # A region and its label as two results of one id, and what is said of the whole image.
            {"id": "p", "type": "polygon", "value": {"points": percent(HOLE)}},
            {"id": "p", "type": "labels", "value": {"points": percent(HOLE), "labels": ["stone"]}},
            {"type": "choices", "value": {"choices": ["sharp"]}},
        ],
    )
    mask, classes = mask_in(tmp_path, "label_studio")
    assert classes == ["background", "flower", "leaf", "stone"]
    box = np.zeros((HEIGHT, WIDTH), dtype=bool)
    box[30:36, 20:40] = True
    y, x = np.mgrid[:HEIGHT, :WIDTH] + 0.5
    ellipse = ((x - 60) / 3) ** 2 + ((y - 30) / 8) ** 2 <= 1
    layers = ((2, inside(LEAF)), (1, box), (1, ellipse), (3, inside(HOLE)))
    assert (mask != expected(*layers)).sum() <= 2  # percent and back is not exact


def test_label_studio_rectangle_is_turned_around_its_upper_left_corner(tmp_path: Path) -> None:
    value = {"x": 50, "y": 50, "width": 25, "height": 10, "rotation": 90, "rectanglelabels": ["leaf"]}
    label_studio(tmp_path, [{"type": "rectanglelabels", "value": value}])
    box = np.zeros((HEIGHT, WIDTH), dtype=bool)
    box[30:50, 34:40] = True
    assert (mask_in(tmp_path, "label_studio")[0] != expected((1, box))).sum() <= 26  # rounding on the outline


@pytest.mark.parametrize(
    ("result", "said"),
    [
        (
            {"type": "keypointlabels", "value": {"x": 3, "y": 4, "width": 1, "keypointlabels": ["leaf"]}},
            "keypointlabels",
        ),
        (
            {
                "image_rotation": 90,
                "type": "polygonlabels",
                "value": {"points": [], "polygonlabels": ["leaf"]},
            },
            "turned by 90",
        ),
        (
            {"type": "polygonlabels", "value": {"points": [], "polygonlabels": ["leaf", "oak"]}},
            "labels leaf, oak",
        ),
        (
            {"original_width": 10, "type": "polygonlabels", "value": {"points": [], "polygonlabels": ["a"]}},
            "10 x 60 px",
        ),
    ],
)
def test_label_studio_refusals(result: dict[str, Any], said: str, tmp_path: Path) -> None:
    path = label_studio(tmp_path, [result])
    source = open_export("label_studio", tmp_path, ["background", "leaf"])
    (sample,) = source.listing().samples
    with pytest.raises(DataError, match=said) as error:
        source.mask_of(sample, HEIGHT, WIDTH)
    assert str(path) in str(error.value)
    assert "a.jpg" in str(error.value)


def test_label_studio_counts_one_annotation_a_task(tmp_path: Path) -> None:
    write_label_studio(tmp_path, drawn(4, ignored=False), NAMES)
    (path,) = tmp_path.glob("*.json")
    tasks = json.loads(path.read_text())
    first, second, third, _ = tasks
    cancelled = {**first["annotations"][0], "id": 90, "was_cancelled": True, "updated_at": "2027-01-01"}
    first["annotations"].append({**cancelled, "result": [{**cancelled["result"][0], "id": "x"}]})
    newer = {"id": 91, "result": [], "was_cancelled": False, "updated_at": "2027-01-01"}
    second["annotations"].append(newer)
    third["annotations"] = [{**third["annotations"][0], "was_cancelled": True}]
    third["predictions"] = [newer]
    path.write_text(json.dumps(tasks))
    source = open_export("label_studio", tmp_path, NAMES)
    by_name = {sample.name.rpartition("_")[2]: sample for sample in source.listing().samples}
    truth = {drawing.name.rpartition("_")[2]: drawing for drawing in drawn(4, ignored=False)}
    assert np.array_equal(source.mask_of(by_name["00"], *truth["00"].mask.shape), truth["00"].mask)
    assert not source.mask_of(by_name["01"], *truth["01"].mask.shape).any()
    assert "02" not in by_name  # a test image that nobody annotated
    assert source.notes[0].startswith(
        "1 tasks have several annotations: the one marked as ground truth counts"
    )
    second["annotations"][0]["ground_truth"] = True
    path.write_text(json.dumps(tasks))
    by_name = {sample.name.rpartition("_")[2]: sample for sample in source.listing().samples}
    assert np.array_equal(source.mask_of(by_name["01"], *truth["01"].mask.shape), truth["01"].mask)


def test_label_studio_json_min_is_refused(tmp_path: Path) -> None:
    photo(tmp_path / "a.jpg")
    minimal = [
        {"image": "/data/upload/1/a.jpg", "id": 1, "tag": [{"brushlabels": ["leaf"]}], "annotation_id": 1}
    ]
    (tmp_path / "min.json").write_text(json.dumps(minimal))
    with pytest.raises(DataError, match=r"label_studio: .*not JSON-MIN"):
        detect_format(tmp_path)
    with pytest.raises(DataError, match="no image with an annotation"):
        open_export("label_studio", tmp_path).listing()


def test_damaged_tasks_are_refused(tmp_path: Path) -> None:
    path = label_studio(tmp_path, [])
    tasks = json.loads(path.read_text())
    path.write_text(
        json.dumps([{**tasks[0], "annotations": [{"result": [{"value": {"brushlabels": ["a"]}}]}]}])
    )
    with pytest.raises(
        DataError, match=r"the export is not what Label Studio JSON writes \('id' is missing\)"
    ):
        assert open_export("label_studio", tmp_path).classes
    path.write_text(json.dumps([{**tasks[0], "annotations": ["result"]}]))
    with pytest.raises(DataError, match="the export is not what Label Studio JSON writes"):
        open_export("label_studio", tmp_path).listing()
    path.write_text(json.dumps([{**tasks[0], "data": "result", "annotations": None}]))
    with pytest.raises(DataError, match="task 0 has no data and annotations; export as JSON, not JSON-MIN"):
        open_export("label_studio", tmp_path).listing()

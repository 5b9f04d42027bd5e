from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ae_pretrained.sources.base import DataError
from ae_pretrained.sources.formats.detection import detect_format, open_export
from tests.sources.formats.small import (
    FLOWER,
    HEIGHT,
    HOLE,
    LEAF,
    WIDTH,
    expected,
    flat,
    image_at,
    inside,
    listed,
    mask_in,
    photo,
    splits,
)


def yolo(root: Path, text: str) -> Path:
    image_at(root / "images" / "train" / "a.jpg")
    (root / "data.yaml").write_text(
        "path: ../somewhere\ntrain: images/train\nval: images/val\nnames:\n  0: leaf\n  1: flower\n"
    )
    path = root / "labels" / "train" / "a.txt"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def shares(ring: Any) -> str:
    return " ".join(f"{x / WIDTH:.6f} {y / HEIGHT:.6f}" for x, y in ring)


def test_yolo_polygons_with_bridges_to_holes(tmp_path: Path) -> None:
    bridged = [*LEAF, LEAF[0], *HOLE, HOLE[0], LEAF[0]]
    yolo(tmp_path, f"0 {shares(bridged)}\n\n1 {shares(FLOWER)}\n")
    mask, classes = mask_in(tmp_path, "yolo")
    assert classes == ["background", "leaf", "flower"]
    layers = ((1, inside(LEAF) & ~inside(HOLE)), (2, inside(FLOWER)))
    assert (mask != expected(*layers)).sum() <= 2  # six digits


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("0 0.5 0.5 0.2 0.1\n", "line 1: is a box, not an outline"),
        (f"0 {shares(LEAF)}\n0 0.5 0.5 0.2 0.1 0.7\n", "line 2: expected a class and at least three pairs"),
        ("2 0.1 0.1 0.2 0.1 0.2 0.2\n", "line 1: class 2, but there are names for 0 to 1"),
        ("leaf 0.1 0.1 0.2 0.1 0.2 0.2\n", "line 1: expected numbers, found 'leaf"),
        (f"0 {' '.join(map(str, flat(LEAF)))}\n", "line 1: expected shares .* found 8.1 to 60.7"),
    ],
)
def test_yolo_refusals(text: str, said: str, tmp_path: Path) -> None:
    path = yolo(tmp_path, text)
    with pytest.raises(DataError, match=said) as error:
        mask_in(tmp_path, "yolo")
    assert str(path) in str(error.value)


def test_yolo_splits_by_folder_list_or_path_of_another_machine(tmp_path: Path) -> None:
    square = "0 0.1 0.1 0.5 0.1 0.5 0.5 0.1 0.5\n"
    for split, name in (("train", "a"), ("valid", "b"), ("test", "c"), ("train", "d")):
        photo(tmp_path / split / "images" / f"{name}.jpg")
        (tmp_path / split / "labels").mkdir(exist_ok=True)
        if name != "d":
            (tmp_path / split / "labels" / f"{name}.txt").write_text("" if name == "b" else square)
    yaml = "train: ../train/images\nval: /content/drive/x/valid/images\nnc: 1\nnames: ['leaf']\n"
    (tmp_path / "data.yaml").write_text(yaml + "test: ../test/images\nroboflow: {version: 1}\n")
    source = open_export(detect_format(tmp_path), tmp_path)
    found = splits(source.listing())
    assert found == {
        "train/images/a": "train",
        "train/images/d": "unlabelled",
        "valid/images/b": "val",
        "test/images/c": "test",
    }
    assert source.notes == [
        "1 images have no file in labels/: read as unlabelled (an empty file means no object)"
    ]
    empty = next(sample for sample in source.listing().samples if sample.split == "val")
    assert not source.mask_of(empty, 10, 12).any()
    # As CVAT writes it: lists of images; and a split that is not there.
    (tmp_path / "train.txt").write_text("./train/images/a.jpg\ndata/train/images/d.jpg\n")
    (tmp_path / "data.yaml").write_text(
        "path: ./\ntrain: train.txt\nval: val.txt\nnames:\n  0: leaf\n  2: oak\n"
    )
    source = open_export("yolo", tmp_path)
    assert source.classes == ["background", "leaf", "class 1", "oak"]
    assert splits(source.listing())["train/images/a"] == "rest"
    assert "data.yaml: val: val.txt is not below" in source.notes[0]
    (tmp_path / "data.yaml").write_text("train: train\nval: train/images\nnames: [leaf]\n")
    with pytest.raises(DataError, match=r"a.jpg is in train and in val"):
        listed(tmp_path)


def test_yolo_of_label_studio_has_a_list_of_classes_alone(tmp_path: Path) -> None:
    photo(tmp_path / "images" / "a.jpg")
    photo(tmp_path / "images" / "b.jpg")
    (tmp_path / "labels").mkdir()
    (tmp_path / "labels" / "a.txt").write_text("1 0.1 0.1 0.5 0.1 0.5 0.5 0.1 0.5\n")
    (tmp_path / "classes.txt").write_text("leaf\nflower\n")
    source = open_export(detect_format(tmp_path), tmp_path)
    assert source.classes == ["background", "leaf", "flower"]
    assert splits(source.listing()) == {"images/a": "rest", "images/b": "unlabelled"}


def test_what_no_split_names_and_what_a_list_names_in_vain(tmp_path: Path) -> None:
    for name in "abc":
        photo(tmp_path / "images" / f"{name}.jpg")
        path = tmp_path / "labels" / f"{name}.txt"
        path.parent.mkdir(exist_ok=True)
        path.write_text("0 0.1 0.1 0.5 0.1 0.5 0.5\n")
    photo(tmp_path / "images" / "d.jpg")
    (tmp_path / "train.txt").write_text("images/a.jpg\nimages/gone.jpg\n")
    (tmp_path / "val.txt").write_text("images/b.jpg\n")
    (tmp_path / "data.yaml").write_text("train: train.txt\nval: val.txt\nnames: [leaf]\n")
    listing = listed(tmp_path)
    assert splits(listing) == {"images/a": "rest", "images/b": "val", "images/d": "unlabelled"}
    assert [(finding.name, finding.reason, finding.fault) for finding in listing.findings] == [
        ("images/c.jpg", "not listed", False),
        ("images/gone.jpg", "listed but absent", True),
    ]


def test_a_data_yaml_that_cannot_be_read(tmp_path: Path) -> None:
    yolo(tmp_path, "")
    for text, said in (("names: leaf\n", "names: expected a list"), ("names: [leaf\n", "is no valid YAML")):
        (tmp_path / "data.yaml").write_text(text)
        with pytest.raises(DataError, match=f"data.yaml: {said}"):
            assert open_export("yolo", tmp_path).classes

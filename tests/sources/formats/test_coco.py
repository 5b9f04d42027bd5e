from __future__ import annotations

import json
import os
import pickle
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ae_pretrained.sources.base import DataError
from ae_pretrained.sources.formats.detection import open_export
from tests.sources.formats.small import (
    FLOWER,
    HEIGHT,
    HOLE,
    LEAF,
    WIDTH,
    coco_file,
    expected,
    flat,
    image_at,
    inside,
    listed,
    mask_in,
    photo,
    splits,
)


def coco(root: Path, annotations: list[dict[str, Any]], **image: Any) -> Path:
    image_at(root / "a.jpg")
    content = {
        "images": [{"id": 3, "file_name": "a.jpg", "width": WIDTH, "height": HEIGHT, **image}],
        "annotations": [{"id": 40 + n, "image_id": 3, **item} for n, item in enumerate(annotations)],
        "categories": [{"id": 9, "name": "flower"}, {"id": 2, "name": "leaf"}],
    }
    (root / "labels.json").write_text(json.dumps(content))
    return root / "labels.json"


def test_coco_paints_in_file_order_and_unites_the_polygons_of_a_list(tmp_path: Path) -> None:
    coco(
        tmp_path,
        [
            {
                "category_id": 2,
                "segmentation": [flat(LEAF), flat(HOLE)],
            },  # a part inside another one is no hole
            {"category_id": 9, "segmentation": [flat(FLOWER)], "iscrowd": 0},
        ],
    )
    mask, classes = mask_in(tmp_path, "coco")
    assert classes == ["background", "flower", "leaf"]
    assert np.array_equal(mask, expected((2, inside(LEAF)), (2, inside(HOLE)), (1, inside(FLOWER))))


def test_coco_polygon_without_inner_list_and_without_area(tmp_path: Path) -> None:
    coco(
        tmp_path,
        [
            {"category_id": 2, "segmentation": flat(LEAF)},
            {"category_id": 9, "segmentation": [[5.0, 5.0, 9.0, 9.0]]},  # two points: a slip of the mouse
        ],
    )
    assert np.array_equal(mask_in(tmp_path, "coco")[0], expected((2, inside(LEAF))))


@pytest.mark.parametrize(
    ("annotation", "said"),
    [
        ({"category_id": 2, "bbox": [1, 2, 3, 4], "segmentation": []}, "annotation 40 of a.jpg is a box"),
        ({"category_id": 2, "bbox": [1, 2, 3, 4]}, "is a box without an outline"),
        ({"category_id": 2, "segmentation": [[1, 2, 3, 4, 5]]}, "a.jpg is not what COCO JSON writes"),
        (
            {"category_id": 2, "segmentation": {"size": [9, 9], "counts": [81]}},
            r"of \[9, 9\], the image of \[60, 80\]",
        ),
        (
            {"category_id": 2, "segmentation": {"size": [60, 80], "counts": [81]}},
            "add up to 81 pixels, expected 4800",
        ),
    ],
)
def test_coco_refuses_what_has_no_pixels(annotation: dict[str, Any], said: str, tmp_path: Path) -> None:
    path = coco(tmp_path, [annotation])
    with pytest.raises(DataError, match=said) as error:
        mask_in(tmp_path, "coco")
    assert str(path) in str(error.value)


def test_coco_refuses_another_size(tmp_path: Path) -> None:
    coco(tmp_path, [{"category_id": 2, "segmentation": [flat(LEAF)]}], width=HEIGHT, height=WIDTH)
    with pytest.raises(
        DataError, match=r"the mask has 60 x 80 px, its image a.jpg has 80 x 60 px .turned by"
    ):
        mask_in(tmp_path, "coco")
    coco(tmp_path, [{"category_id": 2, "segmentation": [flat(LEAF)]}], width=None, height=0)
    assert mask_in(tmp_path, "coco")[0].any()  # it does not say


def test_the_official_coco_archive(tmp_path: Path) -> None:
    """Captions and key points describe the images of the instances once more."""
    for split in ("train2017", "val2017"):
        photo(tmp_path / split / "000000000009.jpg")
        coco_file(tmp_path / "annotations" / f"instances_{split}.json", ["000000000009.jpg"])
        coco_file(tmp_path / "annotations" / f"person_keypoints_{split}.json", ["000000000009.jpg"])
        (tmp_path / "annotations" / f"captions_{split}.json").write_text('{"images": [], "annotations": []}')
    found = splits(listed(tmp_path))
    assert found == {"train2017/000000000009": "rest", "val2017/000000000009": "val"}


def test_coco_annotations_of_no_image_or_no_category(tmp_path: Path) -> None:
    photo(tmp_path / "a.jpg")
    coco_file(tmp_path / "a.json", ["a.jpg"])
    content = json.loads((tmp_path / "a.json").read_text())
    content["annotations"] += [{**content["annotations"][0], "id": n, "image_id": 77} for n in (5, 6)]
    content["images"].append({"id": 1, "file_name": "b.jpg", "width": 12, "height": 10})
    photo(tmp_path / "b.jpg")
    (tmp_path / "a.json").write_text(json.dumps(content))
    source = open_export("coco", tmp_path)
    listing = source.listing()
    assert [(finding.reason, finding.fault) for finding in listing.findings] == [
        ("annotation without image", False)
    ]
    assert "2 annotations belong to image id 77" in listing.findings[0].detail
    # An image without annotations is labelled, and empty; that is said.
    assert source.notes == ["1 images have no annotation: read as labelled, and empty"]
    assert not source.mask_of(listing.samples[1], 10, 12).any()
    content["annotations"][0]["category_id"] = 3
    (tmp_path / "a.json").write_text(json.dumps(content))
    with pytest.raises(
        DataError, match=r"a.json: annotations\[0\] has category_id 3, but categories lists 1"
    ):
        listed(tmp_path)


def test_panoptic_files_are_named(tmp_path: Path) -> None:
    photo(tmp_path / "a.jpg")
    content = {"images": [], "annotations": [{"image_id": 1, "segments_info": []}], "categories": []}
    (tmp_path / "a.json").write_text(json.dumps(content))
    with pytest.raises(
        DataError, match="'category_id' is missing; it is a panoptic file; take the instances file"
    ):
        listed(tmp_path)


def test_listing_takes_a_fraction_of_a_millisecond_an_image(tmp_path: Path) -> None:
    count, square = 2_000, [2, 2, 6, 2, 6, 6, 2, 6]
    first = photo(tmp_path / "images" / "0.jpg")
    for number in range(1, count):
        os.link(first, tmp_path / "images" / f"{number}.jpg")
    annotations = [
        {"id": n, "image_id": n // 5, "category_id": 1, "segmentation": [square * 5]}
        for n in range(5 * count)
    ]
    images = [{"id": n, "file_name": f"{n}.jpg", "width": 12, "height": 10} for n in range(count)]
    content = {"images": images, "annotations": annotations, "categories": [{"id": 1, "name": "leaf"}]}
    (tmp_path / "instances.json").write_text(json.dumps(content))
    started = time.process_time()
    listing = listed(tmp_path)
    assert time.process_time() - started < 3  # ten times what it takes on a machine of 2026
    assert len(listing.samples) == count
    # What a decoding process is sent for 64 images.
    assert len(pickle.dumps(listing.samples[:64])) < 100_000

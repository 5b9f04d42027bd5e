"""Files for annotation tools, decoded by the rules of the tools themselves."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image
from pycocotools.coco import COCO

from ae_pretrained.annotations.digests import mask_digest
from ae_pretrained.annotations.writers import AnnotationFormat, AnnotationWriter
from ae_pretrained.sources.formats.detection import open_export

CLASSES = ["background", "leaf", "red flower"]


def drawn_mask(seed: int = 0) -> np.ndarray:
    """(40, 60) with regions, holes and single pixels, also at the borders."""
    rng = np.random.default_rng(seed)
    coarse = Image.fromarray(rng.integers(0, 3, (9, 11), dtype=np.uint8))
    mask = np.array(coarse.resize((60, 40), Image.Resampling.NEAREST))
    mask[rng.random(mask.shape) < 0.05] = 0
    return mask


def write(kind: AnnotationFormat, folder: Path) -> dict[str, np.ndarray]:
    masks = {f"{name}.png": drawn_mask(seed) for seed, name in enumerate("abc")}
    masks["c.png"] = np.zeros((40, 60), dtype=np.uint8)
    writer = AnnotationWriter(kind, folder, CLASSES, "sha256:0", epsilon=0)
    for number, (name, mask) in enumerate(masks.items()):
        folder.mkdir(exist_ok=True)
        Image.fromarray(np.full((*mask.shape, 3), 90, np.uint8)).save(folder / name)
        writer.add(number, folder / name, name[0], mask)
    writer.finish()
    return masks


@pytest.mark.parametrize(("kind", "source"), [("labelme", "labelme"), ("cvat", "cvat_xml"), ("coco", "coco")])
def test_the_importers_read_every_pixel(kind: AnnotationFormat, source: str, tmp_path: Path) -> None:
    masks = write(kind, tmp_path / "out")
    export = open_export(source, tmp_path / "out", CLASSES)
    listing = export.listing()
    assert listing.findings == []
    assert [sample.name for sample in listing.samples] == ["a", "b", "c"]
    for sample in listing.samples:
        expected = masks[sample.image.name]
        assert np.array_equal(export.mask_of(sample, *expected.shape), expected)


def test_cvat_as_its_converter_reads_it(tmp_path: Path) -> None:
    """``load_anno`` (dataset_manager/formats/cvat.py) makes points of runs and box, whose rows fill from zeros on."""
    masks = write("cvat", tmp_path / "out")
    root = ElementTree.parse(tmp_path / "out" / "annotations.xml").getroot()
    assert root.findtext("version") == "1.1"
    assert [item.text for item in root.iterfind("meta/task/labels/label/name")] == CLASSES[1:]
    images = root.findall("image")
    assert [image.attrib["name"] for image in images] == list(masks)
    for image in images:
        height, width = int(image.attrib["height"]), int(image.attrib["width"])
        found = np.zeros((height, width), dtype=np.uint8)
        for shape in image:
            assert shape.tag == "mask"
            points = list(map(int, shape.attrib["rle"].split(",")))
            points += [int(shape.attrib["left"]), int(shape.attrib["top"])]
            points.append(points[-2] + int(shape.attrib["width"]) - 1)
            points.append(points[-2] + int(shape.attrib["height"]) - 1)
            *runs, left, top, right, bottom = points
            pixels, value = [], 0
            for run in runs:
                pixels += [value] * run
                value = 1 - value
            box = np.array(pixels, dtype=bool).reshape(bottom - top + 1, right - left + 1)
            assert box.any(axis=0)[[0, -1]].all()
            assert box.any(axis=1)[[0, -1]].all()
            assert (found[top : bottom + 1, left : right + 1][box] == 0).all(), "masks do not overlap"
            found[top : bottom + 1, left : right + 1][box] = CLASSES.index(shape.attrib["label"])
        assert np.array_equal(found, masks[image.attrib["name"]])


def test_coco_as_pycocotools_reads_it(tmp_path: Path) -> None:
    masks = write("coco", tmp_path / "out")
    coco = COCO(str(tmp_path / "out" / "annotations.json"))
    for image in coco.imgs.values():
        found = np.zeros((image["height"], image["width"]), dtype=np.uint8)
        for annotation in coco.loadAnns(coco.getAnnIds(imgIds=[image["id"]])):
            mask = coco.annToMask(annotation).astype(bool)
            rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
            box = [columns[0], rows[0], columns[-1] - columns[0] + 1, rows[-1] - rows[0] + 1]
            assert (annotation["area"], annotation["bbox"]) == (mask.sum(), box)
            found[mask] = annotation["category_id"]
        assert np.array_equal(found, masks[image["file_name"]])
    assert [item["name"] for item in coco.loadCats(coco.getCatIds())] == CLASSES[1:]


def test_labelme_files_are_as_labelme_checks_them(tmp_path: Path) -> None:
    """The rules of labelme 6.3, ``_label_file.py``: ``read_label_file``, ``_load_shape_json_obj``."""
    masks = write("labelme", tmp_path / "out")
    for name, mask in masks.items():
        raw = json.loads((tmp_path / "out" / f"{name[0]}.json").read_text())
        assert raw["imageData"] is None
        assert (tmp_path / "out" / raw["imagePath"]).is_file()
        assert (raw["imageHeight"], raw["imageWidth"]) == mask.shape
        assert all(isinstance(value, bool) for value in raw["flags"].values())
        for shape in raw["shapes"]:
            assert isinstance(shape["label"], str)
            assert (shape["shape_type"], shape["mask"]) == ("polygon", None)
            assert len(shape["points"]) > 2
            assert all(len(point) == 2 for point in shape["points"])
        assert raw["ae_pretrained"] == {"model": "sha256:0", "shapes": mask_digest(mask, CLASSES)}


def test_the_digest_is_of_pixels_by_class_name() -> None:
    mask = drawn_mask()
    swapped = np.array([0, 2, 1], dtype=np.uint8)[mask]
    assert mask_digest(mask, CLASSES) == mask_digest(swapped, ["background", "red flower", "leaf"])
    assert mask_digest(mask, CLASSES) != mask_digest(swapped, CLASSES)

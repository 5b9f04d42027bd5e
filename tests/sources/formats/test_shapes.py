"""Outlines of every format that has them, against scikit-image and the tools' own rules."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from skimage.draw import polygon2mask

from ae_pretrained.sources.base import DataError
from ae_pretrained.sources.formats.detection import detect_format, open_export
from tests.sources.formats.exports import labelme_file, labelme_shape, supervisely_bitmap

HEIGHT, WIDTH = 60, 80
LEAF = [[10.2, 8.1], [60.7, 12.4], [50.3, 44.9], [22.6, 50.2]]
FLOWER = [[40.4, 20.3], [75.1, 22.8], [70.9, 55.5], [44.2, 48.1]]
HOLE = [[20.3, 15.2], [30.6, 16.1], [28.4, 30.7]]


def inside(ring: Any, shift: float = 0.5) -> np.ndarray:
    """Pixels whose centre is inside; ``shift`` is where the centre of a pixel is."""
    return np.asarray(polygon2mask((HEIGHT, WIDTH), np.array(ring)[:, ::-1] - shift))


def image_at(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (WIDTH, HEIGHT), (90, 140, 70)).save(path)
    return path


def mask_in(root: Path, kind: str, height: int = HEIGHT, width: int = WIDTH) -> tuple[np.ndarray, list[str]]:
    """The mask of the one annotated image of an export, and its classes."""
    assert detect_format(root) == kind
    source = open_export(kind, root)
    (sample,) = (sample for sample in source.listing().samples if sample.mask is not None)
    return source.mask_of(sample, height, width), source.classes


def expected(*layers: tuple[int, np.ndarray]) -> np.ndarray:
    mask = np.zeros((HEIGHT, WIDTH), dtype=np.uint8)
    for value, pixels in layers:
        mask[pixels] = value
    return mask


def flat(ring: Any) -> list[float]:
    return [value for point in ring for value in point]


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


def cvat(root: Path, shapes: str, **attributes: str) -> Path:
    image_at(root / "images" / "a.jpg")
    more = "".join(f' {key}="{value}"' for key, value in attributes.items())
    (root / "annotations.xml").write_text(
        '<?xml version="1.0" encoding="utf-8"?>\n<annotations>\n  <version>1.1</version>\n  <meta><task><labels>'
        "<label><name>leaf</name></label><label><name>flower</name></label>"
        "<label><name>point of it</name><parent>leaf</parent></label></labels></task></meta>\n"
        f'  <image id="0" name="a.jpg" width="{WIDTH}" height="{HEIGHT}"{more}>{shapes}</image>\n</annotations>\n'
    )
    return root / "annotations.xml"


def points(ring: Any) -> str:
    return ";".join(f"{x:.2f},{y:.2f}" for x, y in ring)


def test_cvat_shapes_by_z_order(tmp_path: Path) -> None:
    cvat(
        tmp_path,
        f'<polygon label="flower" source="manual" occluded="0" points="{points(FLOWER)}" z_order="2"></polygon>'
        f'<polygon label="leaf" source="manual" occluded="0" points="{points(LEAF)}" z_order="1">'
        '<attribute name="kind">oak</attribute></polygon>'
        '<box label="leaf" occluded="0" xtl="2.00" ytl="50.00" xbr="12.00" ybr="58.00" z_order="-1"></box>'
        '<ellipse label="flower" occluded="0" cx="10.00" cy="20.00" rx="8.00" ry="4.00" rotation="90.0" z_order="0"/>'
        '<tag label="leaf" source="manual"></tag>',
    )
    mask, classes = mask_in(tmp_path, "cvat_xml")
    assert classes == ["background", "leaf", "flower"]
    y, x = np.mgrid[:HEIGHT, :WIDTH] + 0.5
    box = (x > 2) & (x < 12) & (y > 50) & (y < 58)
    ellipse = ((x - 10) / 4) ** 2 + ((y - 20) / 8) ** 2 <= 1
    assert np.array_equal(mask, expected((1, box), (2, ellipse), (1, inside(LEAF)), (2, inside(FLOWER))))


def test_cvat_box_turned_by_its_middle(tmp_path: Path) -> None:
    cvat(tmp_path, '<box label="leaf" xtl="20" ytl="20" xbr="40" ybr="30" rotation="90" z_order="0"/>')
    box = np.zeros((HEIGHT, WIDTH), dtype=bool)
    box[15:35, 25:35] = True
    assert (mask_in(tmp_path, "cvat_xml")[0] != expected((1, box))).sum() <= 30  # rounding on the outline


@pytest.mark.parametrize("tag", ["polyline", "points", "cuboid", "skeleton"])
def test_cvat_refuses_shapes_without_area(tag: str, tmp_path: Path) -> None:
    cvat(tmp_path, f'<{tag} label="leaf" points="{points(LEAF)}" z_order="0"/>')
    with pytest.raises(
        DataError, match=rf"annotations.xml: a.jpg has a <{tag}> \('leaf'\), which has no area"
    ):
        mask_in(tmp_path, "cvat_xml")


def test_cvat_video_is_refused(tmp_path: Path) -> None:
    path = cvat(tmp_path, "")
    path.write_text(path.read_text().replace("</annotations>", '<track id="0" label="leaf"/></annotations>'))
    with pytest.raises(DataError, match=r"annotations.xml: holds <track>.*CVAT for images 1.1"):
        mask_in(tmp_path, "cvat_xml")


def supervisely(root: Path, objects: list[dict[str, Any]]) -> Path:
    image_at(root / "ds" / "img" / "a.jpg")
    names = [{"title": name, "shape": "any", "color": "#112233"} for name in ("leaf", "flower")]
    (root / "meta.json").write_text(json.dumps({"classes": names, "tags": []}))
    path = root / "ds" / "ann" / "a.jpg.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    size = {"height": HEIGHT, "width": WIDTH}
    path.write_text(json.dumps({"description": "", "tags": [], "size": size, "objects": objects}))
    return path


def polygon(label: str, exterior: Any, *interior: Any) -> dict[str, Any]:
    shape = {"exterior": exterior, "interior": list(interior)}
    return {"classTitle": label, "geometryType": "polygon", "points": shape, "tags": []}


def test_supervisely_corners_are_centres_of_pixels(tmp_path: Path) -> None:
    leaf, flower, hole = (np.floor(ring).astype(int).tolist() for ring in (LEAF, FLOWER, HOLE))
    supervisely(tmp_path, [polygon("leaf", leaf, hole), polygon("flower", flower)])
    mask, classes = mask_in(tmp_path, "supervisely")
    assert classes == ["background", "leaf", "flower"]
    whole = [np.array(ring) + 0.5 for ring in (leaf, hole, flower)]
    # Corners on the centres of pixels: half of those on an outline are in, which scikit-image settles otherwise.
    wrong = mask != expected((1, inside(whole[0]) & ~inside(whole[1])), (2, inside(whole[2])))
    assert wrong.sum() <= 12
    # The tool rounds down. On average the outline is where it was drawn, and the area is the same.
    drawn = inside(FLOWER).sum()
    assert abs(int((mask == 2).sum()) - drawn) < 0.05 * drawn


def test_supervisely_fractions_rectangles_and_bitmaps(tmp_path: Path) -> None:
    box = {"classTitle": "flower", "geometryType": "rectangle", "points": {"exterior": [[60, 50], [69, 57]]}}
    bits = np.eye(6, dtype=bool)
    beyond = {"data": supervisely_bitmap(bits), "origin": [WIDTH - 3, -2]}
    supervisely(
        tmp_path,
        [polygon("leaf", LEAF), box, {"classTitle": "flower", "geometryType": "bitmap", "bitmap": beyond}],
    )
    rectangle = np.zeros((HEIGHT, WIDTH), dtype=bool)
    rectangle[50:58, 60:70] = True
    corner = np.zeros((HEIGHT, WIDTH), dtype=bool)
    corner[:4, WIDTH - 3 :] = bits[2:, :3]
    layers = ((1, inside(LEAF)), (2, rectangle), (2, corner))
    assert np.array_equal(mask_in(tmp_path, "supervisely")[0], expected(*layers))


@pytest.mark.parametrize("kind", ["line", "point", "graph", "alpha_mask"])
def test_supervisely_refuses_what_has_no_pixels(kind: str, tmp_path: Path) -> None:
    path = supervisely(tmp_path, [{"classTitle": "leaf", "geometryType": kind, "points": {"exterior": LEAF}}])
    with pytest.raises(DataError, match=rf"an object \('leaf'\) is a {kind}") as error:
        mask_in(tmp_path, "supervisely")
    assert str(path) in str(error.value)


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

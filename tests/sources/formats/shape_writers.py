"""Exports whose masks are in JSON or XML, as the tools write them."""

from __future__ import annotations

import base64
import io
import itertools
import json
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
from PIL import Image
from pycocotools import mask as coco_api

from tests.sources.formats.drawn_images import VOID, Labelled, save_image


def cropped(pixels: np.ndarray) -> tuple[int, int, np.ndarray]:
    """x, y and pixels of the smallest box around a region."""
    rows, columns = np.flatnonzero(pixels.any(axis=1)), np.flatnonzero(pixels.any(axis=0))
    y, x = int(rows[0]), int(columns[0])
    return x, y, pixels[y : rows[-1] + 1, x : columns[-1] + 1]


def runs(flat: np.ndarray) -> list[int]:
    """Lengths of the runs of zeros and ones, in turns, beginning with zeros."""
    padded = np.concatenate([[0], flat.astype(np.int8)])
    changes = np.flatnonzero(np.diff(padded))
    return np.diff([0, *changes.tolist(), len(flat)]).tolist()


def png_base64(pixels: np.ndarray) -> str:
    """A PNG of a region as labelme embeds it."""
    content = io.BytesIO()
    Image.fromarray(pixels).save(content, format="PNG")
    return base64.b64encode(content.getvalue()).decode()


def write_coco(root: Path, drawings: Sequence[Labelled], names: Sequence[str]) -> None:
    """As CVAT and Datumaro: ``images/SPLIT/``, a JSON file a split, ids with gaps, masks as (un)compressed runs."""
    ids = {name: 7 + 3 * number for number, name in enumerate([*names[1:], VOID])}
    for split in ("train", "val", "test"):
        content: dict[str, Any] = {
            "licenses": [{"name": "", "id": 0, "url": ""}],
            "info": {"contributor": "", "date_created": ""},
            "categories": [{"id": ids[name], "name": name, "supercategory": ""} for name in ids],
            "images": [],
            "annotations": [],
        }
        for drawing in drawings:
            if drawing.split != split:
                continue
            save_image(drawing, root / "images" / split / f"{drawing.name}.jpg")
            height, width = drawing.mask.shape
            key = len(content["images"]) + 1
            content["images"].append(
                {
                    "id": key,
                    "width": width,
                    "height": height,
                    "file_name": f"{drawing.name}.jpg",
                    "license": 0,
                }
            )
            for number, (name, pixels) in enumerate(drawing.parts(names)):
                if number % 2:  # as CVAT has masks
                    code: Any = {"size": [height, width], "counts": runs(pixels.ravel(order="F"))}
                else:
                    code = coco_api.encode(np.asfortranarray(pixels.astype(np.uint8)))
                    code["counts"] = code["counts"].decode()
                content["annotations"].append(
                    {
                        "id": len(content["annotations"]) + 1,
                        "image_id": key,
                        "category_id": ids[name],
                        "segmentation": code,
                        "area": float(pixels.sum()),
                        "bbox": [0.0, 0.0, float(width), float(height)],
                        "iscrowd": number % 2,
                    }
                )
        path = root / "annotations" / f"instances_{split}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(content))


def write_labelme(root: Path, drawings: Sequence[Labelled], names: Sequence[str]) -> None:
    """As labelme 5 and 6: a JSON file beside each image, regions as ``mask`` shapes."""
    (root / "labels.txt").parent.mkdir(parents=True, exist_ok=True)
    (root / "labels.txt").write_text("\n".join(["__ignore__", "_background_", *names[1:]]) + "\n")
    for drawing in drawings:
        path = save_image(drawing, root / drawing.split / f"{drawing.name}.jpg")
        shapes = []
        for name, pixels in drawing.parts(names):
            x, y, mask = cropped(pixels)
            points = [[float(x), float(y)], [float(x + mask.shape[1] - 1), float(y + mask.shape[0] - 1)]]
            label = "__ignore__" if name == VOID else name
            shapes.append(labelme_shape(label, "mask", points, mask=png_base64(mask)))
        path.with_suffix(".json").write_text(json.dumps(labelme_file(path, drawing.mask.shape, shapes)))


def labelme_shape(label: str, kind: str, points: Any, mask: str | None = None) -> dict[str, Any]:
    """One shape of labelme."""
    return {
        "label": label,
        "points": points,
        "group_id": None,
        "description": "",
        "shape_type": kind,
        "flags": {},
        "mask": mask,
    }


def labelme_file(image: Path, shape: tuple[int, ...], shapes: list[Any]) -> dict[str, Any]:
    """The content of a JSON file of labelme, with the image inside it as is its default."""
    return {
        "version": "6.3.1",
        "flags": {},
        "shapes": shapes,
        "imagePath": image.name,
        "imageData": base64.b64encode(image.read_bytes()).decode(),
        "imageHeight": shape[0],
        "imageWidth": shape[1],
    }


def write_cvat_xml(root: Path, drawings: Sequence[Labelled], names: Sequence[str]) -> None:
    """As "CVAT for images 1.1" of a project with subsets: masks as runs within their box."""
    subsets = {"train": "Train", "val": "Validation", "test": "Test"}
    tree = ElementTree.Element("annotations")
    ElementTree.SubElement(tree, "version").text = "1.1"
    labels = ElementTree.SubElement(
        ElementTree.SubElement(ElementTree.SubElement(tree, "meta"), "project"), "labels"
    )
    for name in [*names[1:], VOID]:
        label = ElementTree.SubElement(labels, "label")
        ElementTree.SubElement(label, "name").text = name
        ElementTree.SubElement(label, "type").text = "any"
    for number, drawing in enumerate(drawings):
        save_image(drawing, root / "images" / subsets[drawing.split] / f"{drawing.name}.jpg")
        height, width = drawing.mask.shape
        image = ElementTree.SubElement(
            tree,
            "image",
            id=str(number),
            name=f"{drawing.name}.jpg",
            subset=subsets[drawing.split],
            task_id="3",
            width=str(width),
            height=str(height),
        )
        for name, pixels in drawing.parts(names):
            x, y, mask = cropped(pixels)
            ElementTree.SubElement(
                image,
                "mask",
                label=name,
                source="manual",
                occluded="0",
                rle=", ".join(map(str, runs(mask.ravel()))),
                left=str(x),
                top=str(y),
                width=str(mask.shape[1]),
                height=str(mask.shape[0]),
                z_order="0",
            )
    ElementTree.ElementTree(tree).write(root / "annotations.xml", encoding="utf-8", xml_declaration=True)


def write_supervisely(root: Path, drawings: Sequence[Labelled], names: Sequence[str]) -> None:
    """As "Export to Supervisely format": bitmaps at an origin; each split is a data set."""
    root.mkdir(parents=True, exist_ok=True)
    classes = [
        {"title": name, "shape": "bitmap", "color": "#208020", "geometry_config": {}, "hotkey": ""}
        for name in [*names[1:], VOID]
    ]
    meta = {"classes": classes, "tags": [], "projectType": "images"}
    (root / "meta.json").write_text(json.dumps(meta))
    for drawing in drawings:
        image = save_image(drawing, root / drawing.split / "img" / f"{drawing.name}.jpg")
        objects = []
        for name, pixels in drawing.parts(names):
            x, y, mask = cropped(pixels)
            bitmap = {"data": supervisely_bitmap(mask), "origin": [x, y]}
            objects.append(
                {
                    "id": 1,
                    "classTitle": name,
                    "geometryType": "bitmap",
                    "bitmap": bitmap,
                    "tags": [],
                    "labelerLogin": "a",
                }
            )
        height, width = drawing.mask.shape
        path = root / drawing.split / "ann" / f"{image.name}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        size = {"height": height, "width": width}
        path.write_text(json.dumps({"description": "", "tags": [], "size": size, "objects": objects}))


def supervisely_bitmap(pixels: np.ndarray) -> str:
    """A PNG with a palette whose colour 0 is transparent, compressed once more."""
    image = Image.fromarray(pixels.astype(np.uint8))
    image.putpalette([0, 0, 0, 255, 255, 255])
    content = io.BytesIO()
    image.save(content, format="PNG", transparency=0, optimize=False)
    return base64.b64encode(zlib.compress(content.getvalue())).decode()


def write_label_studio(root: Path, drawings: Sequence[Labelled], names: Sequence[str]) -> None:
    """As Label Studio's JSON export, with brush strokes; the images were put beside it."""
    tasks = []
    for number, drawing in enumerate(drawings, start=1):
        upload = f"{number:08x}-{drawing.name}.jpg"
        save_image(drawing, root / drawing.split / f"{drawing.name}.jpg")
        height, width = drawing.mask.shape
        results = [
            {
                "original_width": width,
                "original_height": height,
                "image_rotation": 0,
                "value": {"format": "rle", "rle": brush_code(pixels), "brushlabels": [name]},
                "id": f"r{number}{name}",
                "from_name": "tag",
                "to_name": "image",
                "type": "brushlabels",
                "origin": "manual",
            }
            for name, pixels in drawing.parts(names)
        ]
        annotation = {
            "id": number,
            "result": results,
            "was_cancelled": False,
            "ground_truth": False,
            "updated_at": "2026-05-01T10:00:00.000000Z",
        }
        tasks.append(
            {
                "id": number,
                "annotations": [annotation],
                "file_upload": upload,
                "predictions": [],
                "data": {"image": f"/data/upload/2/{upload}"},
            }
        )
    (root / "project-2-at-2026-05-01-10-00.json").write_text(json.dumps(tasks))


def brush_code(pixels: np.ndarray) -> list[int]:
    """Label Studio's run-length code of strokes: runs of up to 65,536 equal values, and values one by one."""
    values = np.repeat(pixels.ravel().astype(np.uint8) * 255, 4)
    sizes = (3, 4, 8, 16)
    bits = f"{len(values):032b}{8 - 1:05b}" + "".join(f"{size - 1:04b}" for size in sizes)
    starts = [0, *(np.flatnonzero(np.diff(values)) + 1).tolist(), len(values)]
    for start, end in itertools.pairwise(starts):
        for first in range(start, end, 2**16):
            length = min(end - first, 2**16)
            if length <= 4:  # as the editor writes what changes often
                bits += f"000{length - 1:03b}" + f"{values[first]:08b}" * length
                continue
            which = next(index for index, size in enumerate(sizes) if length <= 2**size)
            bits += f"1{which:02b}{length - 1:0{sizes[which]}b}{values[first]:08b}"
    bits += "0" * (8 - len(bits) % 8)
    return [int(bits[at : at + 8], 2) for at in range(0, len(bits), 8)]

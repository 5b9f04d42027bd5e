"""labelme: one JSON file beside each image, with shapes in the order in which they cover each other.

An image without a JSON file is unlabelled; one whose file has no shapes is labelled, and empty. Coordinates are of
the image as it is seen, turned by its EXIF. ``labels.txt`` gives the order of the classes where there is one.
"""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from PIL import Image

from ae_pretrained.sources.base import DataError, Finding, Listing, Sample
from ae_pretrained.sources.formats.export_files import FileIndex, split_of_folder
from ae_pretrained.sources.formats.export_source import Entry, ExportSource
from ae_pretrained.sources.formats.json_files import holds_keys, json_files, read_json
from ae_pretrained.sources.formats.named_mask import Canvas, NamedMask
from ae_pretrained.sources.formats.rasterize import Region, fill_ellipse, fill_polygon, rectangle
from ae_pretrained.sources.mask_values import check_size
from ae_pretrained.sources.name_lists import read_text


class LabelmeSource(ExportSource):
    """Images with the JSON files that labelme writes beside them."""

    title = "labelme JSON"
    expects = "a .json file with the keys shapes and imagePath beside each image"

    @classmethod
    def find(cls, root: Path) -> str | None:
        for path in json_files(root, depth=2):
            if holds_keys(path, "shapes", "imagePath"):
                return path.relative_to(root).as_posix()
        return None

    def export_names(self) -> Iterable[str]:
        list_file = self.root / "labels.txt"
        if list_file.is_file():
            yield from filter(None, map(str.strip, read_text(list_file).splitlines()))
        found = set()
        for sample in self.listing().samples:
            if sample.mask is not None:
                shapes = read_json(sample.mask, dict, self.title).get("shapes", [])
                found |= {str(shape.get("label")).strip() for shape in shapes}
        yield from sorted(found)

    def read_listing(self) -> Listing:
        index, findings = FileIndex(self.root), list[Finding]()
        images: dict[str, list[str]] = {}
        for path in index.images():
            images.setdefault(PurePosixPath(path).with_suffix("").as_posix(), []).append(path)
        entries = []
        for inner, file in index.files.items():
            if not inner.lower().endswith(".json"):
                continue
            beside = images.get(inner[: -len(".json")], [])
            # The file itself is read only where its name leaves the image open: it may hold a copy of the image.
            image = beside[0] if len(beside) == 1 else self._named_image(index, inner, file, findings)
            if image is not None:
                entries.append(Entry(image, file, split_of_folder(inner) or split_of_folder(image)))
        return self.make_listing(index, entries, findings)

    def _named_image(self, index: FileIndex, inner: str, path: Path, findings: list[Finding]) -> str | None:
        if not holds_keys(path, "shapes", "imagePath"):
            findings.append(
                Finding("", inner, "no annotation", "a JSON file that labelme did not write", False)
            )
            return None
        name = str(read_json(path, dict, self.title)["imagePath"])
        return index.locate(name, path, findings)

    def named_mask(self, sample: Sample, height: int, width: int) -> NamedMask:
        assert sample.mask is not None
        content = read_json(sample.mask, dict, self.title)
        check_size(sample, [content.get("imageHeight"), content.get("imageWidth")], height, width)
        canvas = Canvas(height, width)
        for number, shape in enumerate(content["shapes"]):
            kind, points = shape.get("shape_type") or "polygon", np.array(shape["points"], dtype=np.float64)
            region = _region(kind, points, shape, height, width)
            if region is None:
                raise DataError(
                    f"{sample.mask}: shape {number} ({shape['label']!r}) is a {kind}, which has no area; "
                    "segmentation needs polygons, rectangles, circles or masks. Redraw it, or remove it"
                )
            canvas.paint(str(shape["label"]).strip(), region)
        return canvas.finished()


def _region(kind: str, points: np.ndarray, shape: dict[str, Any], height: int, width: int) -> Region | None:
    """The pixels of a shape, or None for a kind without area."""
    if kind in ("polygon", "oriented_rectangle", "rotation"):  # the last is X-AnyLabeling's
        return fill_polygon(points.reshape(-1, 2), height, width)
    if kind == "rectangle":
        (x0, y0), (x1, y1) = points
        return fill_polygon(rectangle(x0, y0, x1, y1), height, width)
    if kind == "circle":
        (x, y), (edge_x, edge_y) = points
        radius = math.hypot(edge_x - x, edge_y - y)
        return fill_ellipse((x, y), (radius, radius), 0.0, height, width)
    if kind == "mask":
        with Image.open(io.BytesIO(base64.b64decode(shape["mask"])), formats=("PNG",)) as image:
            mask = np.asarray(image) != 0
        return Region(int(points[0, 0]), int(points[0, 1]), mask)
    return None

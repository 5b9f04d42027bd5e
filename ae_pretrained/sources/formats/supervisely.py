"""Supervisely: ``meta.json``, and for each data set ``img/`` with images and ``ann/`` with a JSON file an image.

Objects are in the order in which they cover each other. Whole coordinates name pixels: the corner (3, 5) of a polygon
is the centre of the pixel in column 3 and row 5. A data set called train, val or test is that split.
"""

from __future__ import annotations

import base64
import io
import zlib
from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from PIL import Image

from ae_pretrained.sources.base import DataError, Finding, Listing, Sample
from ae_pretrained.sources.formats.export_files import FileIndex, split_of_folder
from ae_pretrained.sources.formats.export_source import Entry, ExportSource
from ae_pretrained.sources.formats.json_files import holds_keys, read_json
from ae_pretrained.sources.formats.named_mask import Canvas, NamedMask
from ae_pretrained.sources.formats.rasterize import Region, fill_polygon, rectangle
from ae_pretrained.sources.mask_values import check_size


class SuperviselySource(ExportSource):
    """Images and annotations of a Supervisely project."""

    title = "Supervisely"
    expects = "meta.json with classes, and DATASET/img/ with DATASET/ann/"

    @classmethod
    def find(cls, root: Path) -> str | None:
        has_annotations = any(root.glob("*/ann")) or any(root.glob("*/*/*/ann"))
        return "meta.json" if has_annotations and holds_keys(root / "meta.json", "classes", "title") else None

    def export_names(self) -> Iterable[str]:
        path = self.root / "meta.json"
        try:
            return [str(item["title"]).strip() for item in read_json(path, dict, self.title)["classes"]]
        except (KeyError, TypeError) as error:
            raise DataError(f"{path}: {error} is missing; export it again") from None

    def read_listing(self) -> Listing:
        index, findings = FileIndex(self.root), list[Finding]()
        images: dict[str, list[str]] = {}
        for path in index.images():
            if PurePosixPath(path).parent.name == "img":
                images.setdefault(path, []).append(path)
                images.setdefault(PurePosixPath(path).with_suffix("").as_posix(), []).append(path)
        entries = []
        for inner, file in index.files.items():
            folder = PurePosixPath(inner).parent
            if folder.name != "ann" or not inner.endswith(".json"):
                continue
            name = (folder.parent / "img" / file.name).as_posix()[: -len(".json")]  # a.jpg, in old exports a
            found = images.get(name, [])
            if len(found) == 1:
                entries.append(Entry(found[0], file, split_of_folder(found[0])))
            else:
                what = f"is {' and '.join(found)}" if found else "is not there"
                detail = f"{file}: its image {name} {what}; export the project with its images"
                findings.append(Finding("", inner, "annotation without image", detail, True))
        return self.make_listing(index, entries, findings)

    def named_mask(self, sample: Sample, height: int, width: int) -> NamedMask:
        assert sample.mask is not None
        content = read_json(sample.mask, dict, self.title)
        check_size(sample, [content["size"]["height"], content["size"]["width"]], height, width)
        canvas = Canvas(height, width)
        for item in content["objects"]:
            region = _region(item, height, width)
            if region is None:
                raise DataError(
                    f"{sample.mask}: an object ({item['classTitle']!r}) is a {item['geometryType']}, which has no "
                    "pixels of its own; segmentation needs bitmaps, polygons or rectangles. Redraw it, or remove it"
                )
            canvas.paint(str(item["classTitle"]).strip(), region)
        return canvas.finished()


def _region(item: dict[str, Any], height: int, width: int) -> Region | None:
    """The pixels of an object, or None for a kind without."""
    kind = item["geometryType"]
    if kind == "bitmap":
        x, y = item["bitmap"]["origin"]
        return Region(int(x), int(y), _bitmap(item["bitmap"]["data"]))
    if kind == "polygon":
        rings = [item["points"]["exterior"], *item["points"]["interior"]]
        outer, *holes = [np.array(ring, dtype=np.float64).reshape(-1, 2) for ring in rings]
        # Corners with fractions, as the labelling tool has them, are positions between pixels already.
        shift = 0.5 if all((ring == np.floor(ring)).all() for ring in (outer, *holes)) else 0.0
        return fill_polygon(outer + shift, height, width, [hole + shift for hole in holes])
    if kind == "rectangle":
        (x0, y0), (x1, y1) = item["points"]["exterior"]
        box = rectangle(min(x0, x1), min(y0, y1), max(x0, x1) + 1, max(y0, y1) + 1)
        return fill_polygon(box, height, width)
    return None


def _bitmap(data: str) -> np.ndarray:
    """Pixels of a bitmap (h, w) bool: a PNG, mostly compressed once more, whose alpha or values say what is set."""
    content = base64.b64decode(data)
    if not content.startswith(b"\x89PNG"):
        try:
            content = zlib.decompress(content)
        except zlib.error as error:
            raise ValueError(f"the data of a bitmap cannot be unpacked: {error}") from None
    with Image.open(io.BytesIO(content), formats=("PNG",)) as image:
        if image.mode in ("RGBA", "LA") or "transparency" in image.info:
            return np.asarray(image.convert("RGBA"))[..., 3] != 0
        if image.mode not in ("1", "L", "P"):
            raise ValueError(f"a bitmap has the mode {image.mode}")
        return np.asarray(image) != 0

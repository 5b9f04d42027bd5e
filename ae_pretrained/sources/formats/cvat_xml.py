"""CVAT XML 1.1 ("CVAT for images"): shapes of many images in one file, stacked by their ``z_order``.

Every frame of a task is in the file; one without shapes is labelled, and empty. A video (``<track>``) is refused: its
shapes are interpolated between frames that the file does not hold.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

import numpy as np

from ae_pretrained.sources.base import DataError, Finding, Listing, Sample
from ae_pretrained.sources.formats.export_files import FileIndex, split_of_file, split_of_folder
from ae_pretrained.sources.formats.export_source import Entry, ExportSource, annotation_of
from ae_pretrained.sources.formats.named_mask import Canvas, NamedMask
from ae_pretrained.sources.formats.rasterize import Region, fill_ellipse, fill_polygon, rectangle, turned
from ae_pretrained.sources.formats.run_lengths import expand_runs
from ae_pretrained.sources.mask_values import check_size

_WITHOUT_PIXELS = {"tag"}  # says something of the whole image


class CvatXmlSource(ExportSource):
    """Images and shapes of CVAT's own XML files."""

    title = "CVAT XML 1.1"
    expects = "annotations.xml with <annotations><version>1.1</version>"

    @classmethod
    def annotation_files(cls, root: Path) -> list[Path]:
        found = []
        for path in sorted(root.glob("*.xml"))[:30] + sorted(root.glob("*/annotations.xml")):
            with path.open("rb") as file:
                if b"<annotations>" in file.read(1000):
                    found.append(path)
        return found

    def _read(self, path: Path) -> Element:
        try:
            tree = ElementTree.parse(path).getroot()
        except (ElementTree.ParseError, OSError) as error:
            raise DataError(f"{path}: is no valid XML ({error}); export it again") from None
        if tree.find("track") is not None:
            raise DataError(
                f"{path}: holds <track>, the annotation of a video; in CVAT, export it as 'CVAT for images 1.1' or "
                "as 'Segmentation mask 1.1', with its images"
            )
        return tree

    def export_names(self) -> Iterable[str]:
        for path in self.annotation_files(self.root):
            tree = self._read(path)
            for label in tree.iterfind("meta//labels/label"):
                if label.find("parent") is None:  # not a point of a skeleton
                    yield (label.findtext("name") or "").strip()
            yield from (shape.get("label", "") for shape in tree.iterfind("image/*"))

    def read_listing(self) -> Listing:
        index, findings = FileIndex(self.root), list[Finding]()
        entries: list[Entry] = []
        empty = 0
        for path in self.annotation_files(self.root):
            for image in self._read(path).iterfind("image"):
                name = image.get("name", "")
                subset = image.get("subset", "")
                split = split_of_file(subset) or split_of_file(path.name)
                found = index.locate(name, path, findings, subset, split)
                if found is not None:
                    empty += not len(image)
                    text = ElementTree.tostring(image, "unicode")
                    entries.append(Entry(found, path, split or split_of_folder(found), text))
        if empty:
            self.note(f"{empty} images have no shape: read as labelled, and empty")
        return self.make_listing(index, entries, findings)

    def named_mask(self, sample: Sample, height: int, width: int) -> NamedMask:
        image = ElementTree.fromstring(annotation_of(sample))
        check_size(sample, [int(image.get("height", 0)), int(image.get("width", 0))], height, width)
        canvas = Canvas(height, width)
        shapes = [shape for shape in image if shape.tag not in _WITHOUT_PIXELS]
        for shape in sorted(shapes, key=lambda shape: int(shape.get("z_order", 0))):
            region = _region(shape, height, width)
            if region is None:
                raise DataError(
                    f"{sample.mask}: {sample.image.name} has a <{shape.tag}> ({shape.get('label')!r}), which has no "
                    "area; segmentation needs polygons, masks, boxes or ellipses. Redraw it, or remove it"
                )
            canvas.paint(shape.attrib["label"].strip(), region)
        return canvas.finished()


def _region(shape: Element, height: int, width: int) -> Region | None:
    """The pixels of a shape, or None for a kind without area."""

    def number(key: str) -> float:
        return float(shape.attrib[key])

    turn = float(shape.get("rotation", 0))
    if shape.tag == "polygon":
        points = [pair.split(",") for pair in shape.attrib["points"].split(";")]
        return fill_polygon(np.array(points, dtype=np.float64).reshape(-1, 2), height, width)
    if shape.tag == "mask":
        size = int(number("height")), int(number("width"))
        runs = [int(run) for run in shape.attrib["rle"].split(",")]
        return Region(
            int(number("left")), int(number("top")), expand_runs(runs, size[0] * size[1]).reshape(size)
        )
    if shape.tag == "box":
        left, top, right, bottom = (number(key) for key in ("xtl", "ytl", "xbr", "ybr"))
        ring = turned(rectangle(left, top, right, bottom), turn, ((left + right) / 2, (top + bottom) / 2))
        return fill_polygon(ring, height, width)
    if shape.tag == "ellipse":
        return fill_ellipse((number("cx"), number("cy")), (number("rx"), number("ry")), turn, height, width)
    return None

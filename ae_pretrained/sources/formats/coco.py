"""COCO JSON: polygons and run-length masks of many images in one file.

``images``, ``annotations`` and ``categories``; later annotations cover earlier ones. A file is of the split that its
name (``instances_train2017.json``) or its folder (``valid/_annotations.coco.json``) speaks of. An image without
annotations is labelled, and empty.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from ae_pretrained.sources.base import DataError, Finding, Listing, Sample
from ae_pretrained.sources.formats.export_files import FileIndex, split_of_file, split_of_folder
from ae_pretrained.sources.formats.export_source import Entry, ExportSource, annotation_of
from ae_pretrained.sources.formats.json_files import holds_keys, json_files, read_json
from ae_pretrained.sources.formats.named_mask import Canvas, NamedMask
from ae_pretrained.sources.formats.rasterize import Region, fill_polygon
from ae_pretrained.sources.formats.run_lengths import coco_mask
from ae_pretrained.sources.mask_values import check_size

_KEYS = ("images", "annotations", "categories")


class CocoSource(ExportSource):
    """Images and annotations of the COCO files of a folder."""

    title = "COCO JSON"
    expects = "a .json file with the keys images, annotations and categories"

    @classmethod
    def annotation_files(cls, root: Path) -> list[Path]:
        files = [path for path in json_files(root, depth=2) if holds_keys(path, *_KEYS)]
        # The official archive describes the same images once more with captions and key points.
        return [path for path in files if path.name.startswith("instances_")] or files

    def export_names(self) -> Iterable[str]:
        for path in self.annotation_files(self.root):
            yield from _categories(path, read_json(path, dict, self.title)).values()

    def read_listing(self) -> Listing:
        index, findings = FileIndex(self.root), list[Finding]()
        entries: list[Entry] = []
        empty = 0
        for path in self.annotation_files(self.root):
            split = split_of_file(path.name) or split_of_folder(path.relative_to(self.root).as_posix())
            subset = path.stem.removeprefix("instances_")
            content = read_json(path, dict, self.title)
            shapes = _by_image(path, content, findings)
            for number, image in enumerate(content["images"]):
                try:
                    key, name = image["id"], str(image["file_name"])
                    size = [image.get("height"), image.get("width")]
                except (TypeError, KeyError) as error:
                    raise DataError(
                        f"{path}: images[{number}]: {error} is missing; export it again"
                    ) from None
                found = index.locate(name, path, findings, subset, split)
                own = shapes.pop(key, [])
                if found is not None:
                    empty += not own
                    text = json.dumps([size, own], separators=(",", ":"))
                    entries.append(Entry(found, path, split or split_of_folder(found), text))
            for key, lost in shapes.items():
                detail = (
                    f"{path}: {len(lost)} annotations belong to image id {key!r}, which images does not list"
                )
                findings.append(
                    Finding(split or "", f"image id {key}", "annotation without image", detail, False)
                )
        if empty:
            self.note(f"{empty} images have no annotation: read as labelled, and empty")
        return self.make_listing(index, entries, findings)

    def named_mask(self, sample: Sample, height: int, width: int) -> NamedMask:
        size, shapes = json.loads(annotation_of(sample))
        check_size(sample, size, height, width)
        canvas = Canvas(height, width)
        for key, name, segmentation in shapes:
            if not segmentation:
                raise DataError(
                    f"{sample.mask}: annotation {key} of {sample.image.name} is a box without an outline; "
                    "segmentation needs polygons or masks. Draw them, or remove the annotation"
                )
            for region in _regions(segmentation, height, width):
                canvas.paint(name, region)
        return canvas.finished()


def _categories(path: Path, content: dict[str, Any]) -> dict[Any, str]:
    try:
        return {item["id"]: str(item["name"]).strip() for item in content["categories"]}
    except (TypeError, KeyError) as error:
        raise DataError(f"{path}: categories: {error} is missing; export it again") from None


def _by_image(path: Path, content: dict[str, Any], findings: list[Finding]) -> dict[Any, list[list[Any]]]:
    """Annotation id, category name and segmentation of every annotation, by image id and in the order of the file."""
    names = _categories(path, content)
    shapes: dict[Any, list[list[Any]]] = {}
    for number, item in enumerate(content["annotations"]):
        try:
            image, category = item["image_id"], item["category_id"]
            key, segmentation = item.get("id", number), item.get("segmentation")
        except (TypeError, KeyError, AttributeError) as error:
            panoptic = isinstance(item, dict) and "segments_info" in item
            advice = "it is a panoptic file; take the instances file" if panoptic else "export it again"
            raise DataError(f"{path}: annotations[{number}]: {error} is missing; {advice}") from None
        if category not in names:
            raise DataError(
                f"{path}: annotations[{number}] has category_id {category!r}, but categories lists "
                f"{', '.join(map(repr, list(names)[:8]))}; export it again"
            )
        shapes.setdefault(image, []).append([key, names[category], segmentation])
    return shapes


def _regions(segmentation: Any, height: int, width: int) -> Iterable[Region]:
    """The parts of one object: a run-length code, or polygons as flat lists of x and y."""
    if isinstance(segmentation, dict):
        if list(segmentation["size"]) != [height, width]:
            raise ValueError(f"a mask is of {segmentation['size']}, the image of [{height}, {width}]")
        yield Region(0, 0, coco_mask(segmentation["counts"], height, width))
        return
    for ring in segmentation if isinstance(segmentation[0], list) else [segmentation]:
        yield fill_polygon(np.array(ring, dtype=np.float64).reshape(-1, 2), height, width)

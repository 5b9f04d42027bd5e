"""Label Studio: the JSON export with brush strokes, polygons, rectangles and ellipses.

Outlines are in percent of the image, strokes in a run-length code of their own. A task counts with its last
annotation that was not cancelled, or with the one marked as ground truth; a task without any is unlabelled.
Predictions do not count.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import unquote, urlsplit

import numpy as np

from ae_pretrained.sources.base import DataError, Finding, Listing, Sample
from ae_pretrained.sources.formats.export_files import FileIndex, split_of_folder
from ae_pretrained.sources.formats.export_source import Entry, ExportSource, annotation_of
from ae_pretrained.sources.formats.json_files import holds_keys, json_files, read_json
from ae_pretrained.sources.formats.named_mask import Canvas, NamedMask
from ae_pretrained.sources.formats.rasterize import Region, fill_ellipse, fill_polygon, rectangle, turned
from ae_pretrained.sources.formats.run_lengths import brush_mask
from ae_pretrained.sources.mask_values import check_size

_UPLOAD = re.compile(r"[0-9a-f]{8}-(.+)")  # uploaded files get eight digits before their name


class LabelStudioSource(ExportSource):
    """Images and tasks of a Label Studio export."""

    title = "Label Studio JSON"
    expects = "a .json file that is an array of tasks with the keys data and annotations (not JSON-MIN)"

    @classmethod
    def annotation_files(cls, root: Path) -> list[Path]:
        files = json_files(root, depth=1)
        return [path for path in files if holds_keys(path, "annotations", "data", "result", starts=b"[")]

    def export_names(self) -> Iterable[str]:
        found = set()
        for _, task in self._tasks():
            for results in _annotations(task):
                found |= set(_labels(results["result"]).values())
        return sorted(found)

    def _tasks(self) -> Iterator[tuple[Path, dict[str, Any]]]:
        for path in self.annotation_files(self.root):
            for number, task in enumerate(read_json(path, list, self.title)):
                if (
                    not isinstance(task, dict)
                    or not isinstance(task.get("annotations"), list)
                    or "data" not in task
                ):
                    raise DataError(
                        f"{path}: task {number} has no data and annotations; export as JSON, not JSON-MIN"
                    )
                yield path, task

    def read_listing(self) -> Listing:
        index, findings = FileIndex(self.root), list[Finding]()
        entries, several = [], 0
        for path, task in self._tasks():
            found = _find_image(index, path, task, findings)
            if found is None:
                continue
            annotations = _annotations(task)
            several += len(annotations) > 1
            split = split_of_folder(found)
            if annotations:
                chosen = max(annotations, key=lambda item: (bool(item.get("ground_truth")), _age(item)))
                entries.append(Entry(found, path, split, json.dumps(_packed(chosen["result"]))))
            else:
                entries.append(Entry(found, None, split))
        if several:
            self.note(
                f"{several} tasks have several annotations: the one marked as ground truth counts, or else the last"
            )
        return self.make_listing(index, entries, findings)

    def named_mask(self, sample: Sample, height: int, width: int) -> NamedMask:
        results = json.loads(annotation_of(sample))
        labels, done = _labels(results), set()
        canvas = Canvas(height, width)
        for result in results:
            if result["id"] in done or result["id"] not in labels:
                continue
            check_size(sample, [result.get("original_height"), result.get("original_width")], height, width)
            region = _region(result, height, width)
            if region is None:
                continue
            done.add(result["id"])
            canvas.paint(labels[result["id"]], region)
        if lost := labels.keys() - done:
            kinds = sorted({result["type"] for result in results if result["id"] in lost})
            raise DataError(
                f"{sample.mask}: {sample.image.name} has {', '.join(kinds)}, which cover no pixels; segmentation "
                "needs brush strokes, polygons, rectangles or ellipses. Redraw them, or remove them"
            )
        return canvas.finished()


def _annotations(task: dict[str, Any]) -> list[dict[str, Any]]:
    return [item for item in task["annotations"] if not item.get("was_cancelled")]


def _age(annotation: dict[str, Any]) -> tuple[str, int]:
    return str(annotation.get("updated_at") or annotation.get("created_at") or ""), int(
        annotation.get("id") or 0
    )


def _find_image(index: FileIndex, path: Path, task: dict[str, Any], findings: list[Finding]) -> str | None:
    """The image of a task, which may name an upload, a file of the server, or an address."""
    texts = [value for value in task["data"].values() if isinstance(value, str)]
    values = [str(task["data"].get("image", "")), *texts, str(task.get("file_upload") or "")]
    address = next(
        (value for value in values if PurePosixPath(urlsplit(value).path).suffix or "?d=" in value), ""
    )
    parts = urlsplit(address)
    name = unquote(parts.query[2:] if parts.query.startswith("d=") else parts.path)
    missing: list[Finding] = []
    found = index.locate(name, path, missing)
    upload = _UPLOAD.fullmatch(PurePosixPath(name).name)
    if found is None and upload is not None:
        found = index.locate(upload[1], path, list[Finding]())
    if found is None:
        findings += missing
    return found


def _packed(results: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The results of an annotation, the bytes of strokes as text: a tenth of the memory of a list of numbers."""
    packed = []
    for result in results:
        value = result.get("value", {})
        if "rle" in value:
            value = {**value, "rle": base64.b64encode(bytes(value["rle"])).decode("ascii")}
        packed.append({**result, "value": value})
    return packed


def _labels(results: Iterable[dict[str, Any]]) -> dict[str, str]:
    """The label of every labelled region by its id; a region and its label may be two results of one id."""
    found: dict[str, str] = {}
    for result in results:
        for key, names in result.get("value", {}).items():
            if key.endswith("labels") and names:
                if len(names) > 1:
                    raise ValueError(f"a region has the labels {', '.join(names)}, expected one")
                found[result["id"]] = str(names[0]).strip()
    return found


def _region(result: dict[str, Any], height: int, width: int) -> Region | None:
    """The pixels of a result, or None where it covers none."""
    value = result["value"]
    if result.get("image_rotation"):
        raise ValueError(f"the image was turned by {result['image_rotation']} degrees while it was labelled")
    if "rle" in value:
        return Region(0, 0, brush_mask(base64.b64decode(value["rle"]), height, width))
    scale = np.array([width, height]) / 100
    if "points" in value:
        return fill_polygon(np.array(value["points"], dtype=np.float64).reshape(-1, 2) * scale, height, width)
    turn = float(value.get("rotation") or 0)
    if "radiusX" in value:
        x, y = np.array([value["x"], value["y"]]) * scale
        radius_x, radius_y = np.array([value["radiusX"], value["radiusY"]]) * scale
        return fill_ellipse((x, y), (radius_x, radius_y), turn, height, width)
    if "height" in value:
        left, top = np.array([value["x"], value["y"]]) * scale
        right, bottom = np.array([value["x"] + value["width"], value["y"] + value["height"]]) * scale
        return fill_polygon(turned(rectangle(left, top, right, bottom), turn, (left, top)), height, width)
    return None

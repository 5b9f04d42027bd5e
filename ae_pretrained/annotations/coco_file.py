"""COCO JSON: one annotation for each connected region, as a run-length code, exact to the pixel."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np

from ae_pretrained.annotations.regions import ClassRegion, connected_regions


def coco_regions(mask: np.ndarray) -> list[dict[str, Any]]:
    """Annotations of a mask without ``id`` and ``image_id``; ``category_id`` is the class id, background left out.

    Args:
        mask: (H, W) uint8 class ids, background 0; 255 is left out.
    """
    height, width = mask.shape
    found = []
    for region in connected_regions(mask):
        if region.class_id:
            rows, columns = region.mask.shape
            code = {"size": [height, width], "counts": _column_runs(region, height, width)}
            found.append(
                {
                    "category_id": region.class_id,
                    "segmentation": code,
                    "area": int(region.mask.sum()),
                    "bbox": [region.x, region.y, columns, rows],
                    "iscrowd": 0,
                }
            )
    return found


def _column_runs(region: ClassRegion, height: int, width: int) -> list[int]:
    """Run lengths down the columns of the image, beginning with zeros."""
    steps = np.diff(np.pad(region.mask, ((1, 1), (0, 0))).astype(np.int8), axis=0).T
    column, row = np.nonzero(steps == 1)
    start = (region.x + column) * height + region.y + row
    column, row = np.nonzero(steps == -1)
    end = (region.x + column) * height + region.y + row
    apart = start[1:] != end[:-1]  # one column may end where the next one begins
    start, end = start[np.concatenate([[True], apart])], end[np.concatenate([apart, [True]])]
    borders = np.stack([start, end], axis=1).ravel()
    counts = np.diff(np.concatenate([[0], borders, [height * width]])).tolist()
    return counts if counts[-1] else counts[:-1]


def coco_text(
    images: Sequence[tuple[str, tuple[int, int], list[dict[str, Any]]]], classes: Sequence[str]
) -> str:
    """The text of a COCO file.

    Args:
        images: name, height and width, and :func:`coco_regions` of each.
        classes: names by class id, background first, which is no category.
    """
    listed = []
    annotations: list[dict[str, Any]] = []
    for number, (name, (height, width), regions) in enumerate(images, start=1):
        listed.append({"id": number, "file_name": name, "height": height, "width": width})
        for region in regions:
            annotations.append({"id": len(annotations) + 1, "image_id": number, **region})
    content = {
        "images": listed,
        "annotations": annotations,
        "categories": [{"id": place, "name": name} for place, name in enumerate(classes) if place],
    }
    return json.dumps(content, ensure_ascii=False) + "\n"

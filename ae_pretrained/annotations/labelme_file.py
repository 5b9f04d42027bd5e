"""labelme JSON: one file an image, polygons that cover each other in the order of the file.

labelme (6.3, ``_label_file.py``) keeps keys at the top that it does not know, so they survive a save; its flags are
true or false alone. Images count as they are seen, turned by their EXIF.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

import numpy as np

from ae_pretrained.annotations.digests import mask_digest
from ae_pretrained.annotations.regions import ClassPolygon, painted

KEY = "ae_pretrained"  # in a draft: the digests of the model and of what the shapes give
CHECKED = "checked"  # flag of a draft that a person ticks who found nothing to change
_VERSION = "6.3.0"


def labelme_text(
    polygons: Sequence[ClassPolygon],
    size: tuple[int, int],
    classes: Sequence[str],
    image_path: str,
    model: str,
) -> str:
    """The text of a JSON file.

    Args:
        polygons: of :func:`ae_pretrained.annotations.regions.stacked_polygons`.
        size: height and width of the upright image, px.
        classes: names by class id, background first; a hole that shows background is a polygon of that name.
        image_path: the image, from the folder of the file.
        model: digest of the model.
    """
    height, width = size
    shapes = [
        {
            "label": classes[item.class_id],
            "points": np.asarray(item.ring, dtype=np.float64).tolist(),
            "group_id": None,
            "description": "",
            "shape_type": "polygon",
            "flags": {},
            "mask": None,
        }
        for item in polygons
    ]
    content = {
        "version": _VERSION,
        "flags": {CHECKED: False},
        "shapes": shapes,
        "imagePath": image_path,
        "imageData": None,
        "imageHeight": height,
        "imageWidth": width,
        KEY: {"model": model, "shapes": mask_digest(painted(polygons, height, width), classes)},
    }
    return json.dumps(content, ensure_ascii=False, indent=2) + "\n"

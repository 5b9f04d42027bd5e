"""Small exports, and what to expect of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from skimage.draw import polygon2mask

from ae_pretrained.sources.base import Listing
from ae_pretrained.sources.formats.detection import detect_format, open_export

NAMES = ["background", "leaf", "flower"]
HEIGHT, WIDTH = 60, 80
LEAF = [[10.2, 8.1], [60.7, 12.4], [50.3, 44.9], [22.6, 50.2]]
FLOWER = [[40.4, 20.3], [75.1, 22.8], [70.9, 55.5], [44.2, 48.1]]
HOLE = [[20.3, 15.2], [30.6, 16.1], [28.4, 30.7]]


def listed(root: Path) -> Listing:
    return open_export(detect_format(root), root).listing()


def splits(listing: Listing) -> dict[str, str]:
    return {sample.name: sample.split for sample in listing.samples}


def photo(path: Path, size: tuple[int, int] = (12, 10)) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, (9, 99, 199)).save(path)
    return path


def coco_file(path: Path, files: list[str], key: str = "annotations") -> None:
    """A COCO file that names images, each with one square of leaf."""
    content = {
        "images": [{"id": n, "file_name": name, "width": 12, "height": 10} for n, name in enumerate(files)],
        key: [
            {"id": n, "image_id": n, "category_id": 1, "segmentation": [[2, 2, 6, 2, 6, 6, 2, 6]]}
            for n in range(len(files))
        ],
        "categories": [{"id": 1, "name": "leaf"}],
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))


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

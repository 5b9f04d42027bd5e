"""A small data set of images of all sizes, prepared whole (``data.resize: crop``)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from ae_pretrained.params import Params
from ae_pretrained.preparation.prepare import prepare
from ae_pretrained.sources.pointer import write_link
from tests.processed import tiny_params

SIZES = ((70, 40), (64, 90), (33, 120), (48, 48))  # width, height
WHOLE: dict[str, Any] = {
    "data__source": "folder",
    "data__classes": ["background", "cat", "dog"],
    "data__resize": "crop",
    "data__masks__empty": "background",
    "model__norm": "batch",
    "eval_seg__window": 32,
}


def whole_params(**changes: Any) -> Params:
    """Tiny parameters of a run on whole images."""
    return tiny_params(**{**WHOLE, **changes})


def write_whole(root: Path, count: int = 16) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Images of noise with a bright or a dark rectangle; returns image and mask by name.

    Every fifth mask is labelled in its left half alone, every seventh image shows nothing.
    """
    rng = np.random.default_rng(0)
    for folder in ("images", "masks"):
        (root / folder).mkdir(parents=True)
    pairs = {}
    for number in range(count):
        width, height = SIZES[number % len(SIZES)]
        image = rng.integers(90, 140, (height, width, 3), dtype=np.uint8)
        mask = np.zeros((height, width), dtype=np.uint8)
        if number % 7 != 6:
            label = 1 + number % 2
            y, x = rng.integers(2, height - 12), rng.integers(2, width // 2 - 8)
            image[y : y + 9, x : x + 7] = 230 if label == 1 else 20
            mask[y : y + 9, x : x + 7] = label
        if number % 5 == 4:
            mask[:, width // 2 :] = 255
        name = f"i{number:02}"
        Image.fromarray(image).save(root / "images" / f"{name}.png")
        Image.fromarray(mask).save(root / "masks" / f"{name}.png")
        pairs[name] = image, mask
    return pairs


def prepare_whole(root: Path, out: Path, params: Params) -> Path:
    """Prepare the folder; returns the folder of the arrays."""
    (out / "raw").mkdir(parents=True, exist_ok=True)
    write_link(out / "raw", root, len(list((root / "images").iterdir())))
    prepare(
        out / "raw",
        out / "processed",
        params.data,
        params.seed,
        metrics_file=out / "prepare.json",
        plots=out / "plots",
    )
    return out / "processed"

"""Small folders of images and masks that tests make projects from."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image


def write_images(
    root: Path, values: tuple[int, ...] = (0, 1, 2), count: int = 24, unlabelled: int = 0
) -> Path:
    """Images of noise; every mask holds all the values, in stripes of changing width."""
    rng = np.random.default_rng(0)
    for folder in ("images", "masks"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    for number in range(count):
        Image.fromarray(rng.integers(0, 256, (48, 64, 3), dtype=np.uint8)).save(
            root / f"images/p{number:02}.png"
        )
        stripes = np.array(values, dtype=np.uint8)[
            np.minimum(np.arange(64) // (10 + number % 5), len(values) - 1)
        ]
        Image.fromarray(np.tile(stripes, (48, 1))).save(root / f"masks/p{number:02}.png")
    if unlabelled:
        (root / "unlabelled").mkdir()
    for number in range(unlabelled):
        Image.fromarray(rng.integers(0, 256, (48, 64, 3), dtype=np.uint8)).save(
            root / f"unlabelled/u{number}.png"
        )
    return root

"""Images and class masks that tests make exports of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from ae_pretrained.constants import IGNORE_INDEX

VOID = "void"


@dataclass(frozen=True)
class Labelled:
    """An image with its class mask.

    Attributes:
        name: file name without ending.
        split: train, val or test.
        image: (H, W, 3) uint8.
        mask: (H, W) uint8, positions in the class names, 255 ignored.
    """

    name: str
    split: str
    image: np.ndarray
    mask: np.ndarray

    def parts(self, names: Sequence[str]) -> list[tuple[str, np.ndarray]]:
        """Class name and pixels of every class that it shows, but for background; ``void`` for ignored pixels."""
        found = [(names[value], self.mask == value) for value in range(1, len(names))]
        found.append((VOID, self.mask == IGNORE_INDEX))
        return [(name, pixels) for name, pixels in found if pixels.any()]


def drawn(
    count: int = 12, names: int = 3, ignored: bool = True, seed: int = 0, side: int | None = None
) -> list[Labelled]:
    """Images of noise with blots of each class; the last two are empty. Half train, and then val and test."""
    rng = np.random.default_rng(seed)
    drawings = []
    for number in range(count):
        height, width = (int(rng.integers(24, 40)) if side is None else side for _ in range(2))
        mask = np.zeros((height, width), dtype=np.uint8)
        for value in [*range(1, names), *([IGNORE_INDEX] if ignored else [])]:
            y, x = rng.integers(0, height - 8), rng.integers(0, width - 8)
            mask[y : y + 8, x : x + 8][rng.random((8, 8)) < 0.8] = value
        if number >= count - 2:
            mask[:] = 0
        split = "train" if number < count // 2 else "val" if number % 2 else "test"
        image = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
        drawings.append(Labelled(f"{split}_{number:02}", split, image, mask))
    return drawings


def save_image(drawing: Labelled, path: Path) -> Path:
    """The image as a JPEG."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(drawing.image).save(path, quality=95)
    return path


def save_png(values: np.ndarray, path: Path, palette: Sequence[int] | None = None) -> None:
    """Values or colours as a PNG, with a palette if wanted."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(values)
    if palette is not None:
        image = image.convert("L")
        image.putpalette(list(palette))
    image.save(path)

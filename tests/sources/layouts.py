"""Small data sets in the official layout, written by tests."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image


def write_official(
    root: Path, trainval: int = 12, test: int = 4, size: tuple[int, int] = (40, 30), seed: int = 0
) -> list[str]:
    """Images of noise with a square pet each; two breeds, a cat and a dog, in turns. Returns the names."""
    rng = np.random.default_rng(seed)
    for folder in ("images", "annotations/trimaps"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    lists: dict[str, list[str]] = {"trainval.txt": [], "test.txt": []}
    names = []
    for number in range(trainval + test):
        cat = number % 2 == 0
        name = f"{'Tabby' if cat else 'beagle'}_{number}"
        write_pair(root, name, rng.integers(0, 256, (size[1], size[0], 3), dtype=np.uint8))
        line = f"{name} {1 if cat else 2} {1 if cat else 2} 1"
        lists["trainval.txt" if number < trainval else "test.txt"].append(line)
        names.append(name)
    for filename, lines in lists.items():
        (root / "annotations" / filename).write_text("\n".join(lines) + "\n")
    everything = ["#Image CLASS-ID SPECIES BREED ID", *lists["trainval.txt"], *lists["test.txt"]]
    (root / "annotations" / "list.txt").write_text("\n".join(everything) + "\n")
    return names


def write_pair(root: Path, name: str, image: np.ndarray, trimap: np.ndarray | None = None) -> None:
    """One image (as PNG data under its .jpg name, so that no bit is lost) and its trimap."""
    if trimap is None:
        height, width = image.shape[:2]
        trimap = np.full((height, width), 2, dtype=np.uint8)
        trimap[4 : height - 4, 4 : width - 4] = 3
        trimap[6 : height - 6, 6 : width - 6] = 1
    Image.fromarray(image).save(root / "images" / f"{name}.jpg", format="PNG")
    Image.fromarray(trimap).save(root / "annotations" / "trimaps" / f"{name}.png")


def write_folder(root: Path, count: int = 20, seed: int = 0, ignore_index: int = 255) -> list[str]:
    """Images of noise in ``images/`` and masks of class numbers in ``masks/``; returns the stems.

    The square pet is a cat in every other image and a dog in the rest; its border has ``ignore_index``.
    """
    rng = np.random.default_rng(seed)
    for folder in ("images", "masks"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    stems = []
    for number in range(count):
        stem = f"image {number:02}"
        Image.fromarray(rng.integers(0, 256, (30, 40, 3), dtype=np.uint8)).save(
            root / "images" / f"{stem}.png"
        )
        Image.fromarray(square_mask(1 + number % 2, ignore_index)).save(root / "masks" / f"{stem}.png")
        stems.append(stem)
    return stems


def square_mask(label: int, ignore_index: int = 255) -> np.ndarray:
    """(30, 40) class mask: a square of one class on background, ignored pixels around it."""
    mask = np.zeros((30, 40), dtype=np.uint8)
    mask[4:26, 4:36] = ignore_index
    mask[6:24, 6:34] = label
    return mask

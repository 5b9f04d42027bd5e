"""Small data sets in the official layout, written by tests."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image


def write_official(
    root: Path, trainval: int = 12, test: int = 4, size: tuple[int, int] = (40, 30), seed: int = 0
) -> list[str]:
    """Pictures of noise with a square pet each; two breeds, a cat and a dog, in turns. Returns the names."""
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
    (root / "annotations" / "list.txt").write_text("#Image CLASS-ID SPECIES BREED ID\n")
    return names


def write_pair(root: Path, name: str, picture: np.ndarray, trimap: np.ndarray | None = None) -> None:
    """One picture (as PNG data under its .jpg name, so that no bit is lost) and its trimap."""
    if trimap is None:
        height, width = picture.shape[:2]
        trimap = np.full((height, width), 2, dtype=np.uint8)
        trimap[4 : height - 4, 4 : width - 4] = 3
        trimap[6 : height - 6, 6 : width - 6] = 1
    Image.fromarray(picture).save(root / "images" / f"{name}.jpg", format="PNG")
    Image.fromarray(trimap).save(root / "annotations" / "trimaps" / f"{name}.png")

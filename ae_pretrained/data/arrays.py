"""Prepared data on disk: memory-mapped arrays and an index per split."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ae_pretrained.errors import PipelineError


class ArraysError(PipelineError):
    """Prepared arrays are absent or do not belong together."""


@dataclass(frozen=True)
class Split:
    """One split of the prepared data.

    Attributes:
        images: (N, H, W, 3) uint8 RGB, memory-mapped.
        masks: (N, H, W) uint8, memory-mapped: class numbers, 255 on what counts nowhere; None where the
            pictures have no labels.
        columns: the index, a list of N texts per column.
    """

    images: np.ndarray
    masks: np.ndarray | None
    columns: dict[str, list[str]]

    def __len__(self) -> int:
        return len(self.images)

    def column(self, name: str) -> list[str]:
        return self.columns[name]

    def valid(self) -> np.ndarray:
        """(N, H, W) booleans, False on padding."""
        n, height, width = self.images.shape[:3]
        valid = np.zeros((n, height, width), dtype=bool)
        for row, box in enumerate(self.columns["box"]):
            x0, y0, x1, y1 = map(int, box.split())
            valid[row, y0:y1, x0:x1] = True
        return valid

    def labelled(self, fraction: float) -> np.ndarray:
        """Sorted positions of the nested, stratified share of the pictures whose labels may be used."""
        order = np.array([int(value) for value in self.columns["label_order"]])
        count = max(1, round(fraction * len(order)))
        return np.flatnonzero(order < count)


def open_split(root: Path, split: str) -> Split:
    """Open one split below a folder of prepared arrays."""
    folder = root / split
    images = np.load(folder / "images.npy", mmap_mode="r")
    masks = np.load(folder / "masks.npy", mmap_mode="r") if (folder / "masks.npy").is_file() else None
    with (folder / "index.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    columns = {name: [row[name] for row in rows] for name in rows[0]}
    return Split(images, masks, columns)

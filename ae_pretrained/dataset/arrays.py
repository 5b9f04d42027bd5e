"""Prepared data on disk: memory-mapped arrays and an index per split."""

from __future__ import annotations

import csv
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ae_pretrained.errors import PipelineError


class ArraysError(PipelineError):
    """Prepared arrays are absent or do not belong together, or hold too few labels."""


@dataclass(frozen=True)
class Split:
    """One split of the prepared data.

    Attributes:
        images: (N, H, W, 3) uint8 RGB, memory-mapped.
        masks: (N, H, W) uint8, memory-mapped: class numbers, 255 on what counts nowhere; None where the
            images have no labels.
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
        """Sorted positions of the nested, stratified share of the images whose labels may be used.

        Args:
            fraction: share of the train split; at least one image is taken.

        Raises:
            ArraysError: when a species of the split has no image in the share.
        """
        order = np.array([int(value) for value in self.columns["label_order"]])
        count = max(1, round(fraction * len(order)))
        first: dict[str, int] = {}
        for species, rank in zip(self.columns.get("species", []), order.tolist(), strict=False):
            first[species] = min(rank, first.get(species, rank))
        missing = sorted(species for species, rank in first.items() if rank >= count)
        if missing:
            needed = (max(first.values()) + 1) / len(order)
            raise ArraysError(
                f"data.label_fraction: {fraction:g} of {len(order)} training masks are {count}, and none of them "
                f"shows {', '.join(missing)}; use at least {math.ceil(needed * 1e5) / 1e5:g}"
            )
        return np.flatnonzero(order < count)


def open_split(root: Path, split: str) -> Split:
    """Open one split below a folder of prepared arrays.

    Raises:
        ArraysError: when it is not there, or its files do not belong together.
    """
    folder = root / split
    try:
        images = np.load(folder / "images.npy", mmap_mode="r")
        masks = np.load(folder / "masks.npy", mmap_mode="r") if (folder / "masks.npy").is_file() else None
        with (folder / "index.csv").open(newline="", encoding="utf-8", errors="surrogateescape") as file:
            reader = csv.DictReader(file)
            rows = list(reader)
    except FileNotFoundError as error:
        raise ArraysError(f"{error.filename}: no such file; run the stage prepare first") from None
    except (ValueError, EOFError) as error:
        raise ArraysError(
            f"{folder}: not what prepare writes ({error}); run the stage prepare again"
        ) from None
    lengths = {"images.npy": len(images), "index.csv": len(rows)}
    if masks is not None:
        lengths["masks.npy"] = len(masks)
    if len(set(lengths.values())) != 1:
        raise ArraysError(f"{folder}: lengths differ, {lengths}; run the stage prepare again")
    columns = {name: [row[name] for row in rows] for name in reader.fieldnames or []}
    return Split(images, masks, columns)

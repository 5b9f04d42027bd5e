"""Prepared data on disk: one set of memory-mapped arrays, and an index that says what each row is."""

from __future__ import annotations

import csv
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from ae_pretrained.constants import ANCHORS, IGNORE_INDEX, IMAGES, INDEX, MASKS, OFFSET
from ae_pretrained.errors import PipelineError
from ae_pretrained.windows.packed import PackedArray, Window, WindowArray, tile

_AGAIN = "run `dvc repro prepare`"


class ArraysError(PipelineError):
    """Prepared arrays are absent, of an earlier version or do not belong together, or hold too few labels."""


class ImageArray(Protocol):
    """What images and masks are read from: an array (N, H, W, …), or something that is indexed like one."""

    @property
    def shape(self) -> tuple[int, ...]: ...

    def __len__(self) -> int: ...

    def __getitem__(self, rows: Any, /) -> Any: ...


@dataclass(frozen=True)
class Split:
    """The images of one split, or of several that lie side by side.

    Attributes:
        images: (N, H, W, 3) uint8 RGB, a stretch of a memory-mapped array: reading rows of it is what costs memory.
            Of ``data.resize: crop`` a PackedArray, until :meth:`windows` makes squares of it.
        masks: (N, H, W) uint8, likewise: class numbers, 255 on what counts nowhere and on images without a label.
        columns: the index, a list of N texts per column (name, split, group, class, breed, width, height, box,
            label_order, flags).
        anchors: of packed images, (N, C, K, 2) int32 rows and columns that crops may be centred on, -1 for none: of
            each foreground class, and in place of background labelled pixels of images that are labelled in part.
    """

    images: ImageArray
    masks: ImageArray
    columns: dict[str, list[str]]
    anchors: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.images)

    def column(self, name: str) -> list[str]:
        return self.columns[name]

    @cached_property
    def boxes(self) -> np.ndarray:
        """(N, 4) int32: x0, y0, x1, y1 of the content of each image; the rest of it is padding."""
        values = (int(value) for box in self.columns["box"] for value in box.split())
        return np.fromiter(values, dtype=np.int32).reshape(-1, 4)

    def valid(self, rows: np.ndarray | slice) -> np.ndarray:
        """(n, H, W) booleans of some images, False on padding."""
        x0, y0, x1, y1 = self.boxes[rows].T[:, :, None]
        down, across = (np.arange(side) for side in self.images.shape[1:3])
        within_rows, within_columns = (y0 <= down) & (down < y1), (x0 <= across) & (across < x1)
        return np.asarray(within_rows[:, :, None] & within_columns[:, None, :])

    @property
    def is_packed(self) -> bool:
        """Whether the images are whole, of sizes of their own."""
        return isinstance(self.images, PackedArray)

    def windows(self, windows: Sequence[Window], side: int) -> Split:
        """Windows of packed images as images of one size; beyond its box a window counts nowhere.

        The columns are those of the images, with the window's place behind the name and its own box.
        """
        assert isinstance(self.images, PackedArray)
        assert isinstance(self.masks, PackedArray)
        rows = [window.row for window in windows]
        columns = {name: [values[row] for row in rows] for name, values in self.columns.items()}
        columns["box"] = [" ".join(map(str, window.box)) for window in windows]
        columns["name"] = [
            f"{name} at {window.x}, {window.y}" for name, window in zip(columns["name"], windows, strict=True)
        ]
        return Split(
            WindowArray(self.images, windows, side, masks=False),
            WindowArray(self.masks, windows, side, masks=True),
            columns,
        )

    def tiles(self, side: int) -> Split:
        """Squares that hold every pixel: the images, or of packed ones windows that count each pixel once."""
        if not isinstance(self.images, PackedArray):
            return self
        sizes = self.images.sizes.tolist()
        windows = [
            part for row, (width, height) in enumerate(sizes) for part in tile(row, height, width, side)
        ]
        return self.windows(windows, side)

    def labelled(self, fraction: float) -> np.ndarray:
        """Sorted positions of the nested, stratified share of the images whose labels may be used.

        Args:
            fraction: share of the train split; at least one image is taken.

        Raises:
            ArraysError: when no image of the share shows a class that is the main one of an image of the split.
        """
        order = np.array([int(value) for value in self.columns["label_order"]])
        count = share_of(len(order), fraction)
        first: dict[str, int] = {}
        for name, rank in zip(self.columns.get("class", []), order.tolist(), strict=False):
            first[name] = min(rank, first.get(name, rank))
        chosen = np.flatnonzero(order < count)
        missing = sorted(
            name for name, rank in first.items() if rank >= count and not self._shows(name, chosen)
        )
        if missing:
            needed = (max(first[name] for name in missing) + 1) / len(order)
            raise ArraysError(
                f"data.label_fraction: {fraction:g} of {len(order)} training masks are {count}, and none of them "
                f"shows {', '.join(missing)}; use at least {math.ceil(needed * 1e5) / 1e5:g}"
            )
        return chosen

    def _shows(self, name: str, chosen: np.ndarray) -> bool:
        """Whether a chosen mask has a pixel of the class that is the main one of another image."""
        mask = np.asarray(self.masks[self.columns["class"].index(name)])
        counts = np.bincount(mask.ravel(), minlength=256)
        counts[[0, IGNORE_INDEX]] = 0
        value = int(counts.argmax())
        return bool(counts[value]) and any(bool((self.masks[row] == value).any()) for row in chosen.tolist())


class PaddingMasks:
    """Masks (N, H, W) uint8 of the padding of a split, 255 on it and 0 elsewhere; made for the images asked for."""

    def __init__(self, split: Split) -> None:
        self.split = split

    def __getitem__(self, rows: np.ndarray) -> np.ndarray:
        return np.where(self.split.valid(rows), np.uint8(0), np.uint8(IGNORE_INDEX))


def open_split(root: Path, *splits: str) -> Split:
    """Open a split below a folder of prepared arrays, or several that lie side by side as one.

    ``open_split(root, "train", "unlabelled")`` is what the autoencoder trains on; of several, some may be empty.

    Raises:
        ArraysError: when the arrays are not there, are of an earlier version, do not belong together, or hold no
            image of these splits.
    """
    try:
        images, masks = (np.load(root / name, mmap_mode="r") for name in (IMAGES, MASKS))
        index = _Index.read(root / INDEX, splits)
        anchors = np.load(root / ANCHORS, mmap_mode="r") if OFFSET in index.columns else None
    except FileNotFoundError as error:
        if any((root / name / IMAGES).is_file() for name in ("train", "val", "test")):
            raise ArraysError(
                f"{root} was prepared by an earlier version, which wrote a folder for each split; {_AGAIN}"
            ) from None
        raise ArraysError(f"{error.filename}: no such file; {_AGAIN} first") from None
    except (ValueError, EOFError, csv.Error) as error:
        raise ArraysError(f"{root}: not what prepare writes ({error}); {_AGAIN}") from None
    lengths = {IMAGES: len(images), MASKS: len(masks), INDEX: index.counts.total()}
    if anchors is not None:
        lengths[INDEX] = index.num_pixels
    if len(set(lengths.values())) != 1:
        raise ArraysError(f"{root}: lengths differ, {lengths}; {_AGAIN}")
    wanted = " or ".join(splits)
    if not index.rows and index.counts.keys() == {"unlabelled"}:
        raise ArraysError(_no_masks(root))
    if not index.rows:
        raise ArraysError(f"{root / INDEX}: no image is in {wanted}, found {dict(index.counts)}; {_AGAIN}")
    stretch = slice(index.rows[0], index.rows[-1] + 1)
    if stretch.stop - stretch.start != len(index.rows):
        raise ArraysError(f"{root / INDEX}: images of other splits stand among those of {wanted}; {_AGAIN}")
    if anchors is None:
        return Split(images[stretch], masks[stretch], index.columns)
    offsets = np.array([int(offset) for offset in index.columns[OFFSET]])
    sizes = np.array([box.split()[2:] for box in index.columns["box"]], dtype=np.int64)
    packed = [PackedArray(flat, offsets, sizes) for flat in (images, masks)]
    return Split(packed[0], packed[1], index.columns, anchors[stretch])


def _no_masks(root: Path) -> str:
    return (
        f"{root}: no image has a mask yet, so there is no train, val or test; `ae-pretrained label-next 20 "
        "--hold-out 0.2` chooses images to label, `ae-pretrained labels FOLDER` brings the masks in, then "
        "`dvc repro` (docs/how-to/label-next.md)"
    )


def require_masks(root: Path) -> None:
    """Refuse arrays of images of which none has a mask; others are looked at when they are opened.

    Raises:
        ArraysError: saying how to get masks, or that there is no index.
    """
    if count_images(root).keys() == {"unlabelled"}:
        raise ArraysError(_no_masks(root))


def share_of(number: int, fraction: float) -> int:
    """How many of ``number`` images a share of them is: at least one."""
    return max(1, round(fraction * number))


def count_images(root: Path) -> dict[str, int]:
    """Images of every split that is there, by name.

    Raises:
        ArraysError: when there is no index, or it is not what prepare writes.
    """
    try:
        return dict(_Index.read(root / INDEX, ()).counts)
    except FileNotFoundError as error:
        raise ArraysError(f"{error.filename}: no such file; {_AGAIN} first") from None
    except (ValueError, csv.Error) as error:
        raise ArraysError(f"{root}: not what prepare writes ({error}); {_AGAIN}") from None


@dataclass(frozen=True)
class _Index:
    """Some splits of an index: their rows and columns, and how many images each of all the splits has."""

    rows: list[int]
    columns: dict[str, list[str]]
    counts: Counter[str]
    num_pixels: int = 0  # of the boxes of all splits

    @classmethod
    def read(cls, path: Path, splits: tuple[str, ...]) -> _Index:
        with path.open(newline="", encoding="utf-8") as file:
            reader = csv.reader(file)
            header = next(reader, [])
            if "split" not in header:
                raise ValueError(f"{path.name} has no column 'split'")
            place = header.index("split")
            box = header.index("box") if OFFSET in header else None
            rows: list[int] = []
            columns: dict[str, list[str]] = {name: [] for name in header}
            counts: Counter[str] = Counter()
            num_pixels = 0
            same: dict[str, str] = {}  # most texts occur again and again: each is kept once
            for row, line in enumerate(reader):
                if len(line) != len(header):
                    raise ValueError(
                        f"{path.name}, line {reader.line_num}: {len(line)} values, not {len(header)}"
                    )
                counts[line[place]] += 1
                if box is not None:
                    _, _, width, height = line[box].split()
                    num_pixels += int(width) * int(height)
                if line[place] in splits:
                    rows.append(row)
                    for values, text in zip(columns.values(), line, strict=True):
                        values.append(same.setdefault(text, text))
            return cls(rows, columns, counts, num_pixels)

"""What the masks of a folder hold, file by file: format, values, colours."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import cv2
import numpy as np
from tqdm import tqdm

from ae_pretrained.preparation.processes import count_processes
from ae_pretrained.sources.base import DataError
from ae_pretrained.sources.mask_reader import WHITE_ON_BLACK, MaskFile, open_mask, small_numbers

Rgb = tuple[int, int, int]
_Key = TypeVar("_Key", int, Rgb)
MOST_CLASSES = 32  # more values or colours than that are shades, not classes
_REGIONS_IN = 64  # masks in which regions are counted, spread over all


@dataclass(frozen=True)
class MaskFacts:
    """What one mask holds.

    Attributes:
        path: the file.
        kind: its format and mode.
        lossy: whether the format changes values.
        counts: pixels by value (0 to 255); empty for a mask in colour.
        colors: pixels by colour, for a mask in colour; the colours alone of those that a palette has.
        color_of: colour of each value that occurs, where a palette says so.
        beyond: largest value, where it is a whole number above 255; then ``counts`` has 0 and the rest as 1.
        single: of the values but 0, how many are one connected region each; -1: not looked at.
    """

    path: Path
    kind: str
    lossy: bool
    counts: dict[int, int]
    colors: dict[Rgb, int]
    color_of: dict[int, Rgb]
    beyond: int
    single: int

    @property
    def values(self) -> set[int]:
        """Values that occur."""
        return set(self.counts)


@dataclass
class FoundMasks:
    """All masks of a folder.

    Attributes:
        files: those that can be read.
        faults: what is wrong with the others.
    """

    files: list[MaskFacts] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    def pixels(self) -> dict[int, int]:
        """Pixels by value, over all masks, in order of value."""
        return _added(file.counts for file in self.files)

    def color_pixels(self) -> dict[Rgb, int]:
        """Pixels by colour, over all masks in colour or with a palette."""
        return _added(file.colors for file in self.files)


def _added(parts: Iterable[dict[_Key, int]]) -> dict[_Key, int]:
    total: dict[_Key, int] = {}
    for part in parts:
        for key, count in part.items():
            total[key] = total.get(key, 0) + count
    return dict(sorted(total.items()))


def name_files(files: Sequence[MaskFacts]) -> str:
    """The first five of some files, and how many there are."""
    shown = ", ".join(file.path.name for file in files[:5])
    return f"{shown}, … ({len(files)} files)" if len(files) > 5 else shown


def scan_masks(paths: Sequence[Path]) -> FoundMasks:
    """Read every mask."""
    found = FoundMasks()
    looked_into = set(range(0, len(paths), max(1, len(paths) // _REGIONS_IN)))

    def look(position: int) -> MaskFacts | DataError:
        try:
            return _facts(paths[position], position in looked_into)
        except DataError as error:
            return error

    with ThreadPoolExecutor(count_processes(0, len(paths))) as pool:
        results = pool.map(look, range(len(paths)))
        for result in tqdm(results, total=len(paths), desc="masks", unit="mask", disable=None):
            if isinstance(result, DataError):
                found.faults.append(str(result))
            else:
                found.files.append(result)
    return found


def _facts(path: Path, count_regions: bool) -> MaskFacts:
    file = open_mask(path)
    if file.pixels.ndim == 3:
        return MaskFacts(path, file.kind, file.lossy, {}, _count_colors(path, file), {}, 0, -1)
    beyond = 0
    values = file.pixels
    if values.dtype != np.uint8 and values.dtype.kind != "f" and values.min() >= 0:
        largest = int(values.max())
        if largest > 255 and not np.isin(values, WHITE_ON_BLACK).all():
            beyond, values = largest, (values > 0).astype(np.uint8)
    if not beyond:
        values = small_numbers(file, path)
    bins = np.bincount(values.ravel(), minlength=256)
    counts = {value: int(bins[value]) for value in np.flatnonzero(bins).tolist()}
    color_of: dict[int, Rgb] = {}
    if file.palette is not None:
        missing = [value for value in counts if value >= len(file.palette)]
        if missing:
            raise DataError(
                f"{path}: holds the value {missing[0]}, but its palette ends at {len(file.palette) - 1}"
            )
        color_of = {value: _rgb(file.palette[value]) for value in counts}
    colors = _added({color: counts[value]} for value, color in color_of.items())
    single = -1
    if count_regions and not beyond and not file.lossy and len(counts) <= MOST_CLASSES:
        regions = ((values == value).astype(np.uint8) for value in counts if value)
        single = sum(cv2.connectedComponents(region, connectivity=8)[0] == 2 for region in regions)
    return MaskFacts(path, file.kind, file.lossy, counts, colors, color_of, beyond, single)


def _rgb(color: np.ndarray) -> Rgb:
    red, green, blue = color.tolist()
    return red, green, blue


def _count_colors(path: Path, file: MaskFile) -> dict[Rgb, int]:
    packed = file.pixels.astype(np.uint32) @ np.array([1 << 16, 1 << 8, 1], dtype=np.uint32)
    found, counts = np.unique(packed, return_counts=True)
    if len(found) > MOST_CLASSES:
        raise DataError(
            f"{path}: {file.kind} in {len(found)} colours: shades, not classes. Was it resized with smoothing, "
            "or is it an image? Export masks as PNG, and resize with the nearest neighbour"
        )
    colors = [((value >> 16) & 255, (value >> 8) & 255, value & 255) for value in found.tolist()]
    return dict(zip(colors, counts.tolist(), strict=True))

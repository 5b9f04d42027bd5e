"""Where decoded images wait until it is known which split each of them goes to.

An image is written once. There is one file for each split that the source names, and in the end the split that has
most of a file's rows takes it over: its rows move up in place, and the file is cut to their number. Only what goes
elsewhere, as val does when it is drawn from trainval, is copied.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ae_pretrained.preparation.duplicates import THUMBNAIL
from ae_pretrained.preparation.storage import create_array, keep_rows, write_rows
from ae_pretrained.sources.base import Record

IMAGES, MASKS = "images.npy", "masks.npy"
_THUMBNAILS = "thumbnails.npy"
_BLOCK = 64  # rows copied at a time
Place = tuple[str, int]  # the split that the source names, and the row in its file


def write_stretch(
    folder: Path,
    start: int,
    places: Sequence[Place],
    images: np.ndarray,
    masks: np.ndarray,
    thumbnails: np.ndarray,
) -> None:
    """Write a stretch of the records of a :class:`Staging`; processes may write disjoint stretches.

    Args:
        folder: of the staging.
        start: position of the first record.
        places: of these records.
        images, masks, thumbnails: (n, S, S, 3), (n, S, S) and (n, 32, 32) uint8.
    """
    for split in dict.fromkeys(split for split, _ in places):
        # Records that follow each other lie side by side in the file of their split.
        chosen = [position for position, (name, _) in enumerate(places) if name == split]
        rows: slice | list[int] = slice(None) if len(chosen) == len(places) else chosen
        write_rows(folder / split / IMAGES, places[chosen[0]][1], images[rows])
        write_rows(folder / split / MASKS, places[chosen[0]][1], masks[rows])
    write_rows(folder / _THUMBNAILS, start, thumbnails)


@dataclass(frozen=True)
class Staging:
    """Arrays of every record; rows of unusable files are zeros.

    Attributes:
        folder: holds a folder for each split that the source names, with ``images.npy`` (n, S, S, 3) and
            ``masks.npy`` (n, S, S), and ``thumbnails.npy`` (N, 32, 32), grey, of all N records in their order.
        places: of every record.
    """

    folder: Path
    places: Sequence[Place]

    @classmethod
    def create(cls, folder: Path, records: Sequence[Record], size: int) -> Staging:
        """Make the files, at full length."""
        counts: Counter[str] = Counter()
        places = []
        for record in records:
            places.append((record.split, counts[record.split]))
            counts[record.split] += 1
        folder.mkdir(parents=True)
        for split, count in counts.items():
            (folder / split).mkdir()
            create_array(folder / split / IMAGES, (count, size, size, 3))
            create_array(folder / split / MASKS, (count, size, size))
        create_array(folder / _THUMBNAILS, (len(records), THUMBNAIL, THUMBNAIL))
        return cls(folder, places)

    def thumbnails(self) -> np.ndarray:
        """(N, 32, 32) uint8, memory-mapped."""
        return np.asarray(np.load(self.folder / _THUMBNAILS, mmap_mode="r"))

    def read(self, name: str, rows: Sequence[int]) -> np.ndarray:
        """Images or masks (``IMAGES``, ``MASKS``) of some records, in memory."""
        files = {
            split: np.load(self.folder / split / name, mmap_mode="r")
            for split in {self.places[row][0] for row in rows}
        }
        return np.stack([files[split][place] for split, place in (self.places[row] for row in rows)])

    def hand_over(self, splits: Mapping[str, Sequence[int]], folder: Path) -> None:
        """Write ``folder/SPLIT/{images, masks}.npy`` of every split. Nothing can be read here afterwards.

        Args:
            splits: records of each split, in rising order; none is in two. ``unlabelled`` gets no masks.
            folder: for the folders of the splits.
        """
        owners = self._owners(splits)
        for name in sorted(splits, key=owners.__contains__):  # those that take a file over come last
            (folder / name).mkdir(parents=True)
            for file in (IMAGES,) if name == "unlabelled" else (IMAGES, MASKS):
                if name in owners:
                    source = self.folder / owners[name] / file
                    keep_rows(source, [self.places[row][1] for row in splits[name]])
                    source.replace(folder / name / file)
                else:
                    self._copy(file, splits[name], folder / name / file)

    def _owners(self, splits: Mapping[str, Sequence[int]]) -> dict[str, str]:
        """For each split that takes over a file of the source's splits, which one."""
        owners: dict[str, str] = {}
        taken: set[str] = set()
        for name, rows in sorted(splits.items(), key=lambda item: -len(item[1])):
            files = {self.places[row][0] for row in rows}
            if len(files) == 1 and not files & taken:
                taken |= files
                (owners[name],) = files
        return owners

    def _copy(self, file: str, rows: Sequence[int], target: Path) -> None:
        for start in range(0, len(rows), _BLOCK):
            block = self.read(file, rows[start : start + _BLOCK])
            if start == 0:
                create_array(target, (len(rows), *block.shape[1:]))
            write_rows(target, start, block)

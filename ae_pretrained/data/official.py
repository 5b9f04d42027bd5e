"""The layout of the official Oxford-IIIT Pet archives (Parkhi et al., CVPR 2012).

``images/NAME.jpg``, ``annotations/trimaps/NAME.png`` (1 pet, 2 background, 3 border) and
``annotations/{list,trainval,test}.txt`` with the columns image, class id, species (1 cat, 2 dog), breed id.
Only listed pictures count: the archive holds some that no list names.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ae_pretrained.data.constants import IGNORE_INDEX
from ae_pretrained.data.records import DataError, Record, SplitHint

LISTS: tuple[tuple[str, SplitHint], ...] = (("trainval.txt", "trainval"), ("test.txt", "test"))
_SPECIES = {"1": 1, "2": 2}
_PET, _BACKGROUND, _BORDER = 1, 2, 3


def find_layout(root: Path) -> Path | None:
    """The folder of an unpacked official layout: ``root`` itself, or the one folder in it that is one."""
    candidates = [root, *sorted(path for path in root.iterdir() if path.is_dir())] if root.is_dir() else []
    for folder in candidates:
        if (folder / "images").is_dir() and (folder / "annotations" / "trainval.txt").is_file():
            return folder
    return None


class OfficialSource:
    """Listed pictures of an official layout.

    Args:
        root: folder with ``images/`` and ``annotations/``.
        classes: background, cat, dog.
    """

    def __init__(self, root: Path, classes: list[str]) -> None:
        self.root, self.classes = root, classes

    def records(self) -> list[Record]:
        """Every listed picture; raises DataError for a list that cannot be read or names a picture twice."""
        records: list[Record] = []
        seen: dict[str, str] = {}
        for filename, split in LISTS:
            path = self.root / "annotations" / filename
            if not path.is_file():
                raise DataError(f"{path}: no such list; expected the official Oxford-IIIT Pet layout")
            for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
                if not line.strip() or line.startswith("#"):
                    continue
                words = line.split()
                if len(words) < 3 or words[2] not in _SPECIES:
                    raise DataError(
                        f"{path}, line {number}: expected 'NAME CLASS SPECIES BREED' with species 1 (cat) or "
                        f"2 (dog), found {line!r}"
                    )
                name = words[0]
                if name in seen:
                    raise DataError(f"{path}, line {number}: {name} is already in {seen[name]}")
                seen[name] = filename
                records.append(
                    Record(
                        name,
                        self.root / "images" / f"{name}.jpg",
                        self.root / "annotations" / "trimaps" / f"{name}.png",
                        split,
                        self.classes[_SPECIES[words[2]]],
                        name.rpartition("_")[0],
                    )
                )
        if not records:
            raise DataError(f"{self.root / 'annotations'}: the lists name no picture")
        return records

    def class_mask(self, values: np.ndarray, record: Record) -> np.ndarray:
        """Trimap to class mask: pet to its species, border to 255."""
        unknown = set(np.unique(values).tolist()) - {_PET, _BACKGROUND, _BORDER}
        if unknown:
            raise DataError(
                f"{record.mask}: expected a trimap of 1 (pet), 2 (background) and 3 (border), found also "
                f"{sorted(unknown)}"
            )
        table = np.full(256, IGNORE_INDEX, dtype=np.uint8)
        table[_BACKGROUND], table[_PET] = 0, self.classes.index(record.species)
        return table[values]

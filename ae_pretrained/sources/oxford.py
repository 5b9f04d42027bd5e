"""The layout of the official Oxford-IIIT Pet archives (Parkhi et al., CVPR 2012).

``images/NAME.jpg``, ``annotations/trimaps/NAME.png`` (1 pet, 2 background, 3 border) and
``annotations/{list,trainval,test}.txt`` with the columns image, class id, species (1 cat, 2 dog), breed id.
``list.txt`` says what each image shows, the other two which split it is in. Only listed images count: the
archive holds some that no list names.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from ae_pretrained.constants import IGNORE_INDEX
from ae_pretrained.sources.base import DataError, Finding, Listing, Sample, SplitHint
from ae_pretrained.sources.mask_values import read_sized_mask, translate
from ae_pretrained.sources.name_lists import read_text

LISTS: tuple[tuple[str, SplitHint], ...] = (("trainval.txt", "trainval"), ("test.txt", "test"))
_SPECIES = {"1": 1, "2": 2}
_PET, _BACKGROUND, _BORDER = 1, 2, 3


def find_layout(root: Path) -> Path | None:
    """The folder of an unpacked official layout: ``root`` itself, or the first folder in it that is one."""
    candidates = [root, *sorted(path for path in root.iterdir() if path.is_dir())] if root.is_dir() else []
    for folder in candidates:
        if (folder / "images").is_dir() and (folder / "annotations" / "trainval.txt").is_file():
            return folder
    return None


def in_blocks(samples: list[Sample], block: int) -> list[Sample]:
    """The samples with groups of ``block`` neighbours by number among those of a breed that val is drawn from.

    Neighbours in number are often shots of one animal. The official parts are stretches of numbers, so that test has
    no such siblings in train; a val that is drawn image by image has.
    """
    numbers: dict[str, list[tuple[int, str]]] = {}
    for sample in samples:
        if sample.split != "trainval":
            continue
        breed, _, number = sample.name.rpartition("_")
        if not number.isdecimal():
            raise DataError(
                f"{sample.name}: data.val_blocks needs names that end in a number, such as Abyssinian_12; write "
                "data.val_blocks: 0"
            )
        numbers.setdefault(breed, []).append((int(number), sample.name))
    group_of = {}
    for members in numbers.values():
        members.sort()
        for place, (_, name) in enumerate(members):
            group_of[name] = f"block of {members[place - place % block][1]}"
    return [replace(sample, group=group_of.get(sample.name, "")) for sample in samples]


class OxfordSource:
    """Listed images of an official layout.

    Args:
        root: folder with ``images/`` and ``annotations/``.
        classes: background, cat, dog.
        block: images of a breed with neighbouring numbers that stay in one split where val is drawn; 0: each image
            stands alone.
    """

    def __init__(self, root: Path, classes: list[str], block: int = 0) -> None:
        self.root, self.classes, self.block = root, classes, block

    def listing(self) -> Listing:
        """Every image of the two split lists, and the files of ``images/`` that they do not name.

        Raises:
            DataError: for a list that is absent or cannot be read, names an image twice, or names one that
                ``list.txt`` does not know; for a name without a number where there are blocks.
        """
        annotations = self.root / "annotations"
        species_of = self._read(annotations / "list.txt")
        samples: list[Sample] = []
        findings: list[Finding] = []
        seen: dict[str, str] = {}
        for filename, split in LISTS:
            for name, species in self._read(annotations / filename).items():
                if name in seen:
                    raise DataError(f"{annotations / filename}: {name} is already in {seen[name]}")
                if species_of.get(name) != species:
                    known = f"species {species_of[name]}" if name in species_of else "no such image"
                    raise DataError(
                        f"{annotations / filename}: {name} has species {species}, but list.txt has {known}; "
                        "the lists must agree"
                    )
                seen[name] = filename
                samples.append(
                    Sample(
                        name,
                        self.root / "images" / f"{name}.jpg",
                        annotations / "trimaps" / f"{name}.png",
                        split,
                        self.classes[_SPECIES[species]],
                        name.rpartition("_")[0],
                    )
                )
        if not samples:
            raise DataError(f"{annotations}: the lists name no image")
        for name in species_of.keys() - seen.keys():
            findings.append(Finding("", name, "not in a split", "list.txt alone names it", False))
        for path in (self.root / "images").iterdir():
            if path.name.startswith("."):
                continue
            if path.suffix != ".jpg" or path.stem not in species_of:
                findings.append(Finding("", path.name, "not listed", "no list names this file", False))
        if self.block:
            samples = in_blocks(samples, self.block)
        return Listing(samples, sorted(findings, key=lambda finding: finding.name))

    @staticmethod
    def _read(path: Path) -> dict[str, str]:
        """Species by name, in the order of the list."""
        if not path.is_file():
            raise DataError(f"{path}: no such list; expected the official Oxford-IIIT Pet layout")
        entries: dict[str, str] = {}
        for number, line in enumerate(read_text(path).splitlines(), start=1):
            if not line.strip() or line.startswith("#"):
                continue
            words = line.split()
            if len(words) < 3 or words[2] not in _SPECIES:
                raise DataError(
                    f"{path}, line {number}: expected 'NAME CLASS SPECIES BREED' with species 1 (cat) or 2 (dog), "
                    f"found {line!r}"
                )
            if words[0] in entries:
                raise DataError(f"{path}, line {number}: {words[0]} is already in {path.name}")
            entries[words[0]] = words[2]
        return entries

    def mask_of(self, sample: Sample, height: int, width: int) -> np.ndarray:
        """The class mask of an image of this size."""
        return self.class_mask(read_sized_mask(sample, height, width), sample)

    def class_mask(self, values: np.ndarray, sample: Sample) -> np.ndarray:
        """Trimap to class mask: pet to its class, border to 255."""
        table = {_PET: self.classes.index(sample.class_name), _BACKGROUND: 0, _BORDER: IGNORE_INDEX}
        mask, unknown = translate(values, table)
        if unknown:
            raise DataError(
                f"{sample.mask}: expected a trimap of 1 (pet), 2 (background) and 3 (border), found also {unknown}"
            )
        return mask

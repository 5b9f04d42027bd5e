"""Masks of class numbers that are called like their image and a little more: ``NAME_mask.png``, ``gt_NAME.png``.

They lie beside the images or in a second folder; see :mod:`~ae_pretrained.sources.formats.pairing`. Classes have no
names: the number n is the class at position n of ``data.classes``. Splits are those of folders, or of ``train.txt``,
``val.txt`` and ``test.txt``; ``groups.csv`` is read too.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath

import numpy as np

from ae_pretrained.constants import IGNORE_INDEX
from ae_pretrained.sources.base import DataError, Finding, Listing, Sample
from ae_pretrained.sources.formats.export_files import FileIndex, split_of_folder
from ae_pretrained.sources.formats.export_source import Entry, ExportSource, Unnamed
from ae_pretrained.sources.formats.mask_pixels import (
    find_numbers,
    name_numbers,
    numbered_mask,
    read_numbers,
)
from ae_pretrained.sources.formats.named_mask import NamedMask
from ae_pretrained.sources.formats.pairing import SEVERAL_MASKS, pair_masks
from ae_pretrained.sources.mask_rule import MaskRule
from ae_pretrained.sources.mask_values import check_size
from ae_pretrained.sources.split_lists import list_files, read_group_list, read_split_lists


def _names(images: Iterable[str]) -> dict[str, str]:
    """Images by what lists may call them: their path without its ending, or the file name where it is unique."""
    names: dict[str, str] = {}
    counts = Counter(PurePosixPath(image).stem for image in images)
    for image in images:
        path = PurePosixPath(image)
        names[path.with_suffix("").as_posix()] = image
        if counts[path.stem] == 1:
            names.setdefault(path.stem, image)
    return names


class SuffixMaskSource(ExportSource):
    """Images and masks whose names differ by a mark.

    Args:
        root, classes, ignore_index, unnamed: see :class:`ExportSource`.
        rule: what the masks hold; None: class numbers, or black and white.
    """

    title = "masks paired with images by name"
    expects = "NAME_mask.png, gt_NAME.png or the like for each image, beside it or in a second folder"
    paints_on_background = False

    def __init__(
        self,
        root: Path,
        classes: Sequence[str] | None = None,
        ignore_index: int = IGNORE_INDEX,
        unnamed: Unnamed = "stop",
        rule: MaskRule | None = None,
    ) -> None:
        super().__init__(root, classes, ignore_index, unnamed)
        self._rule = rule

    @property
    def numbered(self) -> bool:
        return True

    @classmethod
    def find(cls, root: Path) -> str | None:
        pairs = pair_masks(FileIndex(root))
        too_many = (finding.name for finding in pairs.findings if finding.reason == SEVERAL_MASKS)
        masks = (*filter(None, pairs.mask_of.values()), *too_many)
        return next(iter(masks), None) if pairs.marked else None

    @classmethod
    def has_pairs(cls, root: Path) -> bool:
        """Whether there are masks in a folder that is called like one for masks: ``img_dir``, ``ann_dir``."""
        return any(pair_masks(FileIndex(root)).mask_of.values())

    def export_names(self) -> Iterable[str]:
        masks = [sample.mask for sample in self.listing().samples if sample.mask is not None]
        names, self.ignore_index = name_numbers(find_numbers(masks), self.root)
        return names

    def read_listing(self) -> Listing:
        index = FileIndex(self.root)
        pairs = pair_masks(index)
        findings = pairs.findings
        names = _names(pairs.mask_of)
        lists = read_split_lists(self.root, names, findings)
        folders = {image: split_of_folder(image) for image in pairs.mask_of}
        if lists and any(folders.values()):
            raise DataError(
                f"{self.root}: the splits are said twice, by {', '.join(list_files(self.root))} and by folders "
                f"({next(image for image, split in folders.items() if split)}); keep one of the two"
            )
        entries = []
        for image, mask in pairs.mask_of.items():
            listed = next((split for split, images in lists.items() if image in images), None)
            if "train" in lists and listed is None:
                findings.append(Finding("", image, "not listed", "no split list names it", False))
                continue
            path = None if mask is None else index.files[mask]
            entries.append(Entry(image, path, listed if lists else folders[image]))
        groups = read_group_list(self.root, names, findings)
        return self.make_listing(index, entries, findings, index.images(), groups)

    def mask_of(self, sample: Sample, height: int, width: int) -> np.ndarray:
        if self._rule is None:
            return super().mask_of(sample, height, width)
        return self._rule.class_mask(sample, height, width)

    def named_mask(self, sample: Sample, height: int, width: int) -> NamedMask:
        assert sample.mask is not None
        values = read_numbers(sample.mask)
        check_size(sample, values.shape, height, width)
        return numbered_mask(values, self.classes, self.ignore_index)

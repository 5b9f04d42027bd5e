"""Masks of class numbers that are called like their image and a little more: ``NAME_mask.png``, ``NAME.jpg.png``.

They lie beside the images or in a second folder; see :mod:`~ae_pretrained.sources.formats.pairing`. Classes have no
names: the number n is the class at position n of ``data.classes``.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from ae_pretrained.sources.base import Listing, Sample
from ae_pretrained.sources.formats.export_files import FileIndex, split_of_folder
from ae_pretrained.sources.formats.export_source import Entry, ExportSource
from ae_pretrained.sources.formats.mask_pixels import (
    find_numbers,
    name_numbers,
    numbered_mask,
    read_numbers,
)
from ae_pretrained.sources.formats.named_mask import NamedMask
from ae_pretrained.sources.formats.pairing import pair_masks
from ae_pretrained.sources.mask_values import check_size


class SuffixMaskSource(ExportSource):
    """Images and masks whose names differ by a mark."""

    title = "masks called NAME_mask.png"
    expects = "NAME_mask.png, NAME_label.png or NAME.jpg.png for each image, beside it or in a second folder"
    paints_on_background = False

    @property
    def numbered(self) -> bool:
        return True

    @classmethod
    def find(cls, root: Path) -> str | None:
        pairs = pair_masks(FileIndex(root))
        return (
            next((mask for mask in pairs.mask_of.values() if mask is not None), None)
            if pairs.marked
            else None
        )

    def export_names(self) -> Iterable[str]:
        masks = [sample.mask for sample in self.listing().samples if sample.mask is not None]
        names, self.ignore_index = name_numbers(find_numbers(masks), self.root)
        return names

    def read_listing(self) -> Listing:
        index = FileIndex(self.root)
        pairs = pair_masks(index)
        entries = [
            Entry(image, None if mask is None else index.files[mask], split_of_folder(image))
            for image, mask in pairs.mask_of.items()
        ]
        return self.make_listing(index, entries, pairs.findings, index.images())

    def named_mask(self, sample: Sample, height: int, width: int) -> NamedMask:
        assert sample.mask is not None
        values = read_numbers(sample.mask)
        check_size(sample, values.shape, height, width)
        return numbered_mask(values, self.classes, self.ignore_index)

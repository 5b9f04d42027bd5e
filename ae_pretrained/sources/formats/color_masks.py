"""Masks in colour with a list of the colours (``label_colors.txt``, ``class_dict.csv``, ``labelmap.txt``).

Masks are beside the images or in a second folder; see :mod:`~ae_pretrained.sources.formats.pairing`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import cached_property
from pathlib import Path

from ae_pretrained.constants import IGNORE_INDEX
from ae_pretrained.sources.base import DataError, Listing, Sample
from ae_pretrained.sources.formats.export_files import FileIndex, split_of_folder
from ae_pretrained.sources.formats.export_source import Entry, ExportSource, Unnamed
from ae_pretrained.sources.formats.label_colors import LabelColors, parse_label_colors
from ae_pretrained.sources.formats.named_mask import NamedMask
from ae_pretrained.sources.formats.pairing import pair_masks
from ae_pretrained.sources.mask_values import check_size
from ae_pretrained.sources.name_lists import read_text

_LIST = re.compile(r"(label|class|colou?r).*\.(txt|csv)$", re.IGNORECASE)


class ColorMaskSource(ExportSource):
    """Images and masks in colour.

    Args:
        root, classes, ignore_index, unnamed: see :class:`ExportSource`.
        colors: a class and its colour in each entry, as a line of a list; empty: the list in ``root``.
    """

    title = "masks in colour"
    expects = (
        "label_colors.txt (or class_dict.csv) with a name and r g b in each line, and a mask for each image"
    )
    paints_on_background = False

    def __init__(
        self,
        root: Path,
        classes: Sequence[str] | None = None,
        ignore_index: int = IGNORE_INDEX,
        unnamed: Unnamed = "stop",
        colors: Sequence[str] = (),
    ) -> None:
        super().__init__(root, classes, ignore_index, unnamed)
        self._colors = list(colors)

    @classmethod
    def find(cls, root: Path) -> str | None:
        for path in sorted(root.iterdir()):
            if path.is_file() and _LIST.search(path.name):
                try:
                    found = parse_label_colors(read_text(path), path.name)
                except DataError:
                    continue
                if len(found) > 1:
                    return path.name
        return None

    @cached_property
    def _lookup(self) -> LabelColors:
        if self._colors:
            return LabelColors(parse_label_colors("\n".join(self._colors), "data.colors"), "data.colors")
        name = self.find(self.root)
        if name is None:
            raise DataError(f"{self.root}: expected {self.expects}")
        return LabelColors(parse_label_colors(read_text(self.root / name), str(self.root / name)), name)

    def export_names(self) -> Iterable[str]:
        return self._lookup.names

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
        named = self._lookup.read(sample.mask)
        check_size(sample, named.values.shape, height, width)
        return named

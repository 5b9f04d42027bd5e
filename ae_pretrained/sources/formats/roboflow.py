"""Roboflow "Semantic Segmentation Masks": ``NAME.jpg``, ``NAME_mask.png`` and ``_classes.csv`` in each of ``train/``,
``valid/`` and ``test/``; the columns of the last are ``Pixel Value, Class``.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable
from functools import cached_property
from pathlib import Path

from ae_pretrained.sources.base import DataError, Listing, Sample
from ae_pretrained.sources.formats.export_files import FileIndex, split_of_folder
from ae_pretrained.sources.formats.export_source import Entry, ExportSource
from ae_pretrained.sources.formats.mask_pixels import read_numbers
from ae_pretrained.sources.formats.named_mask import NamedMask
from ae_pretrained.sources.formats.pairing import pair_masks
from ae_pretrained.sources.mask_values import check_size
from ae_pretrained.sources.name_lists import read_text

_FILE = "_classes.csv"


class RoboflowMaskSource(ExportSource):
    """Images and masks of a Roboflow export."""

    title = "Roboflow semantic segmentation masks"
    expects = "_classes.csv with the columns 'Pixel Value, Class' beside NAME.jpg and NAME_mask.png"
    paints_on_background = False

    @classmethod
    def find(cls, root: Path) -> str | None:
        for path in [root / _FILE, *sorted(root.glob(f"*/{_FILE}"))]:
            # Exports for classification have a file of this name too, with one column a class.
            if path.is_file() and read_text(path).casefold().startswith("pixel value"):
                return path.relative_to(root).as_posix()
        return None

    @cached_property
    def _tables(self) -> dict[Path, dict[int, str]]:
        """Class name by value, for each folder."""
        files = [self.root / _FILE, *sorted(self.root.glob(f"*/{_FILE}"))]
        return {path.parent: _class_of_value(path) for path in files if path.is_file()}

    def export_names(self) -> Iterable[str]:
        for table in self._tables.values():
            yield from (name for _, name in sorted(table.items()))

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
        names = [f"value {number}" for number in range(256)]
        table = self._tables.get(sample.mask.parent)
        if table is None:
            raise DataError(
                f"{sample.mask.with_name(_FILE)}: there is no such file; it names the classes of the masks"
            )
        for value, name in table.items():
            names[value] = name
        return NamedMask(values, names)


def _class_of_value(path: Path) -> dict[int, str]:
    rows = list(csv.reader(read_text(path).splitlines()))
    found = {}
    for number, row in enumerate(rows[1:], start=2):
        if not row:
            continue
        value = row[0].strip()
        if len(row) != 2 or not value.isdecimal() or int(value) > 255 or not row[1].strip():
            raise DataError(
                f"{path}, line {number}: expected 'Pixel Value, Class' with a value from 0 to 255, found "
                f"{','.join(row)!r}"
            )
        found[int(value)] = row[1].strip()
    return found

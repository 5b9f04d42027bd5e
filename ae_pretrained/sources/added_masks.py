"""Masks that were added to a data set after it was made, for any source: ``masks/NAME.png`` and ``classes.txt``.

``NAME`` is the name of a sample. The values are lines of ``classes.txt``, from 0 on, so that classes are known by
their names whatever becomes of their order; 255 is ignored. What was added is trained on, and never drawn for val or
test: images that somebody chose are no fair sample. Only the data's own lists can put one there.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image

from ae_pretrained.constants import IGNORE_INDEX
from ae_pretrained.files import write_bytes, write_text
from ae_pretrained.sources.base import LACKS_MASK, DataError, Finding, Listing, Sample, Source
from ae_pretrained.sources.mask_values import read_sized_mask
from ae_pretrained.sources.name_lists import read_text

_MOST_CLASSES = 255


class AddedMasks:
    """The folder of added masks of a project.

    Args:
        folder: ``data/labels``; need not exist.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def _list(self) -> Path:
        return self.folder / "classes.txt"

    def path_of(self, name: str) -> Path:
        """Where the mask of a sample is, or would be."""
        return self.folder / "masks" / f"{name}.png"

    def names(self) -> dict[str, Path]:
        """The masks that are there, by the name of their sample, in order."""
        root = self.folder / "masks"
        return {
            path.relative_to(root).as_posix().removesuffix(".png"): path
            for path in sorted(root.rglob("*.png"))
            if not path.name.startswith(".")
        }

    def classes(self) -> list[str]:
        """Class names by value; none where nothing was added yet."""
        return read_text(self._list).splitlines() if self._list.is_file() else []

    def read(self, sample: Sample, height: int, width: int, classes: Sequence[str]) -> np.ndarray:
        """The mask (height, width) uint8 of a sample, in numbers of ``classes``.

        Raises:
            DataError: naming the file, for another size, and for a class that ``classes`` does not name.
        """
        path = self.path_of(sample.name)
        values = read_sized_mask(replace(sample, mask=path), height, width)
        stored = self.classes()
        table = np.full(256, IGNORE_INDEX, dtype=np.uint8)
        for value in np.flatnonzero(np.bincount(values.ravel(), minlength=256)).tolist():
            if value == IGNORE_INDEX:
                continue
            name = stored[value] if value < len(stored) else f"value {value}"
            if name not in classes:
                raise DataError(
                    f"{path}: holds {name!r} ({self._list}), but data.classes is {', '.join(classes)}; rename it in "
                    f"{self._list} if it is one of these, or add it to data.classes"
                )
            table[value] = classes.index(name)
        return table[values]

    def write(self, name: str, mask: np.ndarray, classes: Sequence[str]) -> Path:
        """Add or replace the mask of a sample.

        Args:
            name: of the sample.
            mask: (H, W) uint8 in numbers of ``classes``, 255 ignored; as a source would read it.
            classes: names by number.

        Raises:
            DataError: when there are more classes than a mask can hold.
        """
        stored = self.classes()
        new = [item for item in classes if item not in stored]
        if len(stored) + len(new) > _MOST_CLASSES:
            raise DataError(
                f"{self._list}: would hold {len(stored) + len(new)} classes, at most {_MOST_CLASSES}"
            )
        if new:
            stored += new
            write_text(self._list, "\n".join(stored) + "\n")
        table = np.full(256, IGNORE_INDEX, dtype=np.uint8)
        table[: len(classes)] = [stored.index(item) for item in classes]
        stream = io.BytesIO()
        Image.fromarray(table[mask]).save(stream, format="PNG")
        path = self.path_of(name)
        write_bytes(path, stream.getvalue())
        return path


class AddedMaskSource:
    """A source with the added masks of a project.

    Args:
        source: the data set.
        added: masks of images that have none in it.
        classes: ``data.classes``.
    """

    def __init__(self, source: Source, added: AddedMasks, classes: Sequence[str]) -> None:
        self._source, self._added, self._classes = source, added, classes

    def listing(self) -> Listing:
        """Every image; a mask that is added takes the place of none, and belongs to one image."""
        listing, added = self._source.listing(), self._added.names()
        findings = [
            finding
            for finding in listing.findings
            if finding.reason not in LACKS_MASK or finding.name.removeprefix("images/") not in added
        ]
        samples = []
        for sample in listing.samples:
            path = added.pop(sample.name, None)
            if path is not None and sample.mask is not None:
                detail = f"{path}: {sample.image} has a mask in the data too ({sample.mask}); remove one of the two"
                findings.append(Finding("", sample.name, "two masks", detail, True))
            elif path is not None:
                sample = replace(sample, mask=path, split="train")
            samples.append(sample)
        held_out = []
        for sample in listing.held_out:
            path = added.pop(sample.name, None)
            if path is None:
                held_out.append(sample)
            else:
                samples.append(replace(sample, mask=path))
        for name, path in added.items():
            detail = (
                f"{path}: the data has no image {name!r} any more; remove the mask, or bring the image back"
            )
            findings.append(Finding("", name, "added mask without image", detail, True))
        findings.sort(key=lambda finding: (finding.name, finding.reason))
        return Listing(samples, findings, held_out)

    def mask_of(self, sample: Sample, height: int, width: int) -> np.ndarray:
        """The class mask of an image of this size."""
        if sample.mask == self._added.path_of(sample.name):
            return self._added.read(sample, height, width, self._classes)
        return self._source.mask_of(sample, height, width)


def with_added_masks(source: Source, folder: Path | None, classes: Sequence[str]) -> Source:
    """The source with the masks of ``folder``, or itself where none were added."""
    added = AddedMasks(folder) if folder is not None else None
    return AddedMaskSource(source, added, classes) if added is not None and added.names() else source

"""Which values the masks of a folder hold, and which class each of them stands for."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
from PIL import Image
from tqdm import tqdm

from ae_pretrained.constants import IGNORE_INDEX
from ae_pretrained.preparation.processes import count_processes
from ae_pretrained.sources.base import DataError, Sample
from ae_pretrained.sources.image_reader import IMAGE_FORMATS, read_mask
from ae_pretrained.sources.mask_values import translate

_BINARY = (0, 255)
_MOST_CLASSES = 32  # more values than that, with gaps, are shades and not classes
_COLOR_MODES = ("RGB", "RGBA", "LA", "PA", "CMYK")


@dataclass
class FoundValues:
    """The values of all masks.

    Attributes:
        pixels: (256,) pixels by value.
        masks: (256,) masks that hold a value, by value.
        faults: what is wrong with the masks that could not be read.
    """

    pixels: np.ndarray = field(default_factory=lambda: np.zeros(256, dtype=np.int64))
    masks: np.ndarray = field(default_factory=lambda: np.zeros(256, dtype=np.int64))
    faults: list[str] = field(default_factory=list)

    @property
    def present(self) -> list[int]:
        """Values that occur, in order."""
        return [int(value) for value in np.flatnonzero(self.masks)]


@dataclass(frozen=True)
class MaskEncoding:
    """Which value stands for which class in the mask files.

    Attributes:
        values: the value that stands for each class in the files, background first.
        ignore_index: the value of unlabelled pixels in the files.
        note: a sentence about a choice that the user should know of; may be empty.
    """

    values: tuple[int, ...]
    ignore_index: int
    note: str = ""

    @property
    def as_stored(self) -> bool:
        """Whether the files hold class numbers already."""
        return self.values == tuple(range(len(self.values)))

    def table(self) -> dict[int, int]:
        """Class number by value of the files, ignored pixels to 255."""
        return {
            **{value: number for number, value in enumerate(self.values)},
            self.ignore_index: IGNORE_INDEX,
        }


def scan_masks(paths: Sequence[Path]) -> FoundValues:
    """Read every mask and count its values.

    Raises:
        DataError: when the masks are images in colour, which says more than a list of unusable files would.
    """
    found = FoundValues()

    def count(path: Path) -> np.ndarray | DataError:
        try:
            return np.bincount(read_mask(path).ravel(), minlength=256)
        except DataError as error:
            return error

    with ThreadPoolExecutor(count_processes(0, len(paths))) as pool:
        results = zip(paths, pool.map(count, paths), strict=True)
        for path, result in tqdm(results, total=len(paths), desc="masks", unit="mask", disable=None):
            if isinstance(result, DataError):
                _refuse_color(path)
                found.faults.append(str(result))
            else:
                found.pixels += result
                found.masks += result > 0
    return found


def _refuse_color(path: Path) -> None:
    """Raise for a mask that is readable but in colour."""
    try:
        with Image.open(path, formats=IMAGE_FORMATS) as image:
            if image.mode not in _COLOR_MODES:
                return
            colors = np.unique(np.asarray(image.convert("RGB")).reshape(-1, 3), axis=0)
    except (OSError, Image.DecompressionBombError):
        return
    shown = ", ".join("({}, {}, {})".format(*color) for color in colors[:6].tolist())
    more = ", …" if len(colors) > 6 else ""
    kind = "grey values stored three times" if (colors == colors[:, :1]).all() else f"{len(colors)} colours"
    raise DataError(
        f"{path}: the mask is an image in colour (mode {image.mode}; {kind}: {shown}{more}). Expected one channel "
        "with the number of its class in each pixel: 0 background, 1 the first class, and so on, 255 where nobody "
        "labelled. docs/own-data.md shows how to turn colours into class numbers"
    )


def interpret(found: FoundValues, wanted: Sequence[int] | None, ignore_index: int | None) -> MaskEncoding:
    """Decide which value stands for which class.

    Args:
        found: values of the masks.
        wanted: the value of each class in the files, background first; None: class numbers as stored, or black
            and white where the masks hold 0 and 255 alone.
        ignore_index: value of unlabelled pixels; None: 255.

    Raises:
        DataError: when the values fit no reading; the text lists them and says what to do.
    """
    present = found.present
    if not present:
        raise DataError("no mask could be read" + "".join(f"\n  {fault}" for fault in found.faults[:5]))
    if wanted is not None:
        return _as_wanted(present, tuple(wanted), ignore_index)
    if tuple(present) == _BINARY and ignore_index is None:
        note = (
            "masks are black and white (0 and 255): 0 is taken for background, 255 for the one class. Were 255 "
            "to mean unlabelled, say --ignore-index 255"
        )
        return MaskEncoding(_BINARY, _free_value(_BINARY), note)
    ignore = IGNORE_INDEX if ignore_index is None else ignore_index
    labels = [value for value in present if value != ignore]
    if len(labels) < 2:
        raise DataError(
            f"the masks hold no class beside the background: found {_listed(present)}, where {ignore} stands for "
            "unlabelled. Expected at least two of 0, 1, 2, …"
        )
    if labels == list(range(len(labels))):
        return MaskEncoding(tuple(labels), ignore)
    if len(labels) > _MOST_CLASSES:
        raise DataError(
            f"the masks hold {len(labels)} different values ({_listed(labels)}): shades of grey, not classes. Were "
            "they saved as JPEG, or resized with smoothing? Save class numbers as PNG, and resize with the nearest "
            "neighbour"
        )
    raise DataError(
        f"the masks hold the values {_listed(labels)} (and {ignore} for unlabelled); expected class numbers without "
        f"a gap: 0, 1, 2, …, background first. Say which value is which class with --mask-values "
        f"{','.join(map(str, labels))} (background first, then in the order of --classes), or another "
        "--ignore-index if one of them means unlabelled"
    )


def _as_wanted(present: list[int], wanted: tuple[int, ...], ignore_index: int | None) -> MaskEncoding:
    if ignore_index is not None and ignore_index in wanted:
        raise DataError(f"--ignore-index {ignore_index} is also in --mask-values {_listed(wanted)}")
    default = _free_value(wanted) if IGNORE_INDEX in wanted else IGNORE_INDEX
    ignore = default if ignore_index is None else ignore_index
    if unknown := [value for value in present if value not in wanted and value != ignore]:
        raise DataError(
            f"the masks hold {_listed(unknown)}, which --mask-values {_listed(wanted)} does not name and which is "
            f"not the value of unlabelled pixels ({ignore}); name all values of the masks: {_listed(present)}"
        )
    if absent := [value for value in wanted if value not in present]:
        raise DataError(f"--mask-values names {_listed(absent)}, but the masks hold {_listed(present)}")
    return MaskEncoding(wanted, ignore)


def _free_value(taken: Sequence[int]) -> int:
    """A value that stands for nothing yet, where there are no unlabelled pixels."""
    return next(value for value in range(255, -1, -1) if value not in taken)


def _listed(values: Sequence[int]) -> str:
    return ", ".join(map(str, values[:12])) + (", …" if len(values) > 12 else "")


def write_class_numbers(samples: Sequence[Sample], encoding: MaskEncoding, folder: Path) -> None:
    """Write masks anew as ``folder/NAME.png``, with class numbers, and 255 on unlabelled pixels."""
    table = encoding.table()
    for sample in tqdm(samples, desc="class numbers", unit="mask", disable=None):
        assert sample.mask is not None
        try:
            numbers, _ = translate(read_mask(sample.mask), table)
        except DataError:
            continue  # found already when the values were counted; the image stays without a mask
        path = folder / f"{sample.name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        written, content = cv2.imencode(".png", numbers)
        assert written
        path.write_bytes(content.tobytes())

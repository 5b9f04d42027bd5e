"""Masks in colour: which colour is which class."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ae_pretrained.sources.base import DataError
from ae_pretrained.sources.formats.mask_pixels import read_colors
from ae_pretrained.sources.formats.named_mask import NamedMask

Rgb = tuple[int, int, int]
_AROUND = " \t,;:\"'"  # what stands around a name
_HEX = re.compile(r"#([0-9a-fA-F]{6})\b")


def parse_label_colors(text: str, where: str) -> list[tuple[str, Rgb]]:
    """Class names and colours, one a line, in any of the usual ways.

    ``64 128 64  Animal`` (CamVid), ``Animal,64,128,64`` (``class_dict.csv``), ``animal:64,128,64::`` (CVAT's
    ``labelmap.txt``), ``animal #408040``. Lines that begin with ``#`` and hold no colour are comments; the first line
    may name the columns.

    Args:
        text: of the list.
        where: what errors call it.

    Raises:
        DataError: naming the line, for one without a colour or a name, and for a colour of two classes.
    """
    found: list[tuple[str, Rgb]] = []
    owner: dict[Rgb, str] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        if line.lstrip().startswith("#") and not _HEX.match(line.lstrip()):
            continue
        name, values = _name_and_color(line)
        if not values and number == 1:
            continue
        if len(values) != 3 or max(values) > 255 or not name:
            raise DataError(
                f"{where}, line {number}: expected a name and a colour (r g b, each from 0 to 255), found "
                f"{line.strip()!r}"
            )
        color = (values[0], values[1], values[2])
        if owner.setdefault(color, name) != name:
            raise DataError(f"{where}, line {number}: {name!r} has the colour of {owner[color]!r}: {color}")
        found.append((name, color))
    return found


def _name_and_color(line: str) -> tuple[str, list[int]]:
    """The name in a line and the three numbers before or after it; no numbers where there is no colour."""
    match = _HEX.search(line)
    if match is not None:
        return (line[: match.start()] + line[match.end() :]).strip(_AROUND), list(bytes.fromhex(match[1]))
    fields: list[str] = []
    for field in filter(None, (part.strip(_AROUND) for part in re.split(r"[,;:\t]", line))):
        fields += field.split() if re.fullmatch(r"[\d\s]+", field) else [field]
    if len(fields) == 1:  # spaces alone between all of them
        fields = line.split()
    is_number = [field.isdecimal() for field in fields]
    if is_number[-4:] == [False, True, True, True]:
        # In front of the name there may be a number of the class.
        return " ".join(fields[is_number.index(False) : -3]), [int(field) for field in fields[-3:]]
    if is_number[:4] == [True, True, True, False]:
        return " ".join(fields[3:]), [int(field) for field in fields[:3]]
    return "", [0] if any(is_number) else []


class LabelColors:
    """Looks up the class of every pixel of a mask in colour.

    Args:
        colors: class name and colour of each class.
        where: the list, for errors.

    Attributes:
        names: class names.
        grey: whether all colours are shades of grey.
    """

    def __init__(self, colors: Sequence[tuple[str, Rgb]], where: str) -> None:
        self.names = [name for name, _ in colors]
        self.grey = all(r == g == b for _, (r, g, b) in colors)
        self._where = where
        packed = np.array([(r << 16) | (g << 8) | b for _, (r, g, b) in colors], dtype=np.uint32)
        self._order = np.argsort(packed).astype(np.uint16)
        self._sorted = packed[self._order]

    def read(self, path: Path) -> NamedMask:
        """The mask in a file.

        Raises:
            DataError: naming the file, when it cannot be read or holds colours of no class, which are counted.
        """
        pixels = read_colors(path).astype(np.uint32)
        packed = (pixels[..., 0] << 16) | (pixels[..., 1] << 8) | pixels[..., 2]
        position = np.minimum(np.searchsorted(self._sorted, packed), len(self._sorted) - 1)
        strange = packed[self._sorted[position] != packed]
        if strange.size:
            raise DataError(self._unknown(path, strange, packed.size))
        return NamedMask(self._order[position], self.names)

    def _unknown(self, path: Path, strange: np.ndarray, size: int) -> str:
        colors, counts = np.unique(strange, return_counts=True)
        most = np.argsort(-counts, kind="stable")[:5]
        shown = ", ".join(
            f"({color >> 16}, {color >> 8 & 255}, {color & 255}) in {count} px"
            for color, count in zip(colors[most].tolist(), counts[most].tolist(), strict=True)
        )
        more = f" and {len(colors) - 5} more" if len(colors) > 5 else ""
        advice = "add them to the list"
        if len(colors) > 50:
            advice = (
                "so many speak of a mask that was resized or saved with smoothing; export it again as PNG"
            )
        return (
            f"{path}: {strange.size} of {size} pixels have colours that {self._where} does not list: {shown}{more}; "
            f"{advice}"
        )

"""The sheet of the images to label next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from matplotlib.figure import Figure

from ae_pretrained.figures.style import DPI, MUTED, WIDTH, styled
from ae_pretrained.names import drawn

_ACROSS = 5
_MARGIN, _GAP, _LINE = 0.15, 0.12, 0.17  # inches
_CELL = (WIDTH - 2 * _MARGIN - (_ACROSS - 1) * _GAP) / _ACROSS
SIDE = round(_CELL * DPI)  # px, of the square that an image is fitted into


@dataclass(frozen=True)
class SheetImage:
    """An image of a sheet.

    Attributes:
        image: (H, W, 3) uint8.
        size: its width and height before it was made square, any unit: it is shown with these proportions.
        name: under the image, in ink.
        lines: below the name, in grey.
    """

    image: np.ndarray
    size: tuple[int, int]
    name: str
    lines: Sequence[str]


@styled
def label_sheet(title: str, note: str, images: Sequence[SheetImage]) -> Figure:
    """Images in order, five in a row, each whole and with what is said of it.

    Args:
        title: of the sheet.
        note: a line under it.
        images: at least one.
    """
    texts = 1 + max(len(item.lines) for item in images)
    below = _LINE * texts + 0.16
    above, rows = 0.72, -(-len(images) // _ACROSS)
    height = above + rows * (_CELL + below) + 0.05
    figure = Figure(figsize=(WIDTH, height), dpi=DPI)

    def text(x: float, y: float, words: str, **style: Any) -> None:
        figure.text(x / WIDTH, 1 - y / height, words, va="center", **style)

    text(_MARGIN, 0.25, drawn(title, 90), fontsize=12.5, fontweight="bold")
    text(_MARGIN, 0.5, drawn(note, 120), fontsize=9, color=MUTED)
    for place, item in enumerate(images):
        row, column = divmod(place, _ACROSS)
        left, top = _MARGIN + column * (_CELL + _GAP), above + row * (_CELL + below)
        axes = figure.add_axes((left / WIDTH, 1 - (top + _CELL) / height, _CELL / WIDTH, _CELL / height))
        axes.imshow(_fitted(item), interpolation="nearest", aspect="auto")
        axes.set_axis_off()
        y = top + _CELL + 0.11
        text(left, y, f"{place + 1}  {drawn(item.name, 16)}", fontsize=8, fontweight="bold")
        for number, line in enumerate(item.lines, start=1):
            text(left, y + number * _LINE, drawn(line, 32), fontsize=8, color=MUTED)
    return figure


def _fitted(item: SheetImage) -> np.ndarray:
    """(SIDE, SIDE, 3): the image in its own proportions, at the bottom of a white square."""
    longest = max(item.size)
    width, height = (max(1, round(SIDE * part / longest)) for part in item.size)
    image = np.ascontiguousarray(item.image)
    how = cv2.INTER_AREA if max(image.shape[:2]) > SIDE else cv2.INTER_CUBIC
    square = np.full((SIDE, SIDE, 3), 255, dtype=np.uint8)
    left = (SIDE - width) // 2
    square[SIDE - height :, left : left + width] = cv2.resize(image, (width, height), interpolation=how)
    return square

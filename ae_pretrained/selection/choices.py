"""What was chosen, and the table and the sheet of it."""

from __future__ import annotations

from dataclasses import dataclass
from math import isnan
from pathlib import Path

import numpy as np

from ae_pretrained.dataset.arrays import Split
from ae_pretrained.figures.label_sheet import SheetImage, label_sheet
from ae_pretrained.figures.style import save_png
from ae_pretrained.files import write_table
from ae_pretrained.selection.frozen_splits import HoldOut

TABLE, SHEET = "label_next.csv", "label_next.png"
COLUMNS = ("rank", "file", "share", "nearest_labelled", "entropy", "predicted")
_MOST_SHOWN = 100  # images of the sheet


@dataclass(frozen=True)
class Choice:
    """An image to label, and why.

    Attributes:
        image: the file.
        name: within the data set.
        share: of the unlabelled images that are nearer to it than to any other chosen or labelled one.
        nearest: cosine to the nearest labelled image; NaN where none is labelled.
        entropy: of the segmenter's pixels, 0 to 1; NaN without a segmenter.
        predicted: main class that the segmenter sees; empty without one.
    """

    image: Path
    name: str
    share: float
    nearest: float
    entropy: float
    predicted: str


@dataclass(frozen=True)
class Selection:
    """What to label next.

    Attributes:
        choices: in order.
        hold_out: what was written as val and test; None where these were given.
        num_unlabelled, num_labelled: images among which was chosen, and that cover.
        notes: what a user has to know.
    """

    choices: list[Choice]
    hold_out: HoldOut | None
    num_unlabelled: int
    num_labelled: int
    notes: list[str]


def write_selection(out: Path, selection: Selection, strategy: str, split: Split, rows: np.ndarray) -> None:
    write_table(
        out / TABLE,
        COLUMNS,
        [
            (rank, str(item.image), item.share, item.nearest, item.entropy, item.predicted)
            for rank, item in enumerate(selection.choices, start=1)
        ],
    )
    shown = selection.choices[:_MOST_SHOWN]
    sheet = []
    for item, row in zip(shown, rows.tolist(), strict=False):
        x0, y0, x1, y1 = split.boxes[row].tolist()
        size = (int(split.column("width")[row]), int(split.column("height")[row]))
        near = "none labelled yet" if isnan(item.nearest) else f"nearest labelled {item.nearest:.2f}"
        lines = [f"stands for {item.share:.1%}", near]
        if not isnan(item.entropy):
            lines.append(f"entropy {item.entropy:.3f}, {item.predicted}")
        sheet.append(SheetImage(split.images[row][y0:y1, x0:x1], size, item.name, lines))
    more = (
        f"; the first {len(shown)} of {len(selection.choices)}" if len(shown) < len(selection.choices) else ""
    )
    counts = f"{selection.num_unlabelled:,} images without a mask, {selection.num_labelled:,} labelled"
    note = f"of {counts}; strategy {strategy}{more}"
    save_png(label_sheet("Images to label next", note, sheet), out / SHEET)

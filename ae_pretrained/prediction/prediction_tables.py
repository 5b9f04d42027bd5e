"""The predictions as JSON and CSV, one row per image."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ae_pretrained.files import write_json, write_table
from ae_pretrained.names import shown
from ae_pretrained.prediction.destination import Destination
from ae_pretrained.prediction.naming import TABLES


@dataclass(frozen=True)
class Row:
    """One image in the tables.

    Attributes:
        file: the image, as :func:`names.shown` has it.
        width, height: its size, upright, px.
        class_name: foreground class with the most pixels, or None; ``class`` in the files.
        confidence: mean probability over the foreground, over all pixels where there is none.
        shares: share of the pixels by class.
        mask, overlay: the result files, relative to their folder.
        pages: pages or frames of the file, of which the first is the image.
        annotation: file for an annotation tool that describes it, relative to the folder; empty without one.
    """

    file: str
    width: int
    height: int
    class_name: str | None
    confidence: float
    shares: dict[str, float]
    mask: str
    overlay: str
    pages: int = 1
    annotation: str = ""


@dataclass(frozen=True)
class Unreadable:
    """An image without a prediction, and why."""

    file: str
    error: str


def write_tables(
    place: Destination,
    rows: Sequence[Row],
    unreadable: Sequence[Unreadable],
    classes: Sequence[str],
    flip_averaging: bool,
    *,
    passed_over: Sequence[Path | str] = (),
    earlier: Collection[str] = (),
) -> None:
    """Write ``predictions.json`` and ``predictions.csv``; shares and confidence to 6 digits.

    Args:
        place: of the results.
        rows, unreadable: of the images.
        classes: class names, background first.
        flip_averaging: as it was.
        passed_over: files that are no images.
        earlier: names of result files of earlier runs; those that are still there stay listed, so that a later run
            knows them.
    """
    written = {name for row in rows for name in (row.mask, row.overlay, row.annotation)} | set(TABLES)
    left = sorted(name for name in set(earlier) - written if place.has(name))
    write_json(
        place.folder / TABLES[0],
        {
            "classes": list(classes),
            "flip_averaging": flip_averaging,
            "predictions": [_entry(row) for row in rows],
            "unreadable": [vars(item) for item in unreadable],
            "passed_over": [shown(path) for path in passed_over],
            "earlier_results": left,
        },
    )
    shares = [f"share_{name}" for name in classes]
    header = ["file", "width", "height", "class", "confidence", *shares, "mask", "overlay"]
    lines = []
    for row in rows:
        numbers = [f"{number:.6f}" for number in (row.confidence, *(row.shares[name] for name in classes))]
        lines.append([row.file, row.width, row.height, row.class_name or "", *numbers, row.mask, row.overlay])
    write_table(place.folder / TABLES[1], header, lines)
    place.put(TABLES)


def _entry(row: Row) -> dict[str, Any]:
    """A row of the JSON file; ``class`` cannot be the name of an attribute."""
    entry = {("class" if key == "class_name" else key): value for key, value in vars(row).items()}
    if not row.annotation:
        del entry["annotation"]
    return entry

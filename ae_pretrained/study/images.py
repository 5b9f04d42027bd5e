"""The prepared images of a study: all of them, and the same with another choice of the masks that come first."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

import numpy as np

from ae_pretrained.constants import INDEX
from ae_pretrained.files import write_table
from ae_pretrained.preparation.prepare import prepare
from ae_pretrained.preparation.splits import nested_order
from ae_pretrained.sources.fetch import fetch
from ae_pretrained.study.grid import study_params
from ae_pretrained.study.layout import Study


def prepare_images(study: Study) -> None:
    """Fetch and prepare the images of a study that has images of its own."""
    params = study_params(study, {}, "no changes")
    fetch(params.data, study.data / "raw")
    prepare(
        study.data / "raw",
        study.processed,
        params.data,
        params.seed,
        metrics_file=study.data / "prepare.json",
        plots=study.data / "images",
    )


def draw_masks(processed: Path, folder: Path, seed: int) -> None:
    """Write a folder with the same images in which other training masks come first.

    ``data.label_fraction`` takes the first masks of an order that *prepare* drew. Here the order is drawn anew, by
    the same rule: nested, and stratified by class and breed.

    Args:
        processed: what *prepare* wrote.
        folder: an empty folder; gets an index of its own, and links to everything else.
        seed: of the draw.
    """
    reorder_masks(
        processed, folder, lambda train: nested_order([(row["class"], row["breed"]) for row in train], seed)
    )


def reorder_masks(processed: Path, folder: Path, ranks: Callable[[list[dict[str, str]]], np.ndarray]) -> None:
    """Write a folder with the same images whose training masks come in another order.

    Args:
        processed: what *prepare* wrote.
        folder: an empty folder; gets an index of its own, and links to everything else.
        ranks: from the n rows of the index that are training images to their (n,) places in the order, from 0.
    """
    for path in processed.iterdir():
        if path.name != INDEX:
            (folder / path.name).symlink_to(path.resolve())
    with (processed / INDEX).open(newline="", encoding="utf-8") as file:
        reader = csv.DictReader(file)
        columns, rows = list(reader.fieldnames or []), list(reader)
    train = [row for row in rows if row["split"] == "train"]
    for row, rank in zip(train, ranks(train).tolist(), strict=True):
        row["label_order"] = str(rank)
    write_table(folder / INDEX, columns, [[row[column] for column in columns] for row in rows])

"""Tables of a segmentation result: a row an image, counts to compare runs by, rows for DVC's confusion template."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from zlib import crc32

import numpy as np

from ae_pretrained.dataset.arrays import Split
from ae_pretrained.evaluation.segmenter_measures import SegmentationResult
from ae_pretrained.files import write_table
from ae_pretrained.metrics import confusion as measures

ROWS_PER_CLASS = 1000
MAX_GROUPS = 500
COUNTS = ("right", "true", "predicted")  # in the order of metrics.segmentation.class_counts


def write_per_image(path: Path, split: Split, result: SegmentationResult, classes: list[str]) -> None:
    """Write the figures of every image, the worst mean IoU first.

    Columns: name, class, breed, mean_iou, mean_dice, pixel_accuracy, foreground_share (of the labelled
    pixels, truth), true_class and predicted_class (majority of the foreground pixels, empty for none) and
    iou_<class>. A cell is empty where there is no such figure; images without a labelled pixel come last.
    """
    counts = result.confusion
    iou = measures.iou_per_class(counts)
    mean_dice = measures.mean_over_true_classes(measures.dice_per_class(counts), counts)
    accuracy = measures.pixel_accuracy(counts)
    shares = foreground_share(result)
    true_class, predicted_class = measures.majority_classes(counts)
    names = [*classes, ""]  # -1, no foreground, is the last one
    columns = [split.column(key) for key in ("name", "class", "breed")]
    order = np.argsort(result.image_iou, kind="stable")  # NaN goes last
    header = ["name", "class", "breed", "mean_iou", "mean_dice", "pixel_accuracy", "foreground_share"]
    header += ["true_class", "predicted_class", *(f"iou_{name}" for name in classes)]
    rows = (
        [
            *(column[row] for column in columns),
            *(float(v[row]) for v in (result.image_iou, mean_dice, accuracy, shares)),
            names[true_class[row]],
            names[predicted_class[row]],
            *(float(value) for value in iou[row]),
        ]
        for row in order.tolist()
    )
    write_table(path, header, rows)


def foreground_share(result: SegmentationResult) -> np.ndarray:
    """(N,) share of the labelled pixels of each image that are foreground in truth; NaN if none is."""
    truth = result.confusion.sum(axis=2)
    total = truth.sum(axis=1)
    return np.where(total > 0, truth[:, 1:].sum(axis=1) / np.where(total > 0, total, 1), np.nan)


def write_group_counts(
    path: Path, names: Sequence[str], result: SegmentationResult, classes: list[str]
) -> None:
    """Write the pixel counts from which two runs are compared image by image, small enough for Git.

    Columns: group, and right_<class>, true_<class>, predicted_<class> in pixels. A group is an image, named as
    it is; of more than ``MAX_GROUPS`` images it is a number, and every image falls into one by the checksum of
    its name, whatever the other images are. Groups drawn like this can be resampled in place of images: they are
    as independent, and the interval estimates the same spread.

    Args:
        path: the CSV.
        names: of the N images.
        result: counts of the N images.
        classes: C names, background first.
    """
    counts = measures.class_counts(result.confusion)
    groups: dict[str, np.ndarray] = {}
    for name, image in zip(names, counts, strict=True):
        group = name if len(names) <= MAX_GROUPS else f"{crc32(name.encode()) % MAX_GROUPS:03d}"
        groups[group] = groups.get(group, 0) + image
    header = ["group", *(f"{kind}_{name}" for name in classes for kind in COUNTS)]
    write_table(path, header, ([group, *groups[group].T.ravel().tolist()] for group in sorted(groups)))


def write_confusion_rows(path: Path, pooled: np.ndarray, classes: list[str]) -> None:
    """Write ``actual,predicted`` rows for DVC's ``confusion`` template, which counts rows.

    A row a pixel would be millions of rows, so every class of the truth gets exactly 1,000, shared out over
    the predicted classes in proportion to the pixels (largest remainder). The number in a cell of the plot
    is therefore the per mille of the pixels of that class; ``confusion_normalized`` shows the same as a
    share. A class that the truth does not show has no rows. The pixel counts are in the PNG.

    Args:
        pooled: (C, C) counts, truth in rows.
    """
    rows: list[tuple[str, str]] = []
    for name, counts in zip(classes, pooled, strict=True):
        for other, copies in zip(classes, largest_remainder(counts, ROWS_PER_CLASS), strict=True):
            rows += [(name, other)] * int(copies)
    write_table(path, ("actual", "predicted"), rows)


def largest_remainder(counts: np.ndarray, total: int) -> np.ndarray:
    """Share ``total`` out in proportion to ``counts``, in whole numbers; zeros where all counts are zero."""
    if not counts.sum():
        return np.zeros(len(counts), dtype=np.int64)
    exact = counts * (total / counts.sum())
    shares = np.floor(exact).astype(np.int64)
    order = np.argsort(shares - exact, kind="stable")  # the largest remainder first
    shares[order[: total - shares.sum()]] += 1
    return shares

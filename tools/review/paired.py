"""Whether the mean IoU of two states differs by more than the choice of the test pictures explains."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass

import numpy as np

from ae_pretrained.errors import PipelineError
from ae_pretrained.evaluation.segmentation_tables import COUNTS
from ae_pretrained.metrics.bootstrap import mean_iou_difference
from ae_pretrained.metrics.segmentation import iou_from_counts, mean_over_present
from tools.review.revisions import Snapshot

FILE = "plots/eval_seg_counts.csv"
_SAMPLES = 2000


@dataclass(frozen=True)
class Counts:
    """Pixels of the test pictures, or of groups of them.

    Attributes:
        groups: N names.
        classes: C names.
        pixels: (N, 3, C) right, true and predicted pixels.
    """

    groups: list[str]
    classes: list[str]
    pixels: np.ndarray

    def same_pictures(self, other: Counts) -> bool:
        """Whether names, classes and true pixels agree, so that the pictures can be paired."""
        return (self.groups, self.classes) == (other.groups, other.classes) and np.array_equal(
            self.pixels[:, 1], other.pixels[:, 1]
        )

    @property
    def mean_iou(self) -> float:
        return float(mean_over_present(iou_from_counts(self.pixels.sum(axis=0))))


def parse_counts(content: bytes, where: str) -> Counts:
    """The table that eval_seg writes (:func:`~ae_pretrained.evaluation.segmentation_tables.write_group_counts`).

    Raises:
        PipelineError: naming ``where`` when it is something else, after a merge conflict for instance.
    """
    try:
        head, *rows = csv.reader(io.StringIO(content.decode("utf-8")))
        classes = [column.removeprefix("right_") for column in head[1 :: len(COUNTS)]]
        if head != ["group", *(f"{kind}_{name}" for name in classes for kind in COUNTS)] or not rows:
            raise ValueError
        pixels = np.array([[int(cell) for cell in row[1:]] for row in rows], dtype=np.int64)
        pixels = pixels.reshape(len(rows), len(classes), len(COUNTS)).swapaxes(1, 2)
    except ValueError:
        raise PipelineError(
            f"{where}: not a table of pixel counts as eval_seg writes it; run dvc repro"
        ) from None
    return Counts([row[0] for row in rows], classes, pixels)


def _read_counts(state: Snapshot) -> Counts | None:
    content = state.read(FILE)
    return None if content is None else parse_counts(content, f"{FILE} ({state.name})")


def paired_difference(base: Snapshot, here: Snapshot) -> tuple[float, float, float] | None:
    """Change of the mean IoU and its 95 % interval, paired over pictures; None where they cannot be paired.

    None too where every count is the same. Same states, same interval: the draws have a fixed seed.
    """
    before, after = _read_counts(base), _read_counts(here)
    if before is None or after is None or not before.same_pictures(after):
        return None
    if np.array_equal(before.pixels, after.pixels):
        return None
    low, high = mean_iou_difference(before.pixels, after.pixels, _SAMPLES, seed=0)
    return after.mean_iou - before.mean_iou, low, high

"""Whether two mean IoUs on the same test images differ by more than the choice of these images explains.

``python -m tools.review.paired BEFORE.csv AFTER.csv`` compares two tables that eval_seg wrote.
"""

from __future__ import annotations

import argparse
import csv
import io
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ae_pretrained.errors import PipelineError
from ae_pretrained.evaluation.segmenter_tables import COUNTS
from ae_pretrained.metrics.confusion import iou_from_counts, mean_over_present
from ae_pretrained.metrics.intervals import mean_iou_difference
from tools.review.revisions import Snapshot

FILE = "plots/eval_seg_counts.csv"
_SAMPLES = 2000


@dataclass(frozen=True)
class Counts:
    """Pixels of the test images, or of groups of them.

    Attributes:
        groups: N names.
        classes: C names.
        pixels: (N, 3, C) right, true and predicted pixels.
    """

    groups: list[str]
    classes: list[str]
    pixels: np.ndarray

    def same_images(self, other: Counts) -> bool:
        """Whether names, classes and true pixels agree, so that the images can be paired."""
        return (self.groups, self.classes) == (other.groups, other.classes) and np.array_equal(
            self.pixels[:, 1], other.pixels[:, 1]
        )

    @property
    def mean_iou(self) -> float:
        return float(mean_over_present(iou_from_counts(self.pixels.sum(axis=0))))


def parse_counts(content: bytes, where: str) -> Counts:
    """The table that eval_seg writes (:func:`~ae_pretrained.evaluation.segmenter_tables.write_group_counts`).

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


class Difference(NamedTuple):
    """Change of the mean IoU, and the ends of its 95 % interval."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        value, low, high = (f"{number:+.4f}".replace("-", "−") for number in self)
        verdict = (
            "may be chance"
            if self.low <= 0 <= self.high
            else "is more than the choice of the images explains"
        )
        return (
            f"Mean IoU on the same test images: {value}, 95 % interval {low} to {high} (paired bootstrap "
            f"over images). The difference {verdict}; what another seed would change is not in it."
        )


def difference(before: Counts, after: Counts) -> Difference | None:
    """The difference, or None where the images cannot be paired. The draws have a fixed seed."""
    if not before.same_images(after):
        return None
    ends = mean_iou_difference(before.pixels, after.pixels, _SAMPLES, seed=0)
    return Difference(after.mean_iou - before.mean_iou, *ends)


def paired_difference(base: Snapshot, here: Snapshot) -> Difference | None:
    """The difference of two states; None too where one has no counts, or where every count is the same."""
    contents = base.read(FILE), here.read(FILE)
    if None in contents or contents[0] == contents[1]:
        return None
    before, after = (
        parse_counts(content or b"", f"{FILE} ({state.name})")
        for content, state in zip(contents, (base, here), strict=True)
    )
    return difference(before, after)


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tools.review.paired", description=__doc__)
    parser.add_argument("before", type=Path)
    parser.add_argument("after", type=Path)
    arguments = parser.parse_args(argv)
    try:
        before, after = (
            parse_counts(path.read_bytes(), str(path)) for path in (arguments.before, arguments.after)
        )
    except (OSError, PipelineError) as error:
        print(f"ERROR: {error}", file=sys.stderr)
        return 1
    found = difference(before, after)
    if found is None:
        print(
            f"ERROR: {arguments.before} and {arguments.after}: other images, classes or masks",
            file=sys.stderr,
        )
        return 1
    print(found)
    return 0


if __name__ == "__main__":
    sys.exit(main())

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

import numpy as np

from ae_pretrained.errors import PipelineError
from ae_pretrained.evaluation.segmenter_tables import COUNTS
from ae_pretrained.metrics.confusion import iou_from_counts, mean_over_present
from ae_pretrained.metrics.intervals import mean_iou_difference

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


def compare_counts(before: tuple[bytes, str], after: tuple[bytes, str]) -> str:
    """A sentence on the difference of the mean IoU, from a paired bootstrap with a fixed seed.

    Args:
        before, after: content of a table of counts, and what errors call it.

    Raises:
        PipelineError: for a table that is none.
    """
    old, new = parse_counts(*before), parse_counts(*after)
    unlike = [
        word
        for word, same in (
            ("test images", old.groups == new.groups),
            ("classes", old.classes == new.classes),
            ("masks", np.array_equal(old.pixels[:, 1], new.pixels[:, 1])),
        )
        if not same
    ]
    if unlike:
        return f"Mean IoU on the same test images: not compared, the two tables have other {' and '.join(unlike)}."
    ends = mean_iou_difference(old.pixels, new.pixels, _SAMPLES, seed=0)
    value, low, high = (f"{n:+.4f}".replace("-", "−") for n in (new.mean_iou - old.mean_iou, *ends))
    chance = ends[0] <= 0 <= ends[1]
    verdict = "may be chance" if chance else "is more than the choice of the images explains"
    return (
        f"Mean IoU on the same test images: {value}, 95 % interval {low} to {high} (paired bootstrap over images). "
        f"The difference {verdict}; what another seed would change is not in it."
    )


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tools.review.paired", description=__doc__)
    parser.add_argument("before", type=Path)
    parser.add_argument("after", type=Path)
    arguments = parser.parse_args(argv)
    try:
        before, after = ((path.read_bytes(), str(path)) for path in (arguments.before, arguments.after))
        print(compare_counts(before, after))
    except (OSError, PipelineError) as error:
        print(f"ERROR: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

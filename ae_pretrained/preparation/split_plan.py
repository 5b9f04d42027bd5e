"""From decoded images to splits: what belongs together is found first, and then goes into one split."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ae_pretrained.params.data_params import DataParams
from ae_pretrained.preparation.assignment import (
    PairRow,
    SplitAssignment,
    assign_splits,
    check_classes,
    is_trainable,
    remove_leaks,
    with_class_names,
)
from ae_pretrained.preparation.decoding import Outcome
from ae_pretrained.preparation.duplicates import Duplicates, find_duplicates
from ae_pretrained.preparation.empty_split import require_images, require_splits
from ae_pretrained.preparation.split_warnings import split_warnings
from ae_pretrained.sources.base import Sample


@dataclass(frozen=True)
class SplitPlan:
    """Which image is in which split, and why.

    Attributes:
        samples: every sample, with its class and its group.
        assignment: rows of every split, and what was left out.
        duplicates: groups of rows that are near-identical.
        pairs: near-duplicates that are listed, and what was done about them.
        warnings: what is no error, but should be known.
    """

    samples: list[Sample]
    assignment: SplitAssignment
    duplicates: list[list[int]]
    pairs: list[PairRow]
    warnings: list[str]


def plan_splits(
    samples: Sequence[Sample], outcomes: Sequence[Outcome], thumbnails: Path, params: DataParams, seed: int
) -> SplitPlan:
    """Find what belongs together, draw the splits that the source leaves open, take leaks out, check the result.

    Args:
        samples, outcomes: every image and what came of it.
        thumbnails: ``.npy`` of (N, 32, 32) uint8 grey values.
        params: shares, near-duplicates, classes.
        seed: of the draws.

    Raises:
        DataError: for an empty split, or a class that no training mask holds. Where no image has a mask, all of them
            are for the autoencoder alone, and a warning says so.
    """
    rows, duplicates = _find_duplicates(samples, outcomes, thumbnails, params)
    alike = [[rows[place] for place in group] for group in duplicates.groups]
    groups = group_rows(samples, alike)
    named = with_group_names(with_class_names(samples, outcomes, params.classes), groups)
    assignment = assign_splits(named, outcomes, groups, params, seed)
    pairs = remove_leaks(assignment, duplicates, rows, named)
    if any(sample.mask is not None for sample in samples):
        require_splits(named, assignment, groups, alike, params)
        warnings = check_classes(assignment, outcomes, params)
    else:
        require_images(assignment)
        warnings = [
            f"no image has a mask: all {len(assignment.splits['unlabelled'])} are for the autoencoder alone; after "
            "`dvc repro train_ae`, `ae-pretrained label-next 20 --hold-out 0.2` chooses which to label"
        ]
    warnings += split_warnings(samples, assignment, params)
    return SplitPlan(named, assignment, alike, pairs, warnings)


def _find_duplicates(
    samples: Sequence[Sample], outcomes: Sequence[Outcome], thumbnails: Path, params: DataParams
) -> tuple[list[int], Duplicates]:
    check = params.leak_check
    if not check.enabled:
        return [], Duplicates([], [])
    rows = comparable_rows(samples, outcomes)
    compared = np.load(thumbnails, mmap_mode="r")
    if len(rows) < len(compared):
        compared = compared[rows]
    return rows, find_duplicates(compared, check.hash_distance, check.pixel_distance)


def comparable_rows(samples: Sequence[Sample], outcomes: Sequence[Outcome]) -> list[int]:
    """Rows of the samples that will be in a split, in which near-duplicates are to be looked for."""
    return [
        row
        for row, (sample, outcome) in enumerate(zip(samples, outcomes, strict=True))
        if outcome.error is None and (outcome.mask_problem is None or is_trainable(sample))
    ]


def group_rows(samples: Sequence[Sample], duplicates: Sequence[Sequence[int]]) -> list[int]:
    """What belongs together: the samples of one group of the source, and near-duplicates.

    Args:
        samples: every sample.
        duplicates: groups of rows that are near-identical.

    Returns:
        For every row the first row of its group; a row that stands alone has its own number.
    """
    first = list(range(len(samples)))

    def root(row: int) -> int:
        while first[row] != row:
            first[row] = first[first[row]]
            row = first[row]
        return row

    by_source: dict[str, int] = {}
    links = [(by_source.setdefault(s.group, row), row) for row, s in enumerate(samples) if s.group]
    for one, two in [*links, *((group[0], row) for group in duplicates for row in group[1:])]:
        low, high = sorted((root(one), root(two)))
        first[high] = low
    return [root(row) for row in range(len(samples))]


def with_group_names(samples: Sequence[Sample], groups: Sequence[int]) -> list[Sample]:
    """Samples of larger groups that the source does not name get the name of the first image of the group."""
    sizes = Counter(groups)
    named: dict[int, str] = {}
    for sample, group in zip(samples, groups, strict=True):
        if sample.group:
            named.setdefault(group, sample.group)
    return [
        replace(sample, group=named.get(group, samples[group].name)) if sizes[group] > 1 else sample
        for sample, group in zip(samples, groups, strict=True)
    ]

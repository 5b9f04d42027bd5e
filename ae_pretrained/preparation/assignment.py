"""Which image goes into which split, and which into none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np

from ae_pretrained.params.data_params import DataParams
from ae_pretrained.preparation.decoding import Outcome, unusable
from ae_pretrained.preparation.duplicates import Pair
from ae_pretrained.preparation.splits import Stratum, holdout
from ae_pretrained.sources.base import DataError, Finding, Sample

SPLITS = ("train", "val", "test", "unlabelled")
# Who gives way when two near-duplicates are in different splits: the one that stands first here.
_REMOVAL_ORDER = ("unlabelled", "train", "val", "test")
_TRAINED_ON = ("unlabelled", "train")
_VAL_STREAM, _TEST_STREAM = 1, 3


class LeftOut(NamedTuple):
    """One line of ``left_out.csv``."""

    split: str
    name: str
    reason: str
    detail: str


class PairRow(NamedTuple):
    """Near-duplicates and what was done about them."""

    pair: Pair
    first: str
    first_split: str
    second: str
    second_split: str
    action: str


@dataclass
class SplitAssignment:
    """Rows (positions among the samples) of every split, and what was left out."""

    splits: dict[str, list[int]] = field(default_factory=lambda: {name: [] for name in SPLITS})
    left_out: list[LeftOut] = field(default_factory=list)

    def split_of(self) -> dict[int, str]:
        """The split of every row that is in one."""
        return {row: name for name, rows in self.splits.items() for row in rows}


def stratum_of(sample: Sample) -> Stratum:
    """What splits are stratified by."""
    return sample.class_name, sample.breed


def with_class_names(
    samples: Sequence[Sample], outcomes: Sequence[Outcome], classes: Sequence[str]
) -> list[Sample]:
    """Samples whose source does not know the class get the foreground class that covers most of their mask."""
    known = []
    for sample, outcome in zip(samples, outcomes, strict=True):
        foreground = outcome.pixels[1 : len(classes)]
        if not sample.class_name and any(foreground):
            sample = replace(sample, class_name=classes[1 + int(np.argmax(foreground))])
        known.append(sample)
    return known


def left_out_by_source(findings: Sequence[Finding], params: DataParams) -> list[LeftOut]:
    """What a source found to be no image; raises DataError for the first fault, unless faults are skipped."""
    for finding in findings:
        if finding.fault and params.on_error == "stop":
            raise unusable(finding.detail)
    return [LeftOut(item.split, item.name, item.reason, item.detail) for item in findings]


def assign_splits(
    samples: Sequence[Sample], outcomes: Sequence[Outcome], params: DataParams, seed: int
) -> SplitAssignment:
    """Put every usable image into its split; draw test and val where the source leaves them open.

    An image whose mask is of no use is not evaluated; the autoencoder may still train on it, unless it is one
    of val or test.
    """
    plan = SplitAssignment()
    usable: dict[str, list[int]] = {}
    for row, (sample, outcome) in enumerate(zip(samples, outcomes, strict=True)):
        if outcome.error is not None:
            plan.left_out.append(LeftOut(sample.split, sample.name, "unusable file", outcome.error))
        elif outcome.mask_problem is not None:
            trainable = sample.split not in ("val", "test")
            where = "kept for the autoencoder alone" if trainable else "not evaluated"
            plan.left_out.append(LeftOut(sample.split, sample.name, outcome.mask_problem, where))
            if trainable:
                plan.splits["unlabelled"].append(row)
        else:
            usable.setdefault(sample.split, []).append(row)
    brings_val = any(sample.split == "val" for sample in samples)
    if rest := usable.pop("rest", []):
        drawn, others = _draw(rest, samples, params.test_fraction, seed, _TEST_STREAM)
        usable.setdefault("test", []).extend(drawn)
        usable.setdefault("train" if brings_val else "trainval", []).extend(others)
    if trainval := usable.pop("trainval", []):
        drawn, others = _draw(trainval, samples, params.val_fraction, seed, _VAL_STREAM)
        usable.setdefault("val", []).extend(drawn)
        usable.setdefault("train", []).extend(others)
    for name, rows in usable.items():
        plan.splits[name] = sorted(plan.splits[name] + rows)
    return plan


def _draw(
    rows: list[int], samples: Sequence[Sample], fraction: float, seed: int, stream: int
) -> tuple[list[int], list[int]]:
    held = holdout([stratum_of(samples[row]) for row in rows], fraction, seed, stream)
    drawn = {rows[position] for position in held}
    return sorted(drawn), [row for row in rows if row not in drawn]


def remove_leaks(
    plan: SplitAssignment, pairs: Sequence[Pair], rows: Sequence[int], samples: Sequence[Sample]
) -> list[PairRow]:
    """Where near-duplicates are in different splits, take the less precious one out of the plan.

    Args:
        plan: changed in place.
        pairs: near-duplicates, as positions in ``rows``.
        rows: rows that were compared.
        samples: every sample.

    Returns:
        Every pair and what was done about it.
    """
    split_of = plan.split_of()
    gone: set[int] = set()
    table = []
    for pair in pairs:
        one, two = rows[pair.first], rows[pair.second]
        splits = {split_of[one], split_of[two]}
        if len(splits) == 1:
            action = "kept: same split"
        elif splits <= set(_TRAINED_ON):
            action = "kept: both are trained on"
        else:
            loser, keeper = sorted((one, two), key=lambda row: _REMOVAL_ORDER.index(split_of[row]))
            action = f"{samples[loser].name} taken out of {split_of[loser]}"
            if loser not in gone:
                gone.add(loser)
                plan.splits[split_of[loser]].remove(loser)
                detail = f"near-duplicate of {samples[keeper].name} in {split_of[keeper]}"
                plan.left_out.append(LeftOut(split_of[loser], samples[loser].name, "near-duplicate", detail))
        table.append(
            PairRow(pair, samples[one].name, split_of[one], samples[two].name, split_of[two], action)
        )
    return table


def check_splits(plan: SplitAssignment, outcomes: Sequence[Outcome], params: DataParams) -> list[str]:
    """Refuse a plan with an empty split or with a class that no training mask holds.

    Returns:
        Warnings: classes that val or test never show, whose figures there mean nothing.

    Raises:
        DataError: naming the split or the class, and what to do.
    """
    for name in ("train", "val", "test"):
        if not plan.splits[name]:
            reasons = sorted({item.reason for item in plan.left_out})
            because = f"; left out elsewhere: {', '.join(reasons)}" if reasons else ""
            share = {"val": "val_fraction", "test": "test_fraction"}.get(name)
            advice = f"; bring more images, a list that names some, or raise data.{share}" if share else ""
            raise DataError(f"the {name} split is empty (data.source={params.source}){because}{advice}")
    warnings = []
    for name in ("train", "val", "test"):
        pixels = np.sum([outcomes[row].pixels for row in plan.splits[name]], axis=0)
        absent = [label for label, count in zip(params.classes, pixels, strict=False) if count == 0]
        if absent and name == "train":
            raise DataError(
                f"data.classes: no mask of the train split holds {', '.join(map(repr, absent))} "
                f"({len(plan.splits[name])} masks looked at); check the masks and the order of data.classes, or "
                "take the name out"
            )
        warnings += [
            f"no mask of the {name} split holds {label!r}: its figures there mean nothing" for label in absent
        ]
    return warnings

"""Which image goes into which split, and which into none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np

from ae_pretrained.params.data_params import DataParams
from ae_pretrained.preparation.decoding import Outcome, unusable
from ae_pretrained.preparation.duplicates import Duplicates, Pair
from ae_pretrained.preparation.splits import Stratum, holdout
from ae_pretrained.sources.base import DataError, Finding, Sample

SPLITS = ("train", "val", "test", "unlabelled")
# Who gives way when two near-duplicates are in different splits: the one that stands first here.
_REMOVAL_ORDER = ("unlabelled", "train", "val", "test")
NEAR_DUPLICATE = "near-duplicate"  # why an image is left out
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


def is_trainable(sample: Sample) -> bool:
    """Whether the autoencoder may train on an image without a usable mask."""
    return sample.split not in ("val", "test")


def assign_splits(
    samples: Sequence[Sample],
    outcomes: Sequence[Outcome],
    groups: Sequence[int],
    params: DataParams,
    seed: int,
) -> SplitAssignment:
    """Put every usable image into its split; draw test and val where the source leaves them open, by whole groups.

    An image whose mask is of no use is not evaluated; the autoencoder may still train on it, unless it is one
    of val or test.

    Args:
        samples, outcomes: every image and what came of it.
        groups: for every row the first row of what belongs together.
        params: shares of test and val.
        seed: of the draws.
    """
    plan = SplitAssignment()
    usable: dict[str, list[int]] = {}
    for row, (sample, outcome) in enumerate(zip(samples, outcomes, strict=True)):
        if outcome.error is not None:
            plan.left_out.append(LeftOut(sample.split, sample.name, "unusable file", outcome.error))
        elif outcome.mask_problem is not None:
            where = "kept for the autoencoder alone" if is_trainable(sample) else "not evaluated"
            plan.left_out.append(LeftOut(sample.split, sample.name, outcome.mask_problem, where))
            if is_trainable(sample):
                plan.splits["unlabelled"].append(row)
        else:
            usable.setdefault(sample.split, []).append(row)
    brings_val = any(sample.split == "val" for sample in samples)

    def draw(rows: list[int], fraction: float, stream: int) -> tuple[list[int], list[int]]:
        strata, together = [stratum_of(samples[row]) for row in rows], [groups[row] for row in rows]
        drawn = {rows[position] for position in holdout(strata, fraction, seed, stream, together)}
        return sorted(drawn), [row for row in rows if row not in drawn]

    if rest := usable.pop("rest", []):
        drawn, others = draw(rest, params.test_fraction, _TEST_STREAM)
        usable.setdefault("test", []).extend(drawn)
        usable.setdefault("train" if brings_val else "trainval", []).extend(others)
    if trainval := usable.pop("trainval", []):
        drawn, others = draw(trainval, params.val_fraction, _VAL_STREAM)
        usable.setdefault("val", []).extend(drawn)
        usable.setdefault("train", []).extend(others)
    for name, rows in usable.items():
        plan.splits[name] = sorted(plan.splits[name] + rows)
    return plan


def remove_leaks(
    plan: SplitAssignment, duplicates: Duplicates, rows: Sequence[int], samples: Sequence[Sample]
) -> list[PairRow]:
    """Where a group of near-duplicates is in different splits, take the less precious ones out of the plan.

    Args:
        plan: changed in place.
        duplicates: groups and pairs, as positions in ``rows``.
        rows: rows that were compared.
        samples: every sample.

    Returns:
        The pairs that are listed and what was done about them.
    """
    split_of = plan.split_of()
    direct: dict[int, list[int]] = {}
    for pair in duplicates.pairs:
        direct.setdefault(pair.first, []).append(pair.second)
        direct.setdefault(pair.second, []).append(pair.first)
    actions: dict[int, str] = {}
    for group in duplicates.groups:
        splits = {split_of[rows[place]] for place in group}
        if splits <= set(_TRAINED_ON):
            continue
        kept = max(splits, key=_REMOVAL_ORDER.index)
        keepers = [place for place in group if split_of[rows[place]] == kept]
        for place in group:
            row, split = rows[place], split_of[rows[place]]
            if split == kept:
                continue
            linked = next((other for other in direct.get(place, []) if other in keepers), keepers[0])
            plan.splits[split].remove(row)
            detail = f"near-duplicate of {samples[rows[linked]].name} in {kept}"
            plan.left_out.append(LeftOut(split, samples[row].name, NEAR_DUPLICATE, detail))
            actions[row] = f"{samples[row].name} taken out of {split}"
    table = []
    for pair in duplicates.pairs:
        one, two = rows[pair.first], rows[pair.second]
        done = [actions[row] for row in (one, two) if row in actions]
        same = "same split" if split_of[one] == split_of[two] else "both are trained on"
        action = "; ".join(done) if done else f"kept: {same}"
        table.append(
            PairRow(pair, samples[one].name, split_of[one], samples[two].name, split_of[two], action)
        )
    return table


def _at_scale(params: DataParams) -> str:
    return f" at data.scale {params.scale:g}, which may be too small for it" if params.scale < 1 else ""


def check_classes(plan: SplitAssignment, outcomes: Sequence[Outcome], params: DataParams) -> list[str]:
    """Refuse a plan with a class that no training mask holds.

    Returns:
        Warnings: classes that val or test never show, whose figures there mean nothing.

    Raises:
        DataError: naming the class, and what to do.
    """
    warnings = []
    for name in ("train", "val", "test"):
        pixels = np.sum([outcomes[row].pixels for row in plan.splits[name]], axis=0)
        absent = [label for label, count in zip(params.classes, pixels, strict=False) if count == 0]
        if absent and name == "train":
            raise DataError(
                f"data.classes: no mask of the train split holds {', '.join(map(repr, absent))} "
                f"({len(plan.splits[name])} masks looked at{_at_scale(params)}); check the masks and the order of "
                "data.classes, or take the name out"
            )
        warnings += [
            f"no mask of the {name} split holds {label!r}: its figures there mean nothing" for label in absent
        ]
    return warnings

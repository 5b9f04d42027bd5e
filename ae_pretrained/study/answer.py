"""What a study says, in sentences that stand without its tables."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from ae_pretrained.study.grid import REFERENCE
from ae_pretrained.study.learning_curve import (
    LearningCurve,
    difference_is_clear,
    fit_learning_curve,
    gain_of_more,
    masks_saved,
)
from ae_pretrained.study.statistics import Interval

_MORE = 50  # masks that somebody might draw next
_FEWEST = 3  # scores that a curve needs
_REACH = 5  # a curve is fitted from a fifth of the masks on: over several powers of ten the law does not hold


def fitted_curves(
    cells: Sequence[dict[str, Any]], table: Sequence[dict[str, Any]]
) -> dict[str, LearningCurve]:
    """A learning curve for every arm that has the long budget of two shares or more near the largest, by arm.

    Args:
        cells: as read from their records.
        table: rows of ``summary.csv``.
    """
    long = {(row["label_fraction"], row["updates"]) for row in table if row["budget"] == "long"}
    most = max(fraction for fraction, _ in long)
    masks, scores = defaultdict(list), defaultdict(list)
    for cell in cells:
        near = cell["label_fraction"] * _REACH >= most
        if near and (cell["label_fraction"], cell["updates"]) in long:
            masks[cell["arm"]].append(int(cell["num_labelled"]))
            scores[cell["arm"]].append(float(cell["test"]["mean_iou"]))
    return {
        arm: fit_learning_curve(masks[arm], scores[arm])
        for arm in masks
        if len(scores[arm]) >= _FEWEST and len(set(masks[arm])) > 1
    }


def answer(
    table: Sequence[dict[str, Any]],
    fits: Mapping[str, LearningCurve],
    areas: Sequence[dict[str, Any]],
    titles: Mapping[str, str],
    reference: str = REFERENCE,
) -> list[str]:
    """Sentences: every arm with all masks and over all shares, what more masks would bring, what each start saves.

    Args:
        table: rows of ``summary.csv``.
        fits: learning curves by arm.
        areas: rows of ``area.csv``.
        titles: of the arms, for reading.
        reference: the arm that every other is compared with.
    """
    lines = _with_all_masks(table, titles, reference)
    other = titles.get(reference, reference)
    for row in areas:
        if row["arm"] != reference and not math.isnan(row["difference"]):
            lines.append(
                f"{row['fewest_masks']:,} to {row['most_masks']:,} masks, {titles.get(row['arm'], row['arm'])}: "
                f"{_points(_difference_of(row))} against {other} in the mean of the curve, where each doubling of "
                "the masks counts alike"
            )
    for arm, curve in fits.items():
        lines.append(_of_more(titles.get(arm, arm), curve))
    if reference in fits:
        lines += [
            _saved(titles.get(arm, arm), curve, fits[reference], other)
            for arm, curve in fits.items()
            if arm != reference and curve.largest == fits[reference].largest
        ]
    return lines


def _with_all_masks(table: Sequence[dict[str, Any]], titles: Mapping[str, str], reference: str) -> list[str]:
    most = max(row["label_fraction"] for row in table)
    lines = []
    for row in table:
        if row["label_fraction"] != most or row["budget"] != "long":
            continue
        line = f"{row['num_labelled']:,} masks, {titles.get(row['arm'], row['arm'])}: mean IoU {row['mean_iou']:.3f}"
        if row["arm"] != reference and not math.isnan(row["difference"]):
            line += f", {_points(_difference_of(row))} against {titles.get(reference, reference)}"
        lines.append(f"{line}; {row['seeds']} trainings")
    return lines


def _of_more(title: str, curve: LearningCurve) -> str:
    more = min(_MORE, curve.largest)
    gain = gain_of_more(curve, more)
    if difference_is_clear(gain):
        return f"{more} more masks, {title}: {_points(gain)}, by a power law through the scores"
    return (
        f"{more} more masks, {title}: what they would bring cannot be told from {curve.largest:,} masks "
        f"({_points(gain)})"
    )


def _saved(title: str, curve: LearningCurve, reference: LearningCurve, other: str) -> str:
    """With no more masks than were measured: what lies below the fewest is not claimed."""
    saved, now = masks_saved(curve, reference), reference.largest
    if not difference_is_clear(saved):
        return f"{title}: whether it saves masks here cannot be told from {now:,} masks"
    if saved.mean <= 0:
        return (
            f"{title}: saves no masks here, and needs more than {now:,} for the mean IoU of {now:,} {other}"
        )
    if saved.mean >= now - curve.smallest:
        return (
            f"{title}: saves {now - curve.smallest:,} of {now:,} masks here, or more (fewer were not tried)"
        )
    ends = [min(max(end, -now), now - curve.smallest) for end in (saved.low, saved.high)]
    interval = f"95 % interval {ends[0]:,.0f} to {ends[1]:,.0f}"
    return f"{title}: saves about {saved.mean:,.0f} of {now:,} masks here ({interval})"


def _difference_of(row: Mapping[str, Any]) -> Interval:
    return Interval(row["difference"], row["difference_low"], row["difference_high"])


def _points(interval: Interval) -> str:
    """A difference of mean IoU in points."""
    # Adding 0 makes +0.0 of -0.0.
    mean, low, high = (
        f"{round(100 * value, 1) + 0.0:+.1f}" for value in (interval.mean, interval.low, interval.high)
    )
    return f"{mean} points" if math.isnan(interval.low) else f"{mean} points (95 % interval {low} to {high})"

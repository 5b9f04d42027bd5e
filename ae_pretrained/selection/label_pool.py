"""Which images may be chosen, which are labelled, and which of val and test and their groups stay out of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ae_pretrained.dataset.arrays import Split
from ae_pretrained.params.schema import Params
from ae_pretrained.preparation.cleaning import NO_FOREGROUND
from ae_pretrained.selection.frozen_splits import HoldOut, SelectionError, draw_hold_out
from ae_pretrained.sources.base import Sample

MOST_RANKED = 10_000  # images that are compared; of more, a seeded sample
_STREAM = 5


@dataclass(frozen=True)
class LabelPool:
    """The images that are compared, in order of name, as positions in the split and by whether they may be chosen."""

    split: Split
    rows: np.ndarray
    candidate: np.ndarray
    counted: np.ndarray

    @property
    def names(self) -> list[str]:
        return [self.split.column("name")[row] for row in self.rows.tolist()]


def check_arrays(split: Split, params: Params) -> None:
    whole = params.data.resize == "crop"
    found = "whole" if split.is_packed else f"at {split.images.shape[1]} px"
    expected = "whole" if whole else f"at {params.data.image_size} px"
    if found != expected:
        raise SelectionError(
            f"data/processed: images are prepared {found}, params.yaml wants them {expected} (data.resize, "
            "data.image_size); run `dvc repro`"
        )


def _may_be_labelled(sample: Sample | None, flag: str) -> bool:
    """Whether an image without a usable mask is still without one: there may be new masks since prepare ran."""
    return sample is not None and (sample.split == "unlabelled" or flag == NO_FOREGROUND)


def hold_out_of(
    split: Split, held: dict[str, Split], samples: dict[str, Sample], share: float, seed: int, total: int
) -> HoldOut:
    """Val and test as they were prepared, filled up with images that belong to none of train."""
    groups, splits = split.column("group"), split.column("split")
    trained = {group for group, name in zip(groups, splits, strict=True) if name == "train" and group}
    pool = [
        (name, group)
        for name, group, part, flag in zip(
            split.column("name"), groups, splits, split.column("flags"), strict=True
        )
        if part == "unlabelled"
        and group not in trained
        and not name.startswith("unlabelled/")
        and _may_be_labelled(samples.get(name), flag)
    ]
    present = {name: list(held[name].column("name")) if name in held else [] for name in ("val", "test")}
    return draw_hold_out(
        present, [name for name, _ in pool], [group for _, group in pool], share, total, seed
    )


def pool_of(
    split: Split,
    held: dict[str, Split],
    samples: dict[str, Sample],
    drawn: HoldOut | None,
    seed: int,
    notes: list[str],
) -> LabelPool:
    """What is compared: labelled images of train, and images that may be chosen for it."""
    names = split.column("name")
    groups = split.column("group")
    out = set(drawn.unlabelled) if drawn else set()
    taken = {group for part in held.values() for group in part.column("group") if group}
    taken |= {group for name, group in zip(names, groups, strict=True) if name in out and group}
    of_held = gone = 0
    kept, candidate = [], []
    for row in sorted(range(len(split)), key=names.__getitem__):
        name, sample = names[row], samples.get(names[row])
        if split.column("split")[row] == "train":
            kept.append(row)
            candidate.append(False)
        elif name in out:
            continue
        elif sample is None:
            gone += 1
        elif groups[row] in taken:
            of_held += 1
        else:
            kept.append(row)
            candidate.append(_may_be_labelled(sample, split.column("flags")[row]))
    if gone:
        notes.append(f"{gone} prepared images are no longer in the data, or not in train: passed over")
    if of_held:
        notes.append(f"{of_held} images belong to a group of val or test: passed over")
    rows, may = np.array(kept), np.array(candidate, dtype=bool)
    counted = np.ones(len(rows), dtype=bool)
    if len(rows) > MOST_RANKED:
        notes.append(
            f"{len(rows):,} images: a sample of {MOST_RANKED:,}, drawn by seed, is ranked; labelled images all count"
        )
        counted = np.random.default_rng([seed, _STREAM]).permutation(len(rows)) < MOST_RANKED
        kept_too = counted | ~may
        rows, may, counted = rows[kept_too], may[kept_too], counted[kept_too]
    return LabelPool(split, rows, may, counted)

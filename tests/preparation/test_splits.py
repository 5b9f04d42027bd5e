from __future__ import annotations

from collections import Counter
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from ae_pretrained.dataset.arrays import Split
from ae_pretrained.preparation.assignment import stratum_of
from ae_pretrained.preparation.splits import holdout, nested_order
from ae_pretrained.sources.oxford import OxfordSource

STRATA = [("cat", f"c{n % 4}") for n in range(120)] + [("dog", f"d{n % 9}") for n in range(240)]


def test_holdout_takes_its_share_of_every_stratum() -> None:
    held = holdout(STRATA, 0.2, seed=3)
    assert len(held) == 72
    assert len(set(held.tolist())) == 72
    counts, totals = Counter(STRATA[row] for row in held), Counter(STRATA)
    for stratum, total in totals.items():
        assert abs(counts[stratum] - 0.2 * total) < 1
    assert held.tolist() == holdout(STRATA, 0.2, seed=3).tolist()
    assert held.tolist() != holdout(STRATA, 0.2, seed=4).tolist()


def test_holdout_of_strata_too_small_for_one_each_keeps_the_total() -> None:
    strata = [("cat", str(n)) for n in range(50)]
    assert len(holdout(strata, 0.1, seed=0)) == 5


def test_holdout_never_divides_a_group() -> None:
    """Ten patients of 3 to 12 slices: whole patients are drawn, about as many slices as asked for."""
    sizes = [3, 12, 5, 7, 4, 9, 6, 8, 5, 11]
    patients = [patient for patient, size in enumerate(sizes) for _ in range(size)]
    for seed in range(20):
        held = {patients[row] for row in holdout([("lung", "")] * len(patients), 0.2, seed, groups=patients)}
        total = sum(sizes[patient] for patient in held)
        assert sorted(holdout([("lung", "")] * len(patients), 0.2, seed, groups=patients)) == [
            row for row, patient in enumerate(patients) if patient in held
        ]
        assert abs(total - 14) <= 6, "half of the largest group"


def test_images_that_stand_alone_are_drawn_as_without_groups() -> None:
    alone = holdout(STRATA, 0.2, seed=3, groups=list(range(len(STRATA))))
    assert alone.tolist() == holdout(STRATA, 0.2, seed=3).tolist()


@pytest.mark.parametrize("sizes", [[30, 30], [1, 59], [20, 20, 20]])
def test_of_few_large_groups_some_are_held_out_and_some_are_not(sizes: list[int]) -> None:
    groups = [group for group, size in enumerate(sizes) for _ in range(size)]
    held = holdout([("a", "")] * 60, 0.1, seed=0, groups=groups)
    assert 0 < len(held) < 60


@pytest.mark.parametrize("count", [3, 9, 31, 90, 200])
def test_every_prefix_is_stratified(count: int) -> None:
    order = nested_order(STRATA, seed=0)
    assert sorted(order) == list(range(len(STRATA)))
    chosen = [STRATA[row] for row in np.flatnonzero(order < count)]
    classes = Counter(name for name, _ in chosen)
    assert abs(classes["cat"] - count / 3) <= 1
    for name, breeds in (("cat", 4), ("dog", 9)):
        counts = Counter(breed for shown, breed in chosen if shown == name)
        assert max(counts.values(), default=0) - (min(counts.values()) if len(counts) == breeds else 0) <= 2


def test_shares_are_nested() -> None:
    order = nested_order(STRATA, seed=0)
    images = np.zeros((len(STRATA), 1, 1, 3), np.uint8)
    split = Split(images, images[..., 0], {"label_order": [str(rank) for rank in order]})
    shares = [set(split.labelled(fraction).tolist()) for fraction in (0.01, 0.05, 0.1, 0.5, 1.0)]
    assert [len(share) for share in shares] == [4, 18, 36, 180, 360]
    for small, large in pairwise(shares):
        assert small < large


def test_one_percent_of_real_breeds_holds_both_classes(oxford_128: Path) -> None:
    samples = OxfordSource(oxford_128, ["background", "cat", "dog"]).listing().samples
    strata = [stratum_of(sample) for sample in samples if sample.split == "trainval"]
    order = nested_order(strata, seed=0)
    for share in (31, 156, 312):
        chosen = [strata[row] for row in np.flatnonzero(order < share)]
        cats = sum(name == "cat" for name, _ in chosen)
        assert abs(cats - share * sum(name == "cat" for name, _ in strata) / len(strata)) <= 1
        breeds = Counter(chosen)
        assert max(breeds.values()) - min(breeds[stratum] for stratum in set(strata)) <= (
            1 if share < 37 else 2
        )

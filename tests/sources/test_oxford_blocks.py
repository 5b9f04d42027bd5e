"""Val in blocks of neighbouring numbers: siblings of an image in train are not in val."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest

from ae_pretrained.preparation.assignment import assign_splits
from ae_pretrained.preparation.decoding import Outcome
from ae_pretrained.preparation.split_plan import group_rows
from ae_pretrained.sources.base import DataError, Sample
from ae_pretrained.sources.oxford import in_blocks
from tests.processed import tiny_params

OUTCOME = Outcome(None, None, (64, 64), (0, 0, 32, 32), (500, 300, 200, 24))
BREEDS = ("Abyssinian", "beagle", "pug")


def listed() -> list[Sample]:
    """Three breeds as the official lists have them: some numbers are missing, the order is that of the text."""
    samples = []
    for breed in BREEDS:
        for number in sorted((n for n in range(1, 121) if n % 7), key=str):
            split = "trainval" if number <= 60 else "test"
            name = f"{breed}_{number}"
            samples.append(Sample(name, Path(name), Path(name), split, "cat", breed))  # type: ignore[arg-type]
    return samples


def val_of(samples: list[Sample]) -> set[str]:
    params = tiny_params(data__val_fraction=0.2, data__source="oxford_iiit_pet").data
    plan = assign_splits(samples, [OUTCOME] * len(samples), group_rows(samples, []), params, seed=0)
    assert {samples[row].name for row in plan.splits["test"]} == {
        s.name for s in samples if s.split == "test"
    }
    return {samples[row].name for row in plan.splits["val"]}


def divided(samples: list[Sample], val: set[str]) -> int:
    """Neighbours by number of which one is in train and one in val."""
    count = 0
    for breed in BREEDS:
        numbers = sorted(
            int(s.name.rpartition("_")[2]) for s in samples if s.breed == breed and s.split == "trainval"
        )
        count += sum((f"{breed}_{a}" in val) != (f"{breed}_{b}" in val) for a, b in pairwise(numbers))
    return count


def test_val_is_drawn_in_blocks_of_neighbours() -> None:
    samples = in_blocks(listed(), 5)
    one_by_one, in_groups = val_of(listed()), val_of(samples)
    assert abs(len(in_groups) - len(one_by_one)) <= 5
    for breed in BREEDS:
        assert any(name.startswith(breed) for name in in_groups), "still stratified"
    members: dict[str, list[int]] = {}
    for sample in samples:
        if sample.split == "trainval":
            members.setdefault(sample.group, []).append(int(sample.name.rpartition("_")[2]))
            assert sample.group.startswith(f"block of {sample.breed}_")
        else:
            assert sample.group == "", "test is not drawn"
    known = [number for number in range(1, 61) if number % 7]
    for numbers in members.values():
        first = known.index(min(numbers))
        assert sorted(numbers) == known[first : first + 5], "neighbours, whatever the order of the list"
    for group in members:
        names = {sample.name for sample in samples if sample.group == group}
        assert names <= in_groups or not names & in_groups
    assert divided(samples, in_groups) < divided(samples, one_by_one) / 2


def test_a_name_without_a_number_is_refused() -> None:
    sample = Sample("beagle_last", Path("a"), Path("b"), "trainval", "dog", "beagle")
    with pytest.raises(DataError, match=r"beagle_last: data\.val_blocks needs names that end in a number"):
        in_blocks([sample], 5)

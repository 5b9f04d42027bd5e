from __future__ import annotations

import itertools

import numpy as np

from ae_pretrained.selection.facility_location import (
    facility_location,
    in_order,
    nearest_cosines,
    shares_stood_for,
)


def directions(count: int, seed: int = 0, width: int = 8) -> np.ndarray:
    values = np.random.default_rng(seed).normal(size=(count, width))
    return values / np.linalg.norm(values, axis=1, keepdims=True)


def covered(embeddings: np.ndarray, chosen: list[int]) -> float:
    return float(nearest_cosines(embeddings, np.array(chosen)).sum())


def naive(embeddings: np.ndarray, covering: list[int], candidates: list[int], count: int) -> list[int]:
    """The definition: whatever raises the sum most, all of them tried."""
    chosen: list[int] = []
    for _ in range(count):
        left = [place for place in candidates if place not in chosen]
        chosen.append(max(left, key=lambda place: covered(embeddings, [*covering, *chosen, place])))
    return chosen


def test_lazy_is_greedy() -> None:
    embeddings = directions(300)
    covering, candidates = np.arange(7), np.arange(7, 300)
    found = facility_location(embeddings, covering, candidates, 25)
    assert found == naive(embeddings, covering.tolist(), candidates.tolist(), 25)


def test_within_the_bound_of_the_best() -> None:
    embeddings = directions(14)
    every = np.arange(14)
    found = covered(embeddings, facility_location(embeddings, every[:0], every, 3)) + 14
    best = max(covered(embeddings, list(part)) for part in itertools.combinations(range(14), 3)) + 14
    assert found >= (1 - 1 / np.e) * best


def test_two_calls_of_20_are_one_of_40() -> None:
    embeddings = directions(700, width=64)
    labelled, rest = np.arange(30), np.arange(30, 700)
    whole = facility_location(embeddings, labelled, rest, 40)
    first = facility_location(embeddings, labelled, rest, 20)
    now = np.concatenate([labelled, first])
    second = facility_location(embeddings, now, np.setdiff1d(rest, first), 20)
    assert [*first, *second] == whole


def test_near_duplicates_are_chosen_once_and_not_of_labelled_ones() -> None:
    embeddings = directions(40)
    twins = np.concatenate([embeddings, embeddings + 1e-4 * directions(40, seed=1)])
    twins /= np.linalg.norm(twins, axis=1, keepdims=True)
    labelled, rest = np.arange(5), np.arange(5, 80)
    for found in (facility_location(twins, labelled, rest, 75), in_order(twins, labelled, rest, 75)):
        assert sorted(place % 40 for place in found) == list(range(5, 40))


def test_shares_are_those_of_the_nearest() -> None:
    embeddings = directions(60)
    labelled, counted, chosen = np.arange(3), np.arange(3, 60), [10, 20]
    owners = [max([0, 1, 2, *chosen], key=lambda place: embeddings[i] @ embeddings[place]) for i in counted]
    expected = [owners.count(place) / 57 for place in chosen]
    assert np.allclose(shares_stood_for(embeddings, labelled, chosen, counted), expected)
    assert sum(expected) < 1, "labelled images stand for some"

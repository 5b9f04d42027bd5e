from __future__ import annotations

import numpy as np
import pytest

from ae_pretrained.selection.strategies import SHORTLIST, STRATEGIES, Strategy, choose
from tests.selection.test_facility_location import directions


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_candidates_alone_each_once_and_the_same_again(strategy: Strategy) -> None:
    embeddings = directions(120)
    labelled, candidates = np.arange(0, 120, 6), np.setdiff1d(np.arange(120), np.arange(0, 120, 6))
    entropy = np.random.default_rng(0).random(len(candidates))
    found = [choose(strategy, embeddings, labelled, candidates, 12, 3, entropy=entropy) for _ in range(2)]
    assert found[0] == found[1]
    assert len(set(found[0])) == 12
    assert set(found[0]) <= set(candidates.tolist())


@pytest.mark.parametrize("strategy", ["coverage", "random"])
def test_nested(strategy: Strategy) -> None:
    embeddings = directions(200)
    labelled, rest = np.arange(10), np.arange(10, 200)
    first = choose(strategy, embeddings, labelled, rest, 20, 3)
    now = np.sort(np.concatenate([labelled, first]))
    second = choose(strategy, embeddings, now, np.setdiff1d(rest, first), 20, 3)
    assert [*first, *second] == choose(strategy, embeddings, labelled, rest, 40, 3)


def test_uncertain_stays_within_its_shortlist() -> None:
    embeddings, candidates = directions(100), np.arange(5, 100)
    entropy = np.random.default_rng(1).random(95)
    found = choose("uncertain", embeddings, np.arange(5), candidates, 6, 0, entropy=entropy)
    assert set(found) <= set(candidates[np.argsort(-entropy)[: SHORTLIST * 6]].tolist())


def test_stratified_draws_evenly_from_the_predicted_classes() -> None:
    embeddings, candidates = directions(100), np.arange(100)
    classes = np.array([0] * 80 + [1] * 15 + [2] * 5)
    found = choose("stratified", embeddings, np.arange(0), candidates, 15, 0, main_class=classes)
    assert np.bincount(classes[found]).tolist() == [5, 5, 5]

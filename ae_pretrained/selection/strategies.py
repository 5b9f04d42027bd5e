"""The ways to choose."""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np
from sklearn.cluster import KMeans

from ae_pretrained.selection.facility_location import facility_location, in_order

Strategy = Literal["coverage", "uncertain", "random", "stratified"]
STRATEGIES: tuple[Strategy, ...] = get_args(Strategy)
SHORTLIST = 4  # images per image that is asked for, of `uncertain`
_CLUSTERS = 10


def choose(
    strategy: Strategy,
    embeddings: np.ndarray,
    covering: np.ndarray,
    candidates: np.ndarray,
    count: int,
    seed: int,
    *,
    entropy: np.ndarray | None = None,
    main_class: np.ndarray | None = None,
) -> list[int]:
    """Positions of the images to label next, in order. Near-duplicates are passed over, so that fewer may come back.

    ``coverage`` is :func:`facility_location`. ``uncertain`` is the same within the 4 ``count`` candidates of the
    largest entropy. ``random`` is a draw that does not look at the images. ``stratified`` draws in turn from the
    classes that a segmenter predicts, or without one from ten clusters of the embeddings (k-means).

    Args:
        strategy: see above.
        embeddings: (N, K) float64 of length 1.
        covering: positions that are labelled.
        candidates: positions that may be chosen.
        count: how many.
        seed: of the draws and of k-means.
        entropy: (candidates,) of the segmenter; `uncertain` needs it.
        main_class: (candidates,) predicted; None without a segmenter.
    """
    if strategy == "coverage":
        return facility_location(embeddings, covering, candidates, count)
    if strategy == "uncertain":
        assert entropy is not None
        shortlist = np.sort(candidates[np.argsort(-entropy, kind="stable")[: SHORTLIST * count]])
        return _within(embeddings, covering, shortlist, count)
    # Of all images, so that it is the same whichever of them are labelled.
    draw = np.random.default_rng([seed, len(embeddings)]).permutation(len(embeddings))
    priority = np.argsort(draw)[candidates]
    if strategy == "random":
        return in_order(embeddings, covering, candidates[np.argsort(priority)], count)
    strata = _clusters(embeddings, candidates, seed) if main_class is None else main_class
    return in_order(embeddings, covering, candidates[_in_turn(strata, priority)], count)


def _within(embeddings: np.ndarray, covering: np.ndarray, shortlist: np.ndarray, count: int) -> list[int]:
    """Facility location that stands for the shortlist alone."""
    kept = np.concatenate([shortlist, covering])
    places = np.arange(len(kept))
    labelled = places[len(shortlist) :]
    chosen = facility_location(embeddings[kept], labelled, places[: len(shortlist)], count)
    return [int(kept[place]) for place in chosen]


def _clusters(embeddings: np.ndarray, candidates: np.ndarray, seed: int) -> np.ndarray:
    number = min(_CLUSTERS, len(candidates))
    return KMeans(number, n_init=1, random_state=seed).fit_predict(embeddings[candidates])


def _in_turn(strata: np.ndarray, priority: np.ndarray) -> np.ndarray:
    """An order of positions: the first of each stratum by priority, then the second of each, and so on."""
    turns = np.empty(len(strata), dtype=int)
    for stratum in np.unique(strata):
        members = np.flatnonzero(strata == stratum)
        turns[members[np.argsort(priority[members])]] = np.arange(len(members))
    return np.lexsort((priority, turns))

"""Images that stand for all others: greedy facility location, with what is labelled already covering.

Each image counts by its largest cosine to a chosen or labelled image; the next choice is the one that raises the sum
of these most (Nemhauser, Wolsey and Fisher, Mathematical Programming 14, 1978: at least 1 - 1/e of the best sum). The
sum is submodular: a gain only falls as more is chosen, so that a gain computed earlier is a bound (Minoux, 1978), and
the table of all pairs is never held.
"""

from __future__ import annotations

import heapq

import numpy as np

NEAR_DUPLICATE = 0.999  # cosine from which on two images are one
_BLOCK = 256  # columns of the table of cosines that are held at a time
_DIGITS = 9  # of a gain: what a sum in another order changes must not break a tie


def nearest_cosines(embeddings: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """(N,) largest cosine of each image to some of them; -1 where there are none.

    Args:
        embeddings: (N, K) float64 of length 1.
        chosen: positions.
    """
    nearest = np.full(len(embeddings), -1.0)
    for start in range(0, len(chosen), _BLOCK):
        block = embeddings[chosen[start : start + _BLOCK]]
        np.maximum(nearest, (embeddings @ block.T).max(axis=1), out=nearest)
    return nearest


def facility_location(
    embeddings: np.ndarray, covering: np.ndarray, candidates: np.ndarray, count: int
) -> list[int]:
    """Positions in the order in which they are chosen; the first 20 of 40 are what a call for 20 gives.

    Args:
        embeddings: (N, K) float64 of length 1, of all images that are to be stood for.
        covering: positions that are labelled already.
        candidates: positions that may be chosen. Near-duplicates of what covers are passed over.
        count: how many to choose; fewer come back where the candidates do not suffice.
    """
    nearest = nearest_cosines(embeddings, covering)
    heap: list[tuple[float, int, int]] = []  # minus a bound of the gain, position, how many were chosen then
    for start in range(0, len(candidates), _BLOCK):
        block = candidates[start : start + _BLOCK]
        gains = np.maximum(embeddings @ embeddings[block].T - nearest[:, None], 0.0).sum(axis=0)
        heap += [(-round(gain, _DIGITS), place, 0) for gain, place in zip(gains, block.tolist(), strict=True)]
    heapq.heapify(heap)
    chosen: list[int] = []
    while heap and len(chosen) < count:
        _, place, known = heapq.heappop(heap)
        if nearest[place] > NEAR_DUPLICATE:
            continue
        cosines = embeddings @ embeddings[place]
        if known < len(chosen):
            gain = round(float(np.maximum(cosines - nearest, 0.0).sum()), _DIGITS)
            heapq.heappush(heap, (-gain, place, len(chosen)))
            continue
        chosen.append(place)
        np.maximum(nearest, cosines, out=nearest)
    return chosen


def in_order(embeddings: np.ndarray, covering: np.ndarray, order: np.ndarray, count: int) -> list[int]:
    """The first ``count`` positions of an order that are near-duplicates neither of each other nor of what covers."""
    nearest = nearest_cosines(embeddings, covering)
    chosen: list[int] = []
    for place in order.tolist():
        if len(chosen) == count:
            break
        if nearest[place] <= NEAR_DUPLICATE:
            chosen.append(place)
            np.maximum(nearest, embeddings @ embeddings[place], out=nearest)
    return chosen


def shares_stood_for(
    embeddings: np.ndarray, covering: np.ndarray, chosen: list[int], counted: np.ndarray
) -> np.ndarray:
    """(n,) share of the counted images that are nearer to each chosen one than to any other, or to what covers."""
    similarity = embeddings[counted] @ embeddings[chosen].T
    covered = nearest_cosines(embeddings, covering)[counted] >= similarity.max(axis=1)
    owners = similarity.argmax(axis=1)[~covered]
    return np.bincount(owners, minlength=len(chosen)) / max(1, len(counted))

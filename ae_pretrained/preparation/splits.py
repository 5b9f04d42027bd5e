"""Who validates, and in which order labels are spent: seeded, and stratified by class and breed."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

Stratum = tuple[str, str]  # class name, breed


def _members(strata: Sequence[Stratum]) -> dict[Stratum, np.ndarray]:
    table: dict[Stratum, list[int]] = {}
    for position, stratum in enumerate(strata):
        table.setdefault(stratum, []).append(position)
    return {stratum: np.array(table[stratum]) for stratum in sorted(table)}


def holdout(strata: Sequence[Stratum], fraction: float, seed: int, stream: int = 1) -> np.ndarray:
    """Positions to hold out: the stated share of every stratum, as nearly as whole images allow.

    The total is exact: strata are rounded down and the largest remainders get one more.

    Args:
        strata: (class name, breed) of every image.
        fraction: share to hold out.
        seed: seed of the draw.
        stream: draws of the same seed that are to be independent of each other have different ones.

    Returns:
        Sorted positions.
    """
    rng = np.random.default_rng([seed, stream])
    members = _members(strata)
    shares = np.array([fraction * len(positions) for positions in members.values()])
    counts = np.floor(shares).astype(int)
    missing = round(fraction * len(strata)) - counts.sum()
    # Ties between remainders are broken by the draw, not by the alphabet.
    for position in np.lexsort((rng.random(len(counts)), counts - shares))[:missing]:
        counts[position] += 1
    held = [
        rng.permutation(positions)[:count] for positions, count in zip(members.values(), counts, strict=True)
    ]
    return np.sort(np.concatenate(held)) if held else np.array([], dtype=int)


def nested_order(strata: Sequence[Stratum], seed: int) -> np.ndarray:
    """A rank for every image such that the first k ranks are a stratified sample, for every k.

    Classes keep their proportions in every prefix, and within a class the breeds do. Smaller shares are
    contained in larger ones by construction.

    Returns:
        (N,) ranks, a permutation of 0 … N - 1.
    """
    rng = np.random.default_rng([seed, 2])
    within: dict[str, list[tuple[float, int]]] = {}
    for (class_name, _), positions in _members(strata).items():
        shuffled = rng.permutation(positions)
        # Evenly spaced through the order, from a random start: no breed comes first in every prefix.
        places = (np.arange(len(shuffled)) + rng.random()) / len(shuffled)
        within.setdefault(class_name, []).extend(zip(places.tolist(), shuffled.tolist(), strict=True))
    keyed: list[tuple[float, str, int]] = []
    for class_name, placed in within.items():
        ordered = sorted(placed)
        keyed += [
            ((rank + 0.5) / len(ordered), class_name, position) for rank, (_, position) in enumerate(ordered)
        ]
    ranks = np.empty(len(strata), dtype=int)
    for rank, (_, _, position) in enumerate(sorted(keyed)):
        ranks[position] = rank
    return ranks

"""Who validates, and in which order labels are spent: seeded, and stratified by species and breed."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

Group = tuple[str, str]  # species, breed


def _members(groups: Sequence[Group]) -> dict[Group, np.ndarray]:
    table: dict[Group, list[int]] = {}
    for position, group in enumerate(groups):
        table.setdefault(group, []).append(position)
    return {group: np.array(table[group]) for group in sorted(table)}


def holdout(groups: Sequence[Group], fraction: float, seed: int, stream: int = 1) -> np.ndarray:
    """Positions to hold out: the stated share of every group, as nearly as whole images allow.

    The total is exact: groups are rounded down and the largest remainders get one more.

    Args:
        groups: (species, breed) of every image.
        fraction: share to hold out.
        seed: seed of the draw.
        stream: draws of the same seed that are to be independent of each other have different ones.

    Returns:
        Sorted positions.
    """
    rng = np.random.default_rng([seed, stream])
    members = _members(groups)
    shares = np.array([fraction * len(positions) for positions in members.values()])
    counts = np.floor(shares).astype(int)
    missing = round(fraction * len(groups)) - counts.sum()
    # Ties between remainders are broken by the draw, not by the alphabet.
    for position in np.lexsort((rng.random(len(counts)), counts - shares))[:missing]:
        counts[position] += 1
    held = [
        rng.permutation(positions)[:count] for positions, count in zip(members.values(), counts, strict=True)
    ]
    return np.sort(np.concatenate(held)) if held else np.array([], dtype=int)


def nested_order(groups: Sequence[Group], seed: int) -> np.ndarray:
    """A rank for every image such that the first k ranks are a stratified sample, for every k.

    Species keep their proportions in every prefix, and within a species the breeds do. Smaller shares are
    contained in larger ones by construction.

    Returns:
        (N,) ranks, a permutation of 0 … N - 1.
    """
    rng = np.random.default_rng([seed, 2])
    within: dict[str, list[tuple[float, int]]] = {}
    for (species, _), positions in _members(groups).items():
        shuffled = rng.permutation(positions)
        # Evenly spaced through the order, from a random start: no breed comes first in every prefix.
        places = (np.arange(len(shuffled)) + rng.random()) / len(shuffled)
        within.setdefault(species, []).extend(zip(places.tolist(), shuffled.tolist(), strict=True))
    keyed: list[tuple[float, str, int]] = []
    for species, placed in within.items():
        ordered = sorted(placed)
        keyed += [
            ((rank + 0.5) / len(ordered), species, position) for rank, (_, position) in enumerate(ordered)
        ]
    ranks = np.empty(len(groups), dtype=int)
    for rank, (_, _, position) in enumerate(sorted(keyed)):
        ranks[position] = rank
    return ranks

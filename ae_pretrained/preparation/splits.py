"""Who validates, and in which order labels are spent: seeded, and stratified by class and breed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

Stratum = tuple[str, str]  # class name, breed


def _members(strata: Sequence[Stratum]) -> dict[Stratum, np.ndarray]:
    table: dict[Stratum, list[int]] = {}
    for position, stratum in enumerate(strata):
        table.setdefault(stratum, []).append(position)
    return {stratum: np.array(table[stratum]) for stratum in sorted(table)}


def holdout(
    strata: Sequence[Stratum],
    fraction: float,
    seed: int,
    stream: int = 1,
    groups: Sequence[int] | None = None,
) -> np.ndarray:
    """Positions to hold out: the stated share of every stratum, as nearly as whole groups of images allow.

    Of images that stand alone the total is exact: strata are rounded down and the largest remainders get one more.
    With larger groups it is as near as they allow; of two groups or more, neither none nor all are held out.

    Args:
        strata: (class name, breed) of every image.
        fraction: share to hold out, in (0, 1).
        seed: seed of the draw.
        stream: draws of the same seed that are to be independent of each other have different ones.
        groups: number of the group of every image; those of one group are held out together or not at all, and count
            for the stratum that most of them have. None: every image stands alone.

    Returns:
        Sorted positions.
    """
    units = _units(len(strata), groups)
    unit_strata = [Counter(strata[position] for position in unit).most_common(1)[0][0] for unit in units]
    sizes = np.array([len(unit) for unit in units], dtype=int)
    rng = np.random.default_rng([seed, stream])
    members = _members(unit_strata)
    shares = np.array([fraction * sizes[unit].sum() for unit in members.values()])
    counts = np.floor(shares).astype(int)
    missing = round(fraction * len(strata)) - counts.sum()
    # Ties between remainders are broken by the draw, not by the alphabet.
    for position in np.lexsort((rng.random(len(counts)), counts - shares))[:missing]:
        counts[position] += 1
    held: list[int] = []
    owed = 0  # images that groups of other strata were too large or too small for
    for chosen, count in zip(members.values(), counts.tolist(), strict=True):
        drawn = rng.permutation(chosen)
        reached = np.concatenate([[0], np.cumsum(sizes[drawn])])
        taken = int(np.abs(reached - (count + owed)).argmin())
        owed += count - int(reached[taken])
        held += drawn[:taken].tolist()
    held = _neither_none_nor_all(held, sizes, fraction)
    return np.array(sorted(position for unit in held for position in units[unit]), dtype=int)


def _units(length: int, groups: Sequence[int] | None) -> list[list[int]]:
    """Positions that go together, in order of their first."""
    if groups is None:
        return [[position] for position in range(length)]
    units: dict[int, list[int]] = {}
    for position, group in enumerate(groups):
        units.setdefault(group, []).append(position)
    return list(units.values())


def _neither_none_nor_all(held: list[int], sizes: np.ndarray, fraction: float) -> list[int]:
    """A few large groups may all be nearest to being held out, or none of them."""
    if len(sizes) < 2 or (sizes == 1).all() or 0 < len(held) < len(sizes):
        return held
    nearest = int(np.abs(sizes - fraction * sizes.sum()).argmin())
    return [nearest] if not held else [unit for unit in held if unit != int(sizes.argmax())]


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

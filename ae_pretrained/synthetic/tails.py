"""Tails, carried in the air or resting on the ground. Axes and units as in `body`."""

from __future__ import annotations

import numpy as np

from ae_pretrained.synthetic.breeds import CAT, Breed
from ae_pretrained.synthetic.solid import Part, Sculptor


def raised_tail(s: Sculptor, b: Breed, root: np.ndarray, rng: np.random.Generator) -> None:
    """A tail carried in the air: headings over its length, from straight back (0) over up (90 degrees)."""
    wag = rng.uniform(-1.0, 1.0)
    headings: dict[str, list[list[float]]] = {
        "cat": [[50, 85, 95, 60, 10], [10, 30, 75, 120, 160], [70, 90, 80, 95, 140], [-35, -30, 10, 50, 80]],
        "sabre": [[35, 50, 65, 75, 85], [55, 65, 75, 85, 95]],
        "curl": [[75, 110, 175, 240, 320]],
        "plume": [[5, 10, 25, 40, 50], [35, 40, 50, 60, 70]],
        "stub": [[40, 45, 50, 55, 60]],
        "low": [[-60, -50, -30, 0, 30]],
    }
    choices = headings[b.tail]
    bend = np.deg2rad(np.interp(np.linspace(0, 4, 9), np.arange(5), choices[rng.integers(len(choices))]))
    step = b.tail_length / 9
    moves = (
        np.stack([-np.cos(bend), np.sin(bend), np.full(9, 0.25 * wag) * np.linspace(0.2, 1.0, 9)], axis=1)
        * step
    )
    points = root + np.concatenate([[[0.08, -0.05, 0.0]], np.cumsum(moves, axis=0)])
    _tail_chain(s, b, points)


def resting_tail(s: Sculptor, b: Breed, root: np.ndarray, rng: np.random.Generator, forward: float) -> None:
    """A tail that lies on the ground and comes round one side; curled and stubby ones stay where they are."""
    if b.tail in ("curl", "stub"):
        raised_tail(s, b, root + [0.0, 0.30 * b.waist, 0.0], rng)
        return
    side = rng.choice([-1.0, 1.0])
    r = b.tail_width
    sweep = np.linspace(0.0, 1.0, 10)
    angle = np.deg2rad(
        np.interp(
            sweep, [0, 0.25, 0.6, 1.0], rng.choice([[0, 55, 100, 170], [10, 60, 80, 60], [0, 40, 75, 110]])
        )
    )
    moves = np.stack([-np.cos(angle), np.zeros(10), side * np.sin(angle)], axis=1) * b.tail_length / 10
    points = root + np.concatenate([[[0.1, 0.0, 0.0]], np.cumsum(moves, axis=0)])
    fall = np.interp(np.linspace(0, 1, 11), [0, 0.35, 1.0], [1, 0, 0])
    tip = np.interp(np.linspace(0, 1, 11), [0.75, 1.0], [0, 1]) * (0.22 if b.species == CAT else 0.06)
    points[:, 1] = r + (root[1] - r) * fall + tip * rng.uniform(0.2, 1.0)
    points[:, 0] = np.minimum(points[:, 0], root[0] + forward)
    _tail_chain(s, b, points)


def _tail_chain(s: Sculptor, b: Breed, points: np.ndarray) -> None:
    profile = {
        "cat": [1.15, 1.0, 0.95, 0.9, 0.72] if b.fluff < 0.6 else [0.8, 1.0, 1.15, 1.1, 0.55],
        "sabre": [1.4, 1.1, 0.85, 0.65, 0.32],
        "curl": [0.8, 1.05, 1.15, 1.05, 0.6],
        "plume": [0.85, 1.05, 1.3, 1.2, 0.45],
        "stub": [1.2, 1.1, 1.0, 0.9, 0.8],
        "low": [1.5, 1.1, 0.85, 0.7, 0.5],
    }[b.tail]
    radii = b.tail_width * np.interp(np.linspace(0, 4, len(points)), np.arange(5), profile)
    s.chain(points, list(radii), Part.TAIL, extremity=(0.15, 1.0), white=(0.0, 0.7))

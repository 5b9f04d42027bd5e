"""Coats: one palette for cats and dogs alike, markings of either, and the colour of every point of a pet."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from ae_pretrained.synthetic.breeds import CAT, DOG
from ae_pretrained.synthetic.solid import Part, Splats
from ae_pretrained.synthetic.textures import FUR_DIRECTIONS, TILE, cloud_in_space, fur_tiles

Marking = Literal["solid", "tabby", "patches", "bicolour", "points", "saddle", "spots"]
MARKINGS: tuple[Marking, ...] = ("solid", "tabby", "patches", "bicolour", "points", "saddle", "spots")
# As in life, most pets wear what the other species does not: cats tabby stripes and dark points, dogs saddles and
# spots. Where shape alone told them apart, it was learnt late and suddenly, at an update that hung on rounding.
_MARKING_SHARES = {
    CAT: (0.05, 0.58, 0.05, 0.05, 0.27, 0.0, 0.0),
    DOG: (0.05, 0.0, 0.07, 0.05, 0.0, 0.45, 0.38),
}

COLOURS = np.array(
    [
        [44, 42, 46],  # black
        [78, 78, 86],  # charcoal
        [122, 127, 134],  # blue grey
        [176, 176, 176],  # silver
        [238, 234, 226],  # white
        [232, 212, 176],  # cream
        [212, 168, 98],  # golden
        [208, 130, 62],  # ginger
        [164, 88, 48],  # red
        [104, 70, 50],  # chocolate
        [178, 138, 100],  # tan
        [196, 172, 148],  # fawn
    ],
    np.float32,
)
_WHITE = np.array([244, 240, 232], np.float32)
_SKIN = np.array([[206, 136, 130], [46, 40, 42], [104, 66, 58]], np.float32)
_EYES = np.array([[206, 160, 70], [128, 158, 84], [122, 80, 48], [108, 150, 182], [186, 114, 54]], np.float32)
_BRIGHT = np.array(
    [[206, 52, 48], [42, 106, 176], [60, 144, 84], [236, 176, 44], [130, 72, 150], [38, 44, 60]], np.float32
)


@dataclass(frozen=True)
class Coat:
    """Colours of one pet, RGB 0-255, and where they go.

    Attributes:
        base, second: the two colours of the fur.
        marking: how they are laid out.
        bib: white on chest, feet, muzzle and tip of the tail, beside the marking.
        skin: of nose, inner ear; eye; collar.
        offset: (3,) shift of the noise that places the patches.
        stripe: stripes per body unit.
    """

    base: np.ndarray
    second: np.ndarray
    marking: Marking
    bib: bool
    skin: np.ndarray
    eye: np.ndarray
    collar: np.ndarray
    offset: np.ndarray
    stripe: float


def draw_coat(species: int, rng: np.random.Generator) -> Coat:
    """A coat of a CAT or a DOG, which differ in markings alone."""
    marking = MARKINGS[rng.choice(len(MARKINGS), p=_MARKING_SHARES[species])]
    tint = rng.uniform(0.92, 1.05) * rng.uniform(0.985, 1.015, 3)
    base = COLOURS[rng.integers(len(COLOURS))] * tint.astype(np.float32)
    contrast = np.abs(COLOURS.mean(axis=1) - base.mean())
    second = COLOURS[rng.choice(np.flatnonzero(contrast > 45.0))]
    if marking in ("tabby", "spots") and rng.random() < 0.8:  # mostly dark on light, of one hue
        light, dark = (
            (base, base * 0.42) if base.mean() > 95 else (np.minimum(base * 1.7 + 26, 235), base * 0.75)
        )
        base, second = light, dark
    return Coat(
        base=np.clip(base, 0, 250),
        second=np.clip(second, 0, 250).astype(np.float32),
        marking=marking,
        bib=marking == "bicolour" or bool(rng.random() < 0.3),
        skin=_SKIN[rng.integers(len(_SKIN))],
        eye=_EYES[rng.integers(len(_EYES))],
        collar=bright_colour(rng),
        offset=rng.uniform(0.0, 1.0, 3),
        stripe=rng.uniform(4.2, 6.0),
    )


def bright_colour(rng: np.random.Generator) -> np.ndarray:
    """A colour of collars, balls and other bought things, (3,) float32."""
    return _BRIGHT[rng.integers(len(_BRIGHT))]


def fur_colour(
    coat: Coat,
    body: Splats,
    owner: np.ndarray,
    points: np.ndarray,
    unit: float,
    side: int,
    shift: tuple[int, int],
) -> np.ndarray:
    """Albedo of the visible surface.

    Args:
        coat: the colours.
        body: splats in canvas px.
        owner: (H, W) visible splat, clipped to valid indices.
        points: (H, W, 3) surface points, canvas px.
        unit: px per body unit.
        side: of the canvas, px, with which the length of the hair grows; shift: of the fur texture.

    Returns:
        (H, W, 3) float32, 0-255.
    """
    part = body.part[owner]
    extremity = body.extremity[owner].astype(np.float32)
    radius = np.sqrt(np.abs(np.linalg.det(body.axes)) ** (2 / 3))
    above = (body.centre[:, 1].astype(np.float32)[owner] - points[..., 1]) / radius.astype(np.float32)[owner]
    patch = cloud_in_space(points / np.float32(unit), coat.offset, 3.6)
    fine = cloud_in_space(points / np.float32(unit), coat.offset[::-1], 22.0)

    second = _second_share(coat, body, owner, part, extremity, above, patch, fine, points, unit)
    colour = coat.base + second[..., None] * (coat.second - coat.base)
    if coat.bib:
        white = body.white[owner].astype(np.float32) + np.where(part <= Part.NECK, -0.75 * above - 0.15, 0.0)
        share = _step(white + 0.12 * patch + 0.03 * fine, 0.62, 0.14)
        colour += share[..., None] * (_WHITE - colour)
    colour *= (1.0 + 0.035 * fine + 0.055 * _fur(body, owner, side, shift))[..., None]

    bare = {
        Part.EAR_INSIDE: 0.45 * coat.base + 0.55 * np.maximum(coat.skin, 0.5 * coat.base),
        Part.NOSE: coat.skin * 0.85,
        Part.TONGUE: np.array([200, 112, 112], np.float32),
        Part.COLLAR: coat.collar,
        Part.TAG: np.array([226, 192, 84], np.float32),
    }
    for which, value in bare.items():
        colour[part == which] = value
    return colour


def _second_share(
    coat: Coat,
    body: Splats,
    owner: np.ndarray,
    part: np.ndarray,
    extremity: np.ndarray,
    above: np.ndarray,
    patch: np.ndarray,
    fine: np.ndarray,
    points: np.ndarray,
    unit: float,
) -> np.ndarray:
    """How much of the second colour there is, (H, W) float32 in 0..1."""
    if coat.marking == "tabby":
        along = body.along[owner].astype(np.float32)
        on_head = (part >= Part.SKULL) & (part <= Part.EAR)
        head = body.part == Part.SKULL
        x, y = (body.centre[head, i].mean() if head.any() else 0.0 for i in (0, 1))
        # Rings on trunk, legs and tail; on the head stripes that fan out from the brow.
        fan = np.arctan2(points[..., 0] - np.float32(x), np.float32(y + 0.35 * unit) - points[..., 1]) * 0.42
        phase = (
            np.where(on_head, fan, along) * np.float32(coat.stripe * 2 * np.pi) + 0.8 * patch + 0.25 * fine
        )
        below = np.where(part == Part.TORSO, np.clip(0.55 + 0.7 * above, 0.0, 1.0), 1.0)
        return _step(np.sin(phase), 0.15, 0.30) * 0.9 * np.where(part == Part.MUZZLE, 0.15, below)
    if coat.marking == "patches":
        return _step(patch + 0.05 * fine, 0.20, 0.12)
    if coat.marking == "spots":
        dots = cloud_in_space(points / np.float32(unit), coat.offset, 13.0)
        return _step(dots + 0.05 * fine, 0.85, 0.2) * np.where(part == Part.MUZZLE, 0.4, 0.95)
    if coat.marking == "points":
        return _step(extremity + 0.10 * patch, 0.55, 0.35) * 0.95
    if coat.marking == "saddle":
        top = np.where((part == Part.TORSO) | (part == Part.NECK), above + 0.45, 0.0)
        top = np.where((part == Part.EAR) | (part == Part.TAIL), 0.8, top)
        top = np.where(part == Part.SKULL, 0.55 + 0.5 * above, top)
        return _step(top + 0.18 * patch + 0.06 * fine, 0.55, 0.25)
    return np.clip(0.10 + 0.10 * patch + 0.10 * extremity, 0.0, 0.3)


def _fur(body: Splats, owner: np.ndarray, side: int, shift: tuple[int, int]) -> np.ndarray:
    """Streaks along the fur of each splat, (H, W) float32 of deviation 1."""
    angle = np.arctan2(body.tangent[:, 1], body.tangent[:, 0])
    direction = np.round(angle / np.pi * FUR_DIRECTIONS).astype(int) % FUR_DIRECTIONS
    height, width = owner.shape
    tiles = fur_tiles(max(side, TILE))
    rows = (np.arange(height) + shift[0])[:, None] % tiles.shape[1]
    columns = (np.arange(width) + shift[1])[None, :] % tiles.shape[2]
    return tiles[direction[owner], rows, columns]


def _step(value: np.ndarray, threshold: float, softness: float) -> np.ndarray:
    """A soft step from 0 to 1 around `threshold`."""
    t = np.clip((value - threshold) / softness + 0.5, 0.0, 1.0)
    return t * t * (3.0 - 2.0 * t)

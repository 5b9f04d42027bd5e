"""Landscapes: sky, something far, something middling, ground."""

from __future__ import annotations

import numpy as np

from ae_pretrained.synthetic.coats import COLOURS
from ae_pretrained.synthetic.easel import Easel, Sprite, ground_shade
from ae_pretrained.synthetic.props import bush, leaf_colour, stone
from ae_pretrained.synthetic.shading import Light
from ae_pretrained.synthetic.textures import smooth_noise

LANDSCAPES = ("meadow", "garden", "beach", "snow", "autumn", "street", "heath")
_SKIES = np.array(
    [
        [[120, 170, 222], [206, 226, 238]],
        [[150, 162, 178], [214, 216, 216]],
        [[118, 130, 180], [246, 200, 160]],
        [[92, 150, 206], [240, 232, 206]],
    ],
    np.float32,
)
_GROUND = {
    "meadow": (104, 146, 66),
    "garden": (112, 142, 74),
    "beach": (222, 196, 150),
    "snow": (228, 234, 242),
    "autumn": (176, 128, 66),
    "street": (156, 150, 144),
    "heath": (150, 128, 92),
}


def landscape(side: int, horizon: float, light: Light, rng: np.random.Generator) -> np.ndarray:
    """An open-air scene.

    Args:
        side: of the canvas, px.
        horizon: height of the edge of the ground, as a fraction from the top.
        light: of the scene.

    Returns:
        (side, side, 3) float32, 0-255.
    """
    kind = LANDSCAPES[rng.integers(len(LANDSCAPES))]
    top, bottom = _SKIES[rng.integers(len(_SKIES))]
    fall = np.linspace(0, 1, side, dtype=np.float32)[:, None, None]
    canvas = np.broadcast_to(top + (bottom - top) * np.minimum(fall / horizon, 1.0), (side, side, 3)).copy()
    haze = np.clip(smooth_noise(rng, (side, side), 0.28 * side, 3) - 0.1, 0, 1)[..., None]
    canvas += 0.75 * haze * (np.float32(248.0) - canvas)
    canvas *= (0.75 * light.lamp + 0.8 * light.ambient).astype(np.float32)
    if kind == "beach":
        _sea(canvas, horizon, light, rng)
    elif kind == "street":
        _houses(canvas, horizon, light, rng)
    else:
        _hills(canvas, horizon, kind, light, rng)
    _ground(canvas, horizon, kind, light, rng)
    _middle(canvas, horizon, kind, light, rng)
    return canvas


def _hills(canvas: np.ndarray, horizon: float, kind: str, light: Light, rng: np.random.Generator) -> None:
    side = canvas.shape[0]
    far = {"snow": np.array([190, 204, 222]), "autumn": np.array([160, 118, 84])}.get(
        kind, np.array([106, 138, 122])
    )
    for k in range(2):
        e = Easel(side, side)
        x = np.linspace(0, 1, 40)
        crest = horizon - rng.uniform(0.03, 0.16) * (1 - 0.4 * k)
        wave = (
            crest
            + 0.05 * np.sin(x * rng.uniform(4, 10) + rng.uniform(0, 6))
            + 0.03 * np.sin(x * rng.uniform(10, 18))
        )
        e.polygon(
            [*zip(x, wave, strict=True), (1, 1), (0, 1)], far * (1.0 - 0.18 * k) * rng.uniform(0.9, 1.1)
        )
        e.finish(light, rng, puff=0.02).paste(canvas, side / 2, side)


def _sea(canvas: np.ndarray, horizon: float, light: Light, rng: np.random.Generator) -> None:
    side = canvas.shape[0]
    e = Easel(side, side)
    water = np.array([64, 138, 168]) * rng.uniform(0.8, 1.15)
    e.box(0, horizon - rng.uniform(0.08, 0.2), 1, 1, water)
    for _ in range(14):
        y, x, w = horizon - rng.uniform(0.0, 0.16), rng.uniform(0, 1), rng.uniform(0.03, 0.14)
        e.line([(x - w, y), (x + w, y)], water * 1.25 + 14, 0.006)
    e.line([(0, horizon - 0.004), (1, horizon - 0.004)], np.array([240, 244, 244]), 0.02)
    e.finish(light, rng, puff=0.02).paste(canvas, side / 2, side)


def _houses(canvas: np.ndarray, horizon: float, light: Light, rng: np.random.Generator) -> None:
    side = canvas.shape[0]
    e = Easel(side, side)
    x = -0.05
    while x < 1.0:
        w, top = rng.uniform(0.2, 0.4), horizon - rng.uniform(0.28, 0.6)
        wall = COLOURS[rng.integers(3, len(COLOURS))].astype(float)
        e.box(x, top, x + w, 1, wall)
        if rng.random() < 0.6:
            e.polygon(
                [(x - 0.02, top), (x + w / 2, top - 0.12), (x + w + 0.02, top)],
                np.array([150, 84, 66]) * rng.uniform(0.7, 1.1),
            )
        for column in np.arange(x + 0.05, x + w - 0.05, 0.10).tolist():
            for row in np.arange(top + 0.05, horizon - 0.12, 0.14).tolist():
                e.box(
                    column, row, column + 0.05, row + 0.08, np.array([84, 104, 122]) * rng.uniform(0.7, 1.5)
                )
        x += w
    e.finish(light, rng, puff=0.02).paste(canvas, side / 2, side)


def _ground(canvas: np.ndarray, horizon: float, kind: str, light: Light, rng: np.random.Generator) -> None:
    side = canvas.shape[0]
    colour = np.array(_GROUND[kind], float) * rng.uniform(0.82, 1.08, 3)
    e = Easel(side, side)
    x = np.linspace(0, 1, 24)
    flat = kind in ("street", "beach")
    edge = horizon + (0.0 if flat else 0.012) * np.sin(x * rng.uniform(3, 9) + rng.uniform(0, 6))
    e.polygon([*zip(x, edge, strict=True), (1, 1), (0, 1)], colour)
    if kind == "street":
        for t in np.linspace(0, 1, 6) ** 1.4:
            y = horizon + (1 - horizon) * t
            e.line([(0, y), (1, y)], colour * 0.84, 0.006)
        for at in np.linspace(-1, 2, 15):
            e.line([(0.5 + (at - 0.5) * 0.5, horizon), (at, 1)], colour * 0.84, 0.005)
    else:
        _strokes(e, horizon, kind, colour, rng)
    sprite = e.finish(light, rng, puff=0.01, grain=0.10)
    sprite.paste(canvas, side / 2, side)


def _strokes(e: Easel, horizon: float, kind: str, colour: np.ndarray, rng: np.random.Generator) -> None:
    """Blades, leaves, ripples or drifts, larger towards the viewer."""
    count = {"beach": 70, "snow": 60}.get(kind, 240)
    depth = np.sort(rng.uniform(0, 1, count))
    xs, tones, leans = rng.uniform(0, 1, count), rng.uniform(0.78, 1.2, count), rng.normal(0, 1, count)
    for t, x, tone, lean in zip(depth, xs, tones, leans, strict=True):
        y, near = horizon + (1 - horizon) * t, 0.3 + 0.7 * t
        if kind in ("beach", "snow"):
            e.line([(x, y), (x + 0.10 * near, y + 0.004 * lean)], colour * (0.94 + 0.08 * (tone - 1)), 0.008)
        elif kind == "autumn":
            leaf = np.array([204, 112, 44]) * tone if lean > 0 else np.array([150, 92, 48]) * tone
            e.ellipse(x, y, 0.018 * near, 0.010 * near, leaf, 60 * lean)
        else:
            e.line([(x, y), (x + 0.012 * lean * near, y - 0.045 * near)], colour * tone, 0.006)
    if kind == "meadow":
        petal = np.array([[246, 240, 230], [236, 196, 60], [206, 96, 120], [150, 120, 200]][rng.integers(4)])
        for t, x in zip(rng.uniform(0.1, 1, 16), rng.uniform(0, 1, 16), strict=True):
            e.ellipse(x, horizon + (1 - horizon) * t, 0.006 + 0.008 * t, 0.006 + 0.008 * t, petal)


def _middle(canvas: np.ndarray, horizon: float, kind: str, light: Light, rng: np.random.Generator) -> None:
    """Trees, a fence, rocks along the edge of the ground."""
    side = canvas.shape[0]
    if kind == "garden" or (kind in ("meadow", "heath") and rng.random() < 0.3):
        _fence(side, light, rng).paste(canvas, side / 2, (horizon + 0.03) * side)
    for _ in range(int(rng.integers(1, 5))):
        x, base = rng.uniform(-0.05, 1.05) * side, (horizon + rng.uniform(0.005, 0.06)) * side
        if kind == "beach":
            thing = stone(rng.uniform(0.12, 0.3) * side, light, rng)
        elif kind == "street":
            thing = bush(rng.uniform(0.14, 0.24) * side, light, rng)
        else:
            make = (_fir, _tree, _tree, bush)[rng.integers(4)] if kind != "snow" else _fir
            thing = make(rng.uniform(0.2, 0.42) * side, light, rng)
        ground_shade(canvas, x, base, 0.45 * thing.alpha.shape[1], 0.02 * side, 0.4)
        thing.paste(canvas, x, base)


def _fence(side: int, light: Light, rng: np.random.Generator) -> Sprite:
    e = Easel(side, 0.30 * side)
    colour = (np.array([236, 232, 224]) if rng.random() < 0.5 else np.array([150, 110, 74])) * rng.uniform(
        0.8, 1.05
    )
    for y in (0.38, 0.74):
        e.box(0, y, 1, y + 0.09, colour * 0.86)
    step = rng.uniform(0.07, 0.11)
    for x in np.arange(rng.uniform(-0.05, 0.0), 1, step).tolist():
        w = 0.55 * step
        e.polygon(
            [(x, 1), (x, 0.2), (x + w / 2, 0.06), (x + w, 0.2), (x + w, 1)], colour * rng.uniform(0.93, 1.05)
        )
    return e.finish(light, rng, puff=0.02)


def _fir(size: float, light: Light, rng: np.random.Generator) -> Sprite:
    e = Easel(0.8 * size, 1.5 * size)
    green = np.array([58, 92, 74]) * rng.uniform(0.8, 1.3)
    e.box(0.44, 0.82, 0.56, 1.0, np.array([92, 66, 48]))
    for k in range(4):
        top, half = 0.02 + 0.19 * k, 0.20 + 0.09 * k
        e.polygon([(0.5, top), (0.5 + half, top + 0.32), (0.5 - half, top + 0.32)], green * (1.12 - 0.10 * k))
    return e.finish(light, rng, puff=0.07)


def _tree(size: float, light: Light, rng: np.random.Generator) -> Sprite:
    e = Easel(1.1 * size, 1.45 * size)
    green = leaf_colour(rng)
    e.polygon([(0.46, 0.55), (0.54, 0.55), (0.58, 1.0), (0.42, 1.0)], np.array([104, 76, 54]))
    for k in range(16):
        a, r = rng.uniform(0, 2 * np.pi), np.sqrt(rng.uniform(0, 1))
        e.ellipse(
            0.5 + 0.30 * r * np.cos(a), 0.36 + 0.20 * r * np.sin(a), 0.17, 0.14, green * (0.76 + 0.03 * k)
        )
    return e.finish(light, rng, puff=0.08)

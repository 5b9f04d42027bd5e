"""Rooms: wall, floor and furniture."""

from __future__ import annotations

from itertools import pairwise

import cv2
import numpy as np

from ae_pretrained.synthetic.coats import bright_colour
from ae_pretrained.synthetic.easel import Colour, Easel, Sprite, ground_shade
from ae_pretrained.synthetic.props import fabric_colour, leaf_colour
from ae_pretrained.synthetic.shading import Light
from ae_pretrained.synthetic.textures import smooth_noise

_WALLS = np.array(
    [
        [226, 216, 198],
        [188, 204, 206],
        [206, 190, 170],
        [172, 186, 160],
        [214, 180, 166],
        [150, 160, 178],
        [110, 118, 124],
    ],
    float,
)
_FLOORS = np.array(
    [[172, 126, 82], [120, 84, 58], [202, 168, 124], [150, 146, 140], [92, 70, 58], [214, 204, 188]], float
)


def room(side: int, floor: float, light: Light, rng: np.random.Generator) -> np.ndarray:
    """A room seen frontally.

    Args:
        side: of the canvas, px.
        floor: height of the line between wall and floor, as a fraction from the top.
        light: of the scene.

    Returns:
        (side, side, 3) float32, 0-255.
    """
    wall = (
        fabric_colour(rng)
        if rng.random() < 0.3
        else _WALLS[rng.integers(len(_WALLS))] * rng.uniform(0.85, 1.05)
    )
    e = Easel(side, side, wall)
    _wallpaper(e, wall, floor, rng)
    slots = rng.permutation([0.16, 0.5, 0.84])
    for x in slots[: rng.integers(1, 4)]:
        hang = (_window, _image, _shelf, _curtain)[rng.integers(4)]
        hang(e, x + rng.uniform(-0.06, 0.06), floor, rng)
    ground = (
        fabric_colour(rng)
        if rng.random() < 0.2
        else _FLOORS[rng.integers(len(_FLOORS))] * rng.uniform(0.8, 1.08)
    )
    _floor(e, ground, floor, rng)
    e.box(0, floor - 0.028, 1, floor, np.clip(wall * 1.12 + 8, 0, 245))
    if rng.random() < 0.55:
        _rug(e, floor, rng)
    canvas = e.colour.astype(np.float32)
    canvas *= (1.0 + 0.025 * smooth_noise(rng, (side, side), 0.03 * side, 2))[..., None]
    canvas *= (light.lamp * 0.72 + light.ambient * 0.9).astype(np.float32)
    _lamp_glow(canvas, rng)
    if rng.random() < 0.6:
        sit = (_sofa, _cabinet, _plant_stand)[rng.integers(3)]
        sprite_x = rng.choice([rng.uniform(0.0, 0.28), rng.uniform(0.72, 1.0)])
        base = floor + rng.uniform(0.01, 0.06)
        sprite = sit(side, light, rng)
        ground_shade(canvas, sprite_x * side, base * side, 0.5 * sprite.alpha.shape[1], 0.03 * side, 0.45)
        sprite.paste(canvas, sprite_x * side, base * side)
    return canvas


def _wallpaper(e: Easel, wall: Colour, floor: float, rng: np.random.Generator) -> None:
    tone = wall * rng.choice([0.88, 0.93, 1.08])
    kind = rng.integers(6)
    if kind == 1:
        step = rng.uniform(0.06, 0.14)
        for x in np.arange(rng.uniform(0, step), 1, step).tolist():
            e.box(x, 0, x + step * 0.45, floor, tone)
    elif kind == 2:
        step = rng.uniform(0.08, 0.14)
        for row, y in enumerate(np.arange(0.04, floor, step).tolist()):
            for x in np.arange(0.04 + (row % 2) * step / 2, 1, step).tolist():
                e.ellipse(x, y, 0.013, 0.013, tone)
    elif kind == 3:
        e.box(0, floor - rng.uniform(0.18, 0.3), 1, floor, tone)
        for x in np.arange(0, 1, 0.09).tolist():
            e.line([(x, floor - 0.2), (x, floor)], tone * 0.9, 0.006)
    elif kind == 4:
        for row, y in enumerate(np.arange(0, floor, 0.055).tolist()):
            e.line([(0, y), (1, y)], tone * 0.9, 0.006)
            for x in np.arange((row % 2) * 0.07, 1, 0.14).tolist():
                e.line([(x, y), (x, min(y + 0.055, floor))], tone * 0.9, 0.006)


def _floor(e: Easel, ground: Colour, floor: float, rng: np.random.Generator) -> None:
    e.box(0, floor, 1, 1, ground)
    kind = rng.integers(4)
    vanish = np.array([rng.uniform(0.2, 0.8), floor - rng.uniform(0.3, 0.6)])
    if kind in (0, 1):
        edges = np.linspace(-1.2, 2.2, int(rng.integers(18, 30)))
        for left, right in pairwise(edges):
            top = [vanish[0] + (x - vanish[0]) * (floor - vanish[1]) / (1 - vanish[1]) for x in (left, right)]
            e.polygon(
                [(top[0], floor), (top[1], floor), (right, 1), (left, 1)], ground * rng.uniform(0.90, 1.08)
            )
            e.line([(top[0], floor), (left, 1)], ground * 0.72, 0.004)
    elif kind == 2:
        for x in np.linspace(-1.2, 2.2, 19):
            top = vanish[0] + (x - vanish[0]) * (floor - vanish[1]) / (1 - vanish[1])
            e.line([(top, floor), (x, 1)], ground * 0.8, 0.006)
        for t in np.linspace(0, 1, 6) ** 1.5:
            y = floor + (1 - floor) * t
            e.line([(0, y), (1, y)], ground * 0.8, 0.006)


def _rug(e: Easel, floor: float, rng: np.random.Generator) -> None:
    colour, second = fabric_colour(rng), fabric_colour(rng)
    x, y = rng.uniform(0.3, 0.7), floor + (1 - floor) * rng.uniform(0.5, 0.75)
    rx, ry = rng.uniform(0.38, 0.6), (1 - floor) * rng.uniform(0.35, 0.5)
    if rng.random() < 0.6:
        for k, tone in enumerate((colour, second, colour * 0.9)):
            e.ellipse(x, y, rx * (1 - 0.14 * k), ry * (1 - 0.14 * k), tone)
        return
    e.polygon([(x - 0.8 * rx, y - ry), (x + 0.8 * rx, y - ry), (x + rx, y + ry), (x - rx, y + ry)], colour)
    for t in np.linspace(-0.8, 0.8, 5):
        half = rx * (0.9 + 0.1 * t)
        e.line([(x - half, y + t * ry), (x + half, y + t * ry)], second, 0.02)


def _window(e: Easel, x: float, floor: float, rng: np.random.Generator) -> None:
    w, top, bottom = rng.uniform(0.13, 0.2), rng.uniform(0.02, 0.12), floor - rng.uniform(0.14, 0.24)
    frame = np.array([240, 236, 228]) * rng.uniform(0.55, 1.0)
    e.box(x - w - 0.02, top - 0.02, x + w + 0.02, bottom + 0.03, frame)
    sky = np.array([176, 208, 232]) * rng.uniform(0.5, 1.05)
    e.box(x - w, top, x + w, bottom, sky)
    e.ellipse(x + rng.uniform(-0.05, 0.05), bottom, 0.8 * w, 0.08, leaf_colour(rng), 0.0, (180, 360))
    e.ellipse(x, top + 0.06, 0.4 * w, 0.02, np.array([244, 246, 248]))
    e.box(x - 0.008, top, x + 0.008, bottom, frame)
    e.box(x - w, 0.5 * (top + bottom) - 0.008, x + w, 0.5 * (top + bottom) + 0.008, frame)


def _image(e: Easel, x: float, floor: float, rng: np.random.Generator) -> None:
    w, h = rng.uniform(0.06, 0.12), rng.uniform(0.06, 0.11)
    y = floor * rng.uniform(0.3, 0.5)
    e.box(x - w - 0.015, y - h - 0.015, x + w + 0.015, y + h + 0.015, fabric_colour(rng) * 0.7)
    e.box(x - w, y - h, x + w, y + h, np.array([228, 222, 208]))
    for _ in range(4):
        e.ellipse(
            x + rng.uniform(-0.5, 0.5) * w,
            y + rng.uniform(-0.5, 0.5) * h,
            0.35 * w,
            0.35 * h,
            fabric_colour(rng),
        )


def _shelf(e: Easel, x: float, floor: float, rng: np.random.Generator) -> None:
    w, y = rng.uniform(0.12, 0.2), floor * rng.uniform(0.35, 0.6)
    at = x - w
    while at < x + w - 0.03:
        width = rng.uniform(0.018, 0.04)
        e.box(at, y - rng.uniform(0.08, 0.14), at + width, y, fabric_colour(rng))
        at += width + (0.05 if rng.random() < 0.15 else 0.002)
    e.box(x - w - 0.02, y, x + w + 0.02, y + 0.022, np.array([128, 92, 62]))


def _curtain(e: Easel, x: float, floor: float, rng: np.random.Generator) -> None:
    colour, w = fabric_colour(rng), rng.uniform(0.09, 0.15)
    for k, left in enumerate(np.linspace(x - w, x + w, 7)[:-1]):
        e.box(left, 0, left + w / 3, floor - 0.01, colour * (1.0 if k % 2 else 0.84))


def _sofa(side: int, light: Light, rng: np.random.Generator) -> Sprite:
    e = Easel(0.75 * side, 0.42 * side)
    colour = fabric_colour(rng)
    e.box(0.06, 0.05, 0.94, 0.75, colour * 0.92)
    e.ellipse(0.27, 0.12, 0.2, 0.10, colour * 0.92)
    e.ellipse(0.72, 0.12, 0.2, 0.10, colour * 0.92)
    e.box(0.10, 0.50, 0.90, 0.72, colour * 1.08)
    e.line([(0.5, 0.12), (0.5, 0.70)], colour * 0.75, 0.01)
    for x in (0.08, 0.92):
        e.ellipse(x, 0.42, 0.08, 0.10, colour)
        e.box(x - 0.075, 0.42, x + 0.075, 0.92, colour)
    e.box(0.06, 0.72, 0.94, 0.92, colour * 0.86)
    for x in (0.10, 0.90):
        e.box(x - 0.02, 0.92, x + 0.02, 1.0, np.array([84, 60, 44]))
    return e.finish(light, rng, puff=0.05)


def _cabinet(side: int, light: Light, rng: np.random.Generator) -> Sprite:
    e = Easel(0.42 * side, 0.36 * side)
    colour = _FLOORS[rng.integers(len(_FLOORS))]
    e.box(0.02, 0.02, 0.98, 0.92, colour)
    e.box(0.0, 0.0, 1.0, 0.09, colour * 1.15)
    for x0, x1 in ((0.07, 0.47), (0.53, 0.93)):
        for y0, y1 in ((0.15, 0.46), (0.52, 0.85)):
            e.box(x0, y0, x1, y1, colour * 0.86)
            e.ellipse(0.5 * (x0 + x1), 0.5 * (y0 + y1), 0.02, 0.025, np.array([220, 190, 110]))
    for x in (0.08, 0.92):
        e.box(x - 0.03, 0.92, x + 0.03, 1.0, colour * 0.6)
    return e.finish(light, rng, puff=0.04)


def _plant_stand(side: int, light: Light, rng: np.random.Generator) -> Sprite:
    e = Easel(0.36 * side, 0.62 * side)
    green = leaf_colour(rng)
    e.line([(0.5, 0.8), (0.5, 0.4)], np.array([110, 80, 52]), 0.04)
    for k in range(16):
        a = np.deg2rad(rng.uniform(-200, 20))
        r = rng.uniform(0.2, 0.40)
        e.ellipse(
            0.5 + r * np.cos(a),
            0.40 + 0.75 * r * np.sin(a),
            0.17,
            0.05,
            green * (0.75 + 0.025 * k),
            np.degrees(a),
        )
    pot = bright_colour(rng) * 0.9
    e.polygon([(0.28, 0.74), (0.72, 0.74), (0.66, 0.99), (0.34, 0.99)], pot)
    return e.finish(light, rng, puff=0.05)


def _lamp_glow(canvas: np.ndarray, rng: np.random.Generator) -> None:
    """Light that falls off across the room."""
    side = canvas.shape[0]
    x, y = rng.uniform(-0.2, 1.2), rng.uniform(-0.2, 0.6)
    grid = np.linspace(0, 1, 16, dtype=np.float32)
    glow = np.exp(-((grid[None, :] - np.float32(x)) ** 2 + (grid[:, None] - np.float32(y)) ** 2) / 0.5)
    canvas *= cv2.resize(
        (0.78 + 0.42 * glow).astype(np.float32), (side, side), interpolation=cv2.INTER_CUBIC
    )[..., None]

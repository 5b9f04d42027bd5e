"""Things that lie about: beside the pet as distractors, before it as occluders."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ae_pretrained.synthetic.breeds import CAT, DOG
from ae_pretrained.synthetic.coats import COLOURS, bright_colour, draw_coat, fur_colour
from ae_pretrained.synthetic.easel import Easel, Sprite
from ae_pretrained.synthetic.shading import Light, shade
from ae_pretrained.synthetic.solid import Part, Sculptor

Prop = Callable[[float, Light, np.random.Generator], Sprite]
_LEAF = np.array([[70, 112, 58], [96, 136, 66], [52, 92, 60], [126, 148, 84]], float)


def fabric_colour(rng: np.random.Generator) -> np.ndarray:
    """A colour of things: as often the colour of a coat as a bright one."""
    if rng.random() < 0.55:
        return COLOURS[rng.integers(len(COLOURS))] * rng.uniform(0.85, 1.08)
    return bright_colour(rng) * rng.uniform(0.7, 1.1)


def leaf_colour(rng: np.random.Generator) -> np.ndarray:
    """A green, at times an autumn one."""
    if rng.random() < 0.12:
        return np.array([188, 112, 48]) * rng.uniform(0.8, 1.1)
    return _LEAF[rng.integers(len(_LEAF))] * rng.uniform(0.85, 1.15)


def ball(size: float, light: Light, rng: np.random.Generator) -> Sprite:
    """A ball, plain, banded or with panels."""
    e = Easel(0.62 * size, 0.62 * size)
    first, second = fabric_colour(rng), fabric_colour(rng)
    e.ellipse(0.5, 0.5, 0.48, 0.48, first)
    kind = rng.integers(3)
    if kind == 1:
        tilt = rng.uniform(-40, 40)
        e.ellipse(0.5, 0.5, 0.48, 0.16, second, tilt)
    elif kind == 2:
        for k in range(3):
            start = int(rng.integers(60) + 120 * k)
            e.ellipse(0.5, 0.5, 0.48, 0.48, second, 0.0, (start, start + 60))
    return e.finish(light, rng, puff=0.30)


def box(size: float, light: Light, rng: np.random.Generator) -> Sprite:
    """A cardboard box or crate."""
    e = Easel(size, 0.82 * size)
    colour = fabric_colour(rng) if rng.random() < 0.5 else np.array([186, 146, 100]) * rng.uniform(0.8, 1.1)
    edge = rng.uniform(0.58, 0.75)
    e.polygon([(0.02, 0.26), (edge, 0.30), (edge, 0.99), (0.02, 0.93)], colour)
    e.polygon([(edge, 0.30), (0.98, 0.22), (0.98, 0.86), (edge, 0.99)], colour * 0.72)
    e.polygon([(0.02, 0.26), (0.36, 0.12), (0.98, 0.22), (edge, 0.30)], colour * 1.15)
    if rng.random() < 0.6:
        e.box(0.02 + 0.42 * edge, 0.27, 0.02 + 0.58 * edge, 0.97, colour * 0.86)
    else:
        for y in (0.48, 0.70):
            e.line([(0.03, y), (edge, y + 0.05)], colour * 0.7, 0.02)
    return e.finish(light, rng, puff=0.05)


def cushion(size: float, light: Light, rng: np.random.Generator) -> Sprite:
    """A stuffed cushion."""
    e = Easel(1.15 * size, 0.72 * size)
    colour, second = fabric_colour(rng), fabric_colour(rng)
    t = np.linspace(0, 2 * np.pi, 60, endpoint=False)
    x, y = np.cos(t), np.sin(t)
    r = 0.46 / np.maximum((np.abs(x) ** 3.2 + np.abs(y) ** 3.2) ** (1 / 3.2), 1e-6)
    outline = np.stack([0.5 + r * x, 0.5 + r * y], axis=1)
    e.polygon(outline, colour)
    kind = rng.integers(4)
    if kind == 1:
        for k in np.linspace(0.2, 0.8, 4):
            e.line([(k, 0.10), (k, 0.90)], second, 0.05)
    elif kind == 2:
        for _ in range(9):
            e.ellipse(rng.uniform(0.15, 0.85), rng.uniform(0.18, 0.82), 0.05, 0.08, second)
    elif kind == 3:
        e.ellipse(0.5, 0.5, 0.2, 0.2, second)
    return e.finish(light, rng, puff=0.20)


def potted_plant(size: float, light: Light, rng: np.random.Generator) -> Sprite:
    """Leaves in a pot."""
    e = Easel(0.95 * size, 1.6 * size)
    pot = np.array([186, 104, 70]) if rng.random() < 0.5 else fabric_colour(rng)
    green = leaf_colour(rng)
    for k in range(int(rng.integers(9, 15))):
        angle = np.deg2rad(-90 + rng.uniform(-72, 72))
        length = rng.uniform(0.28, 0.55)
        x, y = 0.5 + 0.5 * length * np.cos(angle), 0.62 + 0.62 * length * np.sin(angle)
        shade_ = green * (0.72 + 0.035 * k)
        e.ellipse(
            x,
            y,
            0.52 * length,
            rng.uniform(0.045, 0.085),
            shade_,
            np.degrees(np.arctan2(1.25 * np.sin(angle), np.cos(angle))),
        )
    e.polygon([(0.24, 0.66), (0.76, 0.66), (0.68, 0.99), (0.32, 0.99)], pot)
    e.box(0.20, 0.62, 0.80, 0.70, pot * 1.12)
    return e.finish(light, rng, puff=0.07)


def books(size: float, light: Light, rng: np.random.Generator) -> Sprite:
    """A stack of books."""
    e = Easel(size, 0.5 * size)
    count = int(rng.integers(2, 5))
    for k in range(count):
        colour = fabric_colour(rng)
        left, right = rng.uniform(0.02, 0.15), rng.uniform(0.85, 0.98)
        bottom, top = 1 - k / count - 0.01, 1 - (k + 1) / count + 0.02
        e.box(left, top, right, bottom, colour)
        e.box(
            left + 0.05,
            top + 0.30 * (bottom - top),
            right,
            bottom - 0.30 * (bottom - top),
            np.array([232, 224, 204]),
        )
        e.box(left, top, left + 0.08, bottom, colour * 0.9)
    return e.finish(light, rng, puff=0.05)


def bowl(size: float, light: Light, rng: np.random.Generator) -> Sprite:
    """A food bowl."""
    e = Easel(0.8 * size, 0.36 * size)
    colour = fabric_colour(rng)
    e.polygon([(0.08, 0.30), (0.92, 0.30), (0.99, 0.92), (0.01, 0.92)], colour)
    e.ellipse(0.5, 0.90, 0.49, 0.09, colour)
    e.ellipse(0.5, 0.30, 0.42, 0.24, colour * 1.2 + 12)
    e.ellipse(0.5, 0.33, 0.35, 0.17, np.array([122, 82, 54]))
    return e.finish(light, rng, puff=0.08)


def stone(size: float, light: Light, rng: np.random.Generator) -> Sprite:
    """A boulder."""
    e = Easel(size, 0.64 * size)
    t = np.linspace(0, 2 * np.pi, 14, endpoint=False)
    r = rng.uniform(0.38, 0.49, 14)
    colour = COLOURS[rng.integers(len(COLOURS))] * 0.6 + np.array([60.0, 58.0, 56.0])
    e.polygon(np.stack([0.5 + r * np.cos(t), np.minimum(0.52 + r * np.sin(t), 0.99)], axis=1), colour)
    return e.finish(light, rng, puff=0.22, grain=0.14)


def bush(size: float, light: Light, rng: np.random.Generator) -> Sprite:
    """A round bush, at times in flower."""
    e = Easel(1.2 * size, 0.85 * size)
    green, flower = leaf_colour(rng), bright_colour(rng) * 1.1
    blooms = rng.random() < 0.4
    e.ellipse(0.5, 0.80, 0.36, 0.30, green * 0.75)
    for k in range(34):
        a, r = rng.uniform(0, 2 * np.pi), np.sqrt(rng.uniform(0, 1))
        y = 0.58 + 0.34 * r * np.sin(a)
        e.ellipse(
            0.5 + 0.38 * r * np.cos(a), y, 0.10, 0.12, green * (0.72 + 0.014 * k) * rng.uniform(0.92, 1.08)
        )
    if blooms:
        for _ in range(14):
            e.ellipse(rng.uniform(0.2, 0.8), rng.uniform(0.3, 0.85), 0.028, 0.04, flower)
    return e.finish(light, rng, puff=0.08)


def tuft(size: float, light: Light, rng: np.random.Generator) -> Sprite:
    """Tall grass."""
    e = Easel(1.3 * size, 0.95 * size)
    green = leaf_colour(rng)
    for _ in range(46):
        x = rng.uniform(0.12, 0.88)
        lean, tall = rng.normal(0, 0.10), rng.uniform(0.35, 0.95)
        width = rng.uniform(0.012, 0.024)
        e.polygon(
            [
                (x - width, 1.0),
                (x + 0.4 * lean, 1 - 0.6 * tall),
                (x + lean, 1 - tall),
                (x + 0.4 * lean + width, 1 - 0.6 * tall),
                (x + width, 1.0),
            ],
            green * rng.uniform(0.7, 1.25),
        )
    if rng.random() < 0.5:
        petal = bright_colour(rng) * 1.15
        for _ in range(5):
            x, y = rng.uniform(0.2, 0.8), rng.uniform(0.08, 0.5)
            e.line([(x, y), (x + rng.normal(0, 0.03), 1.0)], green, 0.012)
            for a in np.linspace(0, 2 * np.pi, 6)[:5]:
                e.ellipse(x + 0.030 * np.cos(a), y + 0.041 * np.sin(a), 0.022, 0.03, petal)
            e.ellipse(x, y, 0.018, 0.025, np.array([240, 206, 90]))
    return e.finish(light, rng, puff=0.03)


def bucket(size: float, light: Light, rng: np.random.Generator) -> Sprite:
    """A bucket or basket."""
    e = Easel(0.72 * size, 0.8 * size)
    colour = fabric_colour(rng)
    e.polygon([(0.06, 0.22), (0.94, 0.22), (0.80, 0.96), (0.20, 0.96)], colour)
    if rng.random() < 0.5:
        for y in (0.40, 0.58, 0.76):
            e.line([(0.10, y), (0.90, y)], colour * 0.75, 0.04)
    e.ellipse(0.5, 0.22, 0.44, 0.12, colour * 1.15)
    e.ellipse(0.5, 0.23, 0.38, 0.085, colour * 0.55)
    return e.finish(light, rng, puff=0.12)


def furry(size: float, light: Light, rng: np.random.Generator) -> Sprite:
    """A pouf, bolster or folded blanket of the very fur that pets wear: colour and texture prove nothing."""
    s = Sculptor()
    kind = rng.integers(3)
    if kind == 0:
        s.ellipsoid((0, 0.30, 0), (0.50, 0.31, 0.4), Part.TORSO, tangent=(1, 0.2, 0))
    elif kind == 1:
        s.chain(
            [(-0.45, 0.22, 0), (0, 0.22 + rng.uniform(-0.02, 0.06), 0), (0.45, 0.22, 0)],
            [0.20, 0.22, 0.20],
            Part.TORSO,
        )
    else:
        for k, y in enumerate((0.14, 0.34, 0.50)):
            s.ellipsoid(
                (rng.uniform(-0.05, 0.05), y, 0),
                (0.50 - 0.05 * k, 0.14, 0.3),
                Part.TORSO,
                tangent=(1, 0, 0),
                along=0.4 * k,
            )
    coat = draw_coat(CAT if rng.random() < 0.5 else DOG, rng)
    side = int(1.2 * size) + 8
    body = s.splats().transformed(np.diag([size, -size, size]), np.array([side / 2, side - 3.0, 0.0]))
    shift = (int(rng.integers(256)), int(rng.integers(256)))
    layer = shade(
        body,
        lambda b, owner, points: fur_colour(coat, b, owner, points, size, side, shift),
        light,
        side,
        rng.uniform(0.0, 0.8),
        rng,
    )
    if layer is None:
        raise ValueError(f"a furry prop of {size:.1f} px is too small to draw; the smallest is about 12 px")
    return Sprite(layer.colour, layer.alpha)


INDOOR: tuple[Prop, ...] = (ball, box, cushion, potted_plant, books, bowl, furry, furry)
OUTDOOR: tuple[Prop, ...] = (ball, stone, bush, tuft, bucket, box, furry)
IN_FRONT_INDOOR: tuple[Prop, ...] = (ball, box, cushion, potted_plant, books, furry, bucket)
IN_FRONT_OUTDOOR: tuple[Prop, ...] = (tuft, tuft, bush, stone, ball, bucket)

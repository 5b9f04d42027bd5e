"""Drawing of flat shapes, and the sprites made of them that furnish a scene."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from ae_pretrained.synthetic.shading import Light
from ae_pretrained.synthetic.textures import smooth_noise

Colour = np.ndarray  # (3,) RGB, 0-255
_SHIFT = 4


@dataclass(frozen=True)
class Sprite:
    """A thing with its coverage: colour (h, w, 3) float32 0-255, alpha (h, w) float32 0-1."""

    colour: np.ndarray
    alpha: np.ndarray

    def paste(self, canvas: np.ndarray, x: float, base: float, cover: np.ndarray | None = None) -> None:
        """Lay it over a float32 canvas in place: middle at `x`, foot at `base`, px.

        `cover` (H, W), when given, gains the alpha: what the sprite hides.
        """
        height, width = self.alpha.shape
        left, top = round(x - width / 2), round(base - height)
        x0, y0 = max(left, 0), max(top, 0)
        x1, y1 = min(left + width, canvas.shape[1]), min(top + height, canvas.shape[0])
        if x0 >= x1 or y0 >= y1:
            return
        source = np.s_[y0 - top : y1 - top, x0 - left : x1 - left]
        alpha = self.alpha[source]
        window = canvas[y0:y1, x0:x1]
        window += alpha[..., None] * (self.colour[source] - window)
        if cover is not None:
            np.maximum(cover[y0:y1, x0:x1], alpha, out=cover[y0:y1, x0:x1])


class Easel:
    """A small canvas with coverage; coordinates are fractions of its width and height, y down."""

    def __init__(self, width: float, height: float, ground: Colour | None = None) -> None:
        self.width, self.height = max(4, round(width)), max(4, round(height))
        self.colour = np.zeros((self.height, self.width, 3), np.uint8)
        self.alpha = np.zeros((self.height, self.width), np.uint8)
        if ground is not None:
            self.colour[...] = np.clip(ground, 0, 255).astype(np.uint8)
            self.alpha[...] = 255

    def _fixed(self, points: np.ndarray | list[tuple[float, float]]) -> np.ndarray:
        scaled = np.asarray(points, float) * [self.width, self.height]
        return np.round(scaled * (1 << _SHIFT)).astype(np.int32)

    def polygon(self, points: np.ndarray | list[tuple[float, float]], colour: Colour) -> None:
        """Filled polygon through points (K, 2)."""
        fixed = [self._fixed(points)]
        cv2.fillPoly(self.colour, fixed, _tuple(colour), cv2.LINE_AA, _SHIFT)
        cv2.fillPoly(self.alpha, fixed, 255, cv2.LINE_AA, _SHIFT)

    def box(self, x0: float, y0: float, x1: float, y1: float, colour: Colour) -> None:
        """Filled upright rectangle."""
        self.polygon([(x0, y0), (x1, y0), (x1, y1), (x0, y1)], colour)

    def ellipse(
        self,
        x: float,
        y: float,
        rx: float,
        ry: float,
        colour: Colour,
        angle: float = 0.0,
        arc: tuple[int, int] = (0, 360),
    ) -> None:
        """Filled ellipse or, with `arc` in degrees, a sector of one."""
        across, down = self.width * (1 << _SHIFT), self.height * (1 << _SHIFT)
        centre, axes = (
            (int(x * across + 0.5), int(y * down + 0.5)),
            (int(rx * across + 0.5), int(ry * down + 0.5)),
        )
        for target, value in ((self.colour, _tuple(colour)), (self.alpha, (255,))):
            cv2.ellipse(target, centre, axes, angle, arc[0], arc[1], value, -1, cv2.LINE_AA, _SHIFT)

    def line(self, points: np.ndarray | list[tuple[float, float]], colour: Colour, width: float) -> None:
        """Stroke of `width`, a fraction of the canvas' width."""
        thick = max(1, round(width * self.width))
        fixed = [self._fixed(points)]
        cv2.polylines(self.colour, fixed, False, _tuple(colour), thick, cv2.LINE_AA, _SHIFT)
        cv2.polylines(self.alpha, fixed, False, (255,), thick, cv2.LINE_AA, _SHIFT)

    def finish(
        self, light: Light, rng: np.random.Generator, puff: float = 0.16, grain: float = 0.06
    ) -> Sprite:
        """Give the shape volume (its rim falls away over `puff` of its size) and grain, and light it."""
        alpha = self.alpha.astype(np.float32) / 255.0
        radius = max(0.8, puff * min(self.width, self.height))
        pad = int(3 * radius) + 1
        swollen = cv2.GaussianBlur(
            cv2.copyMakeBorder(alpha, pad, pad, pad, pad, cv2.BORDER_CONSTANT, value=0), (0, 0), radius
        )
        swollen = swollen[pad:-pad, pad:-pad]
        gx = cv2.Sobel(swollen, cv2.CV_32F, 1, 0, scale=0.125) * (1.6 * radius)
        gy = cv2.Sobel(swollen, cv2.CV_32F, 0, 1, scale=0.125) * (1.6 * radius)
        facing = 0.62 - gx * np.float32(light.direction[0]) - gy * np.float32(light.direction[1])
        noise = smooth_noise(rng, (alpha.shape[0], alpha.shape[1]), 0.12 * self.width + 2, 3)
        tone = np.clip(facing, 0.15, 1.15) * (1.0 + grain * noise)
        factor = tone[..., None] * light.lamp.astype(np.float32) + 0.9 * light.ambient.astype(np.float32)
        return Sprite(self.colour.astype(np.float32) * factor, alpha)


def ground_shade(canvas: np.ndarray, x: float, y: float, rx: float, ry: float, strength: float) -> None:
    """A soft shadow on the ground under a thing, in place; px."""
    height, width = canvas.shape[:2]
    x0, x1 = max(0, int(x - 2.2 * rx)), min(width, int(x + 2.2 * rx) + 1)
    y0, y1 = max(0, int(y - 2.2 * ry)), min(height, int(y + 2.2 * ry) + 1)
    if x0 >= x1 or y0 >= y1:
        return
    dx = (np.arange(x0, x1, dtype=np.float32) - np.float32(x)) / np.float32(rx)
    dy = (np.arange(y0, y1, dtype=np.float32) - np.float32(y)) / np.float32(ry)
    fall = np.exp(-(dx[None, :] ** 2) - dy[:, None] ** 2)
    canvas[y0:y1, x0:x1] *= (1.0 - np.float32(strength) * fall)[..., None]


def _tuple(colour: Colour) -> tuple[int, ...]:
    return tuple(min(max(int(v), 0), 255) for v in colour)

"""Light on a body: from its splats to a layer of colours and coverage."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

from ae_pretrained.synthetic.solid import Splats, rasterise
from ae_pretrained.synthetic.textures import TILE, fur_tiles

# (body, owner (H, W), points (H, W, 3) px) -> albedo (H, W, 3)
Painter = Callable[[Splats, np.ndarray, np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Light:
    """One lamp and the light of the surroundings.

    Attributes:
        direction: (3,) unit vector towards the lamp; x right, y down, z towards the viewer.
        lamp, ambient: (3,) RGB factors.
    """

    direction: np.ndarray
    lamp: np.ndarray
    ambient: np.ndarray


@dataclass(frozen=True)
class Layer:
    """A shaded body on its rectangle of the canvas.

    Attributes:
        colour: (h, w, 3) float32, 0-255; alpha: (h, w) float32, 0-1.
        depth: (h, w) float32, -inf outside the body.
        corner: (x, y) of the rectangle on the canvas.
    """

    colour: np.ndarray
    alpha: np.ndarray
    depth: np.ndarray
    corner: tuple[int, int]

    def window(self, canvas: np.ndarray) -> np.ndarray:
        """The part of a canvas that the layer covers (a view)."""
        x, y = self.corner
        return canvas[y : y + self.alpha.shape[0], x : x + self.alpha.shape[1]]

    def over(self, canvas: np.ndarray) -> None:
        """Lay it over a float32 canvas (H, W, 3), in place."""
        window = self.window(canvas)
        window += self.alpha[..., None] * (self.colour - window)

    def coverage(self, shape: tuple[int, int]) -> np.ndarray:
        """Its alpha on the whole canvas, (H, W) float32."""
        whole = np.zeros(shape, np.float32)
        self.window(whole)[...] = self.alpha
        return whole


def shade(
    body: Splats, painter: Painter, light: Light, side: int, fluff: float, rng: np.random.Generator
) -> Layer | None:
    """Project and light a body given in canvas px; None when it is outside the canvas of `side` px."""
    low, high = body.bounds()
    margin = 0.03 * side
    x0, y0 = (int(v) for v in np.clip(np.floor(low[:2] - margin), 0, side))
    x1, y1 = (int(v) for v in np.clip(np.ceil(high[:2] + margin), 0, side))
    if x1 - x0 < 4 or y1 - y0 < 4:
        return None
    body = body.transformed(np.eye(3), np.array([-x0, -y0, 0.0]))
    depth, owner = rasterise(body, (y1 - y0, x1 - x0))
    solid = owner >= 0
    if not solid.any():
        return None
    z = np.where(solid, depth, 0.0).astype(np.float32)
    cover = solid.astype(np.float32)
    fine = _masked_blur(z, cover, 0.0045 * side)
    grid_x, grid_y = np.meshgrid(
        np.arange(z.shape[1], dtype=np.float32), np.arange(z.shape[0], dtype=np.float32)
    )
    albedo = painter(body, np.maximum(owner, 0), np.dstack([grid_x, grid_y, fine]))
    colour = albedo * _light_on(fine, z, cover, light, side)

    colour, alpha = _ruffle(colour, cover, fluff, side, rng)
    depth = np.where(alpha > 0.5, np.where(solid, depth, fine), -np.inf)
    return Layer(colour, alpha, depth, (x0, y0))


def _light_on(fine: np.ndarray, z: np.ndarray, cover: np.ndarray, light: Light, side: int) -> np.ndarray:
    """RGB factor of the light that reaches each point, (h, w, 3)."""
    round_ = _masked_blur(z, cover, 0.016 * side)
    normal = _normals(0.45 * fine + 0.55 * round_)
    facing = normal @ light.direction.astype(np.float32)
    lamp = np.clip(0.5 + 0.5 * facing, 0.0, 1.0) ** 1.35
    sky = 0.72 - 0.28 * normal[..., 1]
    # What lies deeper than its surroundings gets less light: separates leg from belly, chin from chest.
    sunk = np.clip((_masked_blur(z, cover, 0.03 * side) - z) / (0.09 * side), 0.0, 1.0)
    open_ = 1.0 - 0.55 * sunk
    rim = 1.0 - 0.30 * np.clip(1.0 - 1.9 * normal[..., 2], 0.0, 1.0)
    return (lamp * open_ * rim)[..., None] * light.lamp.astype(np.float32) + (sky * open_ * rim)[
        ..., None
    ] * light.ambient.astype(np.float32)


def _ruffle(
    colour: np.ndarray, cover: np.ndarray, fluff: float, side: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Push colours and outline about by tufts, so that fur does not end in a knife's edge."""
    height, width = cover.shape
    # Colours reach a little beyond the outline, so that tufts pull fur and not emptiness.
    spread = _masked_blur(colour, cover, 0.012 * side)
    colour = np.where(cover[..., None] > 0, colour, spread)
    tuft = 2 * max(side, TILE)  # tufts are coarser than single hairs
    tiles = fur_tiles(tuft)
    rows, columns = (
        (rng.integers(TILE) + np.arange(height)) % tuft,
        (rng.integers(TILE) + np.arange(width)) % tuft,
    )
    reach = (0.0010 + 0.0036 * fluff) * side
    dx = tiles[1][np.ix_(rows, columns)] * np.float32(reach)
    dy = tiles[6][np.ix_(rows, columns)] * np.float32(reach)
    map_x = np.arange(width, dtype=np.float32)[None, :] + dx
    map_y = np.arange(height, dtype=np.float32)[:, None] + dy
    moved = cv2.remap(
        np.dstack([colour, cv2.GaussianBlur(cover, (0, 0), 0.7)]).astype(np.float32),
        map_x,
        map_y,
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    )
    return moved[..., :3], np.clip((moved[..., 3] - 0.5) * 1.8 + 0.5, 0.0, 1.0)


def _masked_blur(values: np.ndarray, cover: np.ndarray, sigma: float) -> np.ndarray:
    """Gaussian mean over the covered pixels alone; 0 far from any."""
    sigma = max(sigma, 0.6)
    weight = cv2.GaussianBlur(cover, (0, 0), sigma)
    mask = cover if values.ndim == 2 else cover[..., None]
    total = cv2.GaussianBlur((values * mask).astype(np.float32), (0, 0), sigma)
    weight = np.maximum(weight, 1e-4)
    return total / (weight if values.ndim == 2 else weight[..., None])


def _normals(z: np.ndarray) -> np.ndarray:
    """Unit normals of a depth map, (h, w, 3) float32; y down."""
    dx = cv2.Sobel(z, cv2.CV_32F, 1, 0, scale=0.125)
    dy = cv2.Sobel(z, cv2.CV_32F, 0, 1, scale=0.125)
    length = np.sqrt(dx * dx + dy * dy + 1.0)
    return np.dstack([-dx / length, -dy / length, 1.0 / length])

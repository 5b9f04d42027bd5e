"""The photograph: exposure, colour of the light, vignette, blur, grain."""

from __future__ import annotations

import cv2
import numpy as np

from ae_pretrained.synthetic.shading import Light
from ae_pretrained.synthetic.textures import smooth_noise


def draw_light(rng: np.random.Generator) -> Light:
    """A lamp somewhere above and before the scene, warm to cool, hard to soft."""
    direction = np.array([rng.uniform(-0.85, 0.85), -rng.uniform(0.35, 0.9), rng.uniform(0.35, 0.8)])
    warmth = rng.normal(0, 0.07)
    lamp = np.array([1.0 + warmth, 1.0, 1.0 - warmth]) * rng.uniform(0.74, 1.06)
    ambient = np.array([1.0 - 0.7 * warmth, 1.0, 1.0 + 0.9 * warmth + 0.04]) * rng.uniform(0.28, 0.48)
    return Light(direction / np.linalg.norm(direction), lamp, ambient)


def cast_shadows(canvas: np.ndarray, where: np.ndarray, rng: np.random.Generator) -> None:
    """Patches of shade as of branches or a window frame, in place; `where` (0-1) says what can be shaded."""
    side = canvas.shape[0]
    if rng.random() < 0.65:
        return
    patch = smooth_noise(rng, (side, side), rng.uniform(0.2, 0.5) * side, 2)
    share = np.clip((patch - 0.15) * 3.0, 0.0, 1.0) * np.float32(rng.uniform(0.15, 0.42))
    canvas *= (1.0 - share * where)[..., None]


def expose(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """What the sensor makes of an image (H, W, 3) float32 0-255: the same shape, uint8."""
    height, width = image.shape[:2]
    image = image * np.float32(np.exp(rng.normal(0.02, 0.16)))
    warmth = rng.normal(0, 0.05)
    image = image * np.array([1 + warmth, 1.0, 1 - warmth], np.float32)
    if rng.random() < 0.5:
        x, y = np.linspace(-1, 1, width, dtype=np.float32), np.linspace(-1, 1, height, dtype=np.float32)
        cx, cy = rng.uniform(-0.3, 0.3, 2).astype(np.float32)
        fall = np.clip((x[None, :] - cx) ** 2 + (y[:, None] - cy) ** 2, 0, 2)
        image = image * (1.0 - np.float32(rng.uniform(0.08, 0.26)) * fall)[..., None]
    # A soft shoulder instead of clipped highlights.
    unit = np.maximum(image, 0.0) / np.float32(255.0)
    image = np.where(unit > 0.8, 0.8 + 0.2 * np.tanh((unit - 0.8) / 0.2), unit) * np.float32(255.0)
    saturation = np.float32(rng.uniform(0.85, 1.3))
    grey = image.mean(axis=2, keepdims=True)
    image = grey + (image - grey) * saturation
    if rng.random() < 0.25:
        image = cv2.GaussianBlur(image, (0, 0), float(rng.uniform(0.3, 0.8)) * max(width / 128, 0.5))
    grain = rng.uniform(0.8, 4.5) if rng.random() < 0.7 else 0.0
    noise = rng.standard_normal((height, width, 3), dtype=np.float32) * np.float32(grain)
    return np.clip(image + noise + 0.5, 0, 255).astype(np.uint8)

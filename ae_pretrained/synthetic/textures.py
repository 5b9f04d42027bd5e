"""Noise that stands for fur, grain and clouds."""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np

TILE = 256  # side of the stored tiles, px; they repeat without a seam
FUR_DIRECTIONS = 8  # over 180 degrees

# The tiles are the same in every image and process; an image shifts them by amounts of its own.
_TILE_SEED = 20240229


def smooth_noise(
    rng: np.random.Generator, shape: tuple[int, int], cell: float, octaves: int = 2
) -> np.ndarray:
    """Cloudy noise, `shape` float32, mean about 0 and nearly all within -1..1; features of about `cell` px."""
    height, width = shape
    total = np.zeros(shape, np.float32)
    weight, norm = 1.0, 0.0
    for _ in range(octaves):
        rows, columns = max(2, int(height / cell) + 2), max(2, int(width / cell) + 2)
        grid = rng.uniform(-1.0, 1.0, (rows, columns)).astype(np.float32)
        total += weight * cv2.resize(grid, (width, height), interpolation=cv2.INTER_CUBIC)
        norm += weight * weight
        weight, cell = weight * 0.5, cell / 2.3
    return total * np.float32(1.5 / np.sqrt(norm) * 0.8)


@lru_cache(maxsize=1)
def cloud_tiles() -> np.ndarray:
    """Three seamless tiles of cloudy noise, (3, TILE, TILE) float32 of mean 0 and deviation 1."""
    rng = np.random.default_rng(_TILE_SEED)
    tiles = []
    for _ in range(3):
        white = rng.standard_normal((TILE, TILE))
        frequency = np.hypot(*np.meshgrid(np.fft.fftfreq(TILE), np.fft.fftfreq(TILE))) * TILE
        spectrum = np.fft.fft2(white) * np.exp(-((frequency / 9.0) ** 2)) * (frequency > 0)
        tile = np.fft.ifft2(spectrum).real
        tiles.append(tile / tile.std())
    return np.stack(tiles).astype(np.float32)


@lru_cache(maxsize=4)
def fur_tiles(side: int = TILE) -> np.ndarray:
    """Streaks, (FUR_DIRECTIONS, side, side) float32 of mean 0 and deviation 1; seamless at `side` = TILE.

    Tile k runs along the angle ``k * pi / FUR_DIRECTIONS`` of the image plane (x right, y down).
    """
    rng = np.random.default_rng(_TILE_SEED + 1)
    white = np.fft.fft2(rng.standard_normal((TILE, TILE)))
    fx, fy = np.meshgrid(np.fft.fftfreq(TILE), np.fft.fftfreq(TILE))
    tiles = []
    for k in range(FUR_DIRECTIONS):
        angle = k * np.pi / FUR_DIRECTIONS
        along = fx * np.cos(angle) + fy * np.sin(angle)
        across = -fx * np.sin(angle) + fy * np.cos(angle)
        tile = np.fft.ifft2(white * np.exp(-((along / 0.045) ** 2) - (across / 0.22) ** 2)).real
        tiles.append((tile - tile.mean()) / tile.std())
    stack = np.stack(tiles).astype(np.float32)
    if side == TILE:
        return stack
    return np.stack([cv2.resize(tile, (side, side), interpolation=cv2.INTER_CUBIC) for tile in stack])


def cloud_in_space(points: np.ndarray, offset: np.ndarray, frequency: float) -> np.ndarray:
    """Cloudy noise at points in space, so that a marking runs on over the folds of a body.

    Args:
        points: (H, W, 3) float32, in units of the pet's body.
        offset: (3,) shift of the noise, in tiles.
        frequency: features per unit, roughly.

    Returns:
        (H, W) float32 of mean about 0 and deviation about 1.
    """
    scaled = (points * np.float32(frequency / 9.0) + offset.astype(np.float32)) * np.float32(TILE)
    total = np.zeros(points.shape[:2], np.float32)
    for tile, (i, j) in zip(cloud_tiles(), ((0, 1), (1, 2), (2, 0)), strict=True):
        total += cv2.remap(
            tile,
            scaled[..., i],
            scaled[..., j],
            cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_WRAP,
        )
    return total / np.float32(np.sqrt(3.0))

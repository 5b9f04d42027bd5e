"""Distortions of test images, after Hendrycks and Dietterich ("ImageNet-C", ICLR 2019), at given strengths.

Each function takes one image, (H, W, 3) float32 in [0, 1], a strength and a random generator, and gives a
image of the same shape in [0, 1]. Images are distorted one by one, with draws that depend on the seed and
the image alone: the figures depend neither on the batch size nor on the device.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

Distort = Callable[[np.ndarray, float, np.random.Generator], np.ndarray]
_GREY = 0.5


def gaussian_noise(image: np.ndarray, strength: float, rng: np.random.Generator) -> np.ndarray:
    """Add noise of standard deviation ``strength``."""
    return np.clip(image + strength * rng.standard_normal(image.shape, dtype=np.float32), 0, 1)


def gaussian_blur(image: np.ndarray, strength: float, _rng: np.random.Generator) -> np.ndarray:
    """Blur with a sigma of ``strength`` times the side of the image."""
    sigma = strength * image.shape[0]
    if sigma == 0:
        return image
    # OpenCV's own choice of window is too narrow for floats at small sigmas: four sigmas to each side.
    side = 2 * math.ceil(4 * sigma) + 1
    return np.clip(cv2.GaussianBlur(image, (side, side), sigma, borderType=cv2.BORDER_REFLECT_101), 0, 1)


def brightness_up(image: np.ndarray, strength: float, _rng: np.random.Generator) -> np.ndarray:
    """Add ``strength`` to every value."""
    return np.clip(image + np.float32(strength), 0, 1)


def brightness_down(image: np.ndarray, strength: float, _rng: np.random.Generator) -> np.ndarray:
    """Subtract ``strength`` from every value."""
    return np.clip(image - np.float32(strength), 0, 1)


def contrast(image: np.ndarray, strength: float, _rng: np.random.Generator) -> np.ndarray:
    """Multiply the difference from the mean grey of the image by ``strength``."""
    mean = np.float32(image.mean())
    return np.clip(mean + np.float32(strength) * (image - mean), 0, 1)


def occlusion(image: np.ndarray, strength: float, rng: np.random.Generator) -> np.ndarray:
    """Cover a share ``strength`` of the image by one grey square at a random place."""
    height, width = image.shape[:2]
    side = min(round(math.sqrt(strength * height * width)), height, width)
    top, left = rng.integers(0, (height - side + 1, width - side + 1))
    covered = image.copy()
    covered[top : top + side, left : left + side] = _GREY
    return covered


def salt_and_pepper(image: np.ndarray, strength: float, rng: np.random.Generator) -> np.ndarray:
    """Turn a share ``strength`` of the pixels black or white, half and half."""
    draw = rng.random(image.shape[:2])
    spoilt = image.copy()
    spoilt[draw < strength / 2] = 0.0
    spoilt[(draw >= strength / 2) & (draw < strength)] = 1.0
    return spoilt


def jpeg(image: np.ndarray, strength: float, _rng: np.random.Generator) -> np.ndarray:
    """Compress as JPEG of quality ``strength`` (1 to 100) and decompress."""
    pixels = (image[..., ::-1] * 255).round().astype(np.uint8)  # OpenCV wants BGR
    done, data = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, round(strength)])
    if not done:
        raise RuntimeError(f"OpenCV could not encode an image of shape {image.shape} as JPEG")
    decoded = cv2.imdecode(data, cv2.IMREAD_COLOR)
    if decoded is None:
        raise RuntimeError(f"OpenCV could not decode its own JPEG of an image of shape {image.shape}")
    return decoded[..., ::-1].astype(np.float32) / 255


@dataclass(frozen=True)
class Distortion:
    """A family of distortions.

    Attributes:
        apply: the function.
        neutral: the strength at which it changes nothing (for JPEG: as good as nothing).
        unit: what the strength means, for people.
    """

    apply: Distort
    neutral: float
    unit: str


DISTORTIONS: dict[str, Distortion] = {
    "gaussian_noise": Distortion(gaussian_noise, 0.0, "standard deviation"),
    "gaussian_blur": Distortion(gaussian_blur, 0.0, "sigma / side"),
    "brightness_up": Distortion(brightness_up, 0.0, "added"),
    "brightness_down": Distortion(brightness_down, 0.0, "subtracted"),
    "contrast_up": Distortion(contrast, 1.0, "factor"),
    "contrast_down": Distortion(contrast, 1.0, "factor"),
    "occlusion": Distortion(occlusion, 0.0, "share covered"),
    "salt_and_pepper": Distortion(salt_and_pepper, 0.0, "share of the pixels"),
    "jpeg": Distortion(jpeg, 100.0, "quality"),
}
"""By the name of the list of strengths in the section ``robustness`` of the params."""


def distort_batch(images: np.ndarray, rows: np.ndarray, name: str, strength: float, seed: int) -> np.ndarray:
    """Distort images.

    The draws do not depend on the strength: along a curve the same noise grows and the same square widens.

    Args:
        images: (n, H, W, 3) uint8.
        rows: (n,) positions of the images in the split.
        name: a key of ``DISTORTIONS``.

    Returns:
        (n, H, W, 3) float32 in [0, 1].
    """
    kind = list(DISTORTIONS).index(name)
    return np.stack(
        [
            DISTORTIONS[name].apply(
                image.astype(np.float32) / 255, strength, np.random.default_rng([seed, kind, row])
            )
            for image, row in zip(images, rows.tolist(), strict=True)
        ]
    ).astype(np.float32)

"""What a segmenter says about an image: its mask, and the figures of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Segmentation:
    """The mask of an image.

    Attributes:
        mask: (H, W) uint8 class ids, at the size of the image.
        shares: share of the image's pixels by class name; they sum to 1.
        class_name: the foreground class with the most pixels, None where there is no foreground.
        mean_confidence: mean probability of the class in ``mask`` over the foreground, over all pixels where there
            is none.
    """

    mask: np.ndarray
    shares: dict[str, float]
    class_name: str | None
    mean_confidence: float


@dataclass(frozen=True)
class Prediction(Segmentation):
    """The mask of an image, and how sure it is of each pixel.

    Attributes:
        confidence: (H, W) float32, the probability of the class in ``mask``.
    """

    confidence: np.ndarray


class ClassTally:
    """Counts the pixels of the classes and sums up their probability, part by part of an image."""

    def __init__(self, classes: Sequence[str]) -> None:
        self._classes = classes
        self._counts = np.zeros(len(classes), dtype=np.int64)
        self._confidence = self._over_foreground = 0.0

    def add(self, mask: np.ndarray, confidence: np.ndarray) -> None:
        """Take in a part, (rows, W) uint8 class ids and (rows, W) float32 probabilities of them."""
        self._counts += np.bincount(mask.ravel(), minlength=len(self._classes))
        self._confidence += float(confidence.sum(dtype=np.float64))
        self._over_foreground += float(confidence.sum(dtype=np.float64, where=mask > 0))

    def figures(self) -> tuple[dict[str, float], str | None, float]:
        """``shares``, ``class_name`` and ``mean_confidence`` of :class:`Segmentation`."""
        pixels, foreground = int(self._counts.sum()), self._counts[1:]
        shares = {
            name: float(count / pixels) for name, count in zip(self._classes, self._counts, strict=True)
        }
        if not foreground.any():
            return shares, None, self._confidence / pixels
        name = self._classes[1 + int(foreground.argmax())]
        return shares, name, self._over_foreground / int(foreground.sum())

"""Calibration: does a confidence of 80 % come true in 80 % of the pixels? (Guo et al., ICML 2017.)"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor


@dataclass(frozen=True)
class Reliability:
    """The reliability diagram: ``bins`` equal bins of confidence over (0, 1].

    Attributes:
        count: (bins,) int64 pixels.
        confidence: (bins,) mean confidence, NaN in empty bins.
        accuracy: (bins,) share of right pixels, NaN in empty bins.
    """

    count: np.ndarray
    confidence: np.ndarray
    accuracy: np.ndarray

    @property
    def expected_error(self) -> float:
        """Expected calibration error: mean of |accuracy - confidence| over pixels; NaN for no pixel."""
        if not self.count.sum():
            return float("nan")
        filled = self.count > 0
        gap = np.abs(self.accuracy[filled] - self.confidence[filled])
        return float((gap * self.count[filled]).sum() / self.count.sum())


class CalibrationHistogram:
    """Running sums per bin of confidence; memory does not grow with the number of pixels.

    Args:
        bins: number of equal bins over (0, 1].

    Example:
        >>> import torch
        >>> histogram = CalibrationHistogram(bins=10)
        >>> histogram.update(torch.full((4,), 0.75), torch.tensor([True, True, False, False]))
        >>> histogram.result().expected_error
        0.25
    """

    def __init__(self, bins: int = 15) -> None:
        self.bins = bins
        self.sums = np.zeros((3, bins), dtype=np.float64)  # pixels, confidence, right pixels

    def update(self, confidence: Tensor, right: Tensor) -> None:
        """Add pixels.

        Args:
            confidence: (P,) probability of the predicted class, in [0, 1].
            right: (P,) boolean, whether the predicted class is the true one.
        """
        # Bin b holds ((b) / bins, (b + 1) / bins]: a confidence of exactly 1 belongs to the last one.
        edges = torch.linspace(0, 1, self.bins + 1, device=confidence.device)
        place = (torch.bucketize(confidence, edges, right=False) - 1).clamp(0, self.bins - 1)
        values = torch.stack([torch.ones_like(confidence), confidence, right.to(confidence.dtype)])
        for row, value in enumerate(values):
            # Counts of float32 stop at 2**24; pixels of a split go far beyond.
            sums = torch.bincount(place, weights=value.double(), minlength=self.bins)
            self.sums[row] += sums.cpu().numpy()

    def result(self) -> Reliability:
        pixels, confidence, right = self.sums
        safe = np.where(pixels > 0, pixels, 1)
        return Reliability(
            count=pixels.astype(np.int64),
            confidence=np.where(pixels > 0, confidence / safe, np.nan),
            accuracy=np.where(pixels > 0, right / safe, np.nan),
        )

"""Confidence interval of a pooled score by resampling pictures (percentile bootstrap, Efron 1979)."""

from __future__ import annotations

import numpy as np

from ae_pretrained.metrics.segmentation import iou_per_class, mean_over_present

_CHUNK = 64  # resamplings at a time: bounds the memory for the picture counts


def mean_iou_interval(
    confusion: np.ndarray, samples: int, seed: int, level: float = 0.95
) -> tuple[float, float]:
    """Interval of the mean IoU of the pooled confusion matrix, over the choice of pictures.

    Pictures, not pixels, are drawn with replacement: the pixels of one picture are far from independent.

    Args:
        confusion: (N, C, C) counts per picture, N >= 1.
        samples: number of resamplings.
        seed: of the draws.
        level: probability that the interval covers, 0.95 for the 2.5th and 97.5th percentile.

    Returns:
        Lower and upper end, in [0, 1].
    """
    count, classes, _ = confusion.shape
    cells = confusion.reshape(count, classes * classes).astype(np.float64)
    rng = np.random.default_rng(seed)
    share = np.full(count, 1.0 / count)
    scores = []
    for start in range(0, samples, _CHUNK):
        weights = rng.multinomial(count, share, size=min(_CHUNK, samples - start))
        pooled = (weights @ cells).reshape(-1, classes, classes)
        scores.append(mean_over_present(iou_per_class(pooled)))
    values = np.concatenate(scores)
    values = values[~np.isnan(values)]  # a resampling of nothing but fully ignored pictures has no score
    if not values.size:
        raise ValueError("no picture holds a labelled pixel, so there is no mean IoU to bound")
    low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)

"""Confidence intervals of pooled scores by resampling images (percentile bootstrap, Efron 1979).

Images, not pixels, are drawn with replacement: the pixels of one image are far from independent.
"""

from __future__ import annotations

import numpy as np

from ae_pretrained.metrics.confusion import class_counts, iou_from_counts, mean_over_present

_CHUNK = 64  # resamplings at a time: bounds the memory for the image counts


def mean_iou_interval(
    confusion: np.ndarray, samples: int = 1000, seed: int = 0, level: float = 0.95
) -> tuple[float, float]:
    """Interval of the mean IoU of the pooled confusion matrix, over the choice of images.

    Args:
        confusion: (N, C, C) counts per image, N >= 1.
        samples: number of resamplings.
        seed: of the draws.
        level: probability that the interval covers, 0.95 for the 2.5th and 97.5th percentile.

    Returns:
        Lower and upper end, in [0, 1].

    Example:
        >>> import numpy as np
        >>> confusion = np.array([[[9, 1], [0, 6]], [[5, 3], [2, 6]], [[8, 0], [1, 7]]])
        >>> low, high = mean_iou_interval(confusion)
        >>> 0.5 < low < high < 0.9
        True
    """
    return _ends(_resampled([class_counts(confusion)], samples, seed)[:, 0], level)


def mean_iou_difference(
    before: np.ndarray, after: np.ndarray, samples: int = 1000, seed: int = 0, level: float = 0.95
) -> tuple[float, float]:
    """Interval of the difference of two mean IoUs on the same images, ``after`` minus ``before``.

    Both are resampled together. What makes an image easy or hard for both cancels out, so that the interval is
    narrower than two separate ones suggest: those may overlap although the difference is far from 0. It tells
    nothing about the chance of another training.

    Args:
        before: (N, 3, C) pixel counts of images, or of groups of images drawn at random, as
            :func:`~ae_pretrained.metrics.confusion.class_counts` gives them.
        after: the same of the same images in the same order.
        samples: number of resamplings.
        seed: of the draws.
        level: probability that the interval covers.

    Returns:
        Lower and upper end, in [-1, 1].

    Example:
        >>> import numpy as np
        >>> confusion = np.array([[[9, 1], [0, 6]], [[5, 3], [2, 6]], [[8, 0], [1, 7]]])
        >>> better = confusion + 4 * np.eye(2, dtype=int)
        >>> low, high = mean_iou_difference(class_counts(confusion), class_counts(better))
        >>> 0 < low < high < 0.2
        True
    """
    if before.shape != after.shape:
        raise ValueError(f"counts of shape {before.shape} and {after.shape}: not the same images and classes")
    pairs = _resampled([before, after], samples, seed)
    return _ends(pairs[:, 1] - pairs[:, 0], level)


def _resampled(models: list[np.ndarray], samples: int, seed: int) -> np.ndarray:
    """(samples, models) mean IoU on drawings of images, the same ones for every model."""
    count = len(models[0])
    rng = np.random.default_rng(seed)
    share = np.full(count, 1.0 / count)
    chunks = []
    for start in range(0, samples, _CHUNK):
        weights = rng.multinomial(count, share, size=min(_CHUNK, samples - start)).astype(np.float64)
        pooled = [np.tensordot(weights, counts, axes=1) for counts in models]
        chunks.append(np.stack([mean_over_present(iou_from_counts(counts)) for counts in pooled], axis=1))
    return np.concatenate(chunks)


def _ends(values: np.ndarray, level: float) -> tuple[float, float]:
    values = values[~np.isnan(values)]  # a resampling of nothing but fully ignored images has no score
    if not values.size:
        raise ValueError("no image holds a labelled pixel, so there is no mean IoU to bound")
    low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)

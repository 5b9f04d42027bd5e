"""Segmentation measures, all from confusion matrices of pixel counts.

A confusion matrix has the truth in its rows and the prediction in its columns. Matrices are kept per image,
(N, C, C), and summed before anything is divided: a mean over batches of Dice or IoU is a different and
misleading figure (a batch without cats scores a perfect cat).

For class c with true positives TP, false positives FP and false negatives FN:
IoU = TP / (TP + FP + FN), Dice = 2 TP / (2 TP + FP + FN) = 2 IoU / (1 + IoU),
precision = TP / (TP + FP), recall = TP / (TP + FN).

A class that occurs in neither truth nor prediction has no score (NaN here) and is left out of every mean.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ae_pretrained.constants import IGNORE_INDEX
from ae_pretrained.errors import PipelineError


def confusion_per_image(
    prediction: Tensor, truth: Tensor, num_classes: int, ignore_index: int = IGNORE_INDEX
) -> Tensor:
    """Count pixels by truth and prediction, image by image.

    Args:
        prediction: (N, H, W) integer class of every pixel, in [0, num_classes).
        truth: (N, H, W) integer class mask; ``ignore_index`` is not counted.
        num_classes: C, the background included.
        ignore_index: mask value of pixels that count nowhere.

    Returns:
        (N, C, C) int64, truth in rows, on the device of the arguments.

    Raises:
        PipelineError: when a mask holds a value that is neither a class nor ``ignore_index``.
        ValueError: when the shapes differ, or a labelled pixel is predicted as no class.

    Example:
        >>> import torch
        >>> truth = torch.tensor([[[0, 0, 1], [1, 1, 255]]])
        >>> confusion_per_image(torch.tensor([[[0, 1, 1], [1, 1, 0]]]), truth, num_classes=2)
        tensor([[[1, 1],
                 [0, 3]]])
    """
    if prediction.shape != truth.shape:
        raise ValueError(
            f"prediction {tuple(prediction.shape)} and truth {tuple(truth.shape)} differ in shape"
        )
    count = prediction.shape[0]
    valid = truth != ignore_index
    labels, found = truth[valid].long(), prediction[valid].long()
    wrong = _beyond(labels, num_classes)
    if wrong is not None:
        raise PipelineError(
            f"masks hold the value {wrong}, but there are {num_classes} classes (0 to "
            f"{num_classes - 1}) and {ignore_index} for ignored; check data.classes and run prepare again"
        )
    wrong = _beyond(found, num_classes)
    if wrong is not None:
        raise ValueError(
            f"a prediction of {wrong}, but there are {num_classes} classes (0 to {num_classes - 1})"
        )
    image = torch.arange(count, device=truth.device).view(-1, 1, 1).expand_as(truth)[valid]
    cell = (image * num_classes + labels) * num_classes + found
    counts = torch.bincount(cell, minlength=count * num_classes**2)
    return counts.view(count, num_classes, num_classes)


def _beyond(values: Tensor, num_classes: int) -> int | None:
    """A value that is no class, if there is one."""
    if not values.numel():
        return None
    low, high = (int(end) for end in values.aminmax())
    return low if low < 0 else high if high >= num_classes else None


def _parts(confusion: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """True positives, truth and predicted pixels of every class, each (..., C)."""
    hits = np.diagonal(confusion, axis1=-2, axis2=-1)
    return hits, confusion.sum(axis=-1), confusion.sum(axis=-2)


def _divide(numerator: np.ndarray, denominator: np.ndarray, empty: float | np.ndarray) -> np.ndarray:
    """Quotient with a chosen value where the denominator is zero."""
    safe = np.where(denominator > 0, denominator, 1)
    return np.where(denominator > 0, numerator / safe, empty)


def class_counts(confusion: np.ndarray) -> np.ndarray:
    """(..., C, C) counts to (..., 3, C): right, true and predicted pixels of every class.

    All that the scores of a class are made of, in 3 C numbers instead of C^2. Sums over images may be taken
    before or after.

    Example:
        >>> import numpy as np
        >>> class_counts(np.array([[1, 1], [0, 3]])).tolist()
        [[1, 3], [2, 3], [1, 4]]
    """
    return np.stack(_parts(confusion), axis=-2)


def iou_from_counts(counts: np.ndarray) -> np.ndarray:
    """(..., 3, C) of :func:`class_counts` to (..., C) IoU in [0, 1]; NaN where a class is in neither."""
    hits, truth, predicted = np.moveaxis(counts, -2, 0)
    return _divide(hits, truth + predicted - hits, np.nan)


def iou_per_class(confusion: np.ndarray) -> np.ndarray:
    """(..., C, C) counts to (..., C) IoU in [0, 1]; NaN where a class is in neither truth nor prediction.

    Example:
        >>> import numpy as np
        >>> iou_per_class(np.array([[1, 1], [0, 3]]))
        array([0.5 , 0.75])
    """
    return iou_from_counts(class_counts(confusion))


def dice_per_class(confusion: np.ndarray) -> np.ndarray:
    """(..., C, C) counts to (..., C) Dice in [0, 1]; NaN where a class is in neither truth nor prediction.

    Example:
        >>> import numpy as np
        >>> dice_per_class(np.array([[2, 2], [0, 3]])).round(3)
        array([0.667, 0.75 ])
    """
    hits, truth, predicted = _parts(confusion)
    return _divide(2 * hits, truth + predicted, np.nan)


def precision_per_class(confusion: np.ndarray) -> np.ndarray:
    """(..., C, C) counts to (..., C) precision; 0 where a class of the truth is never predicted."""
    hits, truth, predicted = _parts(confusion)
    return _divide(hits, predicted, np.where(truth > 0, 0.0, np.nan))


def recall_per_class(confusion: np.ndarray) -> np.ndarray:
    """(..., C, C) counts to (..., C) recall; 0 where a predicted class is not in the truth."""
    hits, truth, predicted = _parts(confusion)
    return _divide(hits, truth, np.where(predicted > 0, 0.0, np.nan))


def pixel_accuracy(confusion: np.ndarray) -> np.ndarray:
    """(..., C, C) counts to (...) share of labelled pixels that are right; NaN where none is labelled."""
    hits, truth, _ = _parts(confusion)
    return _divide(hits.sum(axis=-1), truth.sum(axis=-1), np.nan)


def mean_over_present(scores: np.ndarray) -> np.ndarray:
    """Mean over the last axis, leaving NaN out; NaN where nothing is left."""
    there = ~np.isnan(scores)
    return _divide(np.where(there, scores, 0.0).sum(axis=-1), there.sum(axis=-1), np.nan)


def mean_over_true_classes(scores: np.ndarray, confusion: np.ndarray) -> np.ndarray:
    """Mean over the classes that the truth holds, for the scores of single images.

    A single stray pixel of a class that is not there would count like a whole class that was missed, if that
    class entered the mean with its score of 0. It is not lost: it lowers the score of the class it lies on.

    Args:
        scores: (..., C) scores per class.
        confusion: (..., C, C) counts, truth in rows.

    Returns:
        (...), NaN where the truth is empty.
    """
    _, truth, _ = _parts(confusion)
    return mean_over_present(np.where(truth > 0, scores, np.nan))


def scores_from_confusion(pooled: np.ndarray, classes: Sequence[str]) -> dict[str, Any]:
    """All scores of a pooled confusion matrix.

    Args:
        pooled: (C, C) pixel counts, truth in rows.
        classes: C names, background first.

    Returns:
        ``pixel_accuracy``, ``mean_iou``, ``mean_dice``, ``mean_foreground_dice``, ``absent_classes`` (names
        of the classes in neither truth nor prediction) and for every class name a dict of ``dice``, ``iou``,
        ``precision``, ``recall``. The scores of an absent class, and means over nothing, are NaN.

    Example:
        >>> import numpy as np
        >>> scores = scores_from_confusion(np.array([[1, 1], [0, 3]]), ["background", "leaf"])
        >>> scores["mean_iou"], scores["leaf"]["iou"], scores["pixel_accuracy"]
        (0.625, 0.75, 0.8)
    """
    scores = {
        "dice": dice_per_class(pooled),
        "iou": iou_per_class(pooled),
        "precision": precision_per_class(pooled),
        "recall": recall_per_class(pooled),
    }
    result: dict[str, Any] = {
        "pixel_accuracy": float(pixel_accuracy(pooled)),
        "mean_iou": float(mean_over_present(scores["iou"])),
        "mean_dice": float(mean_over_present(scores["dice"])),
        "mean_foreground_dice": float(mean_over_present(scores["dice"][1:])),
        "absent_classes": [
            name for name, value in zip(classes, scores["iou"], strict=True) if np.isnan(value)
        ],
    }
    for place, name in enumerate(classes):
        result[name] = {key: float(values[place]) for key, values in scores.items()}
    return result


def all_background(confusion: np.ndarray) -> np.ndarray:
    """The confusion matrix of the guess that everything is background (class 0), for the same truth."""
    guess = np.zeros_like(confusion)
    guess[..., :, 0] = confusion.sum(axis=-1)
    return guess


def majority_classes(confusion: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The foreground class that covers most of each image, in truth and in prediction.

    Args:
        confusion: (N, C, C) counts per image, C >= 2.

    Returns:
        Two (N,) int64 arrays of classes in [1, C); -1 where there is no foreground pixel at all. On a tie
        the lower class wins.
    """
    _, truth, predicted = _parts(confusion)

    def majority(pixels: np.ndarray) -> np.ndarray:
        foreground = pixels[..., 1:]
        return np.where(foreground.sum(axis=-1) > 0, foreground.argmax(axis=-1) + 1, -1).astype(np.int64)

    return majority(truth), majority(predicted)

"""For every metric, whether more is better: the one table."""

from __future__ import annotations

from enum import IntEnum
from fnmatch import fnmatchcase


class Direction(IntEnum):
    """Sign of a welcome change; NEUTRAL marks a figure that says nothing about quality, such as a count."""

    LOWER = -1
    NEUTRAL = 0
    HIGHER = 1


# Pattern of the last part of a key to direction; the first match counts.
_RULES: tuple[tuple[str, Direction], ...] = (
    ("num_*", Direction.NEUTRAL),
    ("*_all_background", Direction.NEUTRAL),  # what a constant prediction scores: a property of the data
    ("*_ci95", Direction.NEUTRAL),
    ("majority", Direction.NEUTRAL),
    ("tsne_perplexity", Direction.NEUTRAL),
    ("pca_explained_variance", Direction.NEUTRAL),
    ("epochs", Direction.NEUTRAL),
    ("best_epoch", Direction.NEUTRAL),
    ("updates", Direction.NEUTRAL),
    ("*loss", Direction.LOWER),
    ("*mse*", Direction.LOWER),
    ("*perceptual", Direction.LOWER),
    ("*_latent", Direction.LOWER),
    ("*cross_entropy", Direction.LOWER),
    ("*calibration_error", Direction.LOWER),
    ("val_dice", Direction.LOWER),  # the term of the loss; the scores are val_dice_<class>
    ("train_dice", Direction.LOWER),
    ("*iou*", Direction.HIGHER),
    ("*dice*", Direction.HIGHER),
    ("*accuracy", Direction.HIGHER),
    ("*psnr*", Direction.HIGHER),
    ("*ssim", Direction.HIGHER),
    ("precision", Direction.HIGHER),
    ("recall", Direction.HIGHER),
    ("linear_probe", Direction.HIGHER),
    ("knn", Direction.HIGHER),
)
# Files that describe the data or the run: nothing in them is better or worse.
_NEUTRAL_FILES = ("prepare",)


def direction(file: str, key: str) -> Direction | None:
    """Direction of a figure.

    Args:
        file: stem of the metrics file, or of the CSV of a curve.
        key: dotted key in it.

    Returns:
        The direction; None for a figure that the table does not know.
    """
    if file in _NEUTRAL_FILES:
        return Direction.NEUTRAL
    last = key.rpartition(".")[2]
    return next((sign for pattern, sign in _RULES if fnmatchcase(last, pattern)), None)

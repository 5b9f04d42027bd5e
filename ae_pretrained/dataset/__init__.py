"""Prepared arrays as batches, augmentation and corruption."""

from ae_pretrained.dataset.augmentation import Augmentation
from ae_pretrained.dataset.corruption import corrupt

__all__ = ["Augmentation", "corrupt"]

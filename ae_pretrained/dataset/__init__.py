"""Prepared arrays as batches, augmentation and corruption."""

from ae_pretrained.dataset.augmentation import Augmentation
from ae_pretrained.dataset.corruption import corrupt
from ae_pretrained.dataset.views import Views

__all__ = ["Augmentation", "Views", "corrupt"]

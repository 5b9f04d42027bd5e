"""Batches of labelled images, each with a batch of unlabelled ones beside it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from torch import Tensor
from torch.utils.data import Dataset, Sampler

from ae_pretrained.dataset.batches import ArrayBatches, TrainingOrder
from ae_pretrained.dataset.crops import CropBatches


class MixedBatch(NamedTuple):
    """Labelled and unlabelled images.

    Attributes:
        images: (N, 3, H, W), labelled.
        masks: (N, H, W) class masks of them.
        unlabelled: (M, 3, H, W).
        padding: (M, H, W), 255 on padding and 0 elsewhere.
    """

    images: Tensor
    masks: Tensor
    unlabelled: Tensor
    padding: Tensor


class MixedBatches(Dataset[MixedBatch]):
    """Both kinds of images, a batch of each at a time.

    Args:
        labelled: images with class masks.
        unlabelled: images with masks of their padding.
        unlabelled_batch_size: how many of these per batch and process.
    """

    def __init__(
        self,
        labelled: ArrayBatches | CropBatches,
        unlabelled: ArrayBatches | CropBatches,
        unlabelled_batch_size: int,
    ) -> None:
        self.labelled, self.unlabelled = labelled, unlabelled
        self.unlabelled_batch_size = unlabelled_batch_size

    def __getitem__(self, positions: tuple[list[Any], list[Any]]) -> MixedBatch:
        return MixedBatch(*self.labelled[positions[0]], *self.unlabelled[positions[1]])


class MixedOrder(Sampler[Any]):
    """The orders of both kinds side by side; an epoch is one of the labelled images."""

    def __init__(self, labelled: TrainingOrder, unlabelled: TrainingOrder) -> None:
        self.labelled, self.unlabelled = labelled, unlabelled

    def set_epoch(self, epoch: int) -> None:
        self.labelled.set_epoch(epoch)
        self.unlabelled.set_epoch(epoch)

    def __len__(self) -> int:
        return len(self.labelled)

    def __iter__(self) -> Iterator[tuple[list[Any], list[Any]]]:
        return zip(self.labelled, self.unlabelled, strict=True)

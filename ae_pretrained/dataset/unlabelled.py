"""Labelled batches with unlabelled ones beside them."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from torch import Tensor
from torch.utils.data import Dataset, Sampler

from ae_pretrained.dataset.arrays import Split
from ae_pretrained.dataset.batches import ArrayBatches, TrainingOrder
from ae_pretrained.dataset.crops import CropBatches, CropOrder

BothBatches = tuple[Tensor, Tensor, Tensor, Tensor]


def without_mask(images: Split, labelled: np.ndarray) -> np.ndarray:
    """Positions of the images whose mask may not be seen.

    Args:
        images: the splits ``train`` and ``unlabelled``, as one.
        labelled: positions within ``train`` of the images that are trained on with their masks.
    """
    train = np.flatnonzero(np.array(images.column("split")) == "train")
    return np.setdiff1d(np.arange(len(images)), train[labelled])


class WithUnlabelled(Dataset[BothBatches]):
    """A labelled batch, and one of images without masks.

    Args:
        labelled: where the first comes from.
        unlabelled: where the second comes from; its masks say what is padding, and nothing else.
        batch_size: images of the second, per process.
    """

    def __init__(
        self, labelled: ArrayBatches | CropBatches, unlabelled: ArrayBatches | CropBatches, batch_size: int
    ) -> None:
        self.labelled, self.unlabelled, self.batch_size = labelled, unlabelled, batch_size

    def __len__(self) -> int:
        return len(self.labelled)

    def __getitem__(self, positions: tuple[list[int], list[int]]) -> BothBatches:
        """Images and masks as of ``labelled``, then images and their padding (255) as of ``unlabelled``."""
        first, second = (
            data[chosen]  # type: ignore[index]  # crops are chosen by draws
            for data, chosen in zip((self.labelled, self.unlabelled), positions, strict=True)
        )
        return *first, *second


class BothOrders(Sampler[tuple[list[int], list[int]]]):
    """Two orders side by side, the second as long as the first."""

    def __init__(self, labelled: TrainingOrder, unlabelled: TrainingOrder) -> None:
        self.labelled, self.unlabelled = labelled, unlabelled

    def set_epoch(self, epoch: int) -> None:
        self.labelled.set_epoch(epoch)
        self.unlabelled.set_epoch(epoch)

    def __len__(self) -> int:
        return len(self.labelled)

    def __iter__(self) -> Iterator[tuple[list[int], list[int]]]:
        return zip(self.labelled, self.unlabelled, strict=True)


TrainingData = ArrayBatches | CropBatches | WithUnlabelled


def order_of(data: ArrayBatches | CropBatches) -> type[TrainingOrder]:
    """The kind of order that draws from some data."""
    return CropOrder if isinstance(data, CropBatches) else TrainingOrder

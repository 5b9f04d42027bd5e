"""From arrays on disk to batches: which images, in which order, on which process.

A batch is one slice of a memory-mapped array: nothing is decoded while training. The order of an epoch is a
function of seed and epoch alone, whatever the number of loader workers, and the processes of a distributed
run take disjoint parts of the same global batches.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Literal

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from ae_pretrained.dataset.arrays import ImageArray, PaddingMasks
from ae_pretrained.dataset.read_ahead import will_need
from ae_pretrained.errors import PipelineError

Batch = tuple[Tensor, Tensor]


class BatchSizeError(PipelineError):
    """A batch would be larger than the data."""


class ArrayBatches(Dataset[Batch]):
    """Images and masks, fetched a whole batch at a time.

    Args:
        images: (N, H, W, 3) uint8, possibly memory-mapped.
        masks: (N, H, W) uint8, possibly memory-mapped: class masks, or for the autoencoder where images are padding.
        chosen: the positions that may be drawn, in the numbering of the arrays.
    """

    def __init__(
        self,
        images: ImageArray,
        masks: ImageArray | PaddingMasks,
        chosen: np.ndarray,
    ) -> None:
        self.images, self.masks, self.chosen = images, masks, chosen

    def __len__(self) -> int:
        return len(self.chosen)

    def __getitem__(self, positions: Sequence[int]) -> Batch:
        """Images (n, 3, H, W) uint8 and masks (n, H, W) uint8 of the chosen positions."""
        rows = self.chosen[np.asarray(positions)]
        for array in (self.images, self.masks):
            will_need(array, rows.tolist())
        images = torch.from_numpy(np.ascontiguousarray(self.images[rows]))
        masks = torch.from_numpy(np.ascontiguousarray(self.masks[rows]))
        return images.permute(0, 3, 1, 2), masks


class TrainingOrder(Sampler[list[int]]):
    """Endless shuffles of the data, cut into batches; an epoch is a stretch of them.

    Args:
        length: number of images.
        batch_size: images per batch and process.
        updates_per_epoch: batches per epoch; 0 for as many full batches as one pass holds.
        seed: seed of the order.
        weights: (length,) relative frequency of each image; None draws without replacement.
        rank, world_size: this process among those of a distributed run.
        kind: of the images, for the error.

    Raises:
        BatchSizeError: when the data do not fill one batch.
    """

    def __init__(
        self,
        length: int,
        batch_size: int,
        *,
        updates_per_epoch: int = 0,
        seed: int = 0,
        weights: np.ndarray | None = None,
        rank: int = 0,
        world_size: int = 1,
        kind: Literal["training", "unlabelled"] = "training",
    ) -> None:
        total = batch_size * world_size
        if length < total:
            devices = f" on each of {world_size} devices" if world_size > 1 else ""
            key = "batch_size" if kind == "training" else "train_seg.unlabelled.batch_size"
            raise BatchSizeError(
                f"{key}: {batch_size}{devices} is more than the {length} {kind} images there are; "
                f"use at most {length // world_size}"
            )
        self.length, self.total = length, total
        self.updates = updates_per_epoch or length // total
        self.seed, self.weights = seed, weights
        self.rank, self.world_size = rank, world_size
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        self.epoch = epoch

    def __len__(self) -> int:
        return self.updates

    def __iter__(self) -> Iterator[list[int]]:
        rng = np.random.default_rng([self.seed, self.epoch])
        needed = self.updates * self.total
        if self.weights is not None:
            share = self.weights / self.weights.sum()
            order = rng.choice(self.length, size=needed, p=share)
        else:
            passes = -(-needed // self.length)
            order = np.concatenate([rng.permutation(self.length) for _ in range(passes)])[:needed]
        for update in range(self.updates):
            batch = order[update * self.total : (update + 1) * self.total]
            yield batch[self.rank :: self.world_size].tolist()


class EvaluationOrder(Sampler[list[int]]):
    """Every image once, in order; the processes of a distributed run take turns."""

    def __init__(self, length: int, batch_size: int, *, rank: int = 0, world_size: int = 1) -> None:
        self.positions = list(range(rank, length, world_size))
        self.batch_size = batch_size

    def __len__(self) -> int:
        return -(-len(self.positions) // self.batch_size)

    def __iter__(self) -> Iterator[list[int]]:
        for start in range(0, len(self.positions), self.batch_size):
            yield self.positions[start : start + self.batch_size]


def make_loader(dataset: Dataset[Any], order: Sampler[Any], workers: int) -> DataLoader[Any]:
    """A loader whose every item is a whole batch."""
    return DataLoader(
        dataset,
        sampler=order,
        batch_size=None,
        num_workers=workers,
        pin_memory=torch.cuda.is_available(),
        persistent_workers=workers > 0,
    )


def to_float(images: Tensor) -> Tensor:
    """uint8 images in [0, 255] as float32 in [0, 1]."""
    return images.to(torch.float32).div_(255.0)


def halve(images: Tensor, masks: Tensor) -> Batch:
    """Half the size: images by the mean of 2x2 pixels, masks by one pixel of them; an odd last row or column goes.

    Args:
        images: (N, 3, H, W) floats.
        masks: (N, H, W) integers.

    Returns:
        (N, 3, H // 2, W // 2) and (N, H // 2, W // 2), of unchanged types.
    """
    smaller = F.avg_pool2d(images, 2)
    height, width = smaller.shape[-2:]
    return smaller, masks[:, : 2 * height : 2, : 2 * width : 2]


def class_balancing_weights(masks: ImageArray, chosen: np.ndarray, num_classes: int) -> np.ndarray:
    """Weights under which every foreground class is drawn equally often.

    An image counts for the foreground class that covers most of it; one without foreground gets the mean
    weight of the others.

    Args:
        masks: (N, H, W) uint8 class masks, or packed ones.
        chosen: (n,) positions of the training images.
        num_classes: number of classes, background included.

    Returns:
        (n,) float64 weights.
    """
    foreground = np.array(
        [np.bincount(masks[row].ravel(), minlength=256)[1:num_classes] for row in chosen], dtype=np.int64
    )
    dominant = np.where(foreground.sum(axis=1) > 0, foreground.argmax(axis=1), -1)
    weights = np.ones(len(chosen))
    for label in range(num_classes - 1):
        members = dominant == label
        if members.any():
            weights[members] = 1.0 / members.sum()
    if (dominant >= 0).any():
        weights[dominant < 0] = weights[dominant >= 0].mean()
    return weights


def class_frequencies(masks: ImageArray, chosen: np.ndarray, num_classes: int) -> Tensor:
    """Pixels of every class over the chosen masks, as a (num_classes,) float32 tensor summing to 1."""
    counts = np.zeros(num_classes, dtype=np.int64)
    for row in chosen:
        counts += np.bincount(masks[row].ravel(), minlength=256)[:num_classes]
    return torch.from_numpy(counts / max(1, counts.sum())).float()

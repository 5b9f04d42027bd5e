"""From arrays on disk through a model, batch by batch: memory stays bounded whatever the size of a split."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor, nn

from ae_pretrained.dataset.arrays import Split
from ae_pretrained.dataset.batches import to_float
from ae_pretrained.hardware import resolve_accelerator, use_tf32, use_threads
from ae_pretrained.windows.logits import Logits

_MEGAPIXEL = 2**20


@dataclass(frozen=True)
class Compute:
    """Where and in which number format a model is evaluated.

    Attributes:
        device: the device that the model is moved to.
        autocast: ``torch.bfloat16`` or ``torch.float16`` for mixed precision, None for float32.
    """

    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    autocast: torch.dtype | None = None

    def precision(self) -> contextlib.AbstractContextManager[object]:
        if self.autocast is None:
            return contextlib.nullcontext()
        return torch.autocast(self.device.type, self.autocast)


def best_compute(accelerator: str, threads: int = 0) -> Compute:
    """The device that ``runtime.accelerator`` (auto, cpu or gpu) stands for, in float32.

    Evaluation takes a small part of a run; rounding to 16 bits would show in the figures, and so would TF32, which is
    therefore switched off.

    Args:
        accelerator: see above.
        threads: of PyTorch on the CPU, from now on; 0 leaves them as they are (``runtime.threads``).

    Raises:
        PipelineError: when a GPU is asked for and none is there.
    """
    kind = resolve_accelerator(accelerator)
    use_tf32(False)
    use_threads(threads)
    return Compute(torch.device("cuda" if kind == "gpu" else "cpu"))


def batches(rows: np.ndarray, size: int) -> Iterator[np.ndarray]:
    """Consecutive pieces of ``rows``, ``size`` at a time."""
    for start in range(0, len(rows), size):
        yield rows[start : start + size]


def tiles_of(split: Split, side: int, batch_size: int) -> tuple[Split, int]:
    """What is measured image by image: the images of a split, or windows of images that are kept whole.

    Args:
        split: the images.
        side: of a window, px.
        batch_size: images per batch.

    Returns:
        The squares, and how many of them make a batch: of windows, no more than a megapixel.
    """
    if not split.is_packed:
        return split, batch_size
    return split.tiles(side), max(1, min(batch_size, _MEGAPIXEL // side**2))


def network_logits(model: nn.Module, compute: Compute) -> Logits:
    """A network as a function of arrays, as windows need it: (N, 3, H, W) float32 in [0, 1] to logits.

    Args:
        model: in evaluation mode and on the device.
        compute: device and number format.
    """

    def logits(images: np.ndarray) -> np.ndarray:
        with torch.inference_mode(), compute.precision():
            return np.asarray(model(torch.from_numpy(images).to(compute.device)).float().cpu())

    return logits


def load_images(split: Split, rows: Sequence[int] | np.ndarray, device: torch.device) -> Tensor:
    """Images as (n, 3, H, W) float32 in [0, 1]."""
    images = torch.from_numpy(np.ascontiguousarray(split.images[np.asarray(rows)]))
    return to_float(images.to(device).permute(0, 3, 1, 2)).contiguous()


def load_masks(split: Split, rows: Sequence[int] | np.ndarray, device: torch.device) -> Tensor:
    """Masks as (n, H, W) uint8."""
    return torch.from_numpy(np.ascontiguousarray(split.masks[np.asarray(rows)])).to(device)


def load_valid(split: Split, rows: Sequence[int] | np.ndarray, device: torch.device) -> Tensor:
    """(n, 1, H, W) boolean, False on padding."""
    return torch.from_numpy(split.valid(np.asarray(rows))).unsqueeze(1).to(device)


def class_probabilities(model: nn.Module, images: Tensor, flip_averaging: bool, compute: Compute) -> Tensor:
    """Probability of every class in every pixel.

    Args:
        model: gives logits (N, C, H, W); in evaluation mode and on the device.
        images: (N, 3, H, W) in [0, 1].
        flip_averaging: average with the prediction for the mirror image, mirrored back.

    Returns:
        (N, C, H, W) float32, summing to 1 over C.
    """
    with compute.precision():
        logits = model(images)
        mirrored = model(images.flip(-1)) if flip_averaging else None
    probabilities = logits.float().softmax(dim=1)
    if mirrored is not None:
        probabilities = (probabilities + mirrored.float().softmax(dim=1).flip(-1)) / 2
    return probabilities

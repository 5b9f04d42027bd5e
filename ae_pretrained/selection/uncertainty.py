"""How unsure a segmenter is of images, and what it takes them for."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import nn
from tqdm import tqdm

from ae_pretrained.evaluation.inference import (
    Compute,
    batches,
    class_probabilities,
    load_images,
    load_valid,
)
from ae_pretrained.models.memory_layout import place
from ae_pretrained.selection.squares import Squares


@dataclass(frozen=True)
class Uncertainty:
    """What a segmenter says of n images.

    Attributes:
        entropy: (n,) mean over the pixels of the entropy of their probabilities, as a share of the largest that there
            is, log C: 0 is sure, 1 knows nothing.
        pixels: (n, C) how many pixels are predicted to be of each class.
    """

    entropy: np.ndarray
    pixels: np.ndarray

    @property
    def main_class(self) -> np.ndarray:
        """(n,) the foreground class with most pixels; 0 where none is predicted."""
        foreground = self.pixels[:, 1:]
        return np.where(foreground.any(axis=1), 1 + foreground.argmax(axis=1), 0)


@torch.inference_mode()
def measure_uncertainty(
    model: nn.Module, squares: Squares, num_classes: int, compute: Compute
) -> Uncertainty:
    """Run a segmenter over images, one batch in memory at a time; padding does not count.

    Images are seen once: the mean with the mirror image, as ``eval_seg`` has it, would double the time, and ten
    thousand images have to be ranked while somebody waits.

    Args:
        model: gives logits (N, C, H, W).
        squares: the images.
        num_classes: C.
        compute: device and number format.
    """
    place(model, compute.device)
    sums, counts = [], []
    with tqdm(total=len(squares.rows), desc="uncertainty", unit="image", disable=None) as bar:
        for chosen in batches(squares.rows, squares.batch_size):
            images = load_images(squares.split, chosen, compute.device)
            probabilities = class_probabilities(model, images, False, compute)
            valid = load_valid(squares.split, chosen, compute.device)[:, 0]
            entropy = torch.special.entr(probabilities).sum(dim=1) / np.log(num_classes)
            sums.append((entropy * valid).sum(dim=(1, 2), dtype=torch.float64).cpu().numpy())
            predicted = probabilities.argmax(dim=1)
            found = [((predicted == label) & valid).sum(dim=(1, 2)) for label in range(num_classes)]
            counts.append(torch.stack(found, dim=1).cpu().numpy())
            bar.update(len(chosen))
    pixels = squares.sums(np.concatenate(counts))
    return Uncertainty(squares.sums(np.concatenate(sums)) / pixels.sum(axis=1), pixels)

"""How much of an autoencoder's error is the brightness and contrast of whole images?

    python -m studies.brightness_error models/autoencoder.safetensors data/processed

measures the test reconstructions as they are, with the mean of every colour channel put right, and with its mean and
contrast put right (least squares, image by image). What an instance norm takes out of an image is just that.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from ae_pretrained.dataset.arrays import Split, open_split
from ae_pretrained.evaluation.autoencoder_measures import reconstruct
from ae_pretrained.evaluation.inference import Compute, batches, best_compute, load_images, load_valid
from ae_pretrained.metrics.image_quality import psnr, squared_error
from ae_pretrained.models.weights import load_autoencoder
from ae_pretrained.stage_runner import run_stage

CORRECTIONS = ("as it is", "mean put right", "mean and contrast put right")
BATCH_SIZE = 64
_TINY = 1e-12


def corrected(output: Tensor, target: Tensor, counted: Tensor) -> tuple[Tensor, Tensor]:
    """Reconstructions with every channel shifted, and scaled and shifted, to fit the target best.

    Args:
        output, target: (N, 3, H, W) in [0, 1].
        counted: (N, 1, H, W) boolean, the pixels that count.

    Returns:
        Two float64 tensors (N, 3, H, W); their values may leave [0, 1]. Where a channel of ``output`` is constant
        there is no contrast to scale, and both are the mean of the target.
    """
    output, target = output.double(), target.double()
    pixels = counted.sum(dim=(2, 3), keepdim=True)

    def mean(values: Tensor) -> Tensor:
        return (values * counted).sum(dim=(2, 3), keepdim=True) / pixels

    centred, goal = output - mean(output), mean(target)
    gain = mean(centred * (target - goal)) / mean(centred.square()).clamp(min=_TINY)
    return goal + centred, goal + gain * centred


@torch.inference_mode()
def brightness_error(model: nn.Module, split: Split, compute: Compute) -> dict[str, tuple[float, float]]:
    """PSNR (dB, mean over images) and MSE (pooled) of every way in ``CORRECTIONS``, padding left out."""
    model.to(compute.device).eval()
    errors: dict[str, list[np.ndarray]] = {name: [] for name in CORRECTIONS}
    numbers: list[np.ndarray] = []
    for rows in batches(np.arange(len(split)), BATCH_SIZE):
        images = load_images(split, rows, compute.device)
        valid = load_valid(split, rows, compute.device)
        output = reconstruct(model, images, compute)
        for name, fitted in zip(CORRECTIONS, (output, *corrected(output, images, valid)), strict=True):
            error, number = squared_error(fitted, images, valid)
            errors[name].append(error.cpu().numpy())
        numbers.append(number.cpu().numpy())
    count = np.concatenate(numbers)
    summed = {name: np.concatenate(parts) for name, parts in errors.items()}
    return {
        name: (float(psnr(error / count).mean()), float(error.sum() / count.sum()))
        for name, error in summed.items()
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("autoencoder", type=Path)
    parser.add_argument("processed", type=Path, help="folder that stage prepare wrote")
    arguments = parser.parse_args()
    result = brightness_error(
        load_autoencoder(arguments.autoencoder), open_split(arguments.processed, "test"), best_compute("auto")
    )
    for name, (decibels, mse) in result.items():
        print(f"{name:<28} PSNR {decibels:.1f} dB  MSE {mse:.5f}")


if __name__ == "__main__":
    run_stage(main)

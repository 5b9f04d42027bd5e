"""An autoencoder measured on a whole split, streamed, with clean and with corrupted inputs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from tqdm import tqdm

from ae_pretrained.dataset.arrays import Split
from ae_pretrained.dataset.corruption import corrupt
from ae_pretrained.evaluation.inference import Compute, batches, load_images, load_valid
from ae_pretrained.metrics.image_quality import psnr, squared_error
from ae_pretrained.metrics.ssim import ssim_per_image
from ae_pretrained.models.memory_layout import place
from ae_pretrained.params.training_params import CorruptionParams


@dataclass(frozen=True)
class ReconstructionResult:
    """Sums and scores per image, padding left out.

    Attributes:
        error: (N,) summed squared error.
        values: (N,) number of values that the sum is over.
        ssim: (N,) SSIM; NaN where the content is smaller than the window.
        changed_error, changed_values: the same sums over the pixels that the corruption changed.
    """

    error: np.ndarray
    values: np.ndarray
    ssim: np.ndarray
    changed_error: np.ndarray
    changed_values: np.ndarray

    @property
    def psnr(self) -> np.ndarray:
        """(N,) PSNR in dB."""
        return psnr(self.error / self.values)


def corrupt_one_by_one(
    images: Tensor, rows: np.ndarray, params: CorruptionParams, seed: int
) -> tuple[Tensor, Tensor]:
    """Corrupt each image by draws of its own, which depend on the seed and its position alone.

    So the figures do not depend on the batch size, and an image shown is corrupted as it was when measured.

    Args:
        images: (n, 3, H, W) in [0, 1].
        rows: (n,) positions of the images in the split.

    Returns:
        As ``corrupt``: images and (n, 1, H, W) boolean changed pixels, on the device of ``images``.
    """
    pairs = []
    for image, row in zip(images.cpu(), rows.tolist(), strict=True):
        state = int(np.random.SeedSequence([seed, row]).generate_state(1, np.uint64)[0] >> 1)
        pairs.append(
            corrupt(image.unsqueeze(0), **params.model_dump(), generator=torch.Generator().manual_seed(state))
        )
    changed = torch.cat([mask for _, mask in pairs])
    return torch.cat([image for image, _ in pairs]).to(images.device), changed.to(images.device)


def reconstruct(model: nn.Module, images: Tensor, compute: Compute) -> Tensor:
    """(N, 3, H, W) in [0, 1] through an autoencoder, as float32 in [0, 1]."""
    with compute.precision():
        output = model(images)
    return output.float().clamp(0.0, 1.0)


@torch.inference_mode()
def measure_autoencoder(
    model: nn.Module,
    split: Split,
    batch_size: int,
    corruption: CorruptionParams | None,
    seed: int,
    compute: Compute,
) -> ReconstructionResult:
    """Reconstruct every image of a split.

    Args:
        corruption: what is done to the input; None for clean inputs. The target is always the clean image.
        seed: of the corruption.
    """
    place(model, compute.device)
    # Made at full length: small results kept from each batch would lie scattered among its large ones and keep the
    # heap from using their place again.
    columns = [np.empty(len(split), kind) for kind in (float, np.int64, float, float, np.int64)]
    words = "reconstruction" if corruption is None else "reconstruction of corrupted images"
    with tqdm(total=len(split), desc=words, unit="image", disable=None) as bar:
        for rows in batches(np.arange(len(split)), batch_size):
            images = load_images(split, rows, compute.device)
            valid = load_valid(split, rows, compute.device)
            shown, changed = images, torch.zeros_like(valid)
            if corruption is not None:
                shown, changed = corrupt_one_by_one(images, rows, corruption, seed)
            output = reconstruct(model, shown, compute)
            parts = (
                *squared_error(output, images, valid),
                ssim_per_image(output, images, valid, dtype=torch.float64),
                *squared_error(output, images, valid & changed),
            )
            for column, part in zip(columns, parts, strict=True):
                column[rows] = part.cpu().numpy()
            bar.update(len(rows))
    return ReconstructionResult(*columns)


def summarise_reconstruction(result: ReconstructionResult) -> dict[str, Any]:
    """MSE, PSNR (mean over images, and of the pooled MSE), SSIM, and over how many images.

    SSIM is the mean over the images that hold its 11 x 11 window; ``ssim_num_images`` is given where that
    is not all of them, and ``ssim`` itself is missing where it is none.
    """
    mse = result.error.sum() / result.values.sum()
    has_ssim = ~np.isnan(result.ssim)
    metrics: dict[str, Any] = {
        "mse": mse,
        "psnr": result.psnr.mean(),
        "psnr_pooled": psnr(mse),
        "num_images": len(result.error),
    }
    if has_ssim.any():
        metrics["ssim"] = result.ssim[has_ssim].mean()
    if not has_ssim.all():
        metrics["ssim_num_images"] = int(has_ssim.sum())
    if result.changed_values.sum():
        metrics["mse_changed_pixels"] = result.changed_error.sum() / result.changed_values.sum()
    return metrics

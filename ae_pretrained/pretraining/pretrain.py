"""The pretraining stage: arrays in, autoencoder out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

import ae_pretrained
from ae_pretrained.constants import IGNORE_INDEX
from ae_pretrained.dataset.arrays import Split, open_split
from ae_pretrained.dataset.batches import ArrayBatches
from ae_pretrained.files import write_json
from ae_pretrained.models.autoencoder import Autoencoder
from ae_pretrained.models.config import ModelConfig
from ae_pretrained.models.weights import save_model
from ae_pretrained.params.model_params import ModelParams, RuntimeParams
from ae_pretrained.params.training_params import TrainAEParams
from ae_pretrained.pretraining.autoencoder_task import AutoencoderTask
from ae_pretrained.training.checkpoints import CheckpointFolder, fingerprint
from ae_pretrained.training.fit import fit

_SHOWN = (
    ("lr", "lr"),
    ("train_loss", "train loss"),
    ("val_loss", "val loss"),
    ("val_psnr", "val PSNR"),
    ("val_ssim", "val SSIM"),
)


def _padding(split: Split) -> np.ndarray:
    """(N, H, W) uint8: 255 on padding, 0 elsewhere."""
    return np.where(split.valid(), 0, IGNORE_INDEX).astype(np.uint8)


def _joined(splits: list[Split]) -> ArrayBatches:
    if len(splits) == 1:
        images, padding = splits[0].images, _padding(splits[0])
    else:
        images = np.concatenate([split.images for split in splits])
        padding = np.concatenate([_padding(split) for split in splits])
    return ArrayBatches(images, padding, np.arange(len(images)))


def pretrain(
    processed: Path,
    *,
    params: TrainAEParams,
    model: ModelParams,
    runtime: RuntimeParams,
    seed: int,
    weights: Path,
    curve: Path,
    metrics: Path,
    checkpoints: Path,
) -> None:
    """Train the autoencoder on every training image, labelled or not, and keep its best epoch.

    Args:
        processed: folder of prepared arrays.
        params, model, runtime: sections of the parameters.
        seed: the run's seed.
        weights: safetensors file to write.
        curve: CSV of the figures of every epoch to write.
        metrics: JSON of the best epoch's figures to write.
        checkpoints: folder for the state of an unfinished run.
    """
    unlabelled = processed / "unlabelled"
    names = ["train", "unlabelled"] if unlabelled.is_dir() else ["train"]
    train = [open_split(processed, name) for name in names]
    val = open_split(processed, "val")
    run = fingerprint(
        {"train_ae": params.model_dump(), "model": model.model_dump(), "seed": seed},
        Path(ae_pretrained.__file__).parent,
        [processed / name / file for name in [*names, "val"] for file in ("images.npy", "index.csv")],
    )
    torch.manual_seed(seed)
    network = Autoencoder(ModelConfig(**model.model_dump()), params.skips)
    dataset = _joined(train)
    result = fit(
        AutoencoderTask(network, params, seed),
        dataset,
        _joined([val]),
        runtime=runtime,
        checkpoint=CheckpointFolder(checkpoints, run),
        curve=curve,
        monitor="val_loss",
        mode="min",
        shown=_SHOWN,
    )
    if not result.is_main:
        return
    network.load_state_dict(result.weights)
    save_model(network, weights)
    write_json(metrics, result.metrics(network, len(dataset)))

"""The pretraining stage: arrays in, autoencoder out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

import ae_pretrained
from ae_pretrained.constants import IMAGES, INDEX
from ae_pretrained.dataset.arrays import PaddingMasks, Split, open_split
from ae_pretrained.dataset.batches import ArrayBatches
from ae_pretrained.dataset.crops import training_batches
from ae_pretrained.files import write_json
from ae_pretrained.hardware import numerics
from ae_pretrained.models.autoencoder import Autoencoder
from ae_pretrained.models.config import ModelConfig
from ae_pretrained.models.timm_networks import split_name
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


def _padded(split: Split) -> ArrayBatches:
    return ArrayBatches(split.images, PaddingMasks(split), np.arange(len(split)))


def pretrain(
    processed: Path,
    *,
    params: TrainAEParams,
    image_size: int,
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
        image_size: side of the crops, of images that are kept whole.
        seed: the run's seed.
        weights: safetensors file to write.
        curve: CSV of the figures of every epoch to write.
        metrics: JSON of the best epoch's figures to write.
        checkpoints: folder for the state of an unfinished run.
    """
    train, val = open_split(processed, "train", "unlabelled"), open_split(processed, "val")
    crop = image_size if train.is_packed else None
    named = [params.loss.teacher] if params.loss.latent > 0 else []
    named += [model.encoder] if params.init == "imagenet" else []
    files = [file for name in named if (file := split_name(name)[1]) is not None]
    run = fingerprint(
        {
            "train_ae": params.model_dump(),
            "model": model.model_dump(),
            "numerics": numerics(runtime, params.precision),
            "crop": crop,
            "seed": seed,
        },
        Path(ae_pretrained.__file__).parent,
        [processed / IMAGES, processed / INDEX, *files],
    )
    torch.manual_seed(seed)
    network = Autoencoder(ModelConfig(**model.model_dump()), params.skips, params.init == "imagenet")
    task = AutoencoderTask(network, params, seed, crop)
    result = fit(
        task,
        training_batches(
            train, np.arange(len(train)), image_size, task.views or task.augment, labelled=False
        ),
        _padded(val.tiles(image_size)),
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
    write_json(metrics, result.metrics(network, len(train)))

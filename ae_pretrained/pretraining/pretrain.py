"""The pretraining stage: arrays in, autoencoder out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

import ae_pretrained
from ae_pretrained.constants import IMAGES, INDEX
from ae_pretrained.dataset.arrays import (
    ArraysError,
    PaddingMasks,
    Split,
    count_images,
    open_split,
    share_of,
)
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
from ae_pretrained.windows.packed import WindowArray

_SHOWN = (
    ("lr", "lr"),
    ("train_loss", "train loss"),
    ("val_loss", "val loss"),
    ("val_psnr", "val PSNR"),
    ("val_ssim", "val SSIM"),
)


_HELD_BACK = 0.1  # share of images without masks that stands in for val
_STREAM = 9


def _padded(split: Split, images: np.ndarray, side: int) -> ArrayBatches:
    """Some images of a split, or the windows of them where they are whole."""
    squares = split.tiles(side)
    image_of = np.arange(len(squares))
    if isinstance(squares.images, WindowArray):
        image_of = np.array([window.row for window in squares.images.windows])
    return ArrayBatches(squares.images, PaddingMasks(squares), np.flatnonzero(np.isin(image_of, images)))


def hold_back(groups: Sequence[str], seed: int) -> np.ndarray:
    """(N,) booleans: a tenth of the images, drawn by seed, to validate on where no image has a mask.

    Args:
        groups: of each image, what it belongs to, which stays together as long as that leaves both parts an image;
            empty: it stands alone.
        seed: of the draw.

    Raises:
        ArraysError: for fewer than two images.
    """
    if len(groups) < 2:
        raise ArraysError(
            f"{len(groups)} image without a mask is there; the autoencoder needs 2 or more, bring more"
        )
    wanted = share_of(len(groups), _HELD_BACK)
    numbers = np.arange(len(groups))
    unit = np.unique([group or f"\0{row}" for row, group in enumerate(groups)], return_inverse=True)[1]
    held = np.zeros(len(groups), dtype=bool)
    for number in np.random.default_rng([seed, _STREAM]).permutation(unit.max() + 1):
        members = unit == number
        if held.sum() + members.sum() <= wanted:
            held |= members
    if not held.any():  # every group is larger than that
        held[np.random.default_rng([seed, _STREAM]).permutation(numbers)[:wanted]] = True
    return held


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

    Where no image has a mask there is no val; a tenth of the images stands in for it, see :func:`hold_back`.

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
    train = open_split(processed, "train", "unlabelled")
    if count_images(processed).keys() == {"unlabelled"}:
        held_back = hold_back(train.column("group"), seed)
        val, chosen, held = train, np.flatnonzero(~held_back), np.flatnonzero(held_back)
        print(f"no image has a mask: {len(held)} of {len(train)} stand in for val", flush=True)
    else:
        val = open_split(processed, "val")
        chosen, held = np.arange(len(train)), np.arange(len(val))
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
    checkpoint = CheckpointFolder(checkpoints, run)
    task = AutoencoderTask(network, params, seed, crop, cache=checkpoint.path)
    result = fit(
        task,
        training_batches(train, chosen, image_size, task.views or task.augment, labelled=False),
        _padded(val, held, image_size),
        runtime=runtime,
        checkpoint=checkpoint,
        curve=curve,
        monitor="val_loss",
        mode="min",
        shown=_SHOWN,
    )
    if not result.is_main:
        return
    network.load_state_dict(result.weights)
    save_model(network, weights)
    write_json(metrics, result.metrics(network, len(chosen)))

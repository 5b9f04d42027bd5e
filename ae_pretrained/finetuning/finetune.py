"""The segmentation stage: labelled arrays and an encoder in, segmenter out."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import torch

import ae_pretrained
from ae_pretrained.constants import DECODING, IMAGES, INDEX, MASKS
from ae_pretrained.dataset.arrays import ArraysError, open_split
from ae_pretrained.dataset.batches import ArrayBatches, class_balancing_weights, class_frequencies
from ae_pretrained.dataset.crops import CropBatches, training_batches
from ae_pretrained.dataset.mixed import MixedBatches
from ae_pretrained.files import write_json
from ae_pretrained.finetuning.segmentation_task import SegmentationTask
from ae_pretrained.hardware import numerics
from ae_pretrained.models.config import ModelConfig
from ae_pretrained.models.timm_networks import split_name
from ae_pretrained.models.transfer import build_segmenter
from ae_pretrained.models.weights import SegmenterInfo, save_model
from ae_pretrained.params.data_params import DataParams
from ae_pretrained.params.model_params import ModelParams, RuntimeParams
from ae_pretrained.params.training_params import TrainSegParams
from ae_pretrained.training.callbacks import FreezeEncoder
from ae_pretrained.training.checkpoints import CheckpointFolder, fingerprint
from ae_pretrained.training.fit import TrainingBatches, fit

_MONITOR = "val_mean_foreground_dice"


def finetune(
    processed: Path,
    *,
    autoencoder: Path,
    params: TrainSegParams,
    data: DataParams,
    model: ModelParams,
    runtime: RuntimeParams,
    seed: int,
    weights: Path,
    curve: Path,
    metrics: Path,
    checkpoints: Path,
    best_on_val: Path | None = None,
) -> None:
    """Train the U-Net on the labelled share of the training images and keep its best or its last epoch.

    Args:
        processed: folder of prepared arrays.
        autoencoder: weights of the pretrained autoencoder, read when ``params.init`` asks for them.
        params, data, model, runtime: sections of the parameters.
        seed: the run's seed.
        weights: safetensors file to write.
        curve: CSV of the figures of every epoch to write.
        metrics: JSON of the best epoch's figures to write.
        checkpoints: folder for the state of an unfinished run.
        best_on_val: with ``keep: last``, a second safetensors file to write, of the epoch that was best on val; its
            number goes to the metrics as ``best_epoch_on_val``.
    """
    train, val = open_split(processed, "train"), open_split(processed, "val")
    chosen = train.labelled(data.label_fraction)
    crop = data.image_size if train.is_packed else None
    num_classes = len(data.classes)
    files = [processed / name for name in (IMAGES, MASKS, INDEX)]
    if params.init == "autoencoder":
        files.append(autoencoder)
    file = split_name(model.encoder)[1]
    if params.init == "imagenet" and file is not None:
        files.append(file)
    run = fingerprint(
        {
            "train_seg": params.model_dump(),
            "model": model.model_dump(),
            "numerics": numerics(runtime, params.precision),
            "classes": data.classes,
            "crop": crop,
            "chosen": chosen.tolist(),
            "seed": seed,
        },
        Path(ae_pretrained.__file__).parent,
        files,
    )
    torch.manual_seed(seed)
    network = build_segmenter(
        params.init, params.transfer, ModelConfig(**model.model_dump()), num_classes, autoencoder
    )
    counted = params.loss.class_weights in ("static", "square_root")
    frequencies = class_frequencies(train.masks, chosen, num_classes) if counted else None
    balance = class_balancing_weights(train.masks, chosen, num_classes) if params.balanced_sampler else None
    freeze = -1 if params.init == "random_frozen" else params.freeze_epochs
    foreground = [(f"val_dice_{name}", f"{name} Dice") for name in data.classes[1:]]
    task = SegmentationTask(network, params, seed, data.classes, frequencies, crop)
    batches = training_batches(
        train, chosen, data.image_size, task.augment, foreground=params.foreground_crops
    )
    if balance is not None and isinstance(batches, CropBatches):
        balance = balance[np.searchsorted(chosen, batches.rows)]
    images: TrainingBatches = batches
    num_unlabelled = {}
    if task.mean_teacher is not None:
        unlabelled = _unlabelled(processed, chosen, data, task)
        num_unlabelled = {"num_unlabelled": len(np.unique(_rows_of(unlabelled)))}
        images = MixedBatches(batches, unlabelled, params.unlabelled_batch_size)
    tiles = val.tiles(data.image_size)
    result = fit(
        task,
        images,
        ArrayBatches(tiles.images, tiles.masks, np.arange(len(tiles))),
        runtime=runtime,
        checkpoint=CheckpointFolder(checkpoints, run),
        curve=curve,
        monitor=_MONITOR,
        mode="max",
        shown=(
            ("lr", "lr"),
            ("train_loss", "train loss"),
            ("val_loss", "val loss"),
            ("val_mean_iou", "val mean IoU"),
            *foreground,
        ),
        sampling_weights=balance,
        callbacks=[FreezeEncoder(freeze)],
        best_beside=best_on_val is not None,
    )
    if not result.is_main:
        return
    network.load_state_dict(result.weights)
    decoding = json.loads(stated.read_text()) if (stated := processed / DECODING).is_file() else {}
    info = SegmenterInfo(tuple(data.classes), data.image_size, data.resize, **decoding)
    save_model(network, weights, info)
    figures = {**result.metrics(network, len(chosen)), **num_unlabelled}
    if best_on_val is not None and result.best_on_val is not None:
        state, figures["best_epoch_on_val"] = result.best_on_val
        network.load_state_dict(state)
        save_model(network, best_on_val, info)
    write_json(metrics, figures)


def _unlabelled(
    processed: Path, chosen: np.ndarray, data: DataParams, task: SegmentationTask
) -> ArrayBatches | CropBatches:
    """The images without mask, and those of train whose masks are not to be used; no mask of either is read.

    Raises:
        ArraysError: when there is none.
    """
    images = open_split(processed, "train", "unlabelled")  # train comes first: its positions are the same
    rows = np.setdiff1d(np.arange(len(images)), chosen)
    if not len(rows):
        raise ArraysError(
            f"train_seg.unlabelled.use: 'mean_teacher' needs images without labels, and found none: "
            f"data.label_fraction: {data.label_fraction:g} uses the masks of all {len(chosen)} training images, and "
            f"no image in {processed} is without mask; add images without masks (docs/own-data.md), or set use: none"
        )
    assert task.mean_teacher is not None
    return training_batches(images, rows, data.image_size, task.mean_teacher.weak, labelled=False)


def _rows_of(batches: ArrayBatches | CropBatches) -> np.ndarray:
    return batches.rows if isinstance(batches, CropBatches) else batches.chosen

"""Run a training task to its end with Lightning: loaders, callbacks, resuming."""

from __future__ import annotations

import math
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lightning as L
import numpy as np
import torch
from lightning.pytorch.callbacks import ModelCheckpoint
from torch import Tensor, nn
from torch.utils.data import DataLoader

from ae_pretrained.dataset.batches import (
    ArrayBatches,
    Batch,
    EvaluationOrder,
    TrainingOrder,
    make_loader,
)
from ae_pretrained.dataset.crops import CropBatches, CropOrder
from ae_pretrained.dataset.mixed import MixedBatches, MixedOrder
from ae_pretrained.hardware import advice_on_threads, check_compiler, numerics
from ae_pretrained.models.memory_layout import channels_last_pays
from ae_pretrained.params.model_params import RuntimeParams
from ae_pretrained.params.training_params import TrainingParams
from ae_pretrained.training.callbacks import BestWeights, EpochLog, MovingAverage, Patience
from ae_pretrained.training.checkpoints import CHECKPOINT_NAME, CheckpointFolder
from ae_pretrained.training.loggers import make_logger
from ae_pretrained.training.trainer import make_trainer
from ae_pretrained.training.training_task import TrainingTask

TrainingBatches = ArrayBatches | CropBatches | MixedBatches
_UNLABELLED = 2**31  # beyond every seed of a run: unlabelled images have an order of their own


@dataclass(frozen=True)
class FitResult:
    """The outcome of a run.

    Attributes:
        weights: state dict of the epoch that is kept, on the CPU: the best one, or with ``keep: last`` the last.
        best_epoch: that epoch, counted from 1.
        best_score: its value of the monitored figure.
        best_row: every figure logged in that epoch.
        epochs: epochs trained.
        updates: updates made.
        threads: of PyTorch, None on a GPU: with another number the digits are others.
        processes: devices of all nodes.
        global_batch: images per update, over all processes.
        lr: peak learning rate, which no number of processes changes.
        is_main: whether this process is the one that writes results.
        best_on_val: state dict and number, from 1, of the best epoch, where ``fit`` was asked for it.
    """

    weights: dict[str, Tensor]
    best_epoch: int
    best_score: float
    best_row: dict[str, float]
    epochs: int
    updates: int
    threads: int | None
    processes: int
    global_batch: int
    lr: float
    is_main: bool
    best_on_val: tuple[dict[str, Tensor], int] | None = None

    def metrics(self, network: nn.Module, num_images: int) -> dict[str, Any]:
        """The metrics of a training stage: how long it ran, on how much, and what its best epoch reached on val."""
        return {
            "best_epoch": self.best_epoch,
            "epochs": self.epochs,
            "updates": self.updates,
            "threads": self.threads,
            "processes": self.processes,
            "global_batch": self.global_batch,
            "lr": self.lr,
            "num_images": num_images,
            "num_parameters": sum(p.numel() for p in network.parameters()),
            **{key: value for key, value in self.best_row.items() if key.startswith("val_")},
        }


class BatchLoaders(L.LightningDataModule):
    """The loaders of training and validation; each process of a distributed run gets batches of its own.

    Args:
        train, val: the data; of mixed batches, sizes, order and weights are those of the labelled images.
        batch_size: images per batch and process.
        updates_per_epoch: training batches per epoch; 0 for one pass over the data.
        seed: of the order of the training images.
        workers: loader processes.
        weights: (N,) how often each training image is drawn, relative to the others; None for all alike.
    """

    def __init__(
        self,
        train: TrainingBatches,
        val: ArrayBatches,
        *,
        batch_size: int,
        updates_per_epoch: int = 0,
        seed: int = 0,
        workers: int = 0,
        weights: np.ndarray | None = None,
    ) -> None:
        super().__init__()
        self.train, self.val, self.weights = train, val, weights
        self.batch_size, self.updates_per_epoch = batch_size, updates_per_epoch
        self.seed, self.workers = seed, workers

    def _processes(self) -> dict[str, Any]:
        assert self.trainer is not None
        return {"rank": self.trainer.global_rank, "world_size": self.trainer.world_size}

    def train_dataloader(self) -> DataLoader[Any]:
        if not isinstance(self.train, MixedBatches):
            return make_loader(self.train, self._order(self.train), self.workers)
        order = self._order(self.train.labelled)
        beside = _kind_of_order(self.train.unlabelled)(
            len(self.train.unlabelled),
            self.train.unlabelled_batch_size,
            updates_per_epoch=len(order),
            seed=self.seed + _UNLABELLED,
            kind="unlabelled",
            **self._processes(),
        )
        return make_loader(self.train, MixedOrder(order, beside), self.workers)

    def _order(self, images: ArrayBatches | CropBatches) -> TrainingOrder:
        return _kind_of_order(images)(
            len(images),
            self.batch_size,
            updates_per_epoch=self.updates_per_epoch,
            seed=self.seed,
            weights=self.weights,
            **self._processes(),
        )

    def val_dataloader(self) -> DataLoader[Batch]:
        order = EvaluationOrder(len(self.val), self.batch_size, **self._processes())
        return make_loader(self.val, order, self.workers)


def _kind_of_order(images: ArrayBatches | CropBatches) -> type[TrainingOrder]:
    return CropOrder if isinstance(images, CropBatches) else TrainingOrder


def fit(
    task: TrainingTask,
    train: TrainingBatches,
    val: ArrayBatches,
    *,
    runtime: RuntimeParams,
    checkpoint: CheckpointFolder,
    curve: Path,
    monitor: str,
    mode: str,
    shown: Sequence[tuple[str, str]],
    sampling_weights: np.ndarray | None = None,
    callbacks: Sequence[L.Callback] = (),
    logs: Path = Path("logs"),
    best_beside: bool = False,
) -> FitResult:
    """Train to the end, going on from an interrupted run of the same fingerprint.

    Args:
        task: model, loss and optimiser.
        train, val: the data.
        runtime: accelerator, devices, loader workers.
        checkpoint: where the state after each epoch is kept; removed on success.
        curve: CSV of the figures of every epoch.
        monitor: figure that decides which epoch is best, and when to stop (with ``keep: last`` neither).
        mode: ``min`` or ``max``.
        shown: figures of the line printed per epoch: (column of the CSV, label).
        sampling_weights: relative frequency of each training image.
        callbacks: further callbacks.
        logs: folder of what ``runtime.logger`` writes.
        best_beside: whether the best epoch is returned too, with ``keep: last``.

    Raises:
        PipelineError: when the package of ``runtime.logger`` is not installed, or ``runtime.compile`` finds no
            compiler.
        TrainingDivergedError: when a loss or gradient is not finite.
        BatchSizeError: when the data do not fill a batch.
        KeyboardInterrupt: on Ctrl-C; the same call again goes on from the last finished epoch.
    """
    params = task.params
    computed = numerics(runtime, params.precision)
    if computed["accelerator"] == "cpu" and channels_last_pays(task.network, computed["precision"]):
        task.to(memory_format=torch.channels_last)
    best = BestWeights(monitor, mode if params.keep == "best" else "last")
    if runtime.compile:
        check_compiler()
    logger = make_logger(runtime.logger, logs, task.section)
    log = EpochLog(curve, task.section, shown, logger, params.half_size_epochs)
    own: list[L.Callback] = [log, best]
    beside = BestWeights(monitor, mode) if best_beside and params.keep == "last" else None
    if beside is not None:
        own.append(beside)
    if params.patience > 0:
        own.append(Patience(params.patience, monitor, mode, start=params.half_size_epochs))
    if params.ema_decay > 0:
        own.append(MovingAverage(params.ema_decay))
    own.append(
        ModelCheckpoint(
            checkpoint.path,
            CHECKPOINT_NAME,
            save_on_train_epoch_end=True,
            enable_version_counter=False,
        )
    )
    trainer = make_trainer(runtime, params.precision, params.epochs, [*callbacks, *own])
    if computed["accelerator"] == "cpu" and trainer.is_global_zero and (advice := advice_on_threads()):
        print(f"{task.section}: {advice}", flush=True)
    if trainer.is_global_zero and computed["processes"] > 1:
        print(f"{task.section}: {global_batch_in_words(params, computed['processes'])}", flush=True)
    resume = checkpoint.open(main=trainer.is_global_zero)
    if runtime.compile:
        task.network.compile()
    if resume is not None and trainer.is_global_zero:
        print(f"{task.section}: going on from the checkpoint of an interrupted run", flush=True)
    loaders = BatchLoaders(
        train,
        val,
        batch_size=params.batch_size,
        updates_per_epoch=params.updates_per_epoch,
        seed=task.seed,
        workers=runtime.loader_workers,
        weights=sampling_weights,
    )
    with new_memory_unfilled(), interruptible(trainer):
        trainer.fit(task, loaders, ckpt_path=resume, weights_only=False)
    if trainer.is_global_zero:
        checkpoint.remove()
    row: dict[str, Any] = log.rows[best.epoch]
    assert best.score is not None
    return FitResult(
        weights=best.weights,
        best_epoch=best.epoch + 1,
        best_score=best.score,
        best_row=row,
        epochs=len(log.rows),
        updates=trainer.global_step,
        threads=computed["threads"],
        processes=computed["processes"],
        global_batch=params.batch_size * computed["processes"],
        lr=params.lr,
        is_main=trainer.is_global_zero,
        best_on_val=None if beside is None else (beside.weights, beside.epoch + 1),
    )


def global_batch_in_words(params: TrainingParams, processes: int) -> str:
    """The batch of all processes, and the rates that go with it.

    The rate is never changed behind the user's back: the line says which one keeps the recipe of one process, by the
    square root of the batch for Adam (Malladi et al., 2022, arXiv:2205.10287) and linearly for SGD (Goyal et al.,
    2017, arXiv:1706.02677).
    """
    batch, rate = params.batch_size, params.lr
    linear = params.optimizer == "sgd"
    scaled = rate * (processes if linear else math.sqrt(processes))
    rule = "in proportion to the batch" if linear else "by the square root of the batch"
    return (
        f"{processes} processes x {batch} = {processes * batch} images an update, peak learning rate {rate:g} as "
        f"set; {scaled:.3g} goes with it as {rate:g} goes with {batch} images ({rule})"
    )


@contextmanager
def interruptible(trainer: L.Trainer) -> Iterator[None]:
    """Have Ctrl-C end as everywhere else in Python, whatever this version of Lightning makes of it.

    Some leave ``fit`` as if it were done, others end the program (2.6), deaf to another Ctrl-C.
    """
    handler = signal.getsignal(signal.SIGINT)
    try:
        yield
    except SystemExit:
        if not trainer.interrupted:
            raise
    if trainer.interrupted:
        signal.signal(signal.SIGINT, handler)
        raise KeyboardInterrupt


@contextmanager
def new_memory_unfilled() -> Iterator[None]:
    """Do not have every new tensor filled with NaN, which PyTorch does under deterministic algorithms by default.

    It is a net for operations that read memory before they write it. There is none in a step of ours: the weights
    of a run are the same to the byte with and without. A step takes up to a tenth more CPU with it.
    """
    settings: Any = torch.utils.deterministic
    before = settings.fill_uninitialized_memory
    settings.fill_uninitialized_memory = False
    try:
        yield
    finally:
        settings.fill_uninitialized_memory = before

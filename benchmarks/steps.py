"""Ways to train the same segmenter for some steps, each timed per step.

``ours`` is the training of this project to the letter: loader, augmentation, Lightning, callbacks. ``plain`` is the
loop that people write, in the style of the original project: a Dataset that decodes and normalises one image at a
time with OpenCV, float32, NCHW, zero_grad, backward, step. ``held`` is our step on one batch that is held in memory:
what is left when nothing has to be fed.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, redirect_stdout
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any

import cv2
import lightning as L
import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from ae_pretrained.dataset.arrays import open_split
from ae_pretrained.dataset.augmentation import Augmentation
from ae_pretrained.dataset.batches import ArrayBatches, to_float
from ae_pretrained.finetuning.segmentation_task import SegmentationTask
from ae_pretrained.hardware import resolve_accelerator, resolve_precision
from ae_pretrained.losses.segmentation_loss import SegmentationLoss
from ae_pretrained.models.config import ModelConfig
from ae_pretrained.models.memory_layout import channels_last_pays
from ae_pretrained.models.transfer import parameter_groups
from ae_pretrained.models.unet import UNet
from ae_pretrained.params import Params
from ae_pretrained.training.checkpoints import CheckpointFolder
from ae_pretrained.training.fit import fit, new_memory_unfilled
from ae_pretrained.training.optimization import make_optimizer
from benchmarks.common import Timing, cpu_seconds, measure

WARM = 3  # steps before the clock starts


@dataclass(frozen=True)
class Setting:
    """What is trained on what.

    Attributes:
        params: model, batch size, precision, augmentation, optimiser.
        processed: folder of prepared arrays.
        files: folder with the training pairs as files, of the size of the arrays.
        steps: timed steps a turn.
        device: where.
    """

    params: Params
    processed: Path
    files: Path
    steps: int
    device: torch.device

    @classmethod
    def make(cls, params: Params, processed: Path, folder: Path, steps: int) -> Setting:
        """Write the training pairs as files too: JPEG and PNG, as the original project keeps them."""
        train = open_split(processed, "train")
        assert train.masks is not None
        folder.mkdir(parents=True)
        for row in range(len(train)):
            cv2.imwrite(str(folder / f"{row:06d}.jpg"), cv2.cvtColor(train.images[row], cv2.COLOR_RGB2BGR))
            cv2.imwrite(str(folder / f"{row:06d}.png"), train.masks[row])
        accelerator = resolve_accelerator(params.runtime.accelerator)
        device = torch.device("cuda" if accelerator == "gpu" else "cpu")
        return cls(params, processed, folder, steps, device)

    def network(self) -> UNet:
        """The model from one seed, so that all ways train the same."""
        torch.manual_seed(0)
        return UNet(ModelConfig(**self.params.model.model_dump()), len(self.params.data.classes)).to(
            self.device
        )


def synchronize(device: torch.device) -> None:
    """Wait for a GPU."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


class _Stopwatch(L.Callback):
    """Time from the end of step ``WARM`` to the end of the last one, so that each step is timed with its batch."""

    def __init__(self, device: torch.device, steps: int) -> None:
        self.device, self.steps = device, steps
        self.times: list[Timing] = []

    def on_train_batch_end(
        self, trainer: L.Trainer, pl_module: Any, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        if batch_idx + 1 in (WARM, WARM + self.steps):
            synchronize(self.device)
            self.times.append(Timing(time.perf_counter(), cpu_seconds()))

    def per_step(self) -> Timing:
        start, stop = self.times
        return Timing((stop.clock - start.clock) / self.steps, (stop.cpu - start.cpu) / self.steps)


def ours(setting: Setting) -> Timing:
    """One step of the project's training."""
    steps = setting.steps + WARM
    params = setting.params.train_seg.model_copy(update={"epochs": 1, "updates_per_epoch": steps})
    train, val = (open_split(setting.processed, name) for name in ("train", "val"))
    assert train.masks is not None
    assert val.masks is not None
    task = SegmentationTask(setting.network(), params, 0, setting.params.data.classes, None)
    watch = _Stopwatch(setting.device, setting.steps)
    with tempfile.TemporaryDirectory() as folder, redirect_stdout(StringIO()):
        fit(
            task,
            ArrayBatches(train.images, train.masks, np.arange(len(train))),
            ArrayBatches(val.images, val.masks, np.arange(min(len(val), params.batch_size))),
            runtime=setting.params.runtime,
            checkpoint=CheckpointFolder(Path(folder) / "checkpoint", "benchmark"),
            curve=Path(folder) / "curve.csv",
            monitor="val_loss",
            mode="min",
            shown=(),
            callbacks=[watch],
        )
    return watch.per_step()


class _Files(Dataset[tuple[Tensor, Tensor]]):
    """One decoded and normalised pair at a time."""

    def __init__(self, folder: Path) -> None:
        self.images = sorted(folder.glob("*.jpg"))

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        path = self.images[index]
        found = cv2.imread(str(path))
        assert found is not None
        image = cv2.cvtColor(found, cv2.COLOR_BGR2RGB).astype(np.float32) / 255.0
        mask = cv2.imread(str(path.with_suffix(".png")), cv2.IMREAD_GRAYSCALE)
        return torch.from_numpy(image.transpose(2, 0, 1).copy()), torch.from_numpy(mask).long()


def _endless(loader: DataLoader[Any]) -> Iterator[Any]:
    while True:
        yield from loader


def plain(setting: Setting) -> Timing:
    """One step of a plain loop."""
    network = setting.network().train()
    loss = SegmentationLoss(**setting.params.train_seg.loss.model_dump()).to(setting.device)
    optimizer = torch.optim.Adam(network.parameters(), lr=setting.params.train_seg.lr)
    batches = _endless(
        DataLoader(_Files(setting.files), setting.params.train_seg.batch_size, shuffle=True, drop_last=True)
    )

    def step() -> None:
        images, masks = (tensor.to(setting.device) for tensor in next(batches))
        optimizer.zero_grad()
        total = loss(network(images), masks)["total"]
        total.backward()
        optimizer.step()
        total.item()

    return time_steps(step, setting.steps, setting.device)


@contextmanager
def _nothing() -> Iterator[None]:
    yield


def number_format(setting: Setting) -> str:
    """Lightning's name of the number format of our training."""
    accelerator = "gpu" if setting.device.type == "cuda" else "cpu"
    return resolve_precision(setting.params.train_seg.precision, accelerator)


def autocast(setting: Setting) -> Callable[[], AbstractContextManager[Any]]:
    """The number format of our training."""
    name = number_format(setting)
    if name == "32-true":
        return _nothing
    dtype = torch.bfloat16 if name == "bf16-mixed" else torch.float16
    return lambda: torch.autocast(setting.device.type, dtype=dtype)


def held_batch(setting: Setting) -> tuple[Tensor, Tensor]:
    """One augmented batch on the device."""
    train = open_split(setting.processed, "train")
    assert train.masks is not None
    rows = list(range(setting.params.train_seg.batch_size))
    images, masks = ArrayBatches(train.images, train.masks, np.arange(len(train)))[rows]
    generator = torch.Generator(setting.device).manual_seed(0)
    augment = Augmentation(**setting.params.train_seg.augmentation.model_dump())
    return augment(to_float(images.to(setting.device)), masks.to(setting.device), generator)


def make_step(setting: Setting, network: nn.Module, batch: tuple[Tensor, Tensor]) -> Callable[[], None]:
    """Our step on one batch: forward, loss, backward, clipping, optimiser."""
    params = setting.params.train_seg
    if setting.device.type == "cpu" and channels_last_pays(network, number_format(setting)):
        network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    loss = SegmentationLoss(**params.loss.model_dump()).to(setting.device)
    groups = parameter_groups(network, params.lr, 1.0, params.weight_decay)  # type: ignore[arg-type]
    optimizer = make_optimizer(groups, params.optimizer, momentum=params.momentum)
    images, masks = batch
    format_ = autocast(setting)

    def step() -> None:
        optimizer.zero_grad()
        with format_():
            total = loss(network(images), masks)["total"]
        total.backward()
        if params.gradient_clip:
            nn.utils.clip_grad_norm_(network.parameters(), params.gradient_clip)
        optimizer.step()

    return step


def held(setting: Setting) -> Timing:
    """One step on one batch held in memory."""
    step = make_step(setting, setting.network().train(), held_batch(setting))
    # As in a training: deterministic algorithms stay on in a process in which Lightning has trained.
    with new_memory_unfilled():
        return time_steps(step, setting.steps, setting.device)


def time_steps(step: Callable[[], object], steps: int, device: torch.device) -> Timing:
    """One step, as the mean over some, after others that do not count."""

    def run(count: int) -> None:
        for _ in range(count):
            step()
        synchronize(device)

    run(WARM)
    whole = measure(lambda: run(steps))
    return Timing(whole.clock / steps, whole.cpu / steps)

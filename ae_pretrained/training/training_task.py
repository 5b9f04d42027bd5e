"""What both training tasks share: seeded draws, optimiser set-up, and a stop at the first non-finite number."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import lightning as L
import numpy as np
import torch
from torch import Tensor, nn

from ae_pretrained.dataset.batches import Batch, to_float
from ae_pretrained.dataset.mixed import MixedBatch
from ae_pretrained.errors import PipelineError
from ae_pretrained.params.training_params import TrainingParams
from ae_pretrained.training.optimization import make_optimizer, make_scheduler

_TRAIN, _VALIDATION, _DROPOUT = 0, 1, 2
_GPU_CHECK_INTERVAL = 50  # reading a flag back from the GPU at every step would make it wait for the CPU


class TrainingDivergedError(PipelineError):
    """A loss or gradient is not finite."""


class TrainingTask(L.LightningModule):
    """A model with its loss, optimiser and random draws.

    Every draw is seeded by (seed, phase, epoch, batch, process): a resumed epoch repeats exactly what an
    uninterrupted run would have done.

    Args:
        network: what is trained.
        params: the section of params.yaml.
        seed: the run's seed.
        groups: parameter groups of the optimiser, each with ``lr`` and ``weight_decay``.
        section: name of the section, for messages.
    """

    def __init__(
        self,
        network: nn.Module,
        params: TrainingParams,
        seed: int,
        groups: Callable[[], list[dict[str, Any]]],
        section: str,
    ) -> None:
        super().__init__()
        self.network = network
        self.params, self.seed, self.section = params, seed, section
        self._groups = groups
        self._first_bad_step: Tensor | None = None

    def _seed_of(self, phase: int, batch: int) -> int:
        epoch = 0 if phase == _VALIDATION else self.current_epoch
        key = [self.seed, phase, epoch, batch, self.global_rank]
        return int(np.random.SeedSequence(key).generate_state(1, np.uint64)[0] >> 1)

    def _generator(self, phase: int, batch: int) -> torch.Generator:
        generator = torch.Generator(self.device)
        generator.manual_seed(self._seed_of(phase, batch))
        return generator

    def training_generator(self, batch: int) -> torch.Generator:
        """Draws of a training batch: new in every epoch."""
        return self._generator(_TRAIN, batch)

    def validation_generator(self, batch: int) -> torch.Generator:
        """Draws of a validation batch: the same in every epoch, so that epochs can be compared."""
        return self._generator(_VALIDATION, batch)

    def on_after_batch_transfer(self, batch: Batch | MixedBatch, dataloader_idx: int) -> Batch | MixedBatch:
        """uint8 crosses to the device, which is four times less than floats; there it becomes float."""
        if isinstance(batch, MixedBatch):
            return batch._replace(images=to_float(batch.images), unlabelled=to_float(batch.unlabelled))
        images, masks = batch
        return to_float(images), masks

    @property
    def at_half_size(self) -> bool:
        """Whether this epoch is trained at half the size of the images."""
        return self.current_epoch < self.params.half_size_epochs

    def on_train_batch_start(self, batch: Batch, batch_idx: int) -> None:
        # Dropout draws from the global generator, which others use too (a loader draws a seed for its
        # workers): it is set anew for every batch rather than once.
        torch.manual_seed(self._seed_of(_DROPOUT, batch_idx))

    @property
    def _loss_is_scaled(self) -> bool:
        """Whether gradients are scaled against underflow, as in fp16."""
        return self.trainer.scaler is not None

    def configure_optimizers(self) -> dict[str, Any]:  # type: ignore[override]
        params = self.params
        optimizer = make_optimizer(
            self._groups(), params.optimizer, momentum=params.momentum, fused=not self._loss_is_scaled
        )
        total = int(self.trainer.estimated_stepping_batches)
        scheduler = make_scheduler(optimizer, total, params.schedule, warmup=params.warmup)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}

    def configure_gradient_clipping(self, optimizer: Any, *_: Any, **__: Any) -> None:
        """Clip by norm, and look at that norm: it is finite only if every gradient is.

        The scale of fp16 is off the gradients by now: Lightning takes it off before, save for fused optimisers.
        """
        parameters = [p for group in optimizer.param_groups for p in group["params"] if p.grad is not None]
        limit = self.params.gradient_clip or math.inf
        norm = nn.utils.clip_grad_norm_(parameters, limit)
        # Under fp16 scaling an overflow is expected now and then; the scaler skips that step by itself.
        if not self._loss_is_scaled:
            self._watch(norm)

    def report(self, losses: dict[str, Tensor], phase: str, batch_size: int) -> Tensor:
        """Log every part of a loss as a mean over the epoch's images and return the total."""
        for name, value in losses.items():
            label = f"{phase}_{'loss' if name == 'total' else name}"
            self.log(
                label, value.detach(), on_step=False, on_epoch=True, batch_size=batch_size, sync_dist=True
            )
        if phase == "train":
            self._watch(losses["total"])
        return losses["total"]

    def _watch(self, value: Tensor) -> None:
        """Remember the first step with a value that is not finite, without waiting for the device."""
        step = self.trainer.fit_loop.epoch_loop.batch_idx
        bad = torch.where(torch.isfinite(value.detach()), math.inf, float(step))
        self._first_bad_step = bad if self._first_bad_step is None else self._first_bad_step.minimum(bad)
        if value.device.type == "cpu" or step % _GPU_CHECK_INTERVAL == 0:
            self._stop_if_bad()

    def on_train_epoch_end(self) -> None:
        self._stop_if_bad()

    def on_validation_end(self) -> None:
        value = self.trainer.callback_metrics.get("val_loss")
        if value is not None and not bool(torch.isfinite(value)):
            self._diverged(f"validation after epoch {self.current_epoch + 1}")

    def _stop_if_bad(self) -> None:
        first = self._first_bad_step
        self._first_bad_step = None
        if first is not None and math.isfinite(float(first)):
            self._diverged(f"epoch {self.current_epoch + 1}, step {int(first) + 1}")

    def _diverged(self, where: str) -> None:
        rates = ", ".join(f"{group['lr']:.3g}" for group in self.trainer.optimizers[0].param_groups)
        raise TrainingDivergedError(
            f"{self.section}: loss or gradient is not finite ({where}, learning rate {rates}). Try a lower "
            f"{self.section}.lr (now {self.params.lr:g}), a longer {self.section}.warmup (now "
            f"{self.params.warmup:g}), {self.section}.gradient_clip=1.0 (now {self.params.gradient_clip:g}) or "
            f"{self.section}.precision='32' (now {self.params.precision!r}). The last good checkpoint is kept."
        )

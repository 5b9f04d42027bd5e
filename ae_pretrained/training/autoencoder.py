"""Pretraining as a Lightning task: corrupt, reconstruct, compare."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from ae_pretrained.data.augment import augment
from ae_pretrained.data.batches import Batch
from ae_pretrained.data.constants import IGNORE_INDEX
from ae_pretrained.data.corruption import corrupt
from ae_pretrained.losses.reconstruction import ReconstructionLoss
from ae_pretrained.losses.ssim import ssim
from ae_pretrained.metrics.reconstruction import psnr, squared_error
from ae_pretrained.models.autoencoder import Autoencoder
from ae_pretrained.models.transfer import parameter_groups
from ae_pretrained.params.training import TrainAEParams
from ae_pretrained.training.base import TrainingTask


class AutoencoderTask(TrainingTask):
    """Trains an autoencoder to undo a corruption.

    Batches are (images, padding): in the second, 255 marks pixels that count nowhere.
    """

    network: Autoencoder

    def __init__(self, network: Autoencoder, params: TrainAEParams, seed: int) -> None:
        super().__init__(
            network,
            params,
            seed,
            lambda: parameter_groups(network, params.lr, 1.0, params.weight_decay),
            "train_ae",
        )
        self.task = params
        self.loss = ReconstructionLoss(params.loss)

    def _losses(self, images: Tensor, padding: Tensor, generator: torch.Generator) -> dict[str, Tensor]:
        valid = (padding != IGNORE_INDEX).unsqueeze(1)
        seen, changed = corrupt(images, self.task.corruption, generator)
        return self.loss(self.network(seen), images, valid, changed)

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        generator = self.training_generator(batch_idx)
        images, padding = augment(*batch, self.params.augmentation, IGNORE_INDEX, generator)
        losses = self._losses(images, padding, generator)
        return self.report(losses, "train", len(images))

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        images, padding = batch
        self.report(self._losses(images, padding, self.validation_generator(batch_idx)), "val", len(images))
        # The quality that people ask about is that of clean pictures, whatever the pretext task was.
        valid = (padding != IGNORE_INDEX).unsqueeze(1)
        output = self.network(images).float()
        total, count = squared_error(output, images, valid)
        scores: dict[str, Any] = {
            "val_psnr": float(psnr((total / count).cpu().numpy()).mean()),
            "val_ssim": ssim(output, images, valid),
        }
        self.log_dict(scores, on_epoch=True, batch_size=len(images), sync_dist=True)

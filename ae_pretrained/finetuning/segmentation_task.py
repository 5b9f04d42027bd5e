"""Segmentation as a Lightning task: augment, predict, and score val by one pooled confusion matrix."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from torchmetrics.classification import MulticlassConfusionMatrix

from ae_pretrained.constants import IGNORE_INDEX
from ae_pretrained.dataset.augmentation import augment
from ae_pretrained.dataset.batches import Batch, halve
from ae_pretrained.losses.segmentation_loss import SegmentationLoss
from ae_pretrained.metrics.confusion import dice_per_class, iou_per_class, mean_over_present
from ae_pretrained.models.transfer import parameter_groups
from ae_pretrained.models.unet import UNet
from ae_pretrained.params.training_params import TrainSegParams
from ae_pretrained.training.training_task import TrainingTask


class SegmentationTask(TrainingTask):
    """Trains a U-Net on (images, class masks); pixels of 255 count nowhere."""

    network: UNet

    def __init__(
        self,
        network: UNet,
        params: TrainSegParams,
        seed: int,
        classes: Sequence[str],
        class_frequencies: Tensor | None,
    ) -> None:
        pretrained = params.init in ("autoencoder", "imagenet")
        scale = params.encoder_lr_scale if pretrained else 1.0
        super().__init__(
            network,
            params,
            seed,
            lambda: parameter_groups(network, params.lr, scale, params.weight_decay),
            "train_seg",
        )
        self.classes = list(classes)
        self.loss = SegmentationLoss(params.loss, class_frequencies)
        # The loss looks at the values of the masks.
        self.confusion = MulticlassConfusionMatrix(
            len(self.classes), ignore_index=IGNORE_INDEX, validate_args=False
        )

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        generator = self.training_generator(batch_idx)
        if self.at_half_size:
            batch = halve(*batch)
        images, masks = augment(*batch, self.params.augmentation, IGNORE_INDEX, generator)
        return self.report(self.loss(self.network(images), masks), "train", len(images))

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        images, masks = batch
        logits = self.network(images)
        self.report(self.loss(logits, masks), "val", len(images))
        self.confusion.update(logits.argmax(dim=1), masks.long())

    def on_validation_epoch_end(self) -> None:
        matrix = self.confusion.compute().cpu().numpy()
        self.confusion.reset()
        iou, dice = iou_per_class(matrix), dice_per_class(matrix)
        values = {
            "val_mean_iou": float(mean_over_present(iou)),
            "val_mean_foreground_dice": float(mean_over_present(dice[1:])),
        }
        for label, name in enumerate(self.classes):
            # NaN stands for a class that neither val nor the prediction holds; curves need a number.
            values[f"val_iou_{name}"] = float(np.nan_to_num(iou[label]))
            values[f"val_dice_{name}"] = float(np.nan_to_num(dice[label]))
        # The matrix is already summed over processes, hence no further reduction.
        self.log_dict({key: torch.tensor(np.nan_to_num(value)) for key, value in values.items()})

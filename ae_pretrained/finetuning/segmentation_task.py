"""Segmentation as a Lightning task: augment, predict, and score val by one pooled confusion matrix."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from ae_pretrained.constants import IGNORE_INDEX
from ae_pretrained.dataset.augmentation import Augmentation
from ae_pretrained.dataset.batches import Batch, halve
from ae_pretrained.dataset.mixed import MixedBatch
from ae_pretrained.finetuning.mean_teacher import MeanTeacher
from ae_pretrained.losses.cross_entropy_loss import ClassWeights, inverse_frequency_weights
from ae_pretrained.losses.pseudo_label_loss import pseudo_label_loss
from ae_pretrained.losses.segmentation_loss import SegmentationLoss
from ae_pretrained.metrics.confusion import (
    confusion_per_image,
    dice_per_class,
    iou_per_class,
    mean_over_present,
)
from ae_pretrained.models.transfer import parameter_groups
from ae_pretrained.models.unet import UNet
from ae_pretrained.params.training_params import ClassWeighting, TrainSegParams
from ae_pretrained.training.callbacks import MovingAverage
from ae_pretrained.training.training_task import TrainingTask


class SegmentationTask(TrainingTask):
    """Trains a U-Net on (images, class masks); pixels of 255 count nowhere.

    With ``unlabelled.use: mean_teacher`` it is trained on MixedBatch, and its unlabelled images have a loss, too.

    Args:
        network: the U-Net.
        params: the section of params.yaml.
        seed: the run's seed.
        classes: names, background first.
        class_frequencies: (C,) shares of the pixels, for ``static`` and ``square_root`` class weights.
        crop: side of the square in the middle of the images of a batch that is trained on; None for all of it.
    """

    network: UNet

    def __init__(
        self,
        network: UNet,
        params: TrainSegParams,
        seed: int,
        classes: Sequence[str],
        class_frequencies: Tensor | None,
        crop: int | None = None,
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
        self.classes, self.crop = list(classes), crop
        self.augment = Augmentation(**params.augmentation.model_dump())
        self.mean_teacher: MeanTeacher | None = None
        if params.unlabelled.use == "mean_teacher":
            self.mean_teacher = MeanTeacher(params.unlabelled, params.augmentation)
        weights = _class_weights(params.loss.class_weights, class_frequencies)
        self.loss = SegmentationLoss(params.loss.dice, params.loss.cross_entropy, weights)
        self._confusion: Tensor | None = None  # (C, C) int64, what this process has seen of val in this epoch

    def training_step(self, batch: Batch | MixedBatch, batch_idx: int) -> Tensor:
        generator = self.training_generator(batch_idx)
        crop = self.crop and self.crop // 2 if self.at_half_size else self.crop
        labelled = (batch[0], batch[1])
        if self.at_half_size:
            labelled = halve(*labelled)
        images, masks = self.augment(*labelled, generator, size=crop)
        if not isinstance(batch, MixedBatch):
            return self.report(self.loss(self.network(images), masks), "train", len(images))
        assert self.mean_teacher is not None
        lesson = self.mean_teacher.lesson(
            self._teacher(),
            (batch.unlabelled, batch.padding),
            generator,
            size=crop,
            half_size=self.at_half_size,
        )
        # One call of the network: its norm statistics are of both kinds of images, as in FixMatch.
        logits = self.network(torch.cat([images, lesson.images]))
        losses = self.loss(logits[: len(images)], masks)
        losses["unlabelled"] = pseudo_label_loss(logits[len(images) :], lesson.labels, lesson.valid)
        progress = self.trainer.global_step / self.trainer.estimated_stepping_batches
        losses["total"] = losses["total"] + self.mean_teacher.weight(progress) * losses["unlabelled"]
        sure = (lesson.labels != IGNORE_INDEX).sum() / lesson.valid.sum().clamp(min=1)
        self.log(
            "train_confident", sure, on_step=False, on_epoch=True, batch_size=len(images), sync_dist=True
        )
        return self.report(losses, "train", len(images))

    def _teacher(self) -> nn.Module:
        """The moving average of the network, which is also what is validated and kept."""
        averages = [callback for callback in self.trainer.callbacks if isinstance(callback, MovingAverage)]  # type: ignore[attr-defined]
        return averages[0].teacher(self.trainer)

    def on_validation_epoch_start(self) -> None:
        self._confusion = torch.zeros(
            len(self.classes), len(self.classes), dtype=torch.int64, device=self.device
        )

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        images, masks = batch
        logits = self.network(images)
        self.report(self.loss(logits, masks), "val", len(images))
        assert self._confusion is not None
        self._confusion += confusion_per_image(logits.argmax(dim=1), masks, len(self.classes)).sum(dim=0)

    def on_validation_epoch_end(self) -> None:
        assert self._confusion is not None
        pooled = self.trainer.strategy.reduce(self._confusion, reduce_op="sum")  # over the processes
        assert isinstance(pooled, Tensor)
        matrix = pooled.cpu().numpy()
        iou, dice = iou_per_class(matrix), dice_per_class(matrix)
        values = {
            "val_mean_iou": float(mean_over_present(iou)),
            "val_mean_foreground_dice": float(mean_over_present(dice[1:])),
        }
        for label, name in enumerate(self.classes):
            # NaN stands for a class that neither val nor the prediction holds; curves need a number.
            values[f"val_iou_{name}"] = float(np.nan_to_num(iou[label]))
            values[f"val_dice_{name}"] = float(np.nan_to_num(dice[label]))
        # The matrix is already summed over the processes, hence no further reduction.
        self.log_dict({key: torch.tensor(np.nan_to_num(value)) for key, value in values.items()})


def _class_weights(kind: ClassWeighting, frequencies: Tensor | None) -> ClassWeights:
    """The class weights of the loss; all but ``dynamic`` ones come from the pixels of the training masks."""
    if kind == "dynamic" or kind == "none":
        return kind
    if frequencies is None:
        raise ValueError(f"{kind} class weights need the class frequencies of the train set")
    return inverse_frequency_weights(frequencies.sqrt() if kind == "square_root" else frequencies)

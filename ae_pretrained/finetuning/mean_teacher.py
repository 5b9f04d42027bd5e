"""What unlabelled images teach: a student is to see under strong changes what its teacher sees without them.

The teacher is the moving average of the student (mean teacher, Tarvainen & Valpola 2017, arXiv 1703.01780), its norm
statistics averaged with the weights (EMAN, Cai et al. 2021, arXiv 2101.08482); the changes are those of colour and
CutMix (French et al. 2020, arXiv 1906.01916).
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn

from ae_pretrained.constants import IGNORE_INDEX
from ae_pretrained.dataset.augmentation import Augmentation
from ae_pretrained.dataset.batches import Batch, halve
from ae_pretrained.dataset.colours import Colours
from ae_pretrained.dataset.cutmix import cutmix, cutmix_boxes
from ae_pretrained.losses.pseudo_label_loss import pseudo_labels
from ae_pretrained.params.training_params import AugmentationParams, UnlabelledParams

_COLOURS = set(Colours.__dataclass_fields__)


class Lesson(NamedTuple):
    """What a student is to learn from M unlabelled images.

    Attributes:
        images: (M, 3, S, S) in [0, 1], as the student sees them.
        labels: (M, S, S) int64: the teacher's classes, 255 where it is not sure or there is padding.
        valid: (M, S, S) booleans, False on padding.
    """

    images: Tensor
    labels: Tensor
    valid: Tensor


class MeanTeacher:
    """Draws lessons of unlabelled images.

    Args:
        params: the section ``train_seg.unlabelled``.
        augmentation: of the labelled images; flip, rotation, scale and shift are of the unlabelled ones too.
    """

    def __init__(self, params: UnlabelledParams, augmentation: AugmentationParams) -> None:
        self.params = params
        weak = {**augmentation.model_dump(), "jitter": 0.0, "blur": 0.0, "noise": 0.0, "erase": 0.0}
        self.weak = Augmentation(**weak)
        self.strong = Colours(**params.model_dump(include=_COLOURS))

    def lesson(
        self,
        teacher: nn.Module,
        batch: Batch,
        generator: torch.Generator,
        *,
        size: int | None = None,
        half_size: bool = False,
    ) -> Lesson:
        """Have the teacher label what it sees, and change it for the student.

        Args:
            teacher: from images to logits, in eval mode.
            batch: unlabelled images (M, 3, H, W) in [0, 1], and (M, H, W), 255 on padding.
            generator: source of every draw, on the device of the batch.
            size: side of the square in the middle that is wanted; None for all.
            half_size: whether to halve the batch first; ``size`` is then of the half.
        """
        if half_size:
            batch = halve(*batch)
        images, padding = self.weak(*batch, generator, size=size)
        valid = padding != IGNORE_INDEX
        with torch.no_grad():
            labels = pseudo_labels(teacher(images), valid, self.params.confidence)
        images, _ = self.strong(images, padding, generator)
        boxes = cutmix_boxes((len(images), *images.shape[-2:]), self.params.cutmix, generator, images.device)
        return Lesson(cutmix(images, boxes), cutmix(labels, boxes), cutmix(valid, boxes))

    def weight(self, progress: float) -> float:
        """The weight of the loss; it rises as exp(-5 (1 - t)^2) for the first part of a run (Tarvainen & Valpola).

        Args:
            progress: share of the run that is done, in [0, 1].
        """
        if progress >= self.params.ramp:
            return self.params.weight
        return self.params.weight * math.exp(-5.0 * (1.0 - progress / self.params.ramp) ** 2)

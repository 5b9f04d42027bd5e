"""What the losses of segmentation share: masks as one-hot values, and a look at their values."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ae_pretrained.constants import IGNORE_INDEX
from ae_pretrained.errors import PipelineError


class LabelError(PipelineError):
    """A mask holds a value that stands for no class."""


def check_labels(mask: Tensor, num_classes: int, ignore_index: int = IGNORE_INDEX) -> None:
    """Refuse a mask with values that are neither a class nor ``ignore_index``.

    Raises:
        LabelError: naming the largest such value.
    """
    wrong = (mask != ignore_index) & ((mask >= num_classes) | (mask < 0))
    if bool(wrong.any()):
        raise LabelError(
            f"a mask holds the value {int(mask[wrong].max())}, but the model has {num_classes} classes (0 to "
            f"{num_classes - 1}; {ignore_index} is ignored): data.classes must name every value of the masks; "
            "then run `dvc repro` from prepare on"
        )


def one_hot(mask: Tensor, logits: Tensor, ignore_index: int) -> Tensor:
    """(N, C, H, W) in the format of the logits: 1 at a pixel's class; ignored pixels are 0 everywhere."""
    classes = torch.arange(logits.shape[1], device=mask.device).view(1, -1, 1, 1)
    labels = mask.unsqueeze(1)
    return ((labels == classes) & (labels != ignore_index)).to(logits.dtype)


class MaskedLoss(nn.Module):
    """A loss of logits (N, C, H, W) and masks (N, H, W), in which the pixels of ``ignore_index`` count nowhere."""

    def __init__(self, ignore_index: int) -> None:
        super().__init__()
        self.ignore_index = ignore_index
        self.labels_checked = False

    def prepared(self, logits: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Logits in at least float32, whatever autocast made of them, and the mask as one-hot values.

        Raises:
            LabelError: when the mask holds a value that is no class. On a GPU, which would have to be waited
                for, only the first batch is looked at.
        """
        if mask.device.type == "cpu" or not self.labels_checked:
            check_labels(mask, logits.shape[1], self.ignore_index)
            self.labels_checked = True
        logits = logits if logits.dtype == torch.float64 else logits.float()
        return logits, one_hot(mask, logits, self.ignore_index)

"""The loss of the segmenter: dice * soft Dice + cross_entropy * weighted cross-entropy."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ae_pretrained.constants import IGNORE_INDEX
from ae_pretrained.errors import PipelineError
from ae_pretrained.params.training_params import SegmentationLossParams

_SMOOTH = 1e-5


def _precise(logits: Tensor) -> Tensor:
    return logits if logits.dtype == torch.float64 else logits.float()


class LabelError(PipelineError):
    """A mask holds a value that stands for no class."""


def _one_hot(mask: Tensor, logits: Tensor, ignore_index: int) -> Tensor:
    """(N, C, H, W) in the format of the logits: 1 at a pixel's class; ignored pixels are 0 everywhere."""
    classes = torch.arange(logits.shape[1], device=mask.device).view(1, -1, 1, 1)
    labels = mask.unsqueeze(1)
    return ((labels == classes) & (labels != ignore_index)).to(logits.dtype)


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


def soft_dice_loss(logits: Tensor, mask: Tensor, ignore_index: int = IGNORE_INDEX) -> Tensor:
    """1 - mean over classes of the soft Dice coefficient, pooled over the batch (arXiv 1606.04797).

    Dice_c = 2 sum p_c t_c / (sum p_c + sum t_c), over labelled pixels. A class that the batch's truth lacks
    is left out of the mean: its coefficient would be 0 however good the prediction, or depend on a smoothing
    constant alone; the cross-entropy still punishes predicting it.

    Args:
        logits: (N, C, H, W).
        mask: (N, H, W) integers; ``ignore_index`` counts nowhere.

    Returns:
        A scalar in [0, 1]; 0 with a gradient of 0 when nothing is labelled.
    """
    logits = _precise(logits)
    probabilities = logits.softmax(dim=1) * (mask != ignore_index).unsqueeze(1)
    truth = _one_hot(mask, logits, ignore_index)
    overlap = (probabilities * truth).sum(dim=(0, 2, 3))
    sizes = probabilities.sum(dim=(0, 2, 3)) + truth.sum(dim=(0, 2, 3))
    present = (truth.sum(dim=(0, 2, 3)) > 0).to(logits.dtype)
    losses = 1.0 - 2.0 * overlap / (sizes + _SMOOTH)
    return (losses * present).sum() / present.sum().clamp(min=1.0)


def inverse_frequency_weights(counts: Tensor) -> Tensor:
    """Class weights by inverse pixel frequency, of mean 1 over the classes that occur; 0 for the others.

    Args:
        counts: (C,) pixels per class, or shares.
    """
    present = counts > 0
    inverse = torch.where(present, 1.0 / counts.clamp(min=torch.finfo(counts.dtype).tiny), 0.0)
    return inverse * present.sum() / inverse.sum().clamp(min=torch.finfo(counts.dtype).tiny)


def weighted_cross_entropy(
    logits: Tensor, mask: Tensor, weights: Tensor | None, ignore_index: int = IGNORE_INDEX
) -> Tensor:
    """sum_i w[t_i] * (-log p_i[t_i]) / sum_i w[t_i] over labelled pixels i.

    Written as a sum, as ``F.cross_entropy`` divides by 0 when nothing is labelled, and gives other digits
    from run to run on a GPU.

    Args:
        logits: (N, C, H, W).
        mask: (N, H, W) integers.
        weights: (C,) or None for equal weights.

    Returns:
        A scalar; 0 with a gradient of 0 when nothing is labelled.
    """
    logits = _precise(logits)
    share = _one_hot(mask, logits, ignore_index)
    if weights is not None:
        share = share * weights.to(logits).view(1, -1, 1, 1)
    norm = share.sum()
    total = -(logits.log_softmax(dim=1) * share).sum()
    return total / torch.where(norm > 0, norm, torch.ones_like(norm))


class SegmentationLoss(nn.Module):
    """Soft Dice and cross-entropy, each with its weight; parts of weight 0 are not computed.

    Args:
        params: weights and the kind of class weights: ``dynamic`` takes the batch's pixels, ``static`` the
            train set's, ``none`` treats classes alike.
        class_frequencies: (C,) share of every class over train, needed for ``static``.
    """

    static_weights: Tensor | None

    def __init__(self, params: SegmentationLossParams, class_frequencies: Tensor | None = None) -> None:
        super().__init__()
        self.params = params
        if params.class_weights == "static" and class_frequencies is None:
            raise ValueError("static class weights need the class frequencies of the train set")
        static = None if class_frequencies is None else inverse_frequency_weights(class_frequencies)
        self.register_buffer("static_weights", static, persistent=False)
        self._checked = False

    def forward(self, logits: Tensor, mask: Tensor) -> dict[str, Tensor]:
        """``total`` and its unweighted parts ``dice`` and ``cross_entropy``.

        Args:
            logits: (N, C, H, W).
            mask: (N, H, W) uint8 or int64; 255 counts nowhere.

        Raises:
            LabelError: when the mask holds a value that is no class. On a GPU, which would have to be waited
                for, only the first batch is looked at.
        """
        if mask.device.type == "cpu" or not self._checked:
            check_labels(mask, logits.shape[1])
            self._checked = True
        losses: dict[str, Tensor] = {}
        total = torch.zeros((), device=logits.device)
        if self.params.dice > 0:
            losses["dice"] = soft_dice_loss(logits, mask)
            total = total + self.params.dice * losses["dice"]
        if self.params.cross_entropy > 0:
            losses["cross_entropy"] = weighted_cross_entropy(logits, mask, self._weights(logits, mask))
            total = total + self.params.cross_entropy * losses["cross_entropy"]
        return {"total": total, **losses}

    def _weights(self, logits: Tensor, mask: Tensor) -> Tensor | None:
        if self.params.class_weights == "none":
            return None
        if self.params.class_weights == "static":
            return self.static_weights
        truth = _one_hot(mask, _precise(logits), IGNORE_INDEX)
        return inverse_frequency_weights(truth.sum(dim=(0, 2, 3)))

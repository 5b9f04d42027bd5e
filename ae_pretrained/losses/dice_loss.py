"""The soft Dice loss (Milletari et al., V-Net, arXiv 1606.04797), pooled over the batch."""

from __future__ import annotations

from torch import Tensor

from ae_pretrained.constants import IGNORE_INDEX
from ae_pretrained.losses.labels import MaskedLoss

_SMOOTH = 1e-5


class DiceLoss(MaskedLoss):
    """1 - mean over classes of the soft Dice coefficient.

    Dice_c = 2 sum p_c t_c / (sum p_c + sum t_c), summed over the labelled pixels of the whole batch. A class that
    the batch's truth lacks is left out of the mean: its coefficient would be 0 however good the prediction, or
    depend on a smoothing constant alone; the cross-entropy still punishes predicting it.

    Args:
        ignore_index: mask value of pixels that count nowhere.

    Example:
        >>> import torch
        >>> mask = torch.tensor([[[0, 1], [1, 255]]])
        >>> right = torch.tensor([[[[9.0, -9], [-9, 0]], [[-9, 9], [9, 0]]]])
        >>> loss = DiceLoss(ignore_index=255)
        >>> f"{loss(right, mask):.3f} {loss(-right, mask):.3f}"
        '0.000 1.000'
    """

    def __init__(self, ignore_index: int = IGNORE_INDEX) -> None:
        super().__init__(ignore_index)

    def forward(self, logits: Tensor, mask: Tensor) -> Tensor:
        """A scalar in [0, 1]; 0 with a gradient of 0 when nothing is labelled.

        Args:
            logits: (N, C, H, W).
            mask: (N, H, W) integers: classes in [0, C), and ``ignore_index``.

        Raises:
            LabelError: when the mask holds another value; see :meth:`MaskedLoss.prepared`.
        """
        logits, truth = self.prepared(logits, mask)
        probabilities = logits.softmax(dim=1) * (mask != self.ignore_index).unsqueeze(1)
        overlap = (probabilities * truth).sum(dim=(0, 2, 3))
        pixels = truth.sum(dim=(0, 2, 3))
        sizes = probabilities.sum(dim=(0, 2, 3)) + pixels
        present = (pixels > 0).to(logits.dtype)
        losses = 1.0 - 2.0 * overlap / (sizes + _SMOOTH)
        return (losses * present).sum() / present.sum().clamp(min=1.0)

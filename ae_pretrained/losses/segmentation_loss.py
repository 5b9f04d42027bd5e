"""The loss of the segmenter: dice * soft Dice + cross_entropy * weighted cross-entropy."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ae_pretrained.constants import IGNORE_INDEX
from ae_pretrained.errors import PipelineError
from ae_pretrained.losses.cross_entropy_loss import ClassWeights, CrossEntropyLoss
from ae_pretrained.losses.dice_loss import DiceLoss


class SegmentationLoss(nn.Module):
    """Soft Dice and cross-entropy, each with its weight; a part of weight 0 is not computed.

    Args:
        dice: weight of :class:`DiceLoss`.
        cross_entropy: weight of :class:`CrossEntropyLoss`.
        class_weights: of the cross-entropy: ``dynamic``, ``none``, or (C,) weights.
        ignore_index: mask value of pixels that count nowhere.

    Raises:
        PipelineError: when a weight is below 0, or both are 0.

    Example:
        >>> import torch
        >>> logits = torch.zeros(2, 3, 8, 8, requires_grad=True)
        >>> mask = torch.randint(0, 3, (2, 8, 8))
        >>> losses = SegmentationLoss(dice=1.0, cross_entropy=0.5)(logits, mask)
        >>> sorted(losses)
        ['cross_entropy', 'dice', 'total']
        >>> losses["total"].backward()
    """

    def __init__(
        self,
        dice: float = 1.0,
        cross_entropy: float = 1.0,
        class_weights: ClassWeights = "dynamic",
        ignore_index: int = IGNORE_INDEX,
    ) -> None:
        super().__init__()
        if min(dice, cross_entropy) < 0 or dice + cross_entropy == 0:
            raise PipelineError(
                f"dice, cross_entropy: found weights of {dice:g} and {cross_entropy:g}, expected none "
                "below 0 and one above"
            )
        self.weights = {"dice": dice, "cross_entropy": cross_entropy}
        parts = {
            "dice": DiceLoss(ignore_index),
            "cross_entropy": CrossEntropyLoss(class_weights, ignore_index),
        }
        self.parts = nn.ModuleDict({name: part for name, part in parts.items() if self.weights[name] > 0})

    def forward(self, logits: Tensor, mask: Tensor) -> dict[str, Tensor]:
        """``total`` and its unweighted parts ``dice`` and ``cross_entropy``.

        Args:
            logits: (N, C, H, W).
            mask: (N, H, W) integers: classes in [0, C), and ``ignore_index``.

        Raises:
            LabelError: when the mask holds another value.
        """
        losses = {name: part(logits, mask) for name, part in self.parts.items()}
        total = torch.zeros((), device=logits.device)
        for name, value in losses.items():
            total = total + self.weights[name] * value
        return {"total": total, **losses}

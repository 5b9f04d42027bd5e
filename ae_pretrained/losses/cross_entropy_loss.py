"""Cross-entropy with class weights, the same from run to run on every device."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor

from ae_pretrained.constants import IGNORE_INDEX
from ae_pretrained.errors import check_choice
from ae_pretrained.losses.labels import MaskedLoss

ClassWeights = Literal["dynamic", "none"] | Tensor | Sequence[float]


def inverse_frequency_weights(counts: Tensor) -> Tensor:
    """Class weights by inverse pixel frequency, of mean 1 over the classes that occur; 0 for the others.

    Args:
        counts: (C,) floats: pixels per class, or shares.

    Returns:
        (C,) weights.

    Example:
        >>> import torch
        >>> inverse_frequency_weights(torch.tensor([0.75, 0.25, 0.0]))
        tensor([0.5000, 1.5000, 0.0000])
    """
    present = counts > 0
    inverse = torch.where(present, 1.0 / counts.clamp(min=torch.finfo(counts.dtype).tiny), 0.0)
    return inverse * present.sum() / inverse.sum().clamp(min=torch.finfo(counts.dtype).tiny)


class CrossEntropyLoss(MaskedLoss):
    """sum_i w[t_i] * (-log p_i[t_i]) / sum_i w[t_i] over labelled pixels i.

    As ``torch.nn.CrossEntropyLoss(weight, ignore_index)``, which divides by 0 when nothing is labelled, and gives
    other digits from run to run on a GPU.

    Args:
        class_weights: ``dynamic`` takes the inverse pixel frequencies of each batch, ``none`` treats classes alike;
            or (C,) weights of one's own, such as :func:`inverse_frequency_weights` of the training set.
        ignore_index: mask value of pixels that count nowhere.

    Raises:
        PipelineError: for another word.

    Example:
        >>> import torch
        >>> logits, mask = torch.zeros(1, 3, 4, 4), torch.zeros(1, 4, 4, dtype=torch.long)
        >>> CrossEntropyLoss(class_weights="none", ignore_index=255)(logits, mask)  # log 3
        tensor(1.0986)
        >>> CrossEntropyLoss(class_weights=[0.2, 1.0, 1.0])(logits, mask)
        tensor(1.0986)
    """

    static_weights: Tensor | None

    def __init__(self, class_weights: ClassWeights = "dynamic", ignore_index: int = IGNORE_INDEX) -> None:
        super().__init__(ignore_index)
        self.dynamic = False
        static = None
        if isinstance(class_weights, str):
            check_choice("class_weights", class_weights, ("dynamic", "none"))
            self.dynamic = class_weights == "dynamic"
        else:
            static = torch.as_tensor(class_weights)
        self.register_buffer("static_weights", static, persistent=False)

    def forward(self, logits: Tensor, mask: Tensor) -> Tensor:
        """A scalar of at least 0; 0 with a gradient of 0 when nothing is labelled.

        Args:
            logits: (N, C, H, W).
            mask: (N, H, W) integers: classes in [0, C), and ``ignore_index``.

        Raises:
            LabelError: when the mask holds another value; see :meth:`MaskedLoss.prepared`.
        """
        logits, share = self.prepared(logits, mask)
        weights = self.static_weights
        if self.dynamic:
            weights = inverse_frequency_weights(share.sum(dim=(0, 2, 3)))
        if weights is not None:
            share = share * weights.to(logits).view(1, -1, 1, 1)
        norm = share.sum()
        total = -(logits.log_softmax(dim=1) * share).sum()
        return total / torch.where(norm > 0, norm, torch.ones_like(norm))

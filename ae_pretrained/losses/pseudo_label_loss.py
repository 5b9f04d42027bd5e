"""Cross-entropy with what a teacher is sure of (FixMatch, Sohn et al. 2020, arXiv 2001.07685, equation 4)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from ae_pretrained.constants import IGNORE_INDEX


def pseudo_labels(logits: Tensor, valid: Tensor, confidence: float) -> Tensor:
    """The classes that a teacher is sure of.

    Args:
        logits: (N, C, H, W) of the teacher.
        valid: (N, H, W) booleans, False on padding.
        confidence: least probability of a class that counts, in [0, 1].

    Returns:
        (N, H, W) int64: classes, and 255 where the teacher is not sure or nothing is valid.

    Example:
        >>> import torch
        >>> logits = torch.tensor([[4.0, 0.1, 9.0], [0.0, 0.0, 0.0]]).view(1, 2, 1, 3)
        >>> pseudo_labels(logits, torch.tensor([[[True, True, False]]]), 0.9).tolist()
        [[[0, 255, 255]]]
    """
    probability, label = logits.float().softmax(dim=1).max(dim=1)
    return torch.where(valid & (probability >= confidence), label, IGNORE_INDEX)


def pseudo_label_loss(logits: Tensor, labels: Tensor, valid: Tensor) -> Tensor:
    """The sum of the cross-entropy over the pixels with a pseudo-label, divided by the number of all valid pixels.

    Divided so, few sure pixels weigh little (French et al. 2020, arXiv 1906.01916, do the same).

    Args:
        logits: (N, C, H, W) of the student.
        labels: (N, H, W) of :func:`pseudo_labels`.
        valid: (N, H, W) booleans, False on padding.

    Returns:
        A number; 0 where nothing is valid.

    Example:
        >>> import torch
        >>> labels = torch.tensor([[[0, 255]]])
        >>> loss = pseudo_label_loss(torch.zeros(1, 2, 1, 2), labels, torch.ones(1, 1, 2, dtype=torch.bool))
        >>> round(float(loss), 4)  # half of ln 2
        0.3466
    """
    total = F.cross_entropy(logits.float(), labels, ignore_index=IGNORE_INDEX, reduction="sum")
    return total / valid.sum().clamp(min=1)

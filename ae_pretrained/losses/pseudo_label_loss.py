"""What a teacher is sure of, as labels."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ae_pretrained.errors import check_probability


class PseudoLabelLoss(nn.Module):
    """Cross-entropy with the classes that a teacher gives, where it is confident (FixMatch, arXiv 2001.07685).

    sum_i [max p_i >= confidence] * (-log q_i[argmax p_i]) / n, over all n pixels that count: p is the teacher's
    softmax, q the student's. A teacher that is sure of little thus moves little.

    Args:
        confidence: least probability of the teacher's class.

    Raises:
        PipelineError: for a confidence that is no probability.

    Example:
        >>> import torch
        >>> teacher = torch.tensor([[[[9.0, 0.1]], [[0.0, 0.0]]]])  # sure of the first pixel, not of the second
        >>> student, counted = torch.zeros(1, 2, 1, 2), torch.ones(1, 1, 2, dtype=torch.bool)
        >>> loss, share = PseudoLabelLoss(0.9)(student, teacher, counted)
        >>> f"{loss:.4f} {share:.1f}"  # half of log 2
        '0.3466 0.5'
    """

    def __init__(self, confidence: float = 0.9) -> None:
        super().__init__()
        check_probability("confidence", confidence)
        self.confidence = confidence

    def forward(self, logits: Tensor, teacher: Tensor, counted: Tensor) -> tuple[Tensor, Tensor]:
        """The loss, and the share of the pixels on which the teacher is confident.

        Args:
            logits: (N, C, H, W) of the student.
            teacher: (N, C, H, W) logits of the teacher; no gradient goes there.
            counted: (N, H, W) booleans, False on padding.

        Returns:
            Two scalars; the loss is 0 with a gradient of 0 where nothing counts.
        """
        probabilities, classes = teacher.detach().float().softmax(dim=1).max(dim=1)
        sure = counted & (probabilities >= self.confidence)
        # Comparing is deterministic on every device, picking by index is not.
        numbers = torch.arange(logits.shape[1], device=logits.device).view(1, -1, 1, 1)
        picked = (classes.unsqueeze(1) == numbers) & sure.unsqueeze(1)
        total = -(logits.float().log_softmax(dim=1) * picked).sum()
        pixels = counted.sum().clamp(min=1)
        return total / pixels, sure.sum() / pixels

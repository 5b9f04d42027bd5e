"""The loss of the autoencoder: mse * MSE + perceptual * perceptual + ssim * (1 - SSIM)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ae_pretrained.losses.perceptual_loss import PerceptualLoss
from ae_pretrained.metrics.ssim import ssim
from ae_pretrained.params.training_params import ReconstructionLossParams


def masked_mse(output: Tensor, target: Tensor, counted: Tensor | None = None) -> Tensor:
    """Mean squared error over the counted pixels.

    Args:
        output, target: (N, C, H, W).
        counted: (N, 1, H, W) booleans; None counts all.

    Returns:
        A scalar; 0 (with a gradient of 0) when no pixel counts.
    """
    output = output if output.dtype == torch.float64 else output.float()
    squared = (output - target.to(output.dtype)).square()
    if counted is None:
        return squared.mean()
    weight = counted.to(squared.dtype)
    return (squared * weight).sum() / (weight.sum() * output.shape[1]).clamp(min=1.0)


class ReconstructionLoss(nn.Module):
    """MSE + perceptual + SSIM, each with its weight; parts of weight 0 are not computed.

    Args:
        params: weights, the perceptual network, and whether the MSE counts all pixels or corrupted ones.
    """

    def __init__(self, params: ReconstructionLossParams) -> None:
        super().__init__()
        self.params = params
        self.perceptual = None
        if params.perceptual > 0:
            self.perceptual = PerceptualLoss(
                params.perceptual_network, params.perceptual_levels, params.perceptual_size
            )

    def forward(
        self, output: Tensor, target: Tensor, valid: Tensor | None = None, corrupted: Tensor | None = None
    ) -> dict[str, Tensor]:
        """The total and its unweighted parts.

        Args:
            output, target: (N, 3, H, W) in [0, 1].
            valid: (N, 1, H, W) booleans, False on padding, which counts nowhere.
            corrupted: (N, 1, H, W) booleans of changed pixels, needed when ``params.on`` is ``corrupted``.

        Returns:
            ``total`` and those of ``mse``, ``perceptual``, ``ssim_loss`` whose weight is above 0.
        """
        losses: dict[str, Tensor] = {}
        total = torch.zeros((), device=output.device)
        if self.params.mse > 0:
            losses["mse"] = masked_mse(output, target, self._counted(valid, corrupted))
            total = total + self.params.mse * losses["mse"]
        if self.perceptual is not None:
            losses["perceptual"] = self.perceptual(output, target, valid)
            total = total + self.params.perceptual * losses["perceptual"]
        if self.params.ssim > 0:
            losses["ssim_loss"] = 1.0 - ssim(output, target, valid)
            total = total + self.params.ssim * losses["ssim_loss"]
        return {"total": total, **losses}

    def _counted(self, valid: Tensor | None, corrupted: Tensor | None) -> Tensor | None:
        if self.params.on == "all":
            return valid
        if corrupted is None:
            raise ValueError("a loss on corrupted pixels needs to know which they are")
        return corrupted if valid is None else corrupted & valid

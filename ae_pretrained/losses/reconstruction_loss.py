"""The loss of the autoencoder: mse * MSE + perceptual * perceptual + ssim * (1 - SSIM)."""

from __future__ import annotations

from typing import Literal, get_args

import torch
from torch import Tensor, nn

from ae_pretrained.errors import PipelineError, check_choice
from ae_pretrained.losses.perceptual_loss import PerceptualLoss, PerceptualNetwork
from ae_pretrained.metrics.ssim import ssim as mean_ssim

CountedPixels = Literal["all", "corrupted"]


def masked_mse(output: Tensor, target: Tensor, counted: Tensor | None = None) -> Tensor:
    """Mean squared error over the counted pixels.

    Args:
        output, target: (N, C, H, W).
        counted: (N, 1, H, W) booleans; None counts all.

    Returns:
        A scalar; 0 (with a gradient of 0) when no pixel counts.

    Example:
        >>> import torch
        >>> counted = torch.zeros(1, 1, 4, 4, dtype=torch.bool)
        >>> counted[..., :2] = True
        >>> masked_mse(torch.ones(1, 3, 4, 4), torch.zeros(1, 3, 4, 4), counted)
        tensor(1.)
    """
    output = output if output.dtype == torch.float64 else output.float()
    squared = (output - target.to(output.dtype)).square()
    if counted is None:
        return squared.mean()
    weight = counted.to(squared.dtype)
    return (squared * weight).sum() / (weight.sum() * output.shape[1]).clamp(min=1.0)


class ReconstructionLoss(nn.Module):
    """MSE + perceptual + (1 - SSIM), each with its weight; a part of weight 0 is not computed.

    Args:
        mse: weight of the mean squared error.
        perceptual: weight of :class:`PerceptualLoss`.
        ssim: weight of 1 - SSIM, which needs images of at least 11 x 11 px.
        perceptual_network, perceptual_levels, perceptual_size: the arguments of :class:`PerceptualLoss`.
        on: pixels whose error counts in the MSE: ``all``, or ``corrupted`` ones alone.

    Raises:
        PipelineError: when a weight is below 0, or all are 0.

    Example:
        >>> import torch
        >>> images = torch.rand(2, 3, 16, 16)
        >>> losses = ReconstructionLoss(mse=1.0, ssim=0.1)(images.flip(-1), images)
        >>> sorted(losses)
        ['mse', 'ssim_loss', 'total']
    """

    def __init__(
        self,
        mse: float = 1.0,
        perceptual: float = 0.0,
        ssim: float = 0.1,
        *,
        perceptual_network: PerceptualNetwork = "efficientnet_lite0",
        perceptual_levels: int = 3,
        perceptual_size: int = 0,
        on: CountedPixels = "all",
    ) -> None:
        super().__init__()
        if min(mse, perceptual, ssim) < 0 or mse + perceptual + ssim == 0:
            raise PipelineError(
                f"mse, perceptual, ssim: found weights of {mse:g}, {perceptual:g} and {ssim:g}, expected none "
                "below 0 and one above"
            )
        check_choice("on", on, get_args(CountedPixels))
        self.weights = {"mse": mse, "perceptual": perceptual, "ssim_loss": ssim}
        self.on = on
        self.perceptual: PerceptualLoss | None = None
        if perceptual > 0:
            self.perceptual = PerceptualLoss(perceptual_network, perceptual_levels, perceptual_size)

    def forward(
        self, output: Tensor, target: Tensor, valid: Tensor | None = None, corrupted: Tensor | None = None
    ) -> dict[str, Tensor]:
        """The total and its unweighted parts.

        Args:
            output, target: (N, 3, H, W) in [0, 1].
            valid: (N, 1, H, W) booleans, False on padding, which counts nowhere.
            corrupted: (N, 1, H, W) booleans of changed pixels, needed when ``on`` is ``corrupted``.

        Returns:
            ``total`` and those of ``mse``, ``perceptual``, ``ssim_loss`` whose weight is above 0.
        """
        losses: dict[str, Tensor] = {}
        if self.weights["mse"] > 0:
            losses["mse"] = masked_mse(output, target, self._counted(valid, corrupted))
        if self.perceptual is not None:
            losses["perceptual"] = self.perceptual(output, target, valid)
        if self.weights["ssim_loss"] > 0:
            losses["ssim_loss"] = 1.0 - mean_ssim(output, target, valid)
        total = torch.zeros((), device=output.device)
        for name, value in losses.items():
            total = total + self.weights[name] * value
        return {"total": total, **losses}

    def _counted(self, valid: Tensor | None, corrupted: Tensor | None) -> Tensor | None:
        if self.on == "all":
            return valid
        if corrupted is None:
            raise ValueError("a loss on corrupted pixels needs to know which they are")
        return corrupted if valid is None else corrupted & valid

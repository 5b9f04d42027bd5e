"""Optimisers and learning-rate schedules by name."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any, Literal, get_args

import torch
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR

from ae_pretrained.errors import check_choice

OptimizerName = Literal["adam", "adamw", "sgd"]
ScheduleName = Literal["cosine", "polynomial", "constant"]
POLYNOMIAL_POWER = 0.9  # as in DeepLab (arXiv 1606.00915) and in the original recipe


def make_optimizer(
    groups: Iterable[dict[str, Any]],
    name: OptimizerName = "adamw",
    *,
    momentum: float = 0.9,
    fused: bool = True,
) -> Optimizer:
    """Build an optimiser.

    Args:
        groups: parameter groups that bring their own ``lr`` and ``weight_decay``, such as those of
            :func:`~ae_pretrained.models.transfer.parameter_groups`.
        name: ``sgd`` uses Nesterov momentum.
        momentum: of ``sgd``; first beta of ``adam`` and ``adamw``, whose second is 0.999.
        fused: one kernel per step instead of one per tensor, on CPU and CUDA alike. Not where a gradient scaler
            (fp16) and clipping meet: a fused optimiser undoes the scale inside its step, when clipping is over.

    Raises:
        PipelineError: for another name.

    Example:
        >>> from ae_pretrained.models import UNet, parameter_groups
        >>> optimizer = make_optimizer(parameter_groups(UNet(num_classes=3), lr=1e-3), "sgd")
        >>> optimizer.param_groups[0]["nesterov"]
        True
    """
    check_choice("optimizer", name, get_args(OptimizerName))
    groups = list(groups)
    if name == "sgd":
        return torch.optim.SGD(groups, momentum=momentum, nesterov=momentum > 0, fused=fused)
    kind = torch.optim.AdamW if name == "adamw" else torch.optim.Adam
    return kind(groups, betas=(momentum, 0.999), fused=fused)


def learning_rate_factor(
    total_updates: int, schedule: ScheduleName = "cosine", *, warmup: float = 0.0
) -> Callable[[int], float]:
    """The learning rate of update 0, 1, … relative to its peak: a linear rise, then the schedule's fall.

    The fall is stretched over the updates after the warm-up and would reach 0 one update after the last.

    Args:
        total_updates: of the run.
        schedule: ``cosine`` to 0, ``polynomial`` with power 0.9 to 0, or ``constant``.
        warmup: share of the run in which the rate rises, in [0, 1).

    Raises:
        PipelineError: for another schedule.

    Example:
        >>> factor = learning_rate_factor(10, "cosine", warmup=0.2)
        >>> [round(factor(update), 2) for update in (0, 1, 2, 6, 9)]
        [0.33, 0.67, 1.0, 0.5, 0.04]
    """
    check_choice("schedule", schedule, get_args(ScheduleName))
    rising = round(warmup * total_updates)

    def factor(update: int) -> float:
        if update < rising:
            return (update + 1) / (rising + 1)
        left = 1.0 - (update - rising) / max(1, total_updates - rising)
        left = min(1.0, max(0.0, left))
        if schedule == "cosine":
            return 0.5 * (1.0 - math.cos(math.pi * left))
        if schedule == "polynomial":
            return left**POLYNOMIAL_POWER
        return 1.0

    return factor


def make_scheduler(
    optimizer: Optimizer, total_updates: int, schedule: ScheduleName = "cosine", *, warmup: float = 0.0
) -> LambdaLR:
    """The schedule of :func:`learning_rate_factor` as a PyTorch scheduler that is stepped once per update.

    Example:
        >>> import torch
        >>> optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.1)
        >>> make_scheduler(optimizer, 10, warmup=0.5).get_last_lr()[0] < 0.1
        True
    """
    return LambdaLR(optimizer, learning_rate_factor(total_updates, schedule, warmup=warmup))

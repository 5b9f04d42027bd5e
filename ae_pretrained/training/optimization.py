"""Optimisers and learning-rate schedules by name."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR

from ae_pretrained.params.training_params import TrainingParams

POLYNOMIAL_POWER = 0.9  # as in DeepLab (arXiv 1606.00915) and in the original recipe


def make_optimizer(groups: Iterable[dict[str, Any]], params: TrainingParams) -> Optimizer:
    """Build the optimiser for parameter groups that bring their own ``lr`` and ``weight_decay``."""
    groups = list(groups)
    # One fused kernel per step instead of one per tensor, on CPU and CUDA alike.
    if params.optimizer == "sgd":
        return torch.optim.SGD(groups, momentum=params.momentum, nesterov=params.momentum > 0, fused=True)
    kind = torch.optim.AdamW if params.optimizer == "adamw" else torch.optim.Adam
    return kind(groups, betas=(params.momentum, 0.999), fused=True)


def learning_rate_factor(params: TrainingParams, total_updates: int) -> Callable[[int], float]:
    """The learning rate of update 0, 1, … relative to its peak: a linear rise, then the schedule's fall.

    The fall is stretched over the updates after the warm-up and would reach 0 one update after the last.
    """
    warmup = round(params.warmup * total_updates)

    def factor(update: int) -> float:
        if update < warmup:
            return (update + 1) / (warmup + 1)
        left = 1.0 - (update - warmup) / max(1, total_updates - warmup)
        left = min(1.0, max(0.0, left))
        if params.schedule == "cosine":
            return 0.5 * (1.0 - math.cos(math.pi * left))
        if params.schedule == "polynomial":
            return left**POLYNOMIAL_POWER
        return 1.0

    return factor


def make_scheduler(optimizer: Optimizer, params: TrainingParams, total_updates: int) -> LambdaLR:
    """The schedule as a PyTorch scheduler that is stepped once per update."""
    return LambdaLR(optimizer, learning_rate_factor(params, total_updates))

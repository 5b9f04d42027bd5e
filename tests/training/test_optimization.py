"""Optimisers and schedules against PyTorch's own."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import CosineAnnealingLR, LinearLR, LRScheduler, PolynomialLR, SequentialLR

from ae_pretrained.errors import PipelineError
from ae_pretrained.training import learning_rate_factor, make_optimizer, make_scheduler

UPDATES, RISING = 20, 5


def sgd() -> Optimizer:
    return torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.1)


def rates(scheduler: LRScheduler) -> list[float]:
    """The learning rate of every update."""
    found = []
    for _ in range(UPDATES):
        found.append(scheduler.get_last_lr()[0])
        scheduler.optimizer.step()
        scheduler.step()
    return found


@pytest.mark.parametrize("schedule", ["cosine", "polynomial", "constant"])
@pytest.mark.parametrize("warmup", [0.0, 0.25])
def test_schedule_is_that_of_pytorch(schedule: str, warmup: float) -> None:
    reference, rising = sgd(), RISING if warmup else 0
    fall: LRScheduler
    if schedule == "cosine":
        fall = CosineAnnealingLR(reference, UPDATES - rising)
    elif schedule == "polynomial":
        fall = PolynomialLR(reference, UPDATES - rising, power=0.9)
    else:
        fall = LinearLR(reference, 1.0, 1.0)
    expected: LRScheduler = fall
    if rising:
        rise = LinearLR(reference, 1 / (rising + 1), 1.0, total_iters=rising)
        expected = SequentialLR(reference, [rise, fall], milestones=[rising])
    found = rates(make_scheduler(sgd(), UPDATES, schedule, warmup=warmup))  # type: ignore[arg-type]
    assert found == pytest.approx(rates(expected))


def test_rate_of_a_run_that_goes_on_too_long_stays_at_its_end() -> None:
    assert learning_rate_factor(4)(9) == 0.0
    assert learning_rate_factor(4, "constant")(9) == 1.0


@pytest.mark.parametrize(
    ("name", "reference"),
    [
        ("sgd", lambda groups: torch.optim.SGD(groups, momentum=0.8, nesterov=True)),
        ("adam", lambda groups: torch.optim.Adam(groups, betas=(0.8, 0.999))),
        ("adamw", lambda groups: torch.optim.AdamW(groups, betas=(0.8, 0.999))),
    ],
)
def test_optimizer_steps_as_pytorchs(name: str, reference: object) -> None:
    ends = []
    for make in (lambda groups: make_optimizer(groups, name, momentum=0.8), reference):  # type: ignore[arg-type]
        torch.manual_seed(0)
        layer = nn.Linear(4, 3)
        groups = [
            {"params": [layer.weight], "lr": 0.1, "weight_decay": 0.1},
            {"params": [layer.bias], "lr": 0.01, "weight_decay": 0.0},
        ]
        optimizer = make(groups)  # type: ignore[operator]
        for _ in range(3):
            optimizer.zero_grad()
            layer(torch.ones(2, 4)).square().sum().backward()
            optimizer.step()
        ends.append([layer.weight.detach(), layer.bias.detach()])
    torch.testing.assert_close(ends[0], ends[1])


def test_other_names_are_refused() -> None:
    with pytest.raises(
        PipelineError, match="optimizer: found 'lion', expected one of 'adam', 'adamw', 'sgd'"
    ):
        make_optimizer([], "lion")  # type: ignore[arg-type]
    with pytest.raises(PipelineError, match="schedule: found 'step', expected one of 'cosine'"):
        learning_rate_factor(3, "step")  # type: ignore[arg-type]

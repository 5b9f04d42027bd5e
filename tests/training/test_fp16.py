"""Training in fp16 with a scaled loss, on a CPU, which the package offers on a GPU alone."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import lightning as L
import pytest
import torch
from lightning.pytorch.plugins.precision import MixedPrecision
from torch import nn

from ae_pretrained.training.training_task import TrainingTask
from tests.processed import tiny_params
from tests.training.conftest import run_finetune, run_pretrain

pytestmark = pytest.mark.long


@pytest.fixture
def fp16_on_cpu(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[torch.amp.GradScaler]]:
    """Whatever is trained meanwhile is trained as with precision 16 on a GPU; gives the scalers in use."""
    scalers: list[torch.amp.GradScaler] = []
    trainer = L.Trainer

    def make(**settings: Any) -> L.Trainer:
        scalers.append(torch.amp.GradScaler("cpu"))
        settings["plugins"] = [MixedPrecision("16-mixed", "cpu", scaler=scalers[-1])]
        return trainer(**{**settings, "precision": None})

    monkeypatch.setattr(L, "Trainer", make)
    yield scalers
    assert scalers, "no training was made"


def norms_of_steps(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The norm of the gradients that every optimiser step applies, once clipped; fills while training goes on."""
    norms: list[float] = []
    clip = TrainingTask.configure_gradient_clipping

    def watched(self: TrainingTask, optimizer: Any, *words: Any, **more: Any) -> None:
        clip(self, optimizer, *words, **more)
        gradients = [
            p.grad for group in optimizer.param_groups for p in group["params"] if p.grad is not None
        ]
        scale = 1.0
        if getattr(optimizer, "_step_supports_amp_scaling", False) and self.trainer.scaler is not None:
            scale = self.trainer.scaler.get_scale()  # which such an optimiser divides by as it steps
        norms.append(float(nn.utils.get_total_norm(gradients)) / scale)

    monkeypatch.setattr(TrainingTask, "configure_gradient_clipping", watched)
    return norms


@pytest.mark.parametrize("optimizer", ["sgd", "adam", "adamw"])
@pytest.mark.usefixtures("fp16_on_cpu")
def test_gradients_are_clipped_at_their_true_size(
    processed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, optimizer: str
) -> None:
    """A limit that every gradient exceeds is the norm of each step, in fp16 as in float32."""
    norms = norms_of_steps(monkeypatch)
    run_finetune(
        processed,
        tmp_path,
        tiny_params(train_seg__epochs=1, train_seg__optimizer=optimizer, train_seg__gradient_clip=0.01),
    )
    assert norms
    assert norms == pytest.approx([0.01] * len(norms), rel=1e-3)


def losses(path: Path) -> list[float]:
    with path.open(newline="") as file:
        return [float(row["train_loss"]) for row in csv.DictReader(file)]


@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
def test_fp16_reaches_the_loss_of_float32(
    processed: Path, tmp_path: Path, request: pytest.FixtureRequest, optimizer: str
) -> None:
    """Clipped at every step: gradients that are clipped while still scaled are too small by the scale, 65536."""
    lr = 0.05 if optimizer == "sgd" else 0.005
    params = tiny_params(
        train_ae__epochs=6,
        train_ae__optimizer=optimizer,
        train_ae__lr=lr,
        train_ae__gradient_clip=0.1,
        train_seg__epochs=6,
        train_seg__optimizer=optimizer,
        train_seg__lr=lr,
        train_seg__gradient_clip=0.1,
    )
    for out in ("float32", "fp16"):
        if out == "fp16":
            request.getfixturevalue("fp16_on_cpu")
        run_pretrain(processed, tmp_path / out, params)
        run_finetune(processed, tmp_path / out, params)
    for curve in ("train_ae.csv", "train_seg.csv"):
        exact, half = losses(tmp_path / "float32" / curve), losses(tmp_path / "fp16" / curve)
        fallen = exact[0] - exact[-1]
        assert fallen > 0.02 * exact[0], "there is something to reach"
        assert half[-1] == pytest.approx(exact[-1], abs=0.1 * fallen), curve


def test_a_step_that_overflows_is_skipped(
    processed: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    fp16_on_cpu: list[torch.amp.GradScaler],
) -> None:
    """The scale is halved, the weights stay as they are, and training goes on."""
    clip = TrainingTask.configure_gradient_clipping
    before: list[torch.Tensor] = []

    def watched(self: TrainingTask, optimizer: Any, *words: Any, **more: Any) -> None:
        first = next(self.network.parameters())
        if len(before) == 1:
            assert torch.equal(before[0], first.detach()), "the step before was skipped"
        before.append(first.detach().clone())
        clip(self, optimizer, *words, **more)

    backward = TrainingTask.on_before_backward

    def spoil(self: TrainingTask, loss: torch.Tensor) -> None:
        backward(self, loss)
        if self.global_step == 0:
            next(self.network.parameters()).register_hook(
                lambda gradient: gradient * float("inf") if not before else gradient
            )

    monkeypatch.setattr(TrainingTask, "configure_gradient_clipping", watched)
    monkeypatch.setattr(TrainingTask, "on_before_backward", spoil)
    run_finetune(processed, tmp_path, tiny_params(train_seg__epochs=2))
    assert fp16_on_cpu[0].get_scale() == 2.0**15
    assert json.loads((tmp_path / "train_seg.json").read_text())["epochs"] == 2

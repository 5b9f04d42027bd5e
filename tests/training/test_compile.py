"""``runtime.compile``: every forward pass of training and validation runs what was compiled."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from ae_pretrained.models.encoder import Encoder
from tests.processed import tiny_params
from tests.training.conftest import run_finetune, run_pretrain


@pytest.fixture
def compiled(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """One entry, whether training, for every run of a compiled graph; the graphs run as PyTorch would run them."""
    runs: list[bool] = []
    compile_module = nn.Module.compile

    def compile_watched(self: nn.Module) -> None:
        def backend(graph: torch.fx.GraphModule, _: list[torch.Tensor]) -> Callable[..., Any]:
            def run(*values: Any) -> Any:
                runs.append(self.training)
                return graph.forward(*values)

            return run

        compile_module(self, backend=backend)

    monkeypatch.setattr(nn.Module, "compile", compile_watched)
    torch._dynamo.reset()
    return runs


@pytest.fixture
def uncompiled(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """One entry for every forward pass of an encoder outside a compiled graph."""
    runs: list[int] = []
    forward = Encoder.forward

    def watched(self: Encoder, x: torch.Tensor) -> Any:
        if not torch.compiler.is_compiling():
            runs.append(len(x))
        return forward(self, x)

    monkeypatch.setattr(Encoder, "forward", watched)
    return runs


# Half the size, frozen, the last batch of val smaller than the others: no case may fall back.
EVERYTHING: dict[str, Any] = {
    "train_ae__epochs": 2,
    "train_ae__half_size": 0.5,
    "train_ae__loss__latent": 1.0,
    "train_seg__epochs": 3,
    "train_seg__half_size": 0.4,
    "train_seg__freeze_epochs": 2,
}
PLAIN: dict[str, Any] = {"train_ae__epochs": 1, "train_seg__epochs": 1}


@pytest.mark.parametrize(
    "changes", [PLAIN, pytest.param(EVERYTHING, marks=pytest.mark.long)], ids=["plain", "everything"]
)
@pytest.mark.parametrize("stage", ["train_ae", "train_seg"])
def test_every_forward_pass_is_compiled(
    processed: Path,
    tmp_path: Path,
    compiled: list[bool],
    uncompiled: list[int],
    stage: str,
    changes: dict[str, Any],
) -> None:
    params = tiny_params(runtime__compile=True, train_ae__batch_size=5, train_seg__batch_size=5, **changes)
    run = run_pretrain if stage == "train_ae" else run_finetune
    run(processed, tmp_path, params)
    epochs, updates, batches = changes[f"{stage}__epochs"], 34 // 5, 2
    passes = 2 if stage == "train_ae" else 1  # corrupted images, and clean ones for PSNR and SSIM
    assert compiled.count(True) == epochs * updates
    assert compiled.count(False) == epochs * batches * passes
    assert uncompiled == []

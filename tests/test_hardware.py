"""What is switched on in PyTorch while training and evaluating."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from ae_pretrained.evaluation.inference import best_compute
from ae_pretrained.hardware import numerics
from ae_pretrained.training.callbacks import EpochLog
from tests.processed import make_processed, tiny_params
from tests.training.conftest import run_finetune


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    """PyTorch's settings are those of the whole process."""
    matmul, cudnn = torch.backends.cuda.matmul, torch.backends.cudnn
    before = matmul.allow_tf32, cudnn.allow_tf32
    mode = torch.get_deterministic_debug_mode()
    yield
    matmul.allow_tf32, cudnn.allow_tf32 = before
    torch.set_deterministic_debug_mode(mode)


@pytest.fixture(scope="module")
def processed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_processed(tmp_path_factory.mktemp("data"), tiny_params())


def tf32() -> tuple[bool, bool]:
    """Whether products and convolutions may be computed in TF32."""
    return torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32


@pytest.mark.parametrize(("deterministic", "mode"), [("warn", 1), (True, 2), (False, 0)])
@pytest.mark.parametrize("convolutions", [False, True])
def test_training_sets_what_the_parameters_say(
    processed: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    deterministic: Any,
    mode: int,
    convolutions: bool,
) -> None:
    seen: list[tuple[int, tuple[bool, bool]]] = []
    monkeypatch.setattr(
        EpochLog,
        "on_train_epoch_start",
        lambda *_: seen.append((torch.get_deterministic_debug_mode(), tf32())),
    )
    torch.backends.cuda.matmul.allow_tf32 = True
    torch.backends.cudnn.allow_tf32 = not convolutions
    params = tiny_params(
        train_seg__epochs=1, runtime__deterministic=deterministic, runtime__tf32=convolutions
    )
    run_finetune(processed, tmp_path, params)
    assert seen == [(mode, (False, convolutions))]


def test_on_a_cpu_they_change_no_byte(processed: Path, tmp_path: Path) -> None:
    settings: list[dict[str, Any]] = [
        {},
        {"runtime__deterministic": True},
        {"runtime__deterministic": False, "runtime__tf32": True},
    ]
    files = [
        run_finetune(processed, tmp_path / str(index), tiny_params(train_seg__epochs=1, **changes))
        for index, changes in enumerate(settings)
    ]
    assert len({path.read_bytes() for path in files}) == 1


def test_evaluation_in_float32_is_float32() -> None:
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = True
    assert best_compute("cpu").autocast is None
    assert tf32() == (False, False)


def test_numerics_of_the_committed_parameters() -> None:
    runtime = tiny_params(runtime__accelerator="cpu", runtime__devices=2, runtime__num_nodes=3).runtime
    assert numerics(runtime, "bf16") == {
        "accelerator": "cpu",
        "precision": "bf16-mixed",
        "processes": 6,
        "compile": False,
        "deterministic": "warn",
        "tf32": False,
    }

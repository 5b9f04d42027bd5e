"""What is switched on in PyTorch while training and evaluating."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from ae_pretrained.evaluation.inference import best_compute
from ae_pretrained.hardware import _core_times, advice_on_threads, numerics
from ae_pretrained.provenance import provenance
from ae_pretrained.training.callbacks import EpochLog
from tests.processed import make_processed, tiny_params
from tests.training.conftest import run_finetune


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    """PyTorch's settings are those of the whole process."""
    matmul, cudnn = torch.backends.cuda.matmul, torch.backends.cudnn
    before = matmul.allow_tf32, cudnn.allow_tf32
    mode, threads = torch.get_deterministic_debug_mode(), torch.get_num_threads()
    yield
    torch.set_num_threads(threads)
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
        "threads": torch.get_num_threads(),
        "compile": False,
        "deterministic": "warn",
        "tf32": False,
    }


def test_threads_are_those_of_the_parameters_and_recorded(
    processed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []
    monkeypatch.setattr(EpochLog, "on_train_epoch_start", lambda *_: seen.append(torch.get_num_threads()))
    params = tiny_params(train_seg__epochs=1, runtime__accelerator="cpu", runtime__threads=2)
    run_finetune(processed, tmp_path, params)
    assert seen == [2]
    assert json.loads((tmp_path / "train_seg.json").read_text())["threads"] == 2
    best_compute("cpu", threads=1)
    assert torch.get_num_threads() == 1
    best_compute("cpu")
    assert torch.get_num_threads() == 1
    assert provenance(0, params.runtime, "32")["threads"] == 2


class Cores:
    """What /proc/stat says before and after a while, by share of time at work of each core."""

    def __init__(self, *shares: float) -> None:
        self.shares, self.asked = shares, 0

    def __call__(self) -> dict[str, tuple[int, int]]:
        self.asked += 1
        return {
            f"cpu{core}": (round(100 * share * self.asked), 100 * self.asked)
            for core, share in enumerate(self.shares)
        }


@pytest.mark.parametrize(
    ("shares", "threads", "said"),
    [
        ((1.0, 0.0), 2, "another program uses 1.0 of 2 cores: runtime.threads=1 is faster"),
        ((1.0, 1.0), 2, "another program uses 2.0 of 2 cores: runtime.threads=1 is faster"),
        ((0.9, 0.6, 0.5, 0.0), 4, "another program uses 2.0 of 4 cores: runtime.threads=2 is faster"),
        ((1.0, 0.0), 1, ""),
        ((0.1, 0.05), 2, ""),
        ((1.0, 0.0, 0.0, 0.0), 2, ""),
        ((), 2, ""),
    ],
)
def test_a_busy_machine_is_told(
    monkeypatch: pytest.MonkeyPatch, shares: tuple[float, ...], threads: int, said: str
) -> None:
    monkeypatch.setattr("ae_pretrained.hardware._core_times", Cores(*shares))
    torch.set_num_threads(threads)
    assert advice_on_threads(0.0) == said


@pytest.mark.skipif(sys.platform != "linux", reason="read from /proc/stat")
def test_a_busy_core_is_seen() -> None:
    program = "import time; end = time.time() + 20\nwhile time.time() < end: pass"
    before = _core_times()
    with subprocess.Popen([sys.executable, "-c", program]) as busy:
        time.sleep(0.5)
        after = _core_times()
        busy.kill()
    assert before.keys() == after.keys() != set()
    work = sum(after[core][0] - before[core][0] for core in after)
    assert 0.25 * os.sysconf("SC_CLK_TCK") < work <= sum(after[core][1] - before[core][1] for core in after)

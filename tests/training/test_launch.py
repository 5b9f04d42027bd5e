"""What a launcher started against what the parameters say: errors before anything is written."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from ae_pretrained.errors import PipelineError
from ae_pretrained.training.fit import global_batch_in_words
from ae_pretrained.training.launch import check_launch
from tests.processed import tiny_params
from tests.training.conftest import run_finetune

TORCHRUN = {"TORCHELASTIC_RUN_ID": "1", "RANK": "0", "WORLD_SIZE": "4", "LOCAL_WORLD_SIZE": "2"}
SLURM = {
    "SLURM_PROCID": "0",
    "SLURM_NTASKS": "4",
    "SLURM_NTASKS_PER_NODE": "2",
    "SLURM_JOB_NAME": "train",
}


def check(devices: int, nodes: int, environment: dict[str, str], accelerator: str = "cpu") -> None:
    runtime = tiny_params(runtime__devices=devices, runtime__num_nodes=nodes).runtime
    check_launch(runtime, accelerator, environment)


@pytest.mark.parametrize("environment", [TORCHRUN, SLURM], ids=["torchrun", "slurm"])
def test_a_launch_that_fits(environment: dict[str, str]) -> None:
    check(2, 2, environment)


def test_what_needs_no_launcher() -> None:
    check(1, 1, {})
    check(4, 1, {})  # Lightning starts them
    check(1, 2, {"MASTER_ADDR": "10.0.0.1", "NODE_RANK": "1"})  # Lightning's own variables
    check(1, 1, SLURM)  # one process in a job of several tasks, without srun
    check(2, 1, {**SLURM, "SLURM_JOB_NAME": "bash"})  # by hand, in a shell within a job


@pytest.mark.parametrize(
    ("devices", "nodes", "environment", "message"),
    [
        (
            1,
            4,
            TORCHRUN,
            r"found 1 x 4 = 4 processes, but torchrun started 4, 2 on each node; set .*devices=2",
        ),
        (2, 1, TORCHRUN, r"found 2 x 1 = 2 processes, but torchrun started 4.*runtime\.num_nodes=2"),
        (4, 2, SLURM, r"found 4 x 2 = 8 processes, but SLURM started 4, 2 on each node"),
        (1, 1, TORCHRUN, r"found 1 device, but this is process 0 of several"),
        (1, 1, {**SLURM, "SLURM_STEP_NUM_TASKS": "4"}, r"found 1 device, but this is process 0 of several"),
        (2, 2, {**SLURM, "SLURM_NTASKS_PER_NODE": None}, r"--nodes=2 --ntasks-per-node=2 \(not --ntasks\)"),
        (1, 2, {}, r"runtime\.num_nodes: found 2, but nothing started this on several machines"),
    ],
)
def test_a_launch_that_does_not_fit(
    devices: int, nodes: int, environment: dict[str, str | None], message: str
) -> None:
    there = {key: value for key, value in environment.items() if value is not None}
    with pytest.raises(PipelineError, match=message):
        check(devices, nodes, there)


def test_more_gpus_than_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    check(2, 1, {}, "gpu")
    with pytest.raises(PipelineError, match=r"runtime\.devices: found 3, but PyTorch sees 2 .* at most 2"):
        check(3, 1, {}, "gpu")


def test_the_global_batch_and_its_rate_in_words() -> None:
    params = tiny_params(train_seg__batch_size=8, train_seg__lr=0.002).train_seg
    said = global_batch_in_words(params, 4)
    assert said.startswith(
        "4 processes x 8 = 32 images an update, peak learning rate 0.002 as set; 0.004 goes"
    )
    sgd = tiny_params(train_seg__batch_size=8, train_seg__lr=0.002, train_seg__optimizer="sgd").train_seg
    assert "0.008 goes with it" in global_batch_in_words(sgd, 4)


def test_one_process_records_its_batch(
    processed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run_finetune(processed, tmp_path, tiny_params(train_seg__epochs=1, train_seg__lr=0.003))
    metrics = json.loads((tmp_path / "train_seg.json").read_text())
    assert (metrics["processes"], metrics["global_batch"], metrics["lr"]) == (1, 8, 0.003)
    assert "processes x" not in capsys.readouterr().out

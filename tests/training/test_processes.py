"""Distributed runs that torchrun or SLURM starts: one process writes and speaks, whatever names its rank."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import lightning as L
import pytest
from lightning.fabric.utilities.rank_zero import rank_zero_only

from ae_pretrained.errors import PipelineError
from tests.conftest import ROOT
from tests.processed import tiny_params
from tests.training.conftest import run_finetune

CHANGES: dict[str, Any] = {
    "runtime__accelerator": "cpu",
    "runtime__devices": 1,
    "runtime__num_nodes": 2,
    "train_seg__epochs": 2,
    "train_seg__batch_size": 4,
}
# A run on two nodes, as the second process sees it: it is the first on its node.
TORCHRUN = {"RANK": "1", "GROUP_RANK": "1", "LOCAL_RANK": "0", "LOCAL_WORLD_SIZE": "1", "WORLD_SIZE": "2"}
SLURM = {"SLURM_PROCID": "1", "SLURM_NODEID": "1", "SLURM_LOCALID": "0", "SLURM_NNODES": "2"}
LAUNCHERS = {
    "torchrun": {**TORCHRUN, "TORCHELASTIC_RUN_ID": "1"},
    "slurm": {
        **SLURM,
        "SLURM_NTASKS": "2",
        "SLURM_NTASKS_PER_NODE": "1",
        "SLURM_JOB_ID": "1",
        "SLURM_JOB_NAME": "train",
    },
}
RANKS = ("RANK", "GROUP_RANK", "SLURM_PROCID", "SLURM_NODEID")

CHILD = """
import json, os, sys
from pathlib import Path

processed, out, said, changes = (Path(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]), json.loads(sys.argv[4]))
touched = []

def watch(event, words):
    if event == "open":
        path, mode, flags = words
        if not isinstance(path, int) and flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
            touched.append(str(os.fsdecode(path)))
    elif event in ("os.mkdir", "os.remove", "os.rename", "os.rmdir", "shutil.rmtree"):
        touched.extend(os.fsdecode(word) for word in words if isinstance(word, (str, bytes, os.PathLike)))

sys.addaudithook(watch)
from tests.processed import tiny_params
from tests.training.conftest import run_finetune
run_finetune(processed, out, tiny_params(**changes))
found = [path for path in touched if path.startswith(str(out))]
said.write_text(json.dumps(found))
"""


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@pytest.mark.long
@pytest.mark.parametrize("launcher", list(LAUNCHERS))
def test_one_of_two_processes_writes_and_speaks(processed: Path, tmp_path: Path, launcher: str) -> None:
    out = tmp_path / "out"
    (out / "checkpoints" / "of_another_run").mkdir(parents=True)
    address = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free_port())}
    processes = []
    for rank in ("0", "1"):
        place = {key: rank if key in RANKS else value for key, value in LAUNCHERS[launcher].items()}
        command = [
            sys.executable,
            "-c",
            CHILD,
            processed,
            out,
            tmp_path / f"{rank}.json",
            json.dumps(CHANGES),
        ]
        processes.append(
            subprocess.Popen(
                [str(word) for word in command],
                cwd=ROOT,
                env={**os.environ, **address, **place},
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
        )
    try:
        said = [process.communicate(timeout=300) for process in processes]
    finally:
        for process in processes:
            process.kill()
    assert [process.returncode for process in processes] == [0, 0], said
    written, nothing = (json.loads((tmp_path / f"{rank}.json").read_text()) for rank in ("0", "1"))
    assert {Path(path).name for path in written} >= {"last.ckpt", "of_another_run", "train_seg.json"}
    assert nothing == []
    assert [text.count("epoch 2/2") for text, _ in said] == [1, 0]
    metrics = json.loads((out / "train_seg.json").read_text())
    assert metrics["updates"] == 2 * (metrics["num_images"] // 8), "each update sees batches of both"


class Stop(Exception):
    """Raised where the processes would be joined."""


@pytest.fixture
def second(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    """This process is the second that a launcher started; it stops before it joins the first."""
    monkeypatch.setattr(rank_zero_only, "rank", 0)  # Lightning sets it, for the whole process
    for key, value in LAUNCHERS[request.param].items():
        monkeypatch.setenv(key, value)

    def fit(*_: object, **__: object) -> None:
        raise Stop

    monkeypatch.setattr(L.Trainer, "fit", fit)


@pytest.mark.parametrize("second", list(LAUNCHERS), indirect=True)
@pytest.mark.usefixtures("second")
def test_the_second_process_leaves_the_checkpoints_alone(processed: Path, tmp_path: Path) -> None:
    other = tmp_path / "checkpoints" / "of_another_run"
    other.mkdir(parents=True)
    with pytest.raises(Stop):
        run_finetune(processed, tmp_path, tiny_params(**CHANGES))
    assert list((tmp_path / "checkpoints").iterdir()) == [other]


@pytest.mark.parametrize("second", list(LAUNCHERS), indirect=True)
@pytest.mark.usefixtures("second")
def test_two_processes_for_a_run_of_one_are_refused(processed: Path, tmp_path: Path) -> None:
    """Each would take itself for the only one."""
    with pytest.raises(
        PipelineError, match=r"runtime\.devices, runtime\.num_nodes: found 1 device, .*process 1"
    ):
        run_finetune(processed, tmp_path, tiny_params(**{**CHANGES, "runtime__num_nodes": 1}))
    assert not (tmp_path / "checkpoints").exists()

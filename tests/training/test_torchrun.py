"""Real torchrun: four processes on two "nodes" of this machine, and two that reach what one reaches."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.conftest import ROOT
from tests.processed import tiny_params
from tests.training.conftest import run_finetune, run_pretrain
from tests.training.test_processes import CHILD, free_port

pytestmark = pytest.mark.long


def torchrun(nodes: int, per_node: int, script: Path, *words: object) -> list[str]:
    """Run a script in processes of several agents, one per node; returns what each agent's processes print."""
    address = ["--master-addr=127.0.0.1", f"--master-port={free_port()}"]
    agents = [
        subprocess.Popen(
            [sys.executable, "-m", "torch.distributed.run", f"--nnodes={nodes}", f"--node-rank={node}"]
            + [*address, f"--nproc-per-node={per_node}", str(script), *map(str, words)],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for node in range(nodes)
    ]
    try:
        said = [agent.communicate(timeout=300) for agent in agents]
    finally:
        for agent in agents:
            agent.kill()
    assert [agent.returncode for agent in agents] == [0] * nodes, "".join(err for _, err in said)
    return [out for out, _ in said]


def test_four_processes_of_two_nodes(processed: Path, tmp_path: Path) -> None:
    script = tmp_path / "child.py"
    script.write_text(
        CHILD.replace("Path(sys.argv[3])", "Path(sys.argv[3]) / (os.environ['RANK'] + '.json')")
    )
    changes = {
        "runtime__accelerator": "cpu",
        "runtime__devices": 2,
        "runtime__num_nodes": 2,
        "train_seg__epochs": 2,
        "train_seg__batch_size": 4,
    }
    out = tmp_path / "out"
    said = torchrun(2, 2, script, processed, out, tmp_path, json.dumps(changes))
    touched = [json.loads((tmp_path / f"{rank}.json").read_text()) for rank in range(4)]
    assert "train_seg.json" in {Path(path).name for path in touched[0]}
    assert touched[1:] == [[], [], []], "one process writes"
    assert [text.count("epoch 2/2") for text in said] == [1, 0], "and speaks"
    assert "train_seg: 4 processes x 4 = 16 images an update, peak learning rate 0.002 as set" in said[0]
    metrics = json.loads((out / "train_seg.json").read_text())
    assert (metrics["processes"], metrics["global_batch"], metrics["lr"]) == (4, 16, 0.002)
    assert metrics["updates"] == 2 * (metrics["num_images"] // 16), "each update sees batches of all four"


BOTH = """
import json, sys
from pathlib import Path
from tests.processed import tiny_params
from tests.training.conftest import run_finetune, run_pretrain

processed, out = Path(sys.argv[1]), Path(sys.argv[2])
two = {"runtime__devices": 2}
run_pretrain(processed, out / "ae", tiny_params(**json.loads(sys.argv[3]), **two, train_ae__batch_size=4))
run_finetune(processed, out / "seg", tiny_params(**json.loads(sys.argv[4]), **two, train_seg__batch_size=4))
"""
NO_DRAWS = {"flip": 0.0, "affine": 0.0, "jitter": 0.0, "blur": 0.0, "noise": 0.0, "erase": 0.0}


def column(path: Path, name: str) -> np.ndarray:
    with path.open(newline="") as file:
        return np.array([float(row[name]) for row in csv.DictReader(file)])


def test_two_processes_reach_what_one_reaches(processed: Path, tmp_path: Path) -> None:
    """Without draws the same curve, save rounding; with them, a loss among those of other seeds of one process."""
    plain: dict[str, Any] = {
        "train_ae__corruption__kind": "none",
        "train_ae__epochs": 6,
        "train_ae__lr": 0.01,
        "model__encoder_dropout": [0.0, 0.0, 0.0],
        "model__decoder_dropout": [0.0, 0.0],
        "runtime__accelerator": "cpu",
        **{f"train_ae__augmentation__{name}": value for name, value in NO_DRAWS.items()},
    }
    drawn: dict[str, Any] = {  # a mean over pixels: Dice and dynamic weights are of the batch of each process
        "train_seg__loss__dice": 0.0,
        "train_seg__loss__class_weights": "none",
        "train_seg__epochs": 4,
        "runtime__accelerator": "cpu",
    }
    script = tmp_path / "both.py"
    script.write_text(BOTH)
    torchrun(1, 2, script, processed, tmp_path / "two", json.dumps(plain), json.dumps(drawn))
    run_pretrain(processed, tmp_path / "one", tiny_params(**plain, train_ae__batch_size=8))
    for name in ("train_loss", "val_loss"):
        one, two = (column(tmp_path / place / "train_ae.csv", name) for place in ("one", "two/ae"))
        assert two == pytest.approx(one, rel=1e-3)
        assert two[-1] < 0.9 * two[0], "it learns"
    losses = []
    for seed in range(4):
        run_finetune(
            processed, tmp_path / f"seg{seed}", tiny_params(**drawn, seed=seed, train_seg__batch_size=8)
        )
        losses.append(column(tmp_path / f"seg{seed}" / "train_seg.csv", "train_loss")[-1])
    reached = column(tmp_path / "two/seg/train_seg.csv", "train_loss")[-1]
    assert abs(reached - np.mean(losses)) < 4 * np.std(losses, ddof=1), (reached, losses)

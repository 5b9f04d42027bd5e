from __future__ import annotations

import json
import math
from collections.abc import Iterator
from typing import Any

import pytest

from ae_pretrained.params import read_params
from tests.pipeline.conftest import Workspace

pytestmark = pytest.mark.slow


def numbers(value: Any) -> Iterator[float]:
    if isinstance(value, dict):
        for item in value.values():
            yield from numbers(item)
    elif isinstance(value, list):
        for item in value:
            yield from numbers(item)
    elif isinstance(value, int | float):
        yield float(value)


def test_second_run_has_nothing_to_do(tiny: Workspace) -> None:
    done = tiny.dvc("repro")
    assert "Running stage" not in done.stdout
    tiny.git("diff", "--exit-code", "dvc.lock", "metrics")
    assert tiny.git("status", "--porcelain") == ""


def test_forced_run_gives_the_same_bytes(tiny: Workspace) -> None:
    """Every stage once more: figures, weights, images and the report are byte for byte the same."""
    tiny.dvc("repro", "--force")
    assert tiny.git("status", "--porcelain") == ""


def test_metrics_have_their_keys(tiny: Workspace) -> None:
    seg = json.loads((tiny.path / "metrics/eval_seg.json").read_text())
    assert {"pixel_accuracy", "mean_iou", "mean_dice", "mean_foreground_dice", "mean_iou_ci95"} <= set(seg)
    for name in ("background", "cat", "dog"):
        assert {"dice", "iou", "precision", "recall"} <= set(seg[name])
        assert seg[name]["dice"] == pytest.approx(2 * seg[name]["iou"] / (1 + seg[name]["iou"]), abs=2e-6)
    ae = json.loads((tiny.path / "metrics/eval_ae.json").read_text())
    assert {"mse", "psnr", "psnr_pooled", "ssim", "num_images"} <= set(ae)
    for path in sorted((tiny.path / "metrics").glob("*.json")):
        assert all(math.isfinite(value) for value in numbers(json.loads(path.read_text()))), path.name


def test_no_checkpoint_is_left(tiny: Workspace) -> None:
    assert not (tiny.path / ".checkpoints").exists() or not any((tiny.path / ".checkpoints").rglob("*.ckpt"))


def test_experiment_is_seen_by_metrics_diff(tiny: Workspace) -> None:
    before = (tiny.path / "params.yaml").read_text()
    try:
        done = tiny.dvc("exp", "run", "-S", "train_seg.lr=0.0005", "--name", "slower")
        assert "Running stage 'train_ae'" not in done.stdout
        assert "Running stage 'train_seg'" in done.stdout
        assert "slower" in tiny.dvc("exp", "list", "--name-only").stdout
        diff = json.loads(tiny.dvc("metrics", "diff", "--json").stdout)
        assert (
            "metrics/train_seg.json" in diff["diff"] if "diff" in diff else "metrics/train_seg.json" in diff
        )
    finally:
        tiny.git("checkout", "--", ".")
        tiny.dvc("checkout")
    assert (tiny.path / "params.yaml").read_text() == before


@pytest.mark.parametrize(
    ("assignment", "said"),
    [
        ("train_seg.lr=abc", "train_seg.lr: found 'abc' (str)"),
        ("train_seg.epochs=0", "train_seg.epochs: found 0 (int)"),
        ("data.root=/nowhere", "data.root: found '/nowhere'"),
        ("model.norm=layer", "model.norm: found 'layer'"),
    ],
)
def test_bad_override_is_refused_and_undone(tiny: Workspace, assignment: str, said: str) -> None:
    before = (tiny.path / "params.yaml").read_bytes()
    done = tiny.dvc("exp", "run", "-S", assignment, check=False)
    assert done.returncode != 0
    assert "Running stage 'validate'" in done.stdout
    assert "Running stage 'fetch'" not in done.stdout
    assert said in done.stdout + done.stderr
    assert (tiny.path / "params.yaml").read_bytes() == before
    assert tiny.git("status", "--porcelain") == ""


def test_misspelt_key_is_refused(tiny: Workspace) -> None:
    before = (tiny.path / "params.yaml").read_bytes()
    done = tiny.dvc("exp", "run", "-S", "train_seg.learning_rate=0.1", check=False)
    assert done.returncode != 0
    assert "learning_rate" in done.stderr
    assert (tiny.path / "params.yaml").read_bytes() == before


def test_bad_value_in_the_file_stops_before_any_work(tiny: Workspace) -> None:
    path = tiny.path / "params.yaml"
    try:
        tiny.set_params(train_seg__lr="abc")
        bad = path.read_bytes()
        done = tiny.dvc("repro", check=False)
        assert done.returncode != 0
        assert "train_seg.lr: found 'abc' (str)" in done.stdout + done.stderr
        assert "Running stage 'fetch'" not in done.stdout
        # What the user typed is the user's: only an experiment's override is undone.
        assert path.read_bytes() == bad
    finally:
        tiny.git("checkout", "--", ".")
        tiny.dvc("repro")  # the refused stage's output was removed before it ran
    assert read_params(path)["train_seg"]["lr"] == 0.002

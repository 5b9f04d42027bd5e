from __future__ import annotations

import importlib
import json
import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from tests.pipeline.conftest import Workspace

pytestmark = pytest.mark.xdist_group("pipeline")  # one process, so that all share one run


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


def test_stages_run_once_more_give_the_same_bytes(
    tiny: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Figures, weights, images and the report of a run in this process are those of DVC's, byte for byte."""
    tiny.git("clone", "--quiet", ".", str(tmp_path / "again"))
    monkeypatch.chdir(tmp_path / "again")
    stages = YAML(typ="safe", pure=True).load(tiny.path / "dvc.yaml")["stages"]
    for name in stages:  # in the order of the file, which is that of the pipeline
        importlib.import_module(f"stages.{name}").main()
    for stage in stages.values():
        for out in [*stage.get("outs", []), *stage.get("metrics", [])]:
            (path,) = out if isinstance(out, dict) else (out,)
            assert contents(Path(path)) == contents(tiny.path / path), path


def contents(path: Path) -> dict[str, bytes]:
    """The bytes of a file, or of every file below a folder."""
    files = [path] if path.is_file() else sorted(file for file in path.rglob("*") if file.is_file())
    assert files, path
    return {file.relative_to(path).as_posix(): file.read_bytes() for file in files}


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


def test_a_bad_override_is_refused_and_the_error_says_how_to_put_it_back(tiny: Workspace) -> None:
    """Other overrides are tested on the gate itself, in tests/params/test_gate.py."""
    path = tiny.path / "params.yaml"
    before = path.read_bytes()
    try:
        tiny.set_params(seed=7)  # what the user has changed and not committed
        done = tiny.dvc("exp", "run", "-fS", "train_seg.loss=5", check=False)
        assert done.returncode != 0
        assert re.findall(r"Running stage '(\w+)'", done.stdout) == ["validate"]
        assert "train_seg.loss: found 5 (int); expected a section with the keys dice" in done.stderr
        assert "\n  seed: 7 -> 42\n" in done.stderr
        command = re.findall(r"^    (git checkout .*)$", done.stderr, flags=re.MULTILINE)
        tiny.git(*command[0].split()[1:])
        assert path.read_bytes() == before
        assert tiny.git("status", "--porcelain") == ""
    finally:
        tiny.git("checkout", "HEAD", "--", ".")
        tiny.dvc("checkout")  # DVC removes what a stage writes before it runs
    assert "Running stage" not in tiny.dvc("repro").stdout

"""The pipeline under DVC, on a tiny configuration: one run that all tests share, and what people do with it.

One file, so that one process runs it (`make test` gives each file to a process).
"""

from __future__ import annotations

import importlib
import json
import math
import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from tests.conftest import ROOT
from tests.pipeline.conftest import Workspace
from tools.check_lock import stale_stages


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
        done = tiny.dvc("exp", "run", "-S", "train_seg.lr=0.0005", "--name", "slower", "train_seg")
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


@pytest.fixture
def unchanged(tiny: Workspace) -> Iterator[Workspace]:
    """The shared workspace, put back afterwards."""
    yield tiny
    tiny.git("checkout", "--", ".")
    tiny.git("clean", "--force", "-d", "--quiet")


@pytest.mark.parametrize(
    ("file", "stages"),
    [
        (
            "ae_pretrained/figures/segmentation_sheets.py",
            {"prepare", "eval_ae", "eval_seg", "robustness", "report"},
        ),
        ("ae_pretrained/losses/dice_loss.py", {"train_ae", "train_seg"}),
        ("ae_pretrained/finetuning/finetune.py", {"train_seg"}),
        ("ae_pretrained/preparation/splits.py", {"prepare"}),
        ("ae_pretrained/params/schema.py", set()),
        ("ae_pretrained/apps/summary.py", set()),
    ],
)
def test_a_changed_line_reruns_what_imports_its_folder(
    unchanged: Workspace, file: str, stages: set[str]
) -> None:
    """The stages whose own inputs changed; what follows runs if their outputs differ."""
    path = unchanged.path / file
    path.write_text(path.read_text() + "\n# A remark.\n")
    status = json.loads(unchanged.dvc("status", "--json").stdout)
    changed = {name for name, changes in status.items() if "changed deps" in str(changes)}
    assert changed == stages


def test_lock_is_checked_and_reviewed_from_git_alone(unchanged: Workspace) -> None:
    done = unchanged.run(sys.executable, "-m", "tools.check_lock")
    assert "dvc.lock fits" in done.stdout
    unchanged.set_params(train_seg__lr=0.1)
    done = unchanged.run(sys.executable, "-m", "tools.check_lock", check=False)
    assert done.returncode == 1
    assert "train_seg" in done.stderr
    said = unchanged.run(sys.executable, "-m", "tools.review", "--base", "main").stdout
    assert "| params.yaml | train_seg.lr | 0.002 | 0.1 |" in " ".join(said.split())
    assert "plots/eval_seg_counts.csv is the same." in said


@pytest.mark.long
def test_studies_do_not_start_with_the_pipeline(unchanged: Workspace) -> None:
    study = unchanged.path / "studies" / "example" / "dvc.yaml"
    study.parent.mkdir(parents=True)
    stage = {"cmd": "touch started", "deps": ["../../data/processed"], "outs": ["started"]}
    YAML().dump({"stages": {"example": stage}}, study)
    unchanged.dvc("repro")
    assert not (study.parent / "started").exists()
    named = unchanged.dvc("repro", "--dry", "studies/example/dvc.yaml").stdout
    assert stale_stages(named) == ["studies/example/dvc.yaml:example"]
    shutil.rmtree(study.parent)


@pytest.mark.long
def test_plots_page_has_every_chart_and_image(unchanged: Workspace, tmp_path: Path) -> None:
    """DVC leaves out, without a word, what it does not find."""
    unchanged.dvc("plots", "diff", "HEAD", "--out", str(tmp_path / "plots"))
    page = (tmp_path / "plots" / "index.html").read_text(encoding="utf-8")
    plots = YAML(typ="safe", pure=True).load(ROOT / "dvc.yaml")["plots"]
    charts = [name for entry in plots if isinstance(entry, dict) for name in entry]
    images = [entry for entry in plots if str(entry).endswith(".png")]
    assert page.count("vegaEmbed(") >= len(charts) >= 6  # studies may add theirs
    assert [image for image in images if image.replace("/", "_") not in page] == []


def test_every_chart_has_title_and_axes() -> None:
    for file in (ROOT / "dvc.yaml", *sorted((ROOT / "studies").glob("*/dvc.yaml"))):
        for entry in YAML(typ="safe", pure=True).load(file).get("plots", []):
            for name, options in entry.items() if isinstance(entry, dict) else ():
                assert {"title", "x_label", "y_label"} <= set(options), f"{file}: {name}"


@pytest.mark.long
def test_clone_pull_and_nothing_to_do(unchanged: Workspace, tmp_path: Path) -> None:
    """The way that docs/how-to/sharing.md describes, with a folder as the remote."""
    unchanged.dvc("remote", "add", "--default", "store", str(tmp_path / "store"))
    unchanged.commit("A remote")
    unchanged.git("tag", "--annotate", "segmenter@v1.0.0", "--message", "Version 1.0.0")
    try:
        unchanged.dvc("push")
        unchanged.git("clone", "--quiet", str(unchanged.path), str(tmp_path / "clone"))
        clone = Workspace(tmp_path / "clone")
        clone.dvc("pull")
        assert "Running stage" not in clone.dvc("repro").stdout
        assert clone.git("status", "--porcelain") == ""
        # A run in a folder of its own needs nothing but what Git and DVC know.
        done = clone.dvc("exp", "run", "--temp", "-S", "eval_ae.knn_neighbors=3", "--name", "knn")
        assert "eval_ae" in done.stdout
        assert "Running stage 'train" not in done.stdout
        assert clone.git("status", "--porcelain") == ""
        assert "knn" in clone.dvc("exp", "list", "--name-only").stdout
        weights = tmp_path / "segmenter.safetensors"
        clone.dvc("artifacts", "get", str(unchanged.path), "segmenter", "--out", str(weights))
        assert weights.read_bytes() == (unchanged.path / "models" / "segmenter.safetensors").read_bytes()
    finally:
        unchanged.git("tag", "--delete", "segmenter@v1.0.0")
        unchanged.git("reset", "--hard", "--quiet", "HEAD~1")

"""What people do with the pipeline every day: sharing, plots, review, one-line changes."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from tests.conftest import ROOT
from tests.pipeline.conftest import Workspace
from tools.check_lock import stale_stages

pytestmark = pytest.mark.xdist_group("pipeline")  # one process, so that all share one run


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
    assert {name for name in changed if "/" not in name} == stages  # the others are those of studies


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

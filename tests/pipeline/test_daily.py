"""What people do with the pipeline every day: sharing, plots, review, one-line changes."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from tests.conftest import ROOT
from tests.pipeline.conftest import Workspace
from tests.report.chromium import chromium_page, find_chromium
from tools.check_lock import stale_stages
from tools.review.lock import inconsistencies
from tools.review.revisions import revision, working_tree

pytestmark = pytest.mark.slow


@pytest.fixture
def unchanged(tiny: Workspace) -> Iterator[Workspace]:
    """The shared workspace, put back afterwards."""
    yield tiny
    tiny.git("checkout", "--", ".")
    tiny.git("clean", "--force", "-d", "--quiet")


@pytest.mark.parametrize(
    ("file", "stages"),
    [
        ("ae_pretrained/figures/segmentation_sheets.py", ["eval_seg"]),
        ("ae_pretrained/losses/segmentation_loss.py", ["train_seg"]),
        ("ae_pretrained/preparation/splits.py", ["prepare"]),
    ],
)
def test_a_changed_line_reruns_what_imports_it(unchanged: Workspace, file: str, stages: list[str]) -> None:
    """A dry run names the stages whose own inputs changed; what follows runs if their outputs differ."""
    path = unchanged.path / file
    path.write_text(path.read_text() + "\n# A remark.\n")
    assert stale_stages(unchanged.dvc("repro", "--dry").stdout) == stages


def test_lock_is_checked_and_reviewed_from_git_alone(unchanged: Workspace) -> None:
    done = unchanged.run(sys.executable, "-m", "tools.check_lock")
    assert "dvc.lock fits" in done.stdout
    for state in (working_tree(unchanged.path), revision(unchanged.path, "HEAD")):
        assert inconsistencies(state) == []  # also that folders hash as DVC hashes them
    unchanged.set_params(train_seg__lr=0.1)
    done = unchanged.run(sys.executable, "-m", "tools.check_lock", check=False)
    assert done.returncode == 1
    assert "train_seg" in done.stderr
    said = unchanged.run(sys.executable, "-m", "tools.review", "--base", "main").stdout
    assert "| `train_seg.lr` | `0.002` | `0.1` |" in said
    assert "`train_seg.lr` changed since stage train_seg ran" in said


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


def test_plots_open_offline(unchanged: Workspace, tmp_path: Path) -> None:
    chromium = find_chromium()
    if chromium is None:
        pytest.skip("no Chromium on the path")
    unchanged.dvc("plots", "diff", "HEAD", "--out", str(tmp_path / "plots"))
    plots = YAML(typ="safe", pure=True).load(ROOT / "dvc.yaml")["plots"]
    charts = [name for entry in plots if isinstance(entry, dict) for name in entry]
    with chromium_page(chromium, tmp_path / "profile") as page:
        page.call(
            "Network.emulateNetworkConditions",
            offline=True,
            latency=0,
            downloadThroughput=-1,
            uploadThroughput=-1,
        )
        page.open(tmp_path / "plots" / "index.html", 1280, 900)
        drawn = "[...document.querySelectorAll('.vega-embed canvas.marks')].length"
        page.evaluate(
            f"new Promise(done => {{ const look = () => {drawn} >= {len(charts)} ? done() : setTimeout(look, 50);"
            " setTimeout(done, 20000); look(); })"
        )
        assert page.evaluate(drawn) >= len(charts) >= 6  # studies may add theirs
        assert page.requested() == []
        assert page.evaluate("document.images.length") >= 20
        assert page.evaluate("[...document.images].filter(i => !i.naturalWidth).length") == 0


def test_every_chart_has_title_and_axes() -> None:
    for file in (ROOT / "dvc.yaml", *sorted((ROOT / "studies").glob("*/dvc.yaml"))):
        for entry in YAML(typ="safe", pure=True).load(file).get("plots", []):
            for name, options in entry.items() if isinstance(entry, dict) else ():
                assert {"title", "x_label", "y_label"} <= set(options), f"{file}: {name}"


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

from __future__ import annotations

import hashlib
import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ae_pretrained.params.editing import flatten
from tests.conftest import ROOT
from tools.review.__main__ import main
from tools.review.curves import sparkline
from tools.review.directions import direction
from tools.review.lock import inconsistencies
from tools.review.paired import main as compare
from tools.review.revisions import revision, working_tree

DVC_YAML = """
stages:
  train_seg:
    cmd: python -m stages.train_seg
plots:
  - quality:
      title: Validation scores
      x: epoch
      y:
        plots/train_seg.csv: [val_mean_iou, val_loss]
  - robustness:
      title: Robustness
      x: level
      y:
        plots/robustness.csv: mean_iou
  - confusion:
      x: actual
      y:
        plots/eval_seg/confusion.csv: predicted
  - plots/eval_seg/confusion.png
"""


class Project:
    """A Git repository with what the review reads, and nothing else."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.git("init", "--quiet", "--initial-branch", "main")
        self.write("dvc.yaml", DVC_YAML)
        self.write("code/loss.py", "WEIGHT = 1\n")
        self.run_pipeline(lr=0.002, mean_iou=0.75, latent={"knn": 0.5}, scores=[0.2, 0.5, 0.7])

    def git(self, *words: str) -> None:
        who = {
            f"GIT_{role}_{key}": "t@example.org"
            for role in ("AUTHOR", "COMMITTER")
            for key in ("NAME", "EMAIL")
        }
        subprocess.run(
            ["git", *words], cwd=self.path, check=True, env={**os.environ, **who}, capture_output=True
        )

    def commit(self, message: str) -> None:
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", message)

    def write(self, name: str, content: str) -> None:
        (self.path / name).parent.mkdir(parents=True, exist_ok=True)
        (self.path / name).write_text(content)

    def run_pipeline(
        self, *, lr: float, mean_iou: float, latent: dict[str, float], scores: list[float]
    ) -> None:
        """What a run leaves in Git: params, metrics, curves and the lock file with their hashes."""
        self.write("params.yaml", f"seed: 42\ntrain_seg:\n  lr: {lr}\n  loss: {{kind: a|b}}\n")
        self.write(
            "metrics/eval_seg.json", json.dumps({"mean_iou": mean_iou, "cat": {"iou": 0.5}, "num_images": 12})
        )
        self.write("metrics/eval_ae.json", json.dumps({"mse": 0.03 / mean_iou, "latents": latent}))
        rows = "".join(f"{i + 1},{score},{1 - score}\n" for i, score in enumerate(scores))
        self.write("plots/train_seg.csv", "epoch,val_mean_iou,val_loss\n" + rows)
        self.write("plots/robustness.csv", f"corruption,level,mean_iou\nblur,1,{mean_iou}\njpeg,1,0.5\n")
        outs = [
            "metrics/eval_seg.json",
            "metrics/eval_ae.json",
            "plots/train_seg.csv",
            "plots/robustness.csv",
        ]
        lock = {"schema": "2.0", "stages": {"train_seg": {
            "cmd": "python -m stages.train_seg",
            "deps": [{"path": "code", "hash": "md5", "md5": self.folder_md5(), "nfiles": 1},
                     {"path": "data/processed", "hash": "md5", "md5": "0.dir", "nfiles": 9}],
            "params": {"params.yaml": {"train_seg.lr": lr}},
            "outs": [{"path": path, "hash": "md5", "md5": self.md5(path)} for path in outs]
            + [{"path": "plots/eval_seg", "hash": "md5", "md5": f"{mean_iou}.dir", "nfiles": 15}],
        }}}  # fmt: skip
        self.write("dvc.lock", json.dumps(lock))

    def md5(self, name: str) -> str:
        return hashlib.md5((self.path / name).read_bytes()).hexdigest()

    def folder_md5(self) -> str:
        entries = json.dumps([{"md5": self.md5("code/loss.py"), "relpath": "loss.py"}], sort_keys=True)
        return hashlib.md5(entries.encode()).hexdigest() + ".dir"


@pytest.fixture
def project(tmp_path: Path) -> Project:
    project = Project(tmp_path)
    project.commit("First run")
    return project


@pytest.fixture
def said(project: Project, capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    def review(*words: str, code: int = 0) -> str:
        assert main(["--root", str(project.path), *words]) == code
        captured = capsys.readouterr()
        return captured.err if code else captured.out

    return review


def test_two_commits(project: Project, said: Callable[..., str]) -> None:
    project.git("switch", "--quiet", "--create", "faster")
    project.run_pipeline(lr=0.004, mean_iou=0.8, latent={"knn": 0.4}, scores=[0.1, 0.9, 0.8])
    project.commit("Faster")
    text = said("--base", "main")
    assert "1 parameter changed; 3 figures changed, 2 for the better and 1 for the worse." in text
    assert "| `train_seg.lr` | `0.002` | `0.004` |" in text
    assert "| eval_seg `mean_iou` | 0.7500 | 0.8000 | +0.0500 | ▲ better |" in text
    assert "| eval_ae `mse` | 0.0400 | 0.0375 | −0.0025 | ▲ better |" in text
    assert "| eval_ae `latents.knn` | 0.5000 | 0.4000 | −0.1000 | ▼ worse |" in text
    assert "| Validation scores: `val_mean_iou` | `▂▅▆` | `▁█▇` | 0.7000 | 0.9000 | 0.7000 | 0.8000 |" in text
    assert "| Robustness: `mean_iou, blur` |" in text
    assert "mean_iou, jpeg" not in text  # unchanged
    assert "plots/eval_seg (15 files)" in text
    assert "⚠" not in text
    assert said("--base", "main", "--head", "faster") == text


def counts_table(right: tuple[int, ...], true: int = 60) -> str:
    """Counts of some images, 100 labelled pixels each, of which ``right`` of the ``true`` cat pixels are found."""
    rows = [f"{i},{100 - true},{100 - true},{100 - n},{n},{true},{n}\n" for i, n in enumerate(right)]
    head = "group,right_background,true_background,predicted_background,right_cat,true_cat,predicted_cat\n"
    return head + "".join(rows)


def test_difference_on_the_same_images(project: Project, said: Callable[..., str]) -> None:
    def evaluated(score: float, ends: list[float], table: str) -> None:
        project.write("metrics/eval_seg.json", json.dumps({"mean_iou": score, "mean_iou_ci95": ends}))
        project.write("plots/eval_seg_counts.csv", table)

    hard = tuple(range(5, 55))
    evaluated(0.7, [0.6, 0.85], counts_table(hard))
    project.commit("Before")

    evaluated(0.9, [0.8, 0.95], counts_table(tuple(n + 3 for n in hard)))
    text = said("--base", "HEAD")
    assert "Mean IoU on the same test images: +0.0" in text
    assert "more than the choice of the images explains" in text  # although the two intervals overlap
    assert "intervals of the mean IoU" not in text

    evaluated(0.9, [0.8, 0.95], counts_table(tuple(n + 3 * (-1) ** n for n in hard)))
    text = said("--base", "HEAD")
    assert "95 % interval −0.0" in text
    assert "may be chance" in text

    evaluated(0.9, [0.8, 0.95], counts_table(hard, true=59))  # other masks: no pairs
    text = said("--base", "HEAD")
    assert "on the same test images" not in text
    assert "intervals of the mean IoU: [0.6000, 0.8500] and [0.8000, 0.9500]; they overlap" in text

    evaluated(0.9, [0.8, 0.95], "group,right_cat\na,<<<<<<<\n")
    assert "plots/eval_seg_counts.csv (working tree): not a table of pixel counts" in said(
        "--base", "HEAD", code=1
    )


def test_nothing_changed(said: Callable[..., str]) -> None:
    text = said("--base", "main")
    assert "Nothing changed" in text
    assert "⚠" not in text


def test_two_tables_of_counts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before, after, other = (tmp_path / name for name in ("before.csv", "after.csv", "other.csv"))
    before.write_text(counts_table((10, 20, 30)))
    after.write_text(counts_table((13, 23, 33)))
    other.write_text(counts_table((13, 23)))
    assert compare([str(before), str(after)]) == 0
    assert "Mean IoU on the same test images: +0.0" in capsys.readouterr().out
    assert compare([str(before), str(other)]) == 1
    assert "other images" in capsys.readouterr().err
    assert compare([str(before), str(tmp_path / "none.csv")]) == 1
    assert "none.csv" in capsys.readouterr().err


def test_a_confusion_table_is_no_curve(project: Project, said: Callable[..., str]) -> None:
    """It lies in DVC's cache, so that the working tree has it and a commit does not."""
    project.write("plots/eval_seg/confusion.csv", "actual,predicted\ncat,dog\ncat,cat\n")
    assert "Nothing changed" in said("--base", "main")


def test_unknown_revision(said: Callable[..., str]) -> None:
    assert "revision 'nowhere': Git knows no such branch" in said("--base", "nowhere", code=1)
    assert "revision '--all'" in said("--base=--all", code=1)


def test_outside_a_repository(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: Any) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert main(["--root", str(tmp_path)]) == 1
    assert "not in a Git repository" in capsys.readouterr().err


def test_base_without_results(project: Project, said: Callable[..., str]) -> None:
    project.git("rm", "-r", "--quiet", "metrics", "plots", "dvc.lock")
    project.commit("No results")
    project.run_pipeline(lr=0.002, mean_iou=0.8, latent={"knn": 0.4}, scores=[0.1])
    project.commit("Results")
    text = said("--base", "HEAD~1")
    assert "| eval_seg `mean_iou` | – | 0.8000 |  |  |" in text
    assert "train_seg (new)" in text
    text = said("--base", "HEAD", "--head", "HEAD~1")
    assert "| eval_seg `mean_iou` | 0.8000 | – |  |  |" in text
    assert "train_seg (gone)" in text


def test_nan_is_worse(project: Project, said: Callable[..., str]) -> None:
    project.run_pipeline(lr=0.002, mean_iou=0.8, latent={"knn": float("nan")}, scores=[0.1, float("nan")])
    text = said("--base", "main")
    assert "| eval_ae `latents.knn` | 0.5000 | **NaN** |  | ▼ worse |" in text
    assert "▁·" in text
    project.commit("NaN")
    assert "Nothing changed" in said("--base", "HEAD")


def test_unreadable_files_are_named(project: Project, said: Callable[..., str]) -> None:
    project.write("metrics/eval_ae.json", "{")
    assert "metrics/eval_ae.json (working tree): not valid JSON" in said(code=1)
    project.git("checkout", "--", "metrics")
    project.write("dvc.lock", "<<<<<<< HEAD\nschema: '2.0'\n=======\n")
    assert "dvc.lock (working tree): not valid YAML" in said(code=1)


def test_results_that_are_not_current(project: Project) -> None:
    """Params, code or figures that were edited after the run are told, from Git alone."""
    assert inconsistencies(working_tree(project.path)) == []
    project.write("params.yaml", "seed: 42\ntrain_seg:\n  lr: 0.1\n")
    project.write("code/loss.py", "WEIGHT = 2\n")
    project.write("metrics/eval_seg.json", '{"mean_iou": 0.99}')
    project.commit("Too good")
    for state in (working_tree(project.path), revision(project.path, "HEAD")):
        assert inconsistencies(state) == [
            "`train_seg.lr`, `code` changed since stage train_seg ran: run `dvc repro`.",
            "`metrics/eval_seg.json` is not what stage train_seg wrote: run `dvc repro`.",
        ]


def test_base_that_went_on(project: Project, said: Callable[..., str]) -> None:
    project.git("switch", "--quiet", "--create", "mine")
    project.git("switch", "--quiet", "main")
    project.run_pipeline(lr=0.002, mean_iou=0.9, latent={"knn": 0.5}, scores=[0.2])
    project.commit("Main went on")
    project.git("switch", "--quiet", "mine")
    assert "`main` has 1 commit that this branch does not have" in said("--base", "main")


def test_every_metric_and_curve_has_a_direction() -> None:
    """A new figure has to be entered into the table, even if as neutral."""
    unknown = [
        f"{path.name}: {'.'.join(key)}"
        for path in sorted((ROOT / "metrics").glob("*.json"))
        for key, value in flatten(json.loads(path.read_text())).items()
        if isinstance(value, int | float) and not isinstance(value, bool)
        if direction(path.stem, ".".join(key)) is None
    ]
    assert unknown == [], "enter them into tools/review/directions.py"
    assert direction("train_seg", "val_dice") == -1  # a term of the loss
    assert direction("train_seg", "val_dice_cat") == 1
    assert direction("eval_seg", "mean_iou_all_background") == 0


def test_sparkline_averages_what_does_not_fit() -> None:
    assert sparkline([0.0, 1.0], 0.0, 1.0) == "▁█"
    assert sparkline([3.0], 3.0, 3.0) == "▁"
    long = sparkline([i / 199 for i in range(200)], 0.0, 1.0)
    assert len(long) == 20
    assert list(long) == sorted(long)

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tools.review import __main__ as review
from tools.review.__main__ import main
from tools.review.paired import compare_counts
from tools.review.paired import main as compare

COUNTS = "plots/eval_seg_counts.csv"
DVC_YAML = """
stages:
  train_seg:
    cmd: python -m stages.train_seg
    params: [seed, train_seg]
    metrics:
      - metrics/eval_seg.json:
          cache: false
      - metrics/eval_ae.json:
          cache: false
"""
HARD = tuple(range(5, 55))


def counts_table(right: tuple[int, ...], true: int = 60) -> str:
    """Counts of some images, 100 labelled pixels each, of which ``right`` of the ``true`` cat pixels are found."""
    rows = [f"{i},{100 - true},{100 - true},{100 - n},{n},{true},{n}\n" for i, n in enumerate(right)]
    head = "group,right_background,true_background,predicted_background,right_cat,true_cat,predicted_cat\n"
    return head + "".join(rows)


def git(*words: str) -> None:
    who = {
        f"GIT_{role}_{key}": "t@example.org" for role in ("AUTHOR", "COMMITTER") for key in ("NAME", "EMAIL")
    }
    subprocess.run(["git", *words], check=True, env={**os.environ, **who}, capture_output=True)


def commit(message: str) -> None:
    git("add", "--all")
    git("commit", "--quiet", "--message", message)


def write(name: str, content: str) -> None:
    Path(name).parent.mkdir(parents=True, exist_ok=True)
    Path(name).write_text(content)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A Git repository with what the review reads, as the current folder."""
    monkeypatch.chdir(tmp_path)
    git("init", "--quiet", "--initial-branch", "main")
    write("dvc.yaml", DVC_YAML)
    write("params.yaml", "seed: 42\ntrain_seg:\n  lr: 0.002\n")
    write("metrics/eval_seg.json", json.dumps({"mean_iou": 0.75, "cat": {"iou": 0.5}}))
    write("metrics/eval_ae.json", json.dumps({"mse": 0.0312345}))
    write(COUNTS, counts_table(HARD))
    commit("First run")


@pytest.fixture
def without_dvc(project: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """DVC itself is called in one test and takes seconds; what stands around its tables is tested without."""
    monkeypatch.setattr(review, "_dvc_diff", lambda what, base, *_: f"({what}, {base})")


def said(capsys: pytest.CaptureFixture[str], base: str = "main", code: int = 0) -> str:
    assert main([f"--base={base}"]) == code
    captured = capsys.readouterr()
    return captured.err if code else captured.out


def test_what_changed(project: None, capsys: pytest.CaptureFixture[str]) -> None:
    subprocess.run([sys.executable, "-m", "dvc", "init", "--quiet"], check=True)
    write("params.yaml", "seed: 42\ntrain_seg:\n  lr: 0.004\n")
    write("metrics/eval_seg.json", json.dumps({"mean_iou": 0.8, "cat": {"iou": 0.5}}))
    write("metrics/eval_ae.json", json.dumps({"mse": 0.0312345}))
    write(COUNTS, counts_table(tuple(n + 3 for n in HARD)))
    text = " ".join(said(capsys).split())
    assert text.startswith("## Review against `main` ### Parameters | Path | Param | main | workspace |")
    assert "| params.yaml | train_seg.lr | 0.002 | 0.004 |" in text
    assert "| metrics/eval_seg.json | mean_iou | 0.75 | 0.8 | 0.05 |" in text
    assert "cat.iou" not in text  # unchanged
    assert "mse" not in text
    assert "Mean IoU on the same test images: +0.0" in text
    write("params.yaml", "seed: 42\ntrain_seg:\n  lr: 0.002\n")
    write("metrics/eval_seg.json", "{")  # what DVC passes over is named
    text = said(capsys)
    assert "### Parameters\n\nNothing differs.\n" in text
    assert "- metrics/eval_seg.json (here): not a JSON object\n" in text


def test_files_without_a_figure_are_named(without_dvc: None, capsys: pytest.CaptureFixture[str]) -> None:
    assert "Files without" not in said(capsys)
    write("metrics/eval_seg.json", '{"mean_iou": NaN, "cat": {"ci": [0.5, Infinity]}, "dog": 1}')
    Path("metrics/eval_ae.json").unlink()
    Path(COUNTS).unlink()
    text = said(capsys)
    assert "- metrics/eval_seg.json (here): mean_iou is nan\n" in text
    assert "- metrics/eval_seg.json (here): cat.ci is [0.5, inf]\n" in text
    assert "- metrics/eval_ae.json (here): missing\n" in text
    assert f"not compared, {COUNTS} is missing (here)" in text
    commit("Nothing to see")
    git("checkout", "HEAD~1", "--", ".")
    text = said(capsys)
    assert "- metrics/eval_ae.json (main): missing\n" in text
    assert f"not compared, {COUNTS} is missing (main)" in text


def test_difference_on_the_same_images(without_dvc: None, capsys: pytest.CaptureFixture[str]) -> None:
    assert f"{COUNTS} is the same." in said(capsys)
    write(COUNTS, counts_table(tuple(n + 3 for n in HARD)))
    assert "more than the choice of the images explains" in said(capsys)
    write(COUNTS, counts_table(tuple(n + 3 * (-1) ** n for n in HARD)))
    text = said(capsys)
    assert "95 % interval −0.0" in text
    assert "may be chance" in text
    write(COUNTS, "group,right_cat\na,<<<<<<<\n")
    assert f"{COUNTS} (here): not a table of pixel counts" in said(capsys, code=1)


@pytest.mark.parametrize(
    ("other", "unlike"),
    [
        (counts_table(HARD, true=59), "masks"),
        (counts_table(HARD[:-1]), "test images and masks"),
        (counts_table(HARD).replace("cat", "leaf"), "classes"),
    ],
)
def test_other_images_are_not_compared(other: str, unlike: str) -> None:
    tables = [(text.encode(), "a table") for text in (counts_table(HARD), other)]
    assert compare_counts(*tables).endswith(f"not compared, the two tables have other {unlike}.")


def test_unknown_revision(without_dvc: None, capsys: pytest.CaptureFixture[str]) -> None:
    assert "revision 'nowhere': Git knows no such branch" in said(capsys, "nowhere", code=1)
    assert "revision '--all'" in said(capsys, "--all", code=1)


def test_base_that_went_on(without_dvc: None, capsys: pytest.CaptureFixture[str]) -> None:
    git("switch", "--quiet", "--create", "mine")
    git("switch", "--quiet", "main")
    git("commit", "--quiet", "--allow-empty", "--message", "Main went on")
    git("switch", "--quiet", "mine")
    assert "`main` has 1 commit that this branch does not have" in said(capsys)


def test_two_tables_of_counts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before, after = tmp_path / "before.csv", tmp_path / "after.csv"
    before.write_text(counts_table((10, 20, 30)))
    after.write_text(counts_table((13, 23, 33)))
    assert compare([str(before), str(after)]) == 0
    assert "Mean IoU on the same test images: +0.0" in capsys.readouterr().out
    assert compare([str(before), str(tmp_path / "none.csv")]) == 1
    assert "none.csv" in capsys.readouterr().err

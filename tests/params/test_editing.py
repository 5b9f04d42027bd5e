from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from ae_pretrained.params import read_params
from ae_pretrained.params.editing import changed_keys, committed_text, restore, set_values
from tests.conftest import ROOT

TEXT = """\
# what this is
seed: 42                      # the seed

model:
  features: [16, 32]   # channels
  name: "quoted"
"""

EXPECTED = """\
# what this is
seed: 7                       # the seed

model:
  features: [1, 2, 3]  # channels
  name: "quoted"
"""


def test_values_change_and_comments_stay() -> None:
    text = set_values(TEXT, {("seed",): 7, ("model", "features"): [1, 2, 3]})
    assert text == EXPECTED


def test_setting_the_committed_file_to_itself_changes_no_byte() -> None:
    text = (ROOT / "params.yaml").read_text(encoding="utf-8")
    assert set_values(text, {("seed",): 42}) == text


def test_changed_keys() -> None:
    before, after = {"a": {"b": 1, "c": [1]}, "d": 0}, {"a": {"b": 2, "c": [1]}, "e": 3}
    assert changed_keys(before, after) == {("a", "b"): (1, 2), ("e",): (None, 3), ("d",): (0, None)}


def test_restore_gives_back_the_exact_bytes_of_a_reference(tmp_path: Path) -> None:
    path = tmp_path / "params.yaml"
    path.write_text("seed: abc\nmodel:\n  features:\n  - 16\n  - 32\n  name: quoted\n")
    lines = restore(path, [("seed",)], [TEXT])
    assert path.read_text() == TEXT
    assert lines == ["seed: 'abc' -> 42"]


def test_restore_prefers_the_reference_that_the_file_came_from(tmp_path: Path) -> None:
    path = tmp_path / "params.yaml"
    stale = TEXT.replace("42", "7").replace("[16, 32]", "[1, 1]")
    path.write_text(TEXT.replace("42", "abc"))
    restore(path, [("seed",)], [stale, TEXT])
    assert path.read_text() == TEXT


def test_restore_keeps_other_edits(tmp_path: Path) -> None:
    path = tmp_path / "params.yaml"
    path.write_text(TEXT.replace("42", "abc").replace("[16, 32]", "[8, 8]") + "new: 1\n")
    restore(path, [("seed",), ("new",)], [TEXT])
    assert read_params(path) == {"seed": 42, "model": {"features": [8, 8], "name": "quoted"}}


def test_committed_text(tmp_path: Path) -> None:
    def git(*words: str) -> None:
        subprocess.run(["git", "-C", str(tmp_path), *words], check=True, capture_output=True)

    git("init")
    path = tmp_path / "params.yaml"
    path.write_text(TEXT)
    git("add", ".")
    git("-c", "user.name=t", "-c", "user.email=t@example.org", "commit", "-m", "one")
    path.write_text("seed: 1\n")
    assert committed_text(path, "HEAD") == TEXT
    assert committed_text(tmp_path / "other.yaml", "HEAD") is None


@pytest.mark.parametrize(
    "words",
    [
        ["exp", "run", "-S", "train_seg.lr=abc", "--set-param", "seed=1"],
        ["exp", "run", "-Strain_seg.lr=abc", "--set-param=params.yaml:seed=1"],
    ],
)
def test_overrides_are_read_from_the_command_above(tmp_path: Path, words: list[str]) -> None:
    """A parent whose command line looks like DVC's, a child that asks what it has set."""
    child = "from ae_pretrained.params.editing import experiment_overrides as f; print(sorted(f()))"
    parent = tmp_path / "dvc"
    parent.write_text(
        f"import subprocess, sys\nsubprocess.run([sys.executable, '-c', {child!r}], check=True)\n"
    )
    done = subprocess.run(
        [sys.executable, str(parent), *words], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert done.stdout.strip() == "[('seed',), ('train_seg', 'lr')]"

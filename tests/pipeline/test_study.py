"""The study run by DVC in a repository of its own, on a few drawn images."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.pipeline.conftest import Workspace, copy_repository
from tests.study.small_study import STUDY as SMALL
from tests.study.small_study import change, write_small_study

pytestmark = pytest.mark.long
FOLDER, CELLS, GRID = SMALL.folder, SMALL.cells, SMALL.grid_file
STUDY = f"{FOLDER}/dvc.yaml"


@pytest.fixture
def study(tmp_path: Path) -> Workspace:
    """The repository as it is, but for the small study and its empty record."""
    workspace = copy_repository(tmp_path)
    for record in (tmp_path / FOLDER).rglob("*.*"):
        if record.parent.name in ("cells", "pretrained", "results") or record.name == "dvc.lock":
            record.unlink()
    write_small_study(tmp_path)
    change(tmp_path / GRID, {"compared": ["scratch"]})
    workspace.commit("Small study")
    return workspace


def test_the_study_runs_what_is_missing_whatever_the_code(study: Workspace) -> None:
    """Arms from an autoencoder are run in tests/study/test_cells.py, in one process."""
    assert "0 of 1 cells have a record, 1 to run" in study.dvc("repro", STUDY).stdout
    folder = study.path / FOLDER
    assert (folder / "results/label_efficiency.png").stat().st_size > 5_000
    assert study.git("status", "--porcelain", f"{FOLDER}/data", f"{FOLDER}/weights") == ""
    first = {path: path.read_bytes() for path in (study.path / CELLS).iterdir()}
    assert {path.name for path in first} == {"scratch-0.5x4-0.json", "scratch-0.5x4-0.csv"}

    for name in ("losses", "finetuning", "dataset"):
        with (study.path / f"ae_pretrained/{name}/__init__.py").open("a", encoding="utf-8") as file:
            file.write("# newer code\n")
    change(study.path / GRID, {"seeds": [0, 1]})
    again = study.dvc("repro", STUDY).stdout
    assert f"Stage '{STUDY}:prepare' didn't change, skipping" in again
    assert "1 of 2 cells have a record, 1 to run" in again
    assert {path: path.read_bytes() for path in first} == first

from __future__ import annotations

from typing import Any

import pytest

from ae_pretrained.errors import PipelineError
from ae_pretrained.params import ParamsError, read_params
from ae_pretrained.params.editing import flatten
from studies.label_efficiency.grid import (
    PARAMS,
    REFERENCE,
    Cell,
    cell_params,
    cells_of,
    changes_of,
    lay_over,
    read_grid,
    study_params,
)
from tests.conftest import ROOT


@pytest.fixture(autouse=True)
def root(monkeypatch: pytest.MonkeyPatch) -> None:
    """The study runs from the root of the repository."""
    monkeypatch.chdir(ROOT)


def test_every_cell_of_the_committed_grid_is_valid() -> None:
    grid = read_grid()
    cells = cells_of(grid)
    assert REFERENCE in {cell.arm for cell in cells}
    assert len({cell.name for cell in cells}) == len(cells)
    for cell in cells:
        params = cell_params(cell, grid)
        assert params.train_seg.epochs * params.train_seg.updates_per_epoch == cell.updates
        assert params.data.label_fraction == cell.fraction
        assert params.seed == cell.seed
    for name, changes in grid["pretexts"].items():
        study_params(changes, name)


def test_arms_differ_in_where_they_start_alone() -> None:
    """Same updates, augmentation, loss, optimiser and network for every arm."""
    grid = read_grid()
    allowed = {("train_seg", key) for key in ("init", "transfer", "freeze_epochs", "encoder_lr_scale")}
    for arm, changes in grid["arms"].items():
        assert set(flatten(changes)) <= allowed, arm


def test_the_study_has_the_keys_of_the_pipeline() -> None:
    assert flatten(read_params(PARAMS)).keys() == flatten(read_params(ROOT / "params.yaml")).keys()


@pytest.mark.parametrize("run", ["0.05", "0.05x", "x100", "1.5x100", "0x100", "0.05x0", "0.10x100"])
def test_bad_runs_are_refused(run: str) -> None:
    with pytest.raises(PipelineError, match="run"):
        Cell.parse("scratch", run, 0)


def test_a_misspelt_key_of_an_arm_is_refused() -> None:
    values: dict[str, Any] = {"train_seg": {"lr": 1.0}}
    with pytest.raises(PipelineError, match="unknown key 'rl'"):
        lay_over(values, {"train_seg": {"rl": 2.0}}, "arm x")
    grid = read_grid()
    grid["arms"]["scratch"] = {"train_seg": {"init": "nowhere"}}
    with pytest.raises(ParamsError, match="arm scratch"):
        cell_params(Cell("scratch", 0.05, grid["validate_every"], 0), grid)


def test_an_arm_or_a_task_that_is_not_described_is_refused() -> None:
    grid = read_grid()
    with pytest.raises(PipelineError, match="arms: 'scrach' is not described; known are scratch, "):
        cell_params(Cell("scrach", 0.05, grid["validate_every"], 0), grid)
    with pytest.raises(PipelineError, match="pretexts: 'our' is not described; known are ours, "):
        changes_of(grid, "pretexts", "our")


def test_a_grid_of_the_version_before_is_told_what_to_change() -> None:
    grid = read_grid()
    grid["baselines"] = grid.pop("compared")
    with pytest.raises(PipelineError, match=r"no list 'compared'.*was: baselines, transfers"):
        cells_of(grid)


def test_updates_between_validations_are_refused() -> None:
    grid = read_grid()
    with pytest.raises(PipelineError, match="no multiple of validate_every"):
        cell_params(Cell("scratch", 0.05, grid["validate_every"] + 1, 0), grid)

"""The records in Git: they fit the grid, say what made them, and the tables are made of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from ae_pretrained.params import load_params
from ae_pretrained.study.grid import cells_of, reference_of
from ae_pretrained.study.layout import Study
from ae_pretrained.study.records import missing_cells
from ae_pretrained.study.summarise import area_rows, cell_row, read_cell, summarise_groups, write_rows
from tests.conftest import COMMITTED_STUDIES, ROOT

STUDIES = {name: Study(Path("studies") / name) for name in COMMITTED_STUDIES}
# Of every record; newer ones state more, of what makes no difference on a CPU.
MADE_BY = {"commit", "modified", "code", "packages", "processor", "device", "precision", "threads", "seed"}


@pytest.fixture(autouse=True)
def root(monkeypatch: pytest.MonkeyPatch) -> None:
    """The study runs from the root of the repository."""
    monkeypatch.chdir(ROOT)


@pytest.fixture(params=STUDIES)
def study(request: pytest.FixtureRequest) -> Study:
    return STUDIES[request.param]


@pytest.fixture
def records(study: Study) -> dict[str, dict[str, Any]]:
    files = [*(ROOT / study.cells).glob("*.json"), *(ROOT / study.pretrained).glob("*.json")]
    return {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in files}


def test_every_cell_of_the_grid_has_a_record_that_fits(
    study: Study, records: dict[str, dict[str, Any]]
) -> None:
    cells = cells_of(study)
    data = records[cells[0].name]["data"]
    assert missing_cells(cells, study, data) == []
    for cell in cells:
        record = records[cell.name]
        assert (record["arm"], record["label_fraction"], record["updates"], record["seed"]) == (
            cell.arm,
            cell.fraction,
            cell.updates,
            cell.seed,
        )
        assert record["provenance"]["seed"] == cell.seed


def test_every_record_says_what_made_it_or_that_it_is_unknown(records: dict[str, dict[str, Any]]) -> None:
    for name, record in records.items():
        assert record["provenance"].keys() >= MADE_BY, name
        unknown = {key for key, value in record["provenance"].items() if value is None}
        if unknown:
            assert "provenance" in record["recovered"], f"{name}: {unknown} are null in a record of a run"
        assert len(record["provenance"]["code"]) == 16


def test_the_tables_are_those_of_the_records(study: Study, tmp_path: Path) -> None:
    classes = load_params(study.params_file).data.classes
    cells = [read_cell(cell, study) for cell in cells_of(study)]
    write_rows(tmp_path / "cells.csv", [cell_row(cell, classes) for cell in cells])
    reference = reference_of(study)
    table = summarise_groups(cells, classes, reference)
    write_rows(tmp_path / "summary.csv", table)
    if areas := area_rows(cells, table, reference):
        write_rows(tmp_path / "area.csv", areas)
    results = ROOT / study.folder / "results"
    assert {path.name for path in tmp_path.iterdir()} == {path.name for path in results.glob("*.csv")} - {
        "curves.csv"
    }
    for path in tmp_path.iterdir():
        assert path.read_bytes() == (results / path.name).read_bytes()
    # results/README.md reports a difference for every arm.
    assert [row for row in table if row["remark"].startswith("not paired")] == []


def test_no_code_makes_a_record_stale(study: Study) -> None:
    stage = YAML(typ="safe", pure=True).load(study.folder / "dvc.yaml")["stages"]["cells"]
    assert stage["deps"] == [f"{study.folder}/data/processed"]
    for output in stage["outs"]:
        (settings,) = output.values()
        assert settings == {"cache": False, "persist": True}, (
            "without `persist` DVC removes the records first"
        )

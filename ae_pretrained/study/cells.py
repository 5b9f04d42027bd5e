"""Cells that have no record yet: run them, or list them. A cell with a record is skipped, whatever code made it."""

from __future__ import annotations

from ae_pretrained.study.autoencoders import pretrain_missing, wanted_autoencoders
from ae_pretrained.study.cell import run_cell
from ae_pretrained.study.data_digest import data_digest
from ae_pretrained.study.engines import Engine, list_cells, run_here, run_on_ray
from ae_pretrained.study.grid import Cell, cells_of
from ae_pretrained.study.layout import Study
from ae_pretrained.study.records import missing_cells, record_of


def run_missing(study: Study, engine: Engine = "local", cluster: str | None = None) -> None:
    """Run every cell of the grid that has no record, and pretrain the autoencoders that they need.

    Args:
        study: the study.
        engine: ``local``: one after the other, here; ``ray``: on a Ray cluster; ``list``: print commands, run none.
        cluster: address of a Ray cluster; None for that of RAY_ADDRESS, or this machine.
    """
    wanted, data = cells_of(study), data_digest(study.processed)
    missing = missing_cells(wanted, study, data)
    if engine == "list":
        list_cells(missing, study)
        return
    print(f"{len(wanted) - len(missing)} of {len(wanted)} cells have a record, {len(missing)} to run")
    for folder in (
        study.cells,
        study.pretrained,
    ):  # outputs of the stage, there even if no cell needs an autoencoder
        folder.mkdir(exist_ok=True)
    if engine == "ray":
        run_on_ray(missing, study, data, cluster)
    else:
        run_here(missing, study, data)


def run_one(study: Study, arm: str, run: str, seed: int) -> None:
    """Run one cell, unless it has a record.

    Raises:
        PipelineError: for a run of another form, or an arm that the grid does not describe.
    """
    data, cell = data_digest(study.processed), Cell.parse(arm, run, seed)
    if missing_cells([cell], study, data):
        study.cells.mkdir(exist_ok=True)
        run_cell(cell, study, data)
    else:
        print(f"{record_of(cell, study)} is there; remove it to run the cell anew")


def pretrain_for_missing(study: Study, names: list[str]) -> None:
    """Pretrain the named autoencoders of the grid, or those that missing cells start from.

    Raises:
        PipelineError: for a name that no cell asks for.
    """
    cells, data = cells_of(study), data_digest(study.processed)
    chosen = cells if names else missing_cells(cells, study, data)
    study.pretrained.mkdir(exist_ok=True)
    for autoencoder in wanted_autoencoders(chosen, study, names):
        pretrain_missing(autoencoder, study, data)

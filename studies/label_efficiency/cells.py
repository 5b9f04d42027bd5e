"""Stage cells: run every cell of the grid that has no record yet, and pretrain the autoencoders that they need.

A cell with a record is skipped, whatever code made it. `--list` runs nothing and prints the missing cells' commands.
"""

from __future__ import annotations

import argparse

from ae_pretrained.stage_runner import run_stage
from studies.label_efficiency.cell import run_cell
from studies.label_efficiency.digests import data_digest
from studies.label_efficiency.grid import CELLS, PRETRAINED, PROCESSED, cells_of, read_grid
from studies.label_efficiency.pretrain import pretexts_of, pretrain_missing
from studies.label_efficiency.records import missing_cells


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--list", action="store_true", help="print the commands of the missing cells, run none"
    )
    only_list = parser.parse_args().list
    grid, data = read_grid(), data_digest(PROCESSED)
    wanted = cells_of(grid)
    missing = missing_cells(wanted, grid, data)
    if only_list:
        for cell in missing:
            print(f"python -m studies.label_efficiency.cell {cell.arm} {cell.run} {cell.seed}")
        return
    print(f"{len(wanted) - len(missing)} of {len(wanted)} cells have a record, {len(missing)} to run")
    for folder in (CELLS, PRETRAINED):  # outputs of the stage, there even if no cell needs an autoencoder
        folder.mkdir(exist_ok=True)
    for name in pretexts_of(missing, grid):
        pretrain_missing(name, grid, data)
    for number, cell in enumerate(missing, start=1):
        print(f"cell {number} of {len(missing)}: {cell.name}")
        run_cell(cell, grid, data)


if __name__ == "__main__":
    run_stage(main)

"""Stage cells: run every cell of the grid that has no record yet, and pretrain the autoencoders that they need.

A cell with a record is skipped, whatever code made it. `--engine list` prints the commands of the missing cells,
`--engine ray` runs them on a Ray cluster.
"""

from __future__ import annotations

import argparse
from typing import get_args

from ae_pretrained.stage_runner import run_stage
from studies.label_efficiency.digests import data_digest
from studies.label_efficiency.engines import Engine, list_cells, run_here, run_on_ray
from studies.label_efficiency.grid import CELLS, PRETRAINED, PROCESSED, cells_of, read_grid
from studies.label_efficiency.records import missing_cells


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--engine",
        choices=get_args(Engine),
        default="local",
        help="local: one after the other, here; ray: on a Ray cluster; list: print the commands, run none",
    )
    parser.add_argument("--list", dest="engine", action="store_const", const="list", help="--engine list")
    parser.add_argument(
        "--cluster", metavar="HOST:PORT", help="of --engine ray (default: RAY_ADDRESS, or this machine)"
    )
    arguments = parser.parse_args()
    grid, data = read_grid(), data_digest(PROCESSED)
    wanted = cells_of(grid)
    missing = missing_cells(wanted, grid, data)
    if arguments.engine == "list":
        list_cells(missing)
        return
    print(f"{len(wanted) - len(missing)} of {len(wanted)} cells have a record, {len(missing)} to run")
    for folder in (CELLS, PRETRAINED):  # outputs of the stage, there even if no cell needs an autoencoder
        folder.mkdir(exist_ok=True)
    if arguments.engine == "ray":
        run_on_ray(missing, grid, data, arguments.cluster)
    else:
        run_here(missing, grid, data)


if __name__ == "__main__":
    run_stage(main)

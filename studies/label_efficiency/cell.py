"""One cell: train an arm on a share of the labels with a seed, measure it on val and test, write its record.

python -m studies.label_efficiency.cell ARM RUN SEED        such as: scratch 0.05x1500 0
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any

from ae_pretrained.dataset.arrays import open_split
from ae_pretrained.errors import PipelineError
from ae_pretrained.evaluation.inference import best_compute
from ae_pretrained.evaluation.segmenter_measures import measure_segmenter, summarise
from ae_pretrained.files import write_json, write_metrics
from ae_pretrained.finetuning.finetune import finetune
from ae_pretrained.models.weights import load_unet
from ae_pretrained.provenance import provenance
from ae_pretrained.stage_runner import run_stage
from studies.label_efficiency.digests import data_digest, md5_of
from studies.label_efficiency.grid import (
    CELLS,
    CHECKPOINTS,
    PROCESSED,
    Cell,
    cell_params,
    pretext_of,
    read_grid,
)
from studies.label_efficiency.pretrain import autoencoder_weights
from studies.label_efficiency.records import cell_settings, missing_cells


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("arm")
    parser.add_argument("run", help="share of the labels x updates, such as 0.05x2500")
    parser.add_argument("seed", type=int)
    arguments = parser.parse_args()
    grid, data = read_grid(), data_digest(PROCESSED)
    cell = Cell.parse(arguments.arm, arguments.run, arguments.seed)
    if missing_cells([cell], grid, data):
        run_cell(cell, grid, data)
    else:
        print(f"{CELLS / cell.name}.json is there; remove it to run the cell anew")


def run_cell(cell: Cell, grid: dict[str, Any], data: dict[str, str]) -> None:
    """Train and measure a cell and write ``cells/NAME.csv``, its curve, and at last ``cells/NAME.json``.

    An interrupted cell goes on from its last finished epoch if code, settings and images are the same.

    Args:
        cell: which one.
        grid: the grid.
        data: digests of the images.

    Raises:
        PipelineError: when the autoencoder that the arm starts from is not there.
    """
    params, pretext = cell_params(cell, grid), pretext_of(cell, grid)
    autoencoder = Path("none") if pretext is None else autoencoder_weights(pretext)
    if pretext is not None and not autoencoder.is_file():
        raise PipelineError(
            f"{autoencoder}: no such file, and arm {cell.arm} starts from it; "
            f"run `python -m studies.label_efficiency.pretrain {pretext}` first"
        )
    made_by = provenance(cell.seed, params.runtime, params.train_seg.precision)
    with tempfile.TemporaryDirectory() as folder:
        weights, metrics, test = (
            Path(folder) / name for name in ("segmenter.safetensors", "metrics.json", "test.json")
        )
        finetune(
            PROCESSED,
            autoencoder=autoencoder,
            params=params.train_seg,
            data=params.data,
            model=params.model,
            runtime=params.runtime,
            seed=params.seed,
            weights=weights,
            curve=CELLS / f"{cell.name}.csv",
            metrics=metrics,
            checkpoints=CHECKPOINTS / cell.name,
        )
        trained = json.loads(metrics.read_text(encoding="utf-8"))
        model, _ = load_unet(weights)
        result = measure_segmenter(
            model,
            open_split(PROCESSED, "test"),
            len(params.data.classes),
            params.eval_seg,
            best_compute(params.runtime.accelerator, params.runtime.threads),
        )
        # By way of a file of metrics, which refuses what is no number.
        write_metrics(test, summarise(result, params.data.classes, params.eval_seg, params.seed))
        measured = json.loads(test.read_text(encoding="utf-8"))
    write_json(
        CELLS / f"{cell.name}.json",
        {
            "arm": cell.arm,
            "label_fraction": cell.fraction,
            "updates": cell.updates,
            "seed": cell.seed,
            "num_labelled": trained["num_images"],
            "best_update": trained["best_epoch"] * params.train_seg.updates_per_epoch,
            "val_mean_iou": trained["val_mean_iou"],
            "test": measured,
            "settings": cell_settings(params),
            "data": data,
            "autoencoder": None if pretext is None else {"pretext": pretext, "md5": md5_of(autoencoder)},
            "provenance": made_by,
        },
    )


if __name__ == "__main__":
    run_stage(main)

"""Stage cell: train one arm on one share of the labels with one seed, and measure it on val and test."""

import argparse
import json
import tempfile
from pathlib import Path

from ae_pretrained.dataset.arrays import open_split
from ae_pretrained.evaluation.inference import best_compute
from ae_pretrained.evaluation.segmenter_measures import measure_segmenter, summarise
from ae_pretrained.files import write_metrics
from ae_pretrained.finetuning.finetune import finetune
from ae_pretrained.models.weights import load_unet
from ae_pretrained.stage_runner import run_stage
from studies.label_efficiency.grid import CELLS, DATA, PRETRAINED, Cell, cell_params, read_grid


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("arm")
    parser.add_argument("run", help="share of the labels x updates, such as 0.05x2500")
    parser.add_argument("seed", type=int)
    parser.add_argument("--pretext", default="none", help="autoencoder to start from")
    arguments = parser.parse_args()
    cell = Cell.parse(arguments.arm, arguments.run, arguments.seed)
    params = cell_params(cell, read_grid())
    with tempfile.TemporaryDirectory() as folder:
        weights, metrics = Path(folder) / "segmenter.safetensors", Path(folder) / "metrics.json"
        finetune(
            DATA / "processed",
            autoencoder=PRETRAINED / f"{arguments.pretext}.safetensors",
            params=params.train_seg,
            data=params.data,
            model=params.model,
            runtime=params.runtime,
            seed=params.seed,
            weights=weights,
            curve=CELLS / f"{cell.name}.csv",
            metrics=metrics,
            checkpoints=Path(".checkpoints/label_efficiency") / cell.name,
        )
        trained = json.loads(metrics.read_text(encoding="utf-8"))
        model, _ = load_unet(weights)
    result = measure_segmenter(
        model,
        open_split(DATA / "processed", "test"),
        len(params.data.classes),
        params.eval_seg,
        best_compute(params.runtime.accelerator),
    )
    write_metrics(
        CELLS / f"{cell.name}.json",
        {
            "arm": cell.arm,
            "label_fraction": cell.fraction,
            "updates": cell.updates,
            "seed": cell.seed,
            "num_labelled": trained["num_images"],
            "best_update": trained["best_epoch"] * params.train_seg.updates_per_epoch,
            "val_mean_iou": trained["val_mean_iou"],
            "test": summarise(result, params.data.classes, params.eval_seg, params.seed),
        },
    )


if __name__ == "__main__":
    run_stage(main)

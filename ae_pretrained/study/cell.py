"""One cell: train an arm on a share of the labels with a seed, measure it on val and test, write its record."""

from __future__ import annotations

import json
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ae_pretrained.dataset.arrays import open_split
from ae_pretrained.errors import PipelineError
from ae_pretrained.evaluation.inference import best_compute
from ae_pretrained.evaluation.segmenter_measures import measure_segmenter, summarise
from ae_pretrained.files import write_json, write_metrics
from ae_pretrained.finetuning.finetune import finetune
from ae_pretrained.models.weights import load_unet
from ae_pretrained.params import Params
from ae_pretrained.provenance import provenance
from ae_pretrained.study.autoencoders import autoencoder_weights
from ae_pretrained.study.grid import (
    Cell,
    StudyAutoencoder,
    autoencoder_of,
    cell_params,
    has_own_masks,
    mask_choice_of,
)
from ae_pretrained.study.images import draw_masks
from ae_pretrained.study.layout import Study
from ae_pretrained.study.mask_choice import choose_masks
from ae_pretrained.study.records import cell_settings, md5_of, record_of


def run_cell(cell: Cell, study: Study, data: dict[str, str]) -> None:
    """Train and measure a cell and write ``cells/NAME.csv``, its curve, and at last ``cells/NAME.json``.

    With ``train_seg.keep: last`` the epoch that was best on val is measured too, as ``test_best_on_val``, unless the
    grid says ``best_on_val: false``.

    An interrupted cell goes on from its last finished epoch if code, settings and images are the same.

    Args:
        cell: which one.
        study: the study.
        data: digests of the images.

    Raises:
        PipelineError: when the autoencoder that the arm starts from is not there.
    """
    params, autoencoder = cell_params(cell, study), autoencoder_of(cell, study)
    start = Path("none") if autoencoder is None else _weights_of(autoencoder, cell, study)
    choice, own_masks = mask_choice_of(cell, study), has_own_masks(cell, study)
    made_by = provenance(cell.seed, params.runtime, params.train_seg.precision)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        weights, best, metrics, drawn = (
            folder / part for part in ("segmenter.safetensors", "best.safetensors", "metrics.json", "drawn")
        )
        if own_masks:
            drawn.mkdir()
        if choice is not None:
            choose_masks(study.processed, drawn, choice, params, cell.seed, start)
        elif own_masks:
            draw_masks(study.processed, drawn, cell.seed)
        finetune(
            drawn if own_masks else study.processed,
            autoencoder=start,
            params=params.train_seg,
            data=params.data,
            model=params.model,
            runtime=params.runtime,
            seed=params.seed,
            weights=weights,
            curve=study.cells / f"{cell.name}.csv",
            metrics=metrics,
            checkpoints=study.checkpoints / cell.name,
            best_on_val=best if study.grid.get("best_on_val", True) else None,
        )
        trained = json.loads(metrics.read_text(encoding="utf-8"))
        measured = {"test": _measure(weights, study, params)}
        if best.is_file():
            is_last = trained["best_epoch_on_val"] == trained["best_epoch"]
            measured["test_best_on_val"] = measured["test"] if is_last else _measure(best, study, params)
    write_json(
        record_of(cell, study),
        {
            "arm": cell.arm,
            "label_fraction": cell.fraction,
            "updates": cell.updates,
            "seed": cell.seed,
            "own_masks": own_masks,
            **({} if choice is None else {"choice": asdict(choice)}),
            "num_labelled": trained["num_images"],
            "best_update": trained["best_epoch"] * params.train_seg.updates_per_epoch,
            "val_mean_iou": trained["val_mean_iou"],
            **measured,
            "settings": cell_settings(params),
            "data": data,
            "autoencoder": None if autoencoder is None else _record_of(autoencoder, start),
            "provenance": made_by,
        },
    )


def _measure(weights: Path, study: Study, params: Params) -> dict[str, Any]:
    """What a segmenter reaches on test."""
    model, _ = load_unet(weights)
    result = measure_segmenter(
        model,
        open_split(study.processed, "test"),
        len(params.data.classes),
        params.eval_seg,
        best_compute(params.runtime.accelerator, params.runtime.threads),
    )
    # By way of a file of metrics, which refuses what is no number.
    file = weights.with_suffix(".json")
    write_metrics(file, summarise(result, params.data.classes, params.eval_seg, params.seed))
    values: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return values


def _weights_of(autoencoder: StudyAutoencoder, cell: Cell, study: Study) -> Path:
    weights = autoencoder_weights(autoencoder, study)
    if weights.is_file():
        return weights
    way = (
        "`dvc repro train_ae` makes it"
        if autoencoder.file is not None
        else f"run `{study.command('pretrain', autoencoder.name)}` first"
    )
    raise PipelineError(f"{weights}: no such file, and arm {cell.arm} starts from it; {way}")


def _record_of(autoencoder: StudyAutoencoder, weights: Path) -> dict[str, object]:
    seed = {} if autoencoder.seed is None else {"seed": autoencoder.seed}
    return {"pretext": autoencoder.task, **seed, "md5": md5_of(weights)}

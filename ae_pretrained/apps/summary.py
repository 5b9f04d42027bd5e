"""The metrics of a run as a table on the terminal."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ae_pretrained.errors import PipelineError
from ae_pretrained.report.numbers import format_number

_STAGES = ("prepare", "train_ae", "eval_ae", "train_seg", "eval_seg", "robustness")
# Nested figures that belong in a short table; everything is in the files.
_HEADLINES = {
    "prepare": ("num_train", "num_val", "num_test", "num_unlabelled", "num_left_out", "num_leaks"),
    "train_ae": ("best_epoch", "epochs", "val_loss", "val_psnr", "val_ssim"),
    "eval_ae": ("mse", "psnr", "psnr_pooled", "ssim", "num_images"),
    "train_seg": ("best_epoch", "epochs", "val_mean_iou", "val_mean_foreground_dice"),
    "eval_seg": (
        "mean_iou",
        "mean_iou_ci95",
        "mean_iou_all_background",
        "mean_dice",
        "mean_foreground_dice",
        "pixel_accuracy",
        "boundary_iou",
        "image_class_accuracy",
        "expected_calibration_error",
        "num_images",
    ),
    "robustness": ("mean_iou_clean", "mean_iou"),
}


def format_summary(metrics: Path, report: Path) -> str:
    """Headline figures of every stage, the scores per class, and where to look next.

    Raises:
        PipelineError: when there are no metrics yet.
    """
    files = [metrics / f"{stage}.json" for stage in _STAGES]
    found = [file for file in files if file.is_file()]
    if not found:
        raise PipelineError(f"{metrics}: no metrics there; run `dvc repro` first")
    lines: list[str] = []
    for file in found:
        values = json.loads(file.read_text(encoding="utf-8"))
        shown = [(key, values[key]) for key in _HEADLINES[file.stem] if key in values]
        lines += ["", f"{file.stem}"]
        lines += [f"  {key:<28}{_shown(value)}" for key, value in shown]
        lines += _class_table(values)
    lines += ["", f"Report: {report}", f"Plots:  {report.parent}/", f"Metrics: {metrics}/"]
    return "\n".join(lines[1:])


def _shown(value: Any) -> str:
    return " to ".join(map(format_number, value)) if isinstance(value, list) else format_number(value)


def _class_table(values: dict[str, Any]) -> Iterator[str]:
    columns = ("iou", "dice", "precision", "recall")
    rows = [
        (name, item)
        for name, item in values.items()
        if isinstance(item, dict) and all(column in item for column in columns)
    ]
    if rows:
        yield "  " + f"{'class':<28}" + "".join(f"{column:>11}" for column in columns)
    for name, item in rows:
        yield "  " + f"{name:<28}" + "".join(f"{item[column]:>11.4f}" for column in columns)

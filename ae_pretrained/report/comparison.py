"""The figures of this run beside those of the last commit.

It depends on the state of Git, so it stands in no output of a stage: the same params, code and machine give the same
bytes there, whatever is committed.
"""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HEADLINES = {
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
"""Figures that belong in a short table, by stage; everything is in the files."""


@dataclass(frozen=True)
class Change:
    """One figure, as committed and now."""

    stage: str
    key: str
    before: float
    now: float


def changes_since_commit(metrics: Path) -> list[Change] | None:
    """Headline figures of ``metrics/STAGE.json`` that differ from those of the commit that is checked out.

    Args:
        metrics: folder of the JSON files.

    Returns:
        In order of the stages; empty where all are the same, None where Git has none of the files.
    """
    changes, known = [], False
    for stage, keys in HEADLINES.items():
        committed = _committed(metrics / f"{stage}.json")
        if committed is None or not (metrics / f"{stage}.json").is_file():
            continue
        known = True
        now = json.loads((metrics / f"{stage}.json").read_text(encoding="utf-8"))
        for key in keys:
            before, after = committed.get(key), now.get(key)
            if isinstance(before, int | float) and isinstance(after, int | float) and before != after:
                changes.append(Change(stage, key, before, after))
    return changes if known else None


def _committed(path: Path) -> dict[str, Any] | None:
    command = ["git", "-C", str(path.resolve().parent), "show", f"HEAD:./{path.name}"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", check=False)
    except OSError:  # Git is not installed, or the folder is not there
        return None
    return json.loads(done.stdout) if done.returncode == 0 else None

from __future__ import annotations

from typing import Any

import pytest

from ae_pretrained.errors import PipelineError
from tools.experiments import FIGURES, format_experiments, read_experiments


def data(lr: float, mean_iou: float) -> dict[str, Any]:
    return {
        "params": {"params.yaml": {"data": {"seed": 42, "train_seg": {"lr": lr, "epochs": 3}}}},
        "metrics": {
            "metrics/eval_seg.json": {
                "data": {"mean_iou": mean_iou, "mean_foreground_dice": 0.5, "boundary_iou": 0.25}
            },
            "metrics/robustness.json": {"data": {"mean_iou": mean_iou / 2}},
            "metrics/eval_ae.json": {"data": {"psnr": 15.0}},
        },
    }


def experiment(name: str, state: str, values: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "executor": {"state": state}, "revs": [{"rev": "0" * 40, "data": values}]}


# As `dvc exp show --json` prints it. A failed or queued experiment carries the figures of its baseline.
SHOWN = [
    {"rev": "workspace", "name": None, "data": data(0.002, 0.75)},
    {
        "rev": "1" * 40,
        "name": "main",
        "data": data(0.002, 0.75),
        "experiments": [
            experiment("slow", "success", data(0.001, 0.7)),
            experiment("fast", "success", data(0.004, 0.8)),
            experiment("stopped", "failed", data(0.008, 0.75)),
        ],
    },
]


def cells(table: str) -> list[list[str]]:
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()]


def test_best_first_and_only_what_differs() -> None:
    rows = cells(format_experiments(read_experiments(SHOWN), FIGURES, "eval_seg.mean_iou"))
    assert rows[0] == ["experiment", "state", "train_seg.lr", "eval_seg.mean_iou", "robustness.mean_iou"]
    assert [row[0] for row in rows[2:]] == ["fast", "main", "slow", "stopped"]
    assert rows[2] == ["fast", "", "0.004", "0.8000", "0.4000"]


def test_failed_experiment_has_no_figures() -> None:
    rows = cells(format_experiments(read_experiments(SHOWN), FIGURES, "eval_seg.mean_iou"))
    assert rows[-1] == ["stopped", "failed", "0.008", "–", "–"]


def test_lower_is_better_where_it_is() -> None:
    for item, mse in zip(SHOWN[1]["experiments"][:2], (0.2, 0.1), strict=True):
        item["revs"][0]["data"]["metrics"]["metrics/eval_ae.json"]["data"]["mse"] = mse
    rows = cells(format_experiments(read_experiments(SHOWN), ("eval_ae.mse",), "eval_ae.mse"))
    assert [row[0] for row in rows[2:]] == ["fast", "slow", "main", "stopped"]


def test_unknown_figure_names_similar_ones() -> None:
    with pytest.raises(PipelineError, match=r"similar ones: eval_seg\.mean_iou, robustness\.mean_iou"):
        format_experiments(read_experiments(SHOWN), ("eval.mean_iou",), "eval_seg.mean_iou")

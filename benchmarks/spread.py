"""How far the embedded run's test mean IoU hangs on seed, threads and number format.

    python -m benchmarks.spread --out benchmarks/embedded_spread
    python -m benchmarks.spread --seeds 42 --threads 1 --precision bf16 --out FOLDER

Every run splits, pretrains and fine-tunes in a throw-away clone of the last commit. A run whose figures are in the
folder already is left out, so that an interrupted grid goes on, and parts of it may be computed side by side.
At the end, the table of all runs in the folder. Twenty runs: hours, not minutes.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
from collections.abc import Sequence
from itertools import groupby, product
from pathlib import Path
from typing import Any

from ae_pretrained.files import write_json
from ae_pretrained.params import load_params
from ae_pretrained.params.editing import Key, set_values
from ae_pretrained.provenance import provenance
from benchmarks.clone import clone, run
from benchmarks.common import measure, print_table

SEEDS = (42, 1, 2, 3, 4)
THREADS = (1, 2)
PRECISIONS = ("bf16", "32")
_TRAINING = ("train_ae", "train_seg", "eval_seg")


def set_params(folder: Path, seed: int, threads: int, precision: str) -> None:
    """Write one cell of the grid into the params.yaml of a clone."""
    path = folder / "params.yaml"
    values: dict[Key, Any] = {
        ("seed",): seed,
        ("runtime", "accelerator"): "cpu",
        ("runtime", "threads"): threads,
        ("train_ae", "precision"): precision,
        ("train_seg", "precision"): precision,
    }
    path.write_text(set_values(path.read_text(encoding="utf-8"), values), encoding="utf-8")


def record_name(seed: int, threads: int, precision: str) -> str:
    """File name of the figures of one run."""
    return f"seed{seed}_threads{threads}_{precision}.json"


def run_cell(folder: Path, seed: int, threads: int, precision: str) -> dict[str, Any]:
    """Pretrain and fine-tune in a clone whose arrays and parameters are there; its figures, times and provenance."""
    times = {}
    for stage in _TRAINING:
        times[stage] = round(
            measure(lambda stage=stage: run(["python", "-m", f"stages.{stage}"], folder)).clock  # type: ignore[misc]
        )
    scores = json.loads((folder / "metrics" / "eval_seg.json").read_text())
    params = load_params(folder / "params.yaml")
    return {
        "test_mean_iou": scores["mean_iou"],
        "test_mean_iou_ci95": scores["mean_iou_ci95"],
        "image_class_accuracy": scores["image_class_accuracy"],
        "seconds": times,
        "provenance": provenance(seed, params.runtime, precision),
    }


def run_missing(cells: Sequence[tuple[int, int, str]], out: Path) -> None:
    """The runs (seed, threads, precision) that have no record; those of one seed share their validation split."""
    missing = [cell for cell in cells if not (out / record_name(*cell)).exists()]
    if not missing:
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "clone"
        clone(folder)
        for stage in ("validate", "fetch"):
            run(["python", "-m", f"stages.{stage}"], folder)
        for _, of_seed in groupby(missing, key=lambda cell: cell[0]):
            for number, cell in enumerate(of_seed):
                set_params(folder, *cell)
                if number == 0:
                    run(["python", "-m", "stages.prepare"], folder)
                write_json(out / record_name(*cell), run_cell(folder, *cell))


def print_runs(out: Path) -> None:
    """The table of every run in a folder, and how far the farthest lies from their mean."""
    records = [json.loads(path.read_text()) for path in sorted(out.glob("seed*.json"))]
    rows = []
    for record in records:
        origin = record["provenance"]
        seconds = sum(record["seconds"].values())
        rows.append(
            (
                f"seed {origin['seed']}",
                origin["threads"],
                origin["precision"],
                f"{record['test_mean_iou']:.3f}",
                seconds,
            )
        )
    values = [record["test_mean_iou"] for record in records]
    mean = statistics.fmean(values)
    farthest = max(abs(value - mean) for value in values)
    header = ("", "threads", "numbers", "test mean IoU", "s of training and evaluation")
    spread = f"{min(values):.3f} to {max(values):.3f}, farthest {farthest:.3f} from it"
    print_table(f"{len(values)} runs: mean {mean:.3f}, {spread}", header, rows)


def main(arguments: list[str] | None = None) -> None:
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--seeds", type=int, nargs="+", default=SEEDS)
    options.add_argument("--threads", type=int, nargs="+", default=THREADS, choices=range(1, 65), metavar="N")
    options.add_argument("--precision", nargs="+", default=PRECISIONS, choices=PRECISIONS)
    options.add_argument("--out", type=Path, required=True, help="folder of the runs' figures")
    given = options.parse_args(arguments)
    given.out.mkdir(parents=True, exist_ok=True)
    run_missing(list(product(given.seeds, given.threads, given.precision)), given.out)
    print_runs(given.out)


if __name__ == "__main__":
    main()

"""What ``prepare`` found: counts as metrics, tables of what was left out, sheets to look at."""

from __future__ import annotations

import csv
import shutil
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ae_pretrained.data.constants import IGNORE_INDEX
from ae_pretrained.data.decoding import Outcome
from ae_pretrained.data.leaks import Pair
from ae_pretrained.data.records import Record
from ae_pretrained.files import write_json
from ae_pretrained.plotting.data import contact_sheet, pixel_shares, split_counts
from ae_pretrained.plotting.style import save_png

_TILES = 40


@dataclass(frozen=True)
class PrepareReport:
    """Everything that the report is made of.

    Attributes:
        records, outcomes: every picture of the source and what came of it.
        splits: rows of every split that is not empty.
        left_out: (split, name, reason, detail).
        pairs: near-duplicates: the pair, "name,split" of both, what was done.
        classes: class names.
    """

    records: Sequence[Record]
    outcomes: Sequence[Outcome]
    splits: dict[str, list[int]]
    left_out: Sequence[tuple[str, str, str, str]]
    pairs: Sequence[tuple[Pair, str, str, str]]
    classes: list[str]


def write_prepare_report(report: PrepareReport, arrays: Path, metrics_file: Path, plots: Path) -> None:
    """Write metrics, tables and pictures; ``arrays`` holds the finished splits."""
    shares = _pixel_shares(report, arrays)
    counts = {
        name: Counter(report.records[row].species for row in rows) for name, rows in report.splits.items()
    }
    write_json(metrics_file, _metrics(report, counts, shares))
    shutil.rmtree(plots, ignore_errors=True)
    plots.mkdir(parents=True)
    foreground = report.classes[1:]
    save_png(
        split_counts({name: [count[c] for c in foreground] for name, count in counts.items()}, foreground),
        plots / "split_counts.png",
    )
    save_png(pixel_shares(shares, report.classes), plots / "pixel_shares.png")
    for name, rows in report.splits.items():
        # Spread over the split rather than its first pictures, which are all of one breed.
        chosen = np.unique(np.linspace(0, len(rows) - 1, min(_TILES, len(rows))).round().astype(int))
        images = np.load(arrays / name / "images.npy", mmap_mode="r")[chosen]
        path = arrays / name / "masks.npy"
        masks = np.load(path, mmap_mode="r")[chosen] if path.is_file() else None
        names = [report.records[rows[position]].name for position in chosen]
        title = f"{name}: {len(chosen)} of {len(rows)} pictures"
        save_png(contact_sheet(title, images, masks, names, report.classes), plots / f"contact_{name}.png")
    _write_tables(report, plots / "tables")


def _pixel_shares(report: PrepareReport, arrays: Path) -> dict[str, np.ndarray]:
    """Per labelled split, the share of the pixels of every class and, last, of ignored ones."""
    shares = {}
    for name in report.splits:
        path = arrays / name / "masks.npy"
        if not path.is_file():
            continue
        counts = np.zeros(256, dtype=np.int64)
        for mask in np.load(path, mmap_mode="r"):
            counts += np.bincount(mask.ravel(), minlength=256)
        per_class = [*counts[: len(report.classes)], counts[IGNORE_INDEX]]
        shares[name] = np.array(per_class) / counts.sum()
    return shares


def _metrics(
    report: PrepareReport, counts: dict[str, Counter[str]], shares: dict[str, np.ndarray]
) -> dict[str, Any]:
    across = sum("taken out" in action for _, _, _, action in report.pairs)
    sizes = np.array([outcome.size for outcome in report.outcomes if outcome.error is None])
    return {
        "num_listed": len(report.records),
        **{f"num_{name}": len(rows) for name, rows in report.splits.items()},
        "num_left_out": len(report.left_out),
        "left_out": dict(sorted(Counter(reason for _, _, reason, _ in report.left_out).items())),
        "num_near_duplicates": len(report.pairs),
        "num_leaks": across,
        "species": {name: dict(sorted(count.items())) for name, count in counts.items()},
        "num_breeds": {
            name: len({report.records[row].breed for row in rows}) for name, rows in report.splits.items()
        },
        "pixel_share": {
            name: dict(zip([*report.classes, "ignored"], map(float, share), strict=True))
            for name, share in shares.items()
        },
        "original_size": {"width": _spread(sizes[:, 0]), "height": _spread(sizes[:, 1])},
    }


def _spread(values: np.ndarray) -> dict[str, float]:
    return {"min": int(values.min()), "median": float(np.median(values)), "max": int(values.max())}


def _write_tables(report: PrepareReport, folder: Path) -> None:
    folder.mkdir()
    with (folder / "left_out.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["split", "name", "reason", "detail"])
        writer.writerows(sorted(report.left_out))
    with (folder / "near_duplicates.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(
            ["first", "first_split", "second", "second_split", "bits", "distance", "mirrored", "action"]
        )
        for pair, first, second, action in report.pairs:
            values = [pair.bits, f"{pair.distance:.4f}", pair.mirrored, action]
            writer.writerow([*first.rsplit(",", 1), *second.rsplit(",", 1), *values])

"""What ``prepare`` found: counts as metrics, tables of what was left out, sheets to look at."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from ae_pretrained.constants import IMAGES, MASKS
from ae_pretrained.figures.data_figures import (
    TILE,
    breed_counts,
    contact_sheet,
    original_sizes,
    pixel_shares,
    split_counts,
)
from ae_pretrained.figures.style import save_png
from ae_pretrained.files import write_json, write_table
from ae_pretrained.names import shown
from ae_pretrained.preparation.assignment import NEAR_DUPLICATE, LeftOut, PairRow
from ae_pretrained.preparation.decode_audit import AuditFinding, suspicious_rows
from ae_pretrained.preparation.decoding import Outcome
from ae_pretrained.preparation.packing import Packing, read_close_ups
from ae_pretrained.preparation.processes import process_pool
from ae_pretrained.preparation.storage import replace_folder, restore_folder
from ae_pretrained.sources.base import Sample

_TILES = 40
# Below this root mean square difference of the thumbnails (grey levels) a pair has the same pixels, but for
# compression and scaling; above it, another exposure, crop or shot.
SAME_PIXELS = 4.0


@dataclass(frozen=True)
class PrepareReport:
    """Everything that the report is made of.

    Attributes:
        samples, outcomes: every image of the source and what came of it.
        splits: rows of every split that is not empty.
        left_out: what is in no split, or in another than meant.
        duplicates: groups of rows that are near-identical.
        pairs: near-duplicates that are listed, and what was done about them.
        classes: class names.
        warnings: what is no error, but should be known.
        audit: images that may have been decoded to something nobody would recognise.
        packing: where images lie that are kept whole.
    """

    samples: Sequence[Sample]
    outcomes: Sequence[Outcome]
    splits: dict[str, list[int]]
    left_out: Sequence[LeftOut]
    duplicates: Sequence[Sequence[int]]
    pairs: Sequence[PairRow]
    classes: list[str]
    warnings: Sequence[str]
    audit: Sequence[AuditFinding]
    packing: Packing | None = None


@dataclass(frozen=True)
class _Drawing:
    """A figure still to be drawn: the name of its file, and the function and arguments that make it."""

    name: str
    draw: Callable[..., Figure]
    arguments: tuple[Any, ...]


@contextmanager
def prepare_report(
    report: PrepareReport, arrays: Path, metrics_file: Path, plots: Path, processes: int
) -> Iterator[None]:
    """Write metrics, tables and images; other processes draw while the body of the ``with`` runs.

    Args:
        report: what there is to say.
        arrays: folder with the decoded images and masks, row n is sample n; read before the body.
        metrics_file: JSON file to write, after the body.
        plots: folder to replace, after the body.
        processes: that draw; 1 draws before the body, in this process.
    """
    restore_folder(plots)
    temporary = plots.with_name(f".{plots.name}.part")
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    try:
        with _drawing(_drawings(report, arrays), temporary, processes):
            _write_tables(report, temporary / "tables")
            yield
        write_json(metrics_file, _metrics(report))
        replace_folder(temporary, plots)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


@contextmanager
def _drawing(drawings: Sequence[_Drawing], folder: Path, processes: int) -> Iterator[None]:
    if processes == 1:
        for drawing in drawings:
            _draw(drawing, folder)
        yield
        return
    with process_pool(processes) as pool:
        drawn = [pool.submit(_draw, drawing, folder) for drawing in drawings]
        yield
        for future in drawn:
            future.result()


def _draw(drawing: _Drawing, folder: Path) -> None:
    save_png(drawing.draw(*drawing.arguments), folder / drawing.name)


def _class_counts(report: PrepareReport) -> dict[str, Counter[str]]:
    """Images of each split by foreground class; those of which nobody knows it count as ``unknown``."""
    return {
        name: Counter(report.samples[row].class_name or "unknown" for row in rows)
        for name, rows in report.splits.items()
    }


def _breeds(report: PrepareReport) -> dict[str, dict[str, int]]:
    """Images of each breed by split, in alphabetic order; empty where the source knows no breeds."""
    table: dict[str, dict[str, int]] = {}
    for name, rows in report.splits.items():
        for row in rows:
            if breed := shown(report.samples[row].breed):
                table.setdefault(breed, dict.fromkeys(report.splits, 0))[name] += 1
    return {breed: table[breed] for breed in sorted(table, key=str.casefold)}


def _pixel_shares(report: PrepareReport) -> dict[str, np.ndarray]:
    """Per labelled split, the share of every class and, last, of ignored pixels; padding is left out."""
    shares = {}
    for name, rows in report.splits.items():
        if name != "unlabelled":
            counts = np.sum([report.outcomes[row].pixels for row in rows], axis=0)
            shares[name] = counts / counts.sum()
    return shares


def _sizes(report: PrepareReport) -> np.ndarray:
    """(n, 2) original width and height of every image that could be decoded."""
    return np.array([outcome.size for outcome in report.outcomes if outcome.error is None])


def _distribution(values: np.ndarray) -> dict[str, float]:
    marks = np.percentile(values, [0, 5, 50, 95, 100])
    return dict(zip(("min", "p5", "median", "p95", "max"), map(float, marks), strict=True))


def _metrics(report: PrepareReport) -> dict[str, Any]:
    sizes = _sizes(report)
    breeds = _breeds(report)
    return {
        "num_listed": len(report.samples),
        **{f"num_{name}": len(rows) for name, rows in report.splits.items()},
        "num_left_out": len(report.left_out),
        "left_out": dict(sorted(Counter(item.reason for item in report.left_out).items())),
        "num_near_duplicates": sum(map(len, report.duplicates)),
        "num_leaks": sum(item.reason == NEAR_DUPLICATE for item in report.left_out),
        "near_duplicates": {
            "groups": len(report.duplicates),
            "largest_group": max(map(len, report.duplicates), default=0),
            **_pair_counts(report.pairs),
        },
        "classes": {name: dict(sorted(count.items())) for name, count in _class_counts(report).items()},
        "num_breeds": {name: sum(count[name] > 0 for count in breeds.values()) for name in report.splits},
        "breeds": breeds,
        "pixel_share": {
            name: dict(zip([*report.classes, "ignored"], map(float, share), strict=True))
            for name, share in _pixel_shares(report).items()
        },
        "original_size": {
            "width": _distribution(sizes[:, 0]),
            "height": _distribution(sizes[:, 1]),
            "aspect_ratio": _distribution(sizes[:, 0] / sizes[:, 1]),
        },
        "audit": dict(sorted(Counter(finding.reason for finding in report.audit).items())),
        "warnings": [shown(warning) for warning in report.warnings],
    }


def _pair_counts(pairs: Sequence[PairRow]) -> dict[str, int]:
    def with_test(rows: Iterable[PairRow]) -> int:
        return sum((row.first_split == "test") != (row.second_split == "test") for row in rows)

    same = [row for row in pairs if row.pair.difference <= SAME_PIXELS]
    return {
        "pairs": len(pairs),
        "one_in_test": with_test(pairs),
        "same_pixels": len(same),
        "same_pixels_one_in_test": with_test(same),
        "mirrored": sum(row.pair.mirrored for row in pairs),
    }


def _drawings(report: PrepareReport, arrays: Path) -> list[_Drawing]:
    shown = _class_counts(report)
    named = report.classes[1:] + (["unknown"] if any(count["unknown"] for count in shown.values()) else [])
    counts = {name: [count[label] for label in named] for name, count in shown.items()}
    drawings = [
        _Drawing("split_counts.png", split_counts, (counts, named)),
        _Drawing("original_sizes.png", original_sizes, (_sizes(report),)),
    ]
    if shares := _pixel_shares(report):
        drawings.append(_Drawing("pixel_shares.png", pixel_shares, (shares, report.classes)))
    if breeds := _breeds(report):
        drawings.append(_Drawing("breed_counts.png", breed_counts, (breeds,)))
    for name, rows in report.splits.items():
        # Spread over the split rather than its first images, which are all of one breed.
        places = np.unique(np.linspace(0, len(rows) - 1, min(_TILES, len(rows))).round().astype(int))
        chosen = [rows[place] for place in places]
        # Copies: the arrays will have been put in order when these are drawn.
        images, masks = read_tiles(arrays, chosen, report.packing)
        names = [report.samples[row].name for row in chosen]
        title = f"{name}: {len(chosen)} of {len(rows)} images"
        if report.packing:
            title += f", {TILE} px of each around its smallest class"
        arguments = (title, images, None if name == "unlabelled" else masks, names, report.classes)
        drawings.append(_Drawing(f"contact_{name}.png", contact_sheet, arguments))
    if report.audit:
        rows = suspicious_rows(report.audit, _TILES)
        drawings.append(
            _Drawing(
                "suspicious.png",
                contact_sheet,
                suspicious_sheet(report.samples, rows, arrays, report.classes, report.packing),
            )
        )
    return drawings


def read_tiles(arrays: Path, rows: Sequence[int], packing: Packing | None) -> tuple[np.ndarray, np.ndarray]:
    """Images and masks of some samples, all of one size, as copies: close-ups of those that are kept whole."""
    if packing is not None:
        return read_close_ups(arrays, packing, rows, TILE)
    images, masks = (np.load(arrays / file, mmap_mode="r")[list(rows)] for file in (IMAGES, MASKS))
    return images, masks


def suspicious_sheet(
    samples: Sequence[Sample],
    rows: Sequence[int],
    arrays: Path,
    classes: Sequence[str],
    packing: Packing | None = None,
) -> tuple[str, np.ndarray, np.ndarray, list[str], Sequence[str]]:
    """The arguments of ``contact_sheet`` for suspicious images, with the masks of those that have one."""
    images, masks = read_tiles(arrays, rows, packing)
    title = f"{len(rows)} images to look at: did they come out as meant? Do the masks lie on them?"
    return title, images, masks, [samples[row].name for row in rows], classes


def _write_tables(report: PrepareReport, folder: Path) -> None:
    folder.mkdir()
    write_table(folder / "left_out.csv", LeftOut._fields, report.left_out)
    header = [
        "first",
        "first_split",
        "second",
        "second_split",
        "bits",
        "distance",
        "difference",
        "mirrored",
        "action",
    ]
    rows = (
        [
            *(row.first, row.first_split, row.second, row.second_split, row.pair.bits),
            *(f"{row.pair.distance:.4f}", f"{row.pair.difference:.2f}", row.pair.mirrored, row.action),
        ]
        for row in sorted(report.pairs, key=lambda row: (row.pair.distance, row.first, row.second))
    )
    write_table(folder / "near_duplicates.csv", header, rows)
    write_table(folder / "audit.csv", AuditFinding._fields[1:], (item[1:] for item in report.audit))
    breeds = ([breed, *counts.values()] for breed, counts in _breeds(report).items())
    write_table(folder / "breeds.csv", ["breed", *report.splits], breeds)

"""Stage prepare: from files of any kind to clean arrays, one folder per split."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ae_pretrained.files import write_table
from ae_pretrained.params.data_params import DataParams
from ae_pretrained.preparation.assignment import (
    PairRow,
    SplitAssignment,
    assign_splits,
    check_splits,
    group_of,
    left_out_by_source,
    remove_leaks,
    with_species,
)
from ae_pretrained.preparation.decoding import Outcome, decode_all
from ae_pretrained.preparation.duplicates import THUMBNAIL, near_duplicates
from ae_pretrained.preparation.prepare_report import PrepareReport, prepare_report
from ae_pretrained.preparation.processes import count_processes
from ae_pretrained.preparation.splits import nested_order
from ae_pretrained.preparation.staging import Staging
from ae_pretrained.preparation.storage import replace_folder, require_space
from ae_pretrained.sources.base import DataError, Record
from ae_pretrained.sources.pointer import resolve_raw
from ae_pretrained.sources.registry import open_source

COLUMNS = ("name", "species", "breed", "width", "height", "box", "label_order", "flags")


def prepare(raw: Path, out: Path, params: DataParams, seed: int, *, metrics_file: Path, plots: Path) -> None:
    """Clean, split and resize a data set into memory-mapped arrays.

    Writes ``out/{train,val,test}/{images.npy, masks.npy, index.csv}``, ``out/unlabelled`` when there are
    images without usable masks to pretrain on, the counts as ``metrics_file``, and images and tables into
    ``plots``. Everything is written under a temporary name and moved into place at the end.

    Args:
        raw: what ``fetch`` wrote: the data set or a pointer to it.
        out: folder of the arrays; replaced.
        params: source, size, cleaning, splits, near-duplicates.
        seed: seed of the splits and of the order of the labels.
        metrics_file: JSON file; replaced.
        plots: folder; replaced.

    Raises:
        DataError: naming the file, for unusable data (unless ``params.on_error`` is ``skip``), for a split that
            comes out empty, a class that train never shows, and a folder that cannot be written.
    """
    temporary = out.with_name(f".{out.name}.part")
    try:
        # What a killed run has left is in the way.
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.mkdir(parents=True)
        _prepare(resolve_raw(raw), temporary, params, seed, metrics_file, plots)
        replace_folder(temporary, out)
    except OSError as error:
        raise DataError(
            f"{error.filename or out}: cannot be written ({error.strerror or error}); nothing is left half-written. "
            f"Check the rights and the free space of {out.parent.absolute()}"
        ) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _prepare(
    root: Path, temporary: Path, params: DataParams, seed: int, metrics_file: Path, plots: Path
) -> None:
    source = open_source(root, params)
    listing = source.listing()
    left_out = left_out_by_source(listing.findings, params)
    # At worst every image is on disk twice for a while: as it was decoded, and in its split.
    pixels = params.image_size**2
    require_space(temporary, len(listing.records) * (2 * 4 * pixels + THUMBNAIL**2))
    staging, outcomes = decode_all(listing.records, source, params, temporary / "all")
    records = with_species(listing.records, outcomes, params.classes)
    plan = assign_splits(records, outcomes, params, seed)
    plan.left_out += left_out
    pairs = _leaks(staging, records, plan, params)
    warnings = check_splits(plan, outcomes, params)
    for warning in warnings:
        print(f"warning: {warning}", flush=True)
    report = PrepareReport(
        records=records,
        outcomes=outcomes,
        splits={name: rows for name, rows in plan.splits.items() if rows},
        left_out=sorted(plan.left_out),
        pairs=pairs,
        classes=params.classes,
        warnings=warnings,
    )
    processes = count_processes(params.workers, len(records))
    with prepare_report(report, staging, metrics_file, plots, processes):
        staging.hand_over(report.splits, temporary)
        for name, rows in report.splits.items():
            order = nested_order([group_of(records[row]) for row in rows], seed) if name == "train" else None
            _write_index(temporary / name / "index.csv", rows, records, outcomes, order)
    shutil.rmtree(temporary / "all")


def _leaks(
    staging: Staging, records: Sequence[Record], plan: SplitAssignment, params: DataParams
) -> list[PairRow]:
    check = params.leak_check
    if not check.enabled:
        return []
    rows = sorted(plan.split_of())
    thumbnails = staging.thumbnails()
    compared = thumbnails if len(rows) == len(thumbnails) else thumbnails[rows]
    pairs = near_duplicates(compared, check.hash_distance, check.pixel_distance)
    return remove_leaks(plan, pairs, rows, records)


def _write_index(
    path: Path,
    rows: Sequence[int],
    records: Sequence[Record],
    outcomes: Sequence[Outcome],
    order: np.ndarray | None,
) -> None:
    lines = []
    for position, row in enumerate(rows):
        record, outcome = records[row], outcomes[row]
        box = " ".join(map(str, outcome.box))
        rank = "" if order is None else int(order[position])
        flags = outcome.mask_problem or ""
        lines.append([record.name, record.species, record.breed, *outcome.size, box, rank, flags])
    write_table(path, COLUMNS, lines)

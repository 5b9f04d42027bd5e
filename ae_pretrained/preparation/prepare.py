"""Stage prepare: from files of any kind to one set of clean arrays and an index."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from ae_pretrained.constants import IMAGES, INDEX, MASKS, OFFSET
from ae_pretrained.files import write_table
from ae_pretrained.names import shown
from ae_pretrained.params.data_params import DataParams
from ae_pretrained.preparation.assignment import SplitAssignment, left_out_by_source, stratum_of
from ae_pretrained.preparation.decode_audit import audit, audit_warnings
from ae_pretrained.preparation.decoding import Outcome, decode_all
from ae_pretrained.preparation.duplicates import THUMBNAIL
from ae_pretrained.preparation.empty_split import require_masks_or_wait
from ae_pretrained.preparation.packing import check_crop_size, keep_packed, plan_packing, size_warnings
from ae_pretrained.preparation.prepare_report import PrepareReport, prepare_report
from ae_pretrained.preparation.processes import count_processes
from ae_pretrained.preparation.split_plan import plan_splits
from ae_pretrained.preparation.splits import nested_order
from ae_pretrained.preparation.storage import (
    THUMBNAILS,
    reorder_rows,
    replace_folder,
    require_space,
    restore_folder,
)
from ae_pretrained.sources.added_masks import with_added_masks
from ae_pretrained.sources.base import DataError, Sample
from ae_pretrained.sources.pointer import resolve_raw
from ae_pretrained.sources.registry import open_source

COLUMNS = ("name", "split", "group", "class", "breed", "width", "height", "box", "label_order", "flags")
# Each split is one stretch of the arrays, and what the autoencoder trains on is one stretch, too.
_ARRAY_ORDER = ("train", "unlabelled", "val", "test")


def prepare(
    raw: Path,
    out: Path,
    params: DataParams,
    seed: int,
    *,
    metrics_file: Path,
    plots: Path,
    labels: Path | None = None,
) -> None:
    """Clean, split and resize a data set into memory-mapped arrays.

    Writes ``out/images.npy`` (N, S, S, 3) uint8 RGB, ``out/masks.npy`` (N, S, S) uint8, 255 all over where an image
    has no usable mask, and ``out/index.csv`` with one line an image in the order of the arrays: first those of train,
    then unlabelled (images without usable masks to pretrain on, if any), val and test. What is in no split is in no
    array. Where no image has a mask, all are unlabelled. Writes the counts as ``metrics_file``, and images and tables
    into ``plots``. Everything is written under a temporary name and moved into place at the end.

    With ``params.resize`` ``crop`` images keep their sizes: the arrays are (P, 3) and (P,), one image after another,
    the index has the first pixel of each as ``offset`` and its size as ``box``, and ``out/anchors.npy`` (N, C, 32, 2)
    int32 holds pixels that crops may be centred on.

    Args:
        raw: what ``fetch`` wrote: the data set or a pointer to it.
        out: folder of the arrays; replaced.
        params: source, size, cleaning, splits, near-duplicates.
        seed: seed of the splits and of the order of the labels.
        metrics_file: JSON file; replaced.
        plots: folder; replaced.
        labels: folder of masks that were added to the data (``sources.added_masks``), if any.

    Raises:
        DataError: naming the file, for unusable data (unless ``params.on_error`` is ``skip``), for a split that
            comes out empty, a class that train never shows, images of which none has a mask (unless
            ``params.masks.absent`` is ``wait``), and a folder that cannot be written.
    """
    temporary = out.with_name(f".{out.name}.part")
    try:
        restore_folder(out)
        # What a killed run has left is in the way.
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.mkdir(parents=True)
        _prepare(resolve_raw(raw), temporary, params, seed, metrics_file, plots, labels)
        replace_folder(temporary, out)
    except OSError as error:
        raise DataError(
            f"{error.filename or out}: cannot be written ({error.strerror or error}); nothing is left half-written. "
            f"Check the rights and the free space of {out.parent.absolute()}"
        ) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _prepare(
    root: Path,
    temporary: Path,
    params: DataParams,
    seed: int,
    metrics_file: Path,
    plots: Path,
    labels: Path | None,
) -> None:
    source = with_added_masks(open_source(root, params), labels, params.classes)
    listing = source.listing()
    left_out = left_out_by_source(listing.findings, params)
    require_masks_or_wait(listing, params)
    packing = plan_packing(listing.samples, params) if params.resize == "crop" else None
    if packing is None:
        require_space(temporary, len(listing.samples) * (4 * params.image_size**2 + THUMBNAIL**2))
    else:
        check_crop_size(packing.sizes, params)
        require_space(temporary, 4 * packing.num_pixels + len(listing.samples) * THUMBNAIL**2, "data.scale")
    outcomes = decode_all(listing.samples, source, params, temporary, packing, seed)
    planned = plan_splits(listing.samples, outcomes, temporary / THUMBNAILS, params, seed)
    samples, plan = planned.samples, planned.assignment
    (temporary / THUMBNAILS).unlink()
    plan.left_out += left_out
    findings = audit(samples, outcomes, params)
    warnings = [*planned.warnings, *audit_warnings(findings)]
    if packing is not None:
        warnings += size_warnings(samples, packing.sizes, params)
    for warning in warnings:
        print(f"warning: {shown(warning)}", flush=True)
    report = PrepareReport(
        samples=samples,
        outcomes=outcomes,
        splits={name: rows for name, rows in plan.splits.items() if rows},
        left_out=sorted(plan.left_out),
        duplicates=planned.duplicates,
        pairs=planned.pairs,
        classes=params.classes,
        warnings=warnings,
        audit=findings,
        packing=packing,
    )
    processes = count_processes(params.workers, len(samples))
    with prepare_report(report, temporary, metrics_file, plots, processes):
        order = [row for name in _ARRAY_ORDER for row in plan.splits[name]]
        offsets: list[int] | None = None
        if packing is None:
            for file in (IMAGES, MASKS):
                reorder_rows(temporary / file, order)
        else:
            offsets = keep_packed(temporary, packing, order).tolist()
        _write_index(temporary / INDEX, plan, samples, outcomes, seed, offsets)


def _write_index(
    path: Path,
    plan: SplitAssignment,
    samples: Sequence[Sample],
    outcomes: Sequence[Outcome],
    seed: int,
    offsets: Sequence[int] | None,
) -> None:
    train = plan.splits["train"]
    label_order = dict(
        zip(train, nested_order([stratum_of(samples[row]) for row in train], seed), strict=True)
    )
    lines = []
    for split in _ARRAY_ORDER:
        for row in plan.splits[split]:
            sample, outcome = samples[row], outcomes[row]
            box = " ".join(map(str, outcome.box))
            labels = (sample.name, split, sample.group, sample.class_name, sample.breed)
            lines.append([*labels, *outcome.size, box, label_order.get(row, ""), outcome.mask_problem or ""])
    if offsets is None:
        write_table(path, COLUMNS, lines)
    else:
        placed = ([*line, offset] for line, offset in zip(lines, offsets, strict=True))
        write_table(path, (*COLUMNS, OFFSET), placed)

"""Stage prepare: from files of any kind to clean arrays, one folder per split."""

from __future__ import annotations

import csv
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ae_pretrained.data.decoding import Outcome, decode_all
from ae_pretrained.data.leaks import Pair, grey_thumbnails, near_duplicates
from ae_pretrained.data.link import resolve_raw
from ae_pretrained.data.official import OfficialSource
from ae_pretrained.data.prepare_report import PrepareReport, write_prepare_report
from ae_pretrained.data.records import DataError, Record, SplitHint
from ae_pretrained.data.splits import holdout, nested_order
from ae_pretrained.params.data import DataParams

SPLITS = ("train", "val", "test", "unlabelled")
COLUMNS = ("name", "species", "breed", "width", "height", "box", "label_order", "flags")
# Who gives way when two near-duplicates are in different splits: the one that stands first here.
_GIVES_WAY = ("unlabelled", "train", "val", "test")


@dataclass
class _Plan:
    """Which picture goes where, and what was left out."""

    splits: dict[str, list[int]] = field(default_factory=lambda: {name: [] for name in SPLITS})
    left_out: list[tuple[str, str, str, str]] = field(default_factory=list)  # split, name, reason, detail

    def split_of(self) -> dict[int, str]:
        return {row: name for name, rows in self.splits.items() for row in rows}


def prepare(raw: Path, out: Path, params: DataParams, seed: int, *, metrics_file: Path, plots: Path) -> None:
    """Clean, split and resize a data set into memory-mapped arrays.

    Writes ``out/{train,val,test}/{images.npy, masks.npy, index.csv}``, ``out/unlabelled`` when there are
    pictures without usable masks to pretrain on, the counts as ``metrics_file``, and pictures and tables into
    ``plots``. Everything is written under a temporary name and moved into place at the end.

    Raises:
        DataError: naming the file, for unusable data (unless ``params.on_error`` is ``skip``) and for a split
            that comes out empty.
    """
    source = OfficialSource(resolve_raw(raw), params.classes)
    records = source.records()
    temporary = out.with_name(f".{out.name}.part")
    shutil.rmtree(temporary, ignore_errors=True)
    (temporary / "all").mkdir(parents=True)
    try:
        images, masks, outcomes = decode_all(records, source, params, temporary / "all")
        plan = _plan(records, outcomes, params, seed)
        pairs = _take_out_leaks(images, records, plan, params)
        for name in SPLITS:
            if name != "unlabelled" or plan.splits[name]:
                _write_split(
                    temporary / name, name, plan.splits[name], images, masks, records, outcomes, seed
                )
        for name in ("train", "val", "test"):
            _check_split(name, plan, params)
        report = PrepareReport(
            records=records,
            outcomes=outcomes,
            splits={name: rows for name, rows in plan.splits.items() if rows},
            left_out=plan.left_out,
            pairs=pairs,
            classes=params.classes,
        )
        write_prepare_report(report, temporary, metrics_file, plots)
        del images, masks
        shutil.rmtree(temporary / "all")
        shutil.rmtree(out, ignore_errors=True)
        temporary.replace(out)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _plan(records: Sequence[Record], outcomes: Sequence[Outcome], params: DataParams, seed: int) -> _Plan:
    plan = _Plan()
    usable: dict[SplitHint, list[int]] = {}
    for row, (record, outcome) in enumerate(zip(records, outcomes, strict=True)):
        if outcome.error is not None:
            if params.on_error == "stop":
                raise DataError(
                    f"{outcome.error}. Mend or remove the file, or leave such files out with data.on_error=skip"
                )
            plan.left_out.append((record.split, record.name, "unusable file", outcome.error))
        elif outcome.mask_problem is not None:
            trainable = record.split in ("trainval", "train")
            where = "kept for the autoencoder alone" if trainable else "not evaluated"
            plan.left_out.append((record.split, record.name, outcome.mask_problem, where))
            if trainable:
                plan.splits["unlabelled"].append(row)
        else:
            usable.setdefault(record.split, []).append(row)
    for name in ("train", "val", "test", "unlabelled"):
        plan.splits[name] += usable.get(name, [])
    trainval = usable.get("trainval", [])
    held = holdout([_group(records[row]) for row in trainval], params.val_fraction, seed)
    is_held = np.zeros(len(trainval), dtype=bool)
    is_held[held] = True
    for row, chosen in zip(trainval, is_held.tolist(), strict=True):
        plan.splits["val" if chosen else "train"].append(row)
    return plan


def _group(record: Record) -> tuple[str, str]:
    return record.species, record.breed


def _take_out_leaks(
    images: np.ndarray, records: Sequence[Record], plan: _Plan, params: DataParams
) -> list[tuple[Pair, str, str, str]]:
    """Find near-duplicates; where they are in different splits, the less precious one is taken out."""
    if not params.leak_check.enabled:
        return []
    split_of = plan.split_of()
    rows = sorted(split_of)
    check = params.leak_check
    found = near_duplicates(grey_thumbnails(images[rows]), check.hash_distance, check.pixel_distance)
    pairs, gone = [], set()
    for pair in found:
        one, two = rows[pair.first], rows[pair.second]
        if split_of[one] == split_of[two]:
            action = "kept: same split"
        else:
            loser, keeper = sorted((one, two), key=lambda row: _GIVES_WAY.index(split_of[row]))
            action = f"{records[loser].name} taken out of {split_of[loser]}"
            if loser not in gone:
                gone.add(loser)
                plan.splits[split_of[loser]].remove(loser)
                detail = f"near-duplicate of {records[keeper].name} in {split_of[keeper]}"
                plan.left_out.append((split_of[loser], records[loser].name, "near-duplicate", detail))
        pairs.append(
            (pair, f"{records[one].name},{split_of[one]}", f"{records[two].name},{split_of[two]}", action)
        )
    return pairs


def _write_split(
    folder: Path,
    name: str,
    rows: list[int],
    images: np.ndarray,
    masks: np.ndarray,
    records: Sequence[Record],
    outcomes: Sequence[Outcome],
    seed: int,
) -> None:
    folder.mkdir(parents=True)
    size = images.shape[1]
    arrays = {"images": (images, (len(rows), size, size, 3)), "masks": (masks, (len(rows), size, size))}
    for kind, (array, shape) in arrays.items():
        if kind == "masks" and name == "unlabelled":
            continue
        target = np.lib.format.open_memmap(folder / f"{kind}.npy", mode="w+", dtype=np.uint8, shape=shape)
        for position, row in enumerate(rows):
            target[position] = array[row]
        target.flush()
    order = nested_order([_group(records[row]) for row in rows], seed) if name == "train" else None
    with (folder / "index.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        for position, row in enumerate(rows):
            record, outcome = records[row], outcomes[row]
            box = " ".join(map(str, outcome.box))
            rank = "" if order is None else int(order[position])
            flags = "" if outcome.mask_problem is None else outcome.mask_problem
            writer.writerow([record.name, record.species, record.breed, *outcome.size, box, rank, flags])


def _check_split(name: str, plan: _Plan, params: DataParams) -> None:
    if plan.splits[name]:
        return
    reasons = sorted({reason for split, _, reason, _ in plan.left_out if split in (name, "trainval")})
    because = f"; left out for: {', '.join(reasons)}" if reasons else ""
    raise DataError(
        f"the {name} split is empty (data.source={params.source}, data.val_fraction={params.val_fraction:g})"
        f"{because}"
    )

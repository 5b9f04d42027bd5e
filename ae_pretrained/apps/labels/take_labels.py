"""Corrected masks into a project: checked one by one, compared with their drafts, added to what is trained on."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch

from ae_pretrained.annotations.digests import mask_digest
from ae_pretrained.apps.labels.corrected_files import Corrected, find_corrected
from ae_pretrained.constants import IGNORE_INDEX
from ae_pretrained.errors import PipelineError
from ae_pretrained.files import write_table
from ae_pretrained.metrics.confusion import confusion_per_image, iou_per_class
from ae_pretrained.names import shown
from ae_pretrained.params.data_params import DataParams
from ae_pretrained.prediction.drafts import Drafts, read_drafts
from ae_pretrained.sources.added_masks import AddedMasks
from ae_pretrained.sources.base import DataError, Sample
from ae_pretrained.sources.image_facts import turn_back
from ae_pretrained.sources.image_reader import exif_orientation, opened_file, read_size
from ae_pretrained.sources.mask_reader import read_mask
from ae_pretrained.sources.name_lists import read_text
from ae_pretrained.sources.pointer import resolve_raw
from ae_pretrained.sources.registry import open_source

_TABLE = "corrections.csv"
_HEADER = ("name", "file", "model", "changed", "mean_iou")


@dataclass
class TakenLabels:
    """What came of the files.

    Attributes:
        added: samples whose masks were added.
        replaced: samples whose earlier masks were replaced.
        unchanged: samples whose masks were there already, the same.
        untouched: a line for each draft that nobody changed.
        problems: a line for each file that was not taken.
        notes: what should be known.
        confusion: (C, C) pixels of the compared masks, drafts in rows, corrections in columns.
        compared: how many masks were compared with their draft.
        classes: ``data.classes``.
    """

    classes: list[str]
    added: list[str] = field(default_factory=list)
    replaced: list[str] = field(default_factory=list)
    unchanged: list[str] = field(default_factory=list)
    untouched: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    confusion: np.ndarray = field(default_factory=lambda: np.zeros((0, 0), dtype=np.int64))
    compared: int = 0


def project_root(params: DataParams) -> Path:
    """Where the data of the project in the current folder lie.

    Raises:
        DataError: of the data set that the program draws, whose images all have masks.
    """
    if params.source == "synthetic":
        raise DataError(
            "data.source: synthetic: every image that the program draws has its mask; labels are for one's own "
            "images (ae-pretrained init)"
        )
    raw = Path("data/raw")
    return resolve_raw(raw) if params.source == "oxford_iiit_pet" and raw.is_dir() else Path(params.root)


def take_labels(
    folder: Path,
    params: DataParams,
    added: AddedMasks,
    *,
    drafts_folder: Path | None = None,
    accept_untouched: bool = False,
    replace: bool = False,
    dry_run: bool = False,
) -> TakenLabels:
    """Read corrected files and add their masks to a project.

    Args:
        folder: of the files.
        params: the data of the project.
        added: where its added masks are.
        drafts_folder: where the drafts were written, if the files lie elsewhere.
        accept_untouched: take drafts that nobody changed, too.
        replace: replace masks that were added before by other ones.
        dry_run: report, and write nothing.

    Raises:
        DataError: when nothing can be read at all.
    """
    if not folder.is_dir():
        raise DataError(
            f"{folder}: no such folder; name the one with the corrected files (unpack an archive first)"
        )
    drafts = read_drafts(drafts_folder or folder)
    if drafts_folder is not None and drafts is None:
        raise DataError(
            f"{drafts_folder}: holds no drafts.json; name the folder that the drafts were written to"
        )
    listing = open_source(project_root(params), params).listing()
    samples = {sample.name: sample for sample in (*listing.samples, *listing.held_out)}
    # A tool may have exported another kind of file than the drafts were.
    same_folder = drafts is not None and drafts_folder is None
    found, faults = find_corrected(folder, drafts.kind if drafts is not None and same_folder else None)
    taken = TakenLabels(list(params.classes), problems=faults)
    taken.confusion = np.zeros((len(params.classes),) * 2, dtype=np.int64)
    rows = _read_table(added.folder / _TABLE)
    by_sample: dict[str, list[Corrected]] = {}
    for item in found:
        try:
            by_sample.setdefault(_sample_name(item, samples, drafts), []).append(item)
        except DataError as error:
            taken.problems.append(str(error))
    for name, items in sorted(by_sample.items()):
        if len(items) > 1:
            files = ", ".join(str(item.file) for item in items)
            taken.problems.append(
                f"{name}: {len(items)} files describe this image: {files}; remove all but one. None was taken"
            )
            continue
        try:
            row = _take(
                items[0], samples[name], params, added, drafts, accept_untouched, replace, dry_run, taken
            )
        except DataError as error:
            taken.problems.append(str(error))
            continue
        if row is not None:
            rows[name] = row
    if not dry_run and (taken.added or taken.replaced):
        write_table(added.folder / _TABLE, _HEADER, [rows[name] for name in sorted(rows)])
    return taken


def _sample_name(item: Corrected, samples: Mapping[str, Sample], drafts: Drafts | None) -> str:
    """The sample that a file is about."""
    if drafts is not None and item.stem in drafts.names:
        name = drafts.names[item.stem]
        if name in samples:
            return name
        raise DataError(f"{item.file}: is about {name!r}, an image that the project does not have (any more)")
    named = [name for name, sample in samples.items() if item.image == sample.image.name]
    named = named or [name for name, sample in samples.items() if item.stem in (name, sample.image.stem)]
    if len(named) == 1:
        return named[0]
    if named:
        raise DataError(
            f"{item.file}: the image {item.image!r} may be any of {', '.join(sorted(named)[:4])}; read it with the "
            "drafts.json of its drafts (--drafts FOLDER), or rename the images"
        )
    raise DataError(f"{item.file}: the project has no image {item.image!r}; add it to the data first")


def _take(
    item: Corrected,
    sample: Sample,
    params: DataParams,
    added: AddedMasks,
    drafts: Drafts | None,
    accept_untouched: bool,
    replace: bool,
    dry_run: bool,
    taken: TakenLabels,
) -> Sequence[object] | None:
    """Add one mask; the row of the table, or None where nothing was added."""
    if sample.mask is not None:
        raise DataError(
            f"{item.file}: {sample.image} has a mask in the data already ({sample.mask}); correct it there"
        )
    width, height = read_size(sample.image)
    classes = _png_classes(item, drafts) if item.kind == "png" else list(params.classes)
    mask = _renumbered(item.mask(sample.image, (height, width), classes), classes, params.classes, item.file)
    draft = None
    digest = item.digest
    if drafts is not None and item.stem in drafts.digests:
        if item.model and item.model != drafts.model:
            taken.notes.append(
                f"{item.file}: is a draft of another model than drafts.json says; not compared with its draft"
            )
        else:
            digest = drafts.digests[item.stem]
            draft = _kept_draft(drafts, item.stem, mask.shape, params.classes, taken)
    stored = _as_stored(mask, sample, params)
    if added.path_of(sample.name).is_file():
        before = added.read(sample, stored.shape[0], stored.shape[1], params.classes)
        if np.array_equal(before, stored):
            taken.unchanged.append(sample.name)
            return None
        if not replace:
            raise DataError(
                f"{item.file}: {added.path_of(sample.name)} was added before and differs; have it replaced with "
                "--replace"
            )
    if digest == mask_digest(mask, params.classes) and not (item.checked or accept_untouched):
        taken.untouched.append(f"{item.file}: {item.image} is the draft as it was written")
        return None
    if item.empty and draft is None and not accept_untouched:
        taken.untouched.append(f"{item.file}: {item.image} has no shape, and no draft had any")
        return None
    changed, iou = _compare(draft, mask, taken)
    (taken.replaced if added.path_of(sample.name).is_file() else taken.added).append(sample.name)
    if not dry_run:
        added.write(sample.name, stored, params.classes)
    model = item.model or (drafts.model if drafts is not None else "")
    return shown(sample.name), shown(item.file.name), model, changed, iou


def _png_classes(item: Corrected, drafts: Drafts | None) -> list[str]:
    """What the values of a PNG mask mean: its own ``classes.txt``, or that of the drafts."""
    path = item.file.parent
    while path.name and not (path / "classes.txt").is_file():
        if path.name == "masks":
            path = path.parent
            break
        path = path.parent
    if (path / "classes.txt").is_file():
        return [line.strip() for line in read_text(path / "classes.txt").splitlines() if line.strip()]
    if drafts is not None:
        return drafts.classes
    raise DataError(
        f"{item.file}: what do its values mean? Write classes.txt beside masks/, a class in each line, from 0 on"
    )


def _renumbered(mask: np.ndarray, names: Sequence[str], classes: Sequence[str], file: Path) -> np.ndarray:
    """A mask in numbers of ``classes``; DataError for a class that is not among them."""
    if list(names) == list(classes):
        return mask
    table = np.full(256, 255, dtype=np.uint8)
    for value in np.flatnonzero(np.bincount(mask.ravel(), minlength=256)[:255]).tolist():
        if names[value] not in classes:
            raise DataError(f"{file}: holds {names[value]!r}, but data.classes is {', '.join(classes)}")
        table[value] = list(classes).index(names[value])
    return table[mask]


def _kept_draft(
    drafts: Drafts, stem: str, shape: tuple[int, ...], classes: Sequence[str], taken: TakenLabels
) -> np.ndarray | None:
    """The draft as it was written, in numbers of ``classes``."""
    path = drafts.kept(stem)
    try:
        mask = _renumbered(read_mask(path), drafts.classes, classes, path)
    except DataError as error:
        taken.notes.append(f"{error}; not compared with its draft")
        return None
    if mask.shape != shape:
        raise DataError(
            f"{path}: the draft has {mask.shape[1]} x {mask.shape[0]} px, the image {shape[1]} x {shape[0]} px: it "
            "was drawn on another version of the image; write the drafts anew"
        )
    return mask


def _as_stored(mask: np.ndarray, sample: Sample, params: DataParams) -> np.ndarray:
    """The mask as prepare wants it: tools show images upright, ``data.exif`` may have masks lie on stored pixels."""
    if params.exif == "apply":
        return mask
    with opened_file(sample.image) as (image, _):
        orientation = exif_orientation(image)
    return np.ascontiguousarray(turn_back(mask, orientation))


def _compare(draft: np.ndarray | None, mask: np.ndarray, taken: TakenLabels) -> tuple[float, float]:
    """Share of the pixels that were changed, and mean IoU over the classes in either; NaN without a draft."""
    if draft is None:
        return float("nan"), float("nan")
    known = (mask != IGNORE_INDEX) & (draft != IGNORE_INDEX)
    corrected = torch.from_numpy(np.where(known, mask, 0))
    drawn = torch.from_numpy(np.where(known, draft, IGNORE_INDEX))
    confusion = confusion_per_image(corrected[None], drawn[None], len(taken.classes))[0].numpy()
    taken.confusion = taken.confusion + confusion
    taken.compared += 1
    iou = iou_per_class(confusion)
    return float((draft != mask).mean()), float(np.nanmean(iou)) if known.any() else float("nan")


def _read_table(path: Path) -> dict[str, Sequence[object]]:
    """Rows of earlier calls, by sample."""
    if not path.is_file():
        return {}
    with path.open(newline="", encoding="utf-8") as file:
        lines = list(csv.reader(file))
    if not lines or tuple(lines[0]) != _HEADER or any(len(line) != len(_HEADER) for line in lines):
        raise PipelineError(
            f"{path}: expected the columns {', '.join(_HEADER)}; restore it from Git, or remove it"
        )
    return {line[0]: line for line in lines[1:]}

"""What an export holds, found out before a project is made for it: classes, how much of each, unreadable masks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from tqdm import tqdm

from ae_pretrained.params.editing import Key
from ae_pretrained.preparation.processes import count_processes, process_pool
from ae_pretrained.sources.base import DataError, Listing, Sample
from ae_pretrained.sources.formats.detection import open_export
from ae_pretrained.sources.formats.export_source import ExportSource, Unnamed
from ae_pretrained.sources.formats.named_mask import BACKGROUND, is_background, is_ignored
from ae_pretrained.sources.image_reader import allowed_formats

_CHUNK = 64
_TURNED = (5, 6, 7, 8)  # EXIF orientations that exchange width and height
IGNORED = "(ignored)"


@dataclass(frozen=True)
class ExportScan:
    """An export as it was found.

    Attributes:
        source: value of ``data.source``.
        classes: class names for ``data.classes``, background first: those given, or all that occur.
        ignore_index: for ``data.ignore_index``.
        unnamed: for ``data.unnamed_classes``.
        colors: for ``data.colors``.
        listing: every image and every finding.
        pixels: of each class that occurs, and of ``(ignored)``, over all masks.
        images: masks in which each of them occurs.
        empty: masks in which no class but the background occurs.
        unused: classes that the export names and no mask holds; not among ``classes``.
        faults: one line for each mask that cannot be read.
        notes: what was taken for granted.
    """

    source: str
    classes: list[str]
    ignore_index: int
    unnamed: Unnamed
    colors: list[str]
    listing: Listing
    pixels: dict[str, int]
    images: dict[str, int]
    empty: int
    unused: list[str]
    faults: list[str]
    notes: list[str]

    def params(self) -> dict[Key, Any]:
        """What it says about params.yaml."""
        return {
            ("data", "source"): self.source,
            ("data", "classes"): self.classes,
            ("data", "ignore_index"): self.ignore_index,
            ("data", "unnamed_classes"): self.unnamed,
            ("data", "colors"): self.colors,
        }


def scan_export(
    root: Path,
    name: str,
    *,
    classes: Sequence[str] | None = None,
    unnamed: Unnamed = "stop",
    colors: Sequence[str] = (),
    workers: int = 0,
    upright: bool = True,
) -> ExportScan:
    """Read every annotation of an export, and no image.

    Args:
        root: folder of the export.
        name: its format, of ``detect_format`` or said by the user; with ``colors`` it is ``color_masks``.
        classes: names that the user wants, background first; None: all that occur.
        unnamed: what pixels of other classes are.
        colors: see ``data.colors``.
        workers: processes; 0: one a core.
        upright: whether annotations lie on the images as EXIF turns them, or on the pixels as stored.

    Raises:
        DataError: when the export cannot be read as this format, or ``classes`` does not fit what it holds.
    """
    source = open_export(name, root, ignore_index=255, colors=colors)
    listing = source.listing()
    names = source.classes
    if classes is not None:
        _check_wanted(source, names, classes)
    pixels: Counter[str] = Counter()
    images: Counter[str] = Counter()
    faults: list[str] = []
    empty = 0
    labelled = [sample for sample in listing.samples if sample.mask is not None]
    for counts in _counted(labelled, source, workers, upright):
        if isinstance(counts, str):
            faults.append(counts)
        else:
            pixels.update(counts)
            images.update(counts.keys())
            empty += counts.keys() <= {names[0], BACKGROUND, IGNORED}
    used = [label for label in names if source.numbered or label == names[0] or pixels[label]]
    if classes is not None:
        used = list(classes)
    if not source.numbered:
        _check_unnamed(source, used, unnamed, pixels)
    return ExportScan(
        source=name,
        classes=used,
        ignore_index=source.ignore_index,
        unnamed=unnamed,
        colors=list(colors),
        listing=listing,
        pixels=dict(pixels),
        images=dict(images),
        empty=empty,
        unused=[label for label in names[1:] if not pixels[label]],
        faults=faults,
        notes=source.notes,
    )


def _check_wanted(source: ExportSource, names: Sequence[str], wanted: Sequence[str]) -> None:
    if source.numbered:
        if len(wanted) != len(names):
            raise DataError(
                f"{source.root}: the masks hold {len(names)} classes by number, --classes names {len(wanted)} "
                f"({', '.join(wanted)}); name one for each, background first"
            )
        return
    # What stands for unlabelled pixels may be wanted as a class.
    known = {*names, *source.export_names()}
    strange = [label for label in wanted[1:] if label not in known]
    if strange:
        raise DataError(
            f"{source.root}: --classes names {', '.join(map(repr, strange))}, but the export has "
            f"{', '.join(names[:20])}; spell classes as it does"
        )


def _check_unnamed(
    source: ExportSource, wanted: Sequence[str], unnamed: Unnamed, pixels: Counter[str]
) -> None:
    others = [
        label for label in pixels if label not in wanted and label != IGNORED and not is_background(label)
    ]
    if others and unnamed == "stop":
        shown = ", ".join(f"{label!r} ({pixels[label]} px)" for label in others[:8])
        raise DataError(
            f"{source.root}: the masks also hold {shown}, which is not among the classes {', '.join(wanted)}; add it "
            "to --classes, or say with --unnamed-classes whether it is background or to be ignored"
        )


def _counted(
    samples: Sequence[Sample], source: ExportSource, workers: int, upright: bool
) -> Iterator[dict[str, int] | str]:
    """For each sample its pixels by class, or why its annotation cannot be read."""
    parts = [samples[start : start + _CHUNK] for start in range(0, len(samples), _CHUNK)]
    work = partial(_count, source=source, upright=upright)
    processes = count_processes(workers, len(parts))
    with tqdm(total=len(samples), desc="annotations", unit="image", disable=None) as bar:
        for counts in _in_processes(work, parts, processes):
            bar.update(len(counts))
            yield from counts


def _in_processes(work: Any, parts: Sequence[Any], processes: int) -> Iterable[Any]:
    if processes == 1:
        yield from map(work, parts)
        return
    with process_pool(processes) as pool:
        yield from pool.map(work, parts)


def _count(samples: Sequence[Sample], source: ExportSource, upright: bool) -> list[dict[str, int] | str]:
    found: list[dict[str, int] | str] = []
    for sample in samples:
        try:
            named = source.labels(sample, *_size(sample.image, upright))
        except DataError as error:
            found.append(str(error))
            continue
        counts: Counter[str] = Counter()
        for value, count in enumerate(np.bincount(named.values.ravel()).tolist()):
            if count:
                label = named.names[value]
                if label not in source.classes:
                    label = BACKGROUND if is_background(label) else IGNORED if is_ignored(label) else label
                counts[label] += count
        found.append(dict(counts))
    return found


def _size(path: Path, upright: bool) -> tuple[int, int]:
    """Height and width of an image from its header, turned as its EXIF says or as stored."""
    try:
        with path.open("rb") as file:
            formats = allowed_formats(path, file.read(16))
        with Image.open(path, formats=formats) as image:
            width, height = image.size
            turned = upright and image.getexif().get(0x0112) in _TURNED
            return (width, height) if turned else (height, width)
    except DataError:
        raise
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise DataError(f"{path}: not a readable image ({error})") from None

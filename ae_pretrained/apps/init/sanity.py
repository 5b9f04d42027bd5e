"""What was found in a folder of images, for people to read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from ae_pretrained.apps.init.folder_reading import Reading
from ae_pretrained.apps.init.inspection import Inspection
from ae_pretrained.apps.init.scale_choice import ScaleChoice
from ae_pretrained.names import shown
from ae_pretrained.params.data_params import DataParams
from ae_pretrained.preparation.cleaning import NO_FOREGROUND, NO_LABEL, VANISHED, VANISHED_AT_SCALE
from ae_pretrained.preparation.decode_audit import suspicious_rows
from ae_pretrained.preparation.decoding import decode_all
from ae_pretrained.preparation.packing import plan_packing
from ae_pretrained.sources.base import Sample

NO_MASKS = "The way on is `dvc repro train_ae`, then `ae-pretrained label-next 20 --hold-out 0.2`"
_FEW_MASKS = 5
_FEW_TEST = 30
_MUCH_IGNORED = 0.5
_MANY_EMPTY = 0.1
_RARE = 0.001  # share of the labelled pixels


def sanity_report(images: Path, reading: Reading, inspection: Inspection, scale: ScaleChoice) -> str:
    """The report: images, masks, splits, near-duplicates, the size to work at, and warnings."""
    lines = [f"Images   {images} ({reading.title})"]
    lines += _indented(_images(inspection))
    lines += ["", "Masks"]
    lines += _indented(_mask_table(reading))
    lines += ["", "Splits"]
    lines += _indented(_splits(inspection))
    lines += ["", "Size"]
    lines += _indented(iter(scale.lines))
    warnings = list(_warnings(reading, inspection))
    if warnings:
        lines += ["", "Warnings"]
        lines += [f"  - {warning}" for warning in warnings]
    return "\n".join(shown(line) for line in lines)


def _indented(lines: Iterator[str]) -> list[str]:
    return [f"  {line}" for line in lines]


def _images(inspection: Inspection) -> Iterator[str]:
    labelled = sum(sample.mask is not None for sample in inspection.samples)
    yield f"{labelled} with a mask, {len(inspection.samples) - labelled} without (for the autoencoder alone)"
    sizes = inspection.sizes()
    width, height = np.median(sizes, axis=0).round().astype(int)
    if (sizes == sizes[0]).all():
        yield f"all of {width} x {height} px"
    else:
        (low_w, low_h), (high_w, high_h) = sizes.min(axis=0), sizes.max(axis=0)
        yield f"{width} x {height} px (median), from {low_w} x {low_h} to {high_w} x {high_h} px"
    for reason, count in sorted(Counter(item.reason for item in inspection.plan.left_out).items()):
        yield f"{count} x {reason}"
    if inspection.duplicates:
        largest = max(map(len, inspection.duplicates))
        yield (
            f"{sum(map(len, inspection.duplicates))} near-duplicates in {len(inspection.duplicates)} groups, the "
            f"largest of {largest}; each stays in one split"
        )


def _mask_table(reading: Reading) -> Iterator[str]:
    if not any(sample.mask is not None for sample in reading.listing.samples):
        yield f"none yet, of {', '.join(row.name for row in reading.rows)}. {NO_MASKS}"
        return
    rows = [*reading.rows, reading.ignored]
    width = max(len(row.name) for row in rows) + 2
    first = max(8, max(len(row.value) for row in rows) + 2)
    yield f"{'value':<{first}}{'class':<{width}}{'pixels':>9}{'masks':>9}"
    total = max(1, sum(row.pixels for row in rows))
    for row in rows:
        yield f"{row.value:<{first}}{row.name:<{width}}{row.pixels / total:>8.1%} {row.masks:>8}"
    if reading.kinds:
        yield "files: " + ", ".join(f"{count} {kind}" for kind, count in sorted(reading.kinds.items()))
    if reading.empty:
        meaning = reading.values["data", "masks", "empty"]
        said = (
            "images that show no class, trained on and measured" if meaning == "background" else "unlabelled"
        )
        yield f"{reading.empty} masks have no foreground: read as {said} (data.masks.empty: {meaning})"


def _splits(inspection: Inspection) -> Iterator[str]:
    listed = {sample.split for sample in inspection.samples} & {"train", "val", "test"}
    drawn = any(sample.split in ("rest", "trainval") for sample in inspection.samples)
    if not listed and not drawn:
        yield f"autoencoder alone {inspection.count('unlabelled')}; the others come with the masks"
        return
    how = f"{', '.join(sorted(listed))} as listed" if listed else ""
    how += "" if not drawn else ", the rest drawn by seed" if listed else "drawn by seed"
    counts = ", ".join(f"{name} {inspection.count(name)}" for name in ("train", "val", "test"))
    more = f", autoencoder alone {inspection.count('unlabelled')}" if inspection.count("unlabelled") else ""
    yield f"{counts}{more} ({how})"


def _warnings(reading: Reading, inspection: Inspection) -> Iterator[str]:
    yield from reading.notes
    total = sum(sample.mask is not None for sample in reading.listing.samples)
    labelled = sum(row.pixels for row in reading.rows)
    for number, row in enumerate(reading.rows if total else ()):
        train = inspection.train_masks(number)
        if train < _FEW_MASKS:
            yield (
                f"class {row.name!r} is in {train} masks of the train split only ({row.masks} in all): too few to "
                "train on; label more, or give its pixels to another class"
            )
        elif row.pixels < _RARE * labelled:
            share = row.pixels / labelled
            yield f"class {row.name!r} covers {share:.3%} of the labelled pixels: its scores will vary a lot"
    ignored = reading.ignored.pixels
    if ignored > _MUCH_IGNORED * (ignored + labelled):
        value = f" (value {reading.ignored.value})" if reading.ignored.value else ""
        yield (
            f"{ignored / (ignored + labelled):.0%} of the pixels are unlabelled{value}; they count in no loss and no "
            "figure"
        )
    if reading.empty > _MANY_EMPTY * total and reading.values["data", "masks", "empty"] == "background":
        yield (
            f"{reading.empty} of {total} masks have no foreground and count as images that show no class; if nobody "
            "labelled them, say --empty-masks unlabelled"
        )
    for reason, advice in (
        (
            NO_FOREGROUND,
            "read as unlabelled: neither trained on with labels nor measured. If they show that nothing is there, "
            "say --empty-masks background (data.masks.empty)",
        ),
        (NO_LABEL, "their images are not evaluated"),
        (VANISHED, "raise data.image_size"),
        (VANISHED_AT_SCALE, "raise data.scale"),
    ):
        if items := inspection.left_out(reason):
            yield f"{len(items)} of {total} masks: {reason} ({items[0].name}, …); {advice}"
    if skipped := inspection.left_out("unusable file"):
        yield f"{len(skipped)} unusable files are left out, for instance: {skipped[0].detail}"
    if others := inspection.left_out("not an image"):
        names = ", ".join(item.name for item in others[:5]) + (", …" if len(others) > 5 else "")
        yield (
            f"{len(others)} files are passed over ({names}): {others[0].detail}. Save those that are images as PNG "
            "or TIFF"
        )
    if total and inspection.count("test") < _FEW_TEST:
        yield (
            f"{inspection.count('test')} test images: the figures will be rough; the report gives their 95 % "
            "interval"
        )
    yield from inspection.warnings
    if inspection.audit:
        yield "suspicious.png shows the images of these warnings, as they came out, with their masks"


def draw_suspicious(inspection: Inspection, arrays: Path, params: DataParams, target: Path) -> None:
    """A sheet of the images that the report warns of, with their masks.

    Args:
        inspection: with findings of the audit.
        arrays: folder that ``inspect`` decoded into.
        params: the data section of the project.
        target: PNG file to write.
    """
    from ae_pretrained.figures.data_figures import contact_sheet
    from ae_pretrained.figures.style import save_png
    from ae_pretrained.preparation.prepare_report import suspicious_sheet

    rows = suspicious_rows(inspection.audit, 40)
    samples: Sequence[Sample] = inspection.samples
    packing = None
    if params.resize == "crop":  # of which nothing was kept
        samples, rows = [samples[row] for row in rows], list(range(len(rows)))
        packing, arrays = plan_packing(samples, params), arrays / "suspicious"
        decode_all(samples, inspection.source, params, arrays, packing)
    save_png(contact_sheet(*suspicious_sheet(samples, rows, arrays, params.classes, packing)), target)

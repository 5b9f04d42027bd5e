"""What was found in a folder of images, for people to read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from ae_pretrained.apps.init.inspection import Inspection
from ae_pretrained.apps.init.masks import FoundValues, MaskEncoding
from ae_pretrained.names import shown
from ae_pretrained.preparation.cleaning import NO_FOREGROUND, NO_LABEL, VANISHED
from ae_pretrained.preparation.decode_audit import suspicious_rows

_FEW_MASKS = 5
_FEW_TEST = 30
_MUCH_IGNORED = 0.5
_RARE = 0.001  # share of the labelled pixels


def sanity_report(
    images: Path, found: FoundValues, encoding: MaskEncoding, classes: Sequence[str], inspection: Inspection
) -> str:
    """The report: images, masks, splits, near-duplicates, and warnings."""
    lines = [f"Images   {images}"]
    lines += _indented(_images(inspection))
    lines += ["", "Masks"]
    lines += _indented(_mask_table(found, encoding, classes))
    lines += ["", "Splits"]
    lines += _indented(_splits(inspection))
    if warnings := list(_warnings(found, encoding, classes, inspection)):
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


def _mask_table(found: FoundValues, encoding: MaskEncoding, classes: Sequence[str]) -> Iterator[str]:
    width = max(map(len, [*classes, "(unlabelled)"])) + 2
    yield f"{'value':<8}{'class':<{width}}{'pixels':>9}{'masks':>9}"
    total = max(1, int(found.pixels.sum()))
    rows = [*zip(encoding.values, classes, strict=True), (encoding.ignore_index, "(unlabelled)")]
    for value, name in rows:
        share = found.pixels[value] / total
        yield f"{value:<8}{name:<{width}}{share:>8.1%} {found.masks[value]:>8}"


def _splits(inspection: Inspection) -> Iterator[str]:
    listed = {sample.split for sample in inspection.samples} & {"train", "val", "test"}
    drawn = any(sample.split in ("rest", "trainval") for sample in inspection.samples)
    how = f"{', '.join(sorted(listed))} as listed" if listed else ""
    how += "" if not drawn else ", the rest drawn by seed" if listed else "drawn by seed"
    counts = ", ".join(f"{name} {inspection.count(name)}" for name in ("train", "val", "test"))
    more = f", autoencoder alone {inspection.count('unlabelled')}" if inspection.count("unlabelled") else ""
    yield f"{counts}{more} ({how})"


def _warnings(
    found: FoundValues, encoding: MaskEncoding, classes: Sequence[str], inspection: Inspection
) -> Iterator[str]:
    if encoding.note:
        yield encoding.note
    labelled = sum(int(found.pixels[value]) for value in encoding.values)
    for number, (value, name) in enumerate(zip(encoding.values, classes, strict=True)):
        masks, pixels = int(found.masks[value]), int(found.pixels[value])
        train = inspection.train_masks(number)
        if train < _FEW_MASKS:
            yield (
                f"class {name!r} is in {train} masks of the train split only ({masks} in all): too few to train on; "
                "label more, or give its pixels to another class"
            )
        elif pixels < _RARE * labelled:
            yield f"class {name!r} covers {pixels / labelled:.3%} of the labelled pixels: its scores will vary a lot"
    ignored = int(found.pixels[encoding.ignore_index])
    if ignored > _MUCH_IGNORED * (ignored + labelled):
        yield (
            f"{ignored / (ignored + labelled):.0%} of the pixels are unlabelled (value {encoding.ignore_index}); "
            "they count in no loss and no figure"
        )
    for reason, advice in (
        (NO_FOREGROUND, "counted as missing: their images are not evaluated"),
        (NO_LABEL, "their images are not evaluated"),
        (VANISHED, "raise data.image_size"),
    ):
        if items := inspection.left_out(reason):
            yield f"{len(items)} masks: {reason} ({items[0].name}, …); {advice}"
    if skipped := inspection.left_out("unusable file"):
        yield f"{len(skipped)} unusable files are left out, for instance: {skipped[0].detail}"
    if others := inspection.left_out("not an image"):
        names = ", ".join(item.name for item in others[:5]) + (", …" if len(others) > 5 else "")
        yield (
            f"{len(others)} files are passed over ({names}): {others[0].detail}. Save those that are images as PNG "
            "or TIFF"
        )
    if inspection.count("test") < _FEW_TEST:
        yield (
            f"{inspection.count('test')} test images: the figures will be rough; the report gives their 95 % "
            "interval"
        )
    yield from inspection.warnings
    if inspection.audit:
        yield "suspicious.png shows the images of these warnings, as they came out, with their masks"


def draw_suspicious(inspection: Inspection, arrays: Path, classes: Sequence[str], target: Path) -> None:
    """A sheet of the images that the report warns of, with their masks.

    Args:
        inspection: with findings of the audit.
        arrays: folder that ``inspect`` decoded into.
        classes: class names.
        target: PNG file to write.
    """
    from ae_pretrained.figures.data_figures import contact_sheet
    from ae_pretrained.figures.style import save_png
    from ae_pretrained.preparation.prepare_report import suspicious_sheet

    rows = suspicious_rows(inspection.audit, 40)
    save_png(contact_sheet(*suspicious_sheet(inspection.samples, rows, arrays, classes)), target)

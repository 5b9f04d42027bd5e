"""Whether a project squashes its images to a square or takes crops of them, and at which scale."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ae_pretrained.apps.init.mask_survival import WorkingSize, mask_survival
from ae_pretrained.apps.init.options import InitOptions
from ae_pretrained.apps.init.settings import choose_resize, smallest_image_size
from ae_pretrained.errors import PipelineError
from ae_pretrained.params.data_params import DataParams
from ae_pretrained.params.editing import Key
from ae_pretrained.sources.base import Sample, Source

ENOUGH = 0.9  # IoU that the worst class has to keep
_SQUARES = (64, 128, 256)  # px
_SCALES = (0.125, 0.18, 0.25, 0.35, 0.5, 0.75, 1.0)
_CROP = 256  # px, side of the crops where images are large enough
_MULTIPLE = 32  # px, of which it is a multiple
_SHOWN_CLASSES = 6  # up to which the table has a column for each
_BYTES = 4  # of a pixel in the arrays: three colours and the mask
# Of one core without bf16 (an AMD EPYC with AVX2, 2026, other work beside): forward and backward of the networks of a
# project at 256 px in float32, 12 for the autoencoder and 9 for the segmenter. On one with bf16 it takes a sixth
# (benchmarks/README.md).
_SECONDS_PER_MEGAPIXEL = 21
_PASSES = 10


@dataclass(frozen=True)
class ScaleChoice:
    """How the images of a project are brought to size.

    Attributes:
        values: what it says in params.yaml.
        lines: the table and the reasons, for people to read.
    """

    values: dict[Key, Any]
    lines: list[str]


def choose_scale(
    samples: Sequence[Sample],
    source: Source,
    params: DataParams,
    sizes: np.ndarray,
    options: InitOptions,
    seed: int,
) -> ScaleChoice:
    """Measure what survives of the masks, and choose.

    Crops are taken where the worst class keeps an IoU below 0.9 at the square; then at the smallest scale at which
    every class keeps 0.9. What ``options`` say is done all the same.

    Args:
        samples: of the listing.
        source: turns mask values into classes.
        params: the data section of the project, as for a square.
        sizes: (n, 2) width and height of the images, px.
        options: ``resize``, ``scale`` and ``image_size`` insist.
        seed: of the sample of masks.

    Raises:
        PipelineError: when the scale that ``options`` insist on leaves nothing of a class.
    """
    side = options.image_size or smallest_image_size()
    how = options.resize if options.resize in ("stretch", "pad") else choose_resize(sizes)
    if not any(sample.mask is not None for sample in samples):
        chosen = (
            WorkingSize("crop", scale=options.scale or 1.0)
            if options.resize == "crop"
            else WorkingSize(how, side)
        )
        lines = [
            f"chosen: {_name(chosen)}, as --resize and --image-size say or by default: no mask shows what gets lost;",
            "with the first masks, look at plots/prepare/contact_train.png: can the classes be seen?",
        ]
        return ScaleChoice(_values(chosen, sizes, options), lines)
    squares = [WorkingSize(how, square) for square in sorted({*_SQUARES, side})]
    scales = sorted({*_SCALES, *([] if options.scale is None else [options.scale])})
    ways = [*squares, *(WorkingSize("crop", scale=scale) for scale in scales)]
    ious, looked_at = mask_survival(samples, source, params, ways, seed)
    kept = dict(zip(ways, ious, strict=True))
    square = WorkingSize(how, side)
    if options.resize == "crop" or (options.resize == "auto" and _worst(kept[square]) < ENOUGH):
        scale = options.scale or min(
            (scale for scale in scales if _worst(kept[WorkingSize("crop", scale=scale)]) >= ENOUGH),
            default=1.0,
        )
        chosen = WorkingSize("crop", scale=scale)
    else:
        chosen = square
    _check_nothing_vanishes(kept[chosen], chosen, params.classes)
    values = _values(chosen, sizes, options)
    absent = [name for name, iou in zip(params.classes, kept[square], strict=True) if np.isnan(iou)]
    shown = [way for way in ways if chosen.how == "crop" or way.how != "crop" or way.scale == 1]
    lines = [
        f"IoU of {looked_at} true masks with what is left of them, once shrunk to each size and enlarged again;",
        "what is lost there, no network finds",
        *_table(shown, kept, chosen, params.classes, sizes),
        *([f"not in these masks, and not measured: {', '.join(absent)}"] if absent else []),
        f"hours: of one core, for {_PASSES} passes of both trainings over the images, {_SECONDS_PER_MEGAPIXEL} s a",
        "megapixel; about a sixth of it where the processor computes in bf16, less on a GPU",
        *_reason(chosen, square, kept, options, values, params.classes),
    ]
    return ScaleChoice(values, lines)


def _worst(ious: np.ndarray) -> float:
    """The smallest IoU of the classes that the masks show; 1 where no mask could be read."""
    return 1.0 if np.isnan(ious).all() else float(np.nanmin(ious))


def _worst_class(ious: np.ndarray, classes: Sequence[str]) -> str:
    return "" if np.isnan(ious).all() else f"{classes[int(np.nanargmin(ious))]} {_shown(_worst(ious))}"


def _shown(iou: float) -> str:
    """Cut off, not rounded: what is shown as 0.90 is no less."""
    return "-" if np.isnan(iou) else f"{math.floor(iou * 100) / 100:.2f}"


def _check_nothing_vanishes(ious: np.ndarray, chosen: WorkingSize, classes: Sequence[str]) -> None:
    if chosen.how == "crop" and (gone := [name for name, iou in zip(classes, ious, strict=True) if iou == 0]):
        raise PipelineError(
            f"--scale {chosen.scale:g}: nothing is left of {', '.join(gone)} in the masks; use a larger scale, "
            "or leave --scale out and one is chosen"
        )


def crop_side(sizes: np.ndarray, scale: float) -> int:
    """Side of training crops: 256 px, or the largest multiple of 32 that fits into 9 of 10 images at that scale."""
    fits = int(np.percentile(sizes.min(axis=1) * scale, 10))
    return max(smallest_image_size(), min(_CROP, fits // _MULTIPLE * _MULTIPLE))


def _values(chosen: WorkingSize, sizes: np.ndarray, options: InitOptions) -> dict[Key, Any]:
    if chosen.how != "crop":
        return {("data", "resize"): chosen.how, ("data", "image_size"): chosen.side}
    return {
        ("data", "resize"): "crop",
        ("data", "scale"): chosen.scale,
        ("data", "image_size"): options.image_size or crop_side(sizes, chosen.scale),
        ("model", "norm"): "batch",
    }


def _name(size: WorkingSize) -> str:
    if size.how == "crop":
        return f"crops at {size.scale:g}"
    return f"{size.side} px, {'stretched' if size.how == 'stretch' else 'padded'}"


def _pixels(size: WorkingSize, sizes: np.ndarray) -> float:
    """Of all images at a size, padding included."""
    if size.how == "crop":
        return float(sizes.prod(axis=1, dtype=np.float64).sum()) * size.scale**2
    return float(len(sizes) * size.side**2)


def _table(
    ways: Sequence[WorkingSize],
    kept: dict[WorkingSize, np.ndarray],
    chosen: WorkingSize,
    classes: Sequence[str],
    sizes: np.ndarray,
) -> Iterator[str]:
    names = [name[:12] for name in classes] if len(classes) <= _SHOWN_CLASSES else []
    head = "".join(f"{name:>{max(6, len(name)) + 2}}" for name in names)
    worst = max(len(_worst_class(kept[size], classes)) for size in ways)
    worst = max(worst, len("worst class"))
    yield f"{'':<20}{'worst class':>{worst}}{head}{'disk':>10}{'hours':>8}"
    for size in ways:
        pixels = _pixels(size, sizes)
        ious = "".join(
            f"{_shown(iou):>{max(6, len(name)) + 2}}" for name, iou in zip(names, kept[size], strict=False)
        )
        hours = pixels * _PASSES / 1e6 * _SECONDS_PER_MEGAPIXEL / 3600
        yield (
            f"{_name(size):<20}{_worst_class(kept[size], classes):>{worst}}{ious}{_disk(pixels):>10}"
            f"{f'{hours:.1f}' if hours >= 0.05 else '< 0.1':>8}"
            f"{'  <- chosen' if size == chosen else ''}"
        )


def _disk(pixels: float) -> str:
    count = pixels * _BYTES
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{max(1, round(count / 1e6))} MB"


def _reason(
    chosen: WorkingSize,
    square: WorkingSize,
    kept: dict[WorkingSize, np.ndarray],
    options: InitOptions,
    values: dict[Key, Any],
    classes: Sequence[str],
) -> Iterator[str]:
    at_square = f"at {_name(square)}, the worst class ({_worst_class(kept[square], classes)})"
    if chosen.how == "crop":
        yield f"chosen: crops of {values['data', 'image_size']} px at scale {chosen.scale:g} (data.resize: crop)"
        if options.resize == "auto":
            yield f"because {at_square} keeps less than {ENOUGH}; --resize {square.how} insists on the square"
        if options.scale is None and chosen.scale == 1:
            yield f"no smaller scale leaves every class {ENOUGH}"
        elif options.scale is None:
            yield f"the scale is the smallest that leaves every class {ENOUGH}; --resize crop --scale 1 insists"
            yield "on full size"
        return
    yield f"chosen: the square of {_name(chosen)} (data.resize: {chosen.how})"
    if _worst(kept[chosen]) >= ENOUGH:
        yield f"because even {at_square} keeps {ENOUGH}; --resize crop insists on crops of whole images"
    else:
        yield f"as --resize says, although {at_square} keeps less than {ENOUGH}; --resize crop keeps it"

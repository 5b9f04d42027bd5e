"""Images made of masks, and sheets of images with captions, a legend and a colour scale."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from ae_pretrained.figures.style import DPI, IGNORE_COLOR, MUTED, WIDTH, class_rgb, hex_to_rgb, styled
from ae_pretrained.names import drawn

_MARGIN, _GAP = 0.15, 0.08  # inches
_LARGEST_CELL = 1.9
_LINE = 0.24  # height of a line of text
_LONGEST_TEXT = 90  # characters that a line of a sheet has room for


@dataclass(frozen=True)
class ImageRow:
    """Images side by side, (H, W, 3) uint8 each, under one caption."""

    caption: str
    images: Sequence[np.ndarray]


@dataclass(frozen=True)
class ColorScale:
    """A colour bar: matplotlib colour map, the ends of the scale and what it shows."""

    name: str
    low: float
    high: float
    label: str


def color_mask(mask: np.ndarray, num_classes: int) -> np.ndarray:
    """Class mask of any shape with 255 for ignored to colours (…, 3) uint8."""
    palette = np.zeros((256, 3), dtype=np.uint8)
    palette[:num_classes] = class_rgb(num_classes)
    palette[255] = hex_to_rgb([IGNORE_COLOR])[0]
    return palette[mask]


def overlay_mask(image: np.ndarray, mask: np.ndarray, num_classes: int, opacity: float = 0.55) -> np.ndarray:
    """Tint the foreground of an image in the colours of its classes; background stays as it is.

    Args:
        image: (H, W, 3) uint8.
        mask: (H, W) classes; 0 and 255 are left alone.
    """
    foreground = (mask > 0) & (mask != 255)
    colors = color_mask(mask[foreground], num_classes)
    overlaid = image.copy()
    overlaid[foreground] = ((1 - opacity) * image[foreground] + opacity * colors).round()
    return overlaid


def color_scalar(values: np.ndarray, scale: ColorScale) -> np.ndarray:
    """(H, W) numbers to colours (H, W, 3) uint8 on a scale; beyond its ends the colours stay at the ends."""
    share = np.clip((values - scale.low) / (scale.high - scale.low), 0, 1)
    return (colormaps[scale.name](share)[..., :3] * 255).round().astype(np.uint8)


def to_uint8(image: np.ndarray) -> np.ndarray:
    """(3, H, W) floats in [0, 1] to (H, W, 3) uint8."""
    return (np.clip(image, 0, 1) * 255).round().astype(np.uint8).transpose(1, 2, 0)


def grey(image: np.ndarray) -> np.ndarray:
    """(H, W, 3) uint8 to the same without colour (Rec. 601 luma), still three channels."""
    luma = image @ np.array([0.299, 0.587, 0.114])
    return np.repeat(luma.round().astype(np.uint8)[..., None], 3, axis=2)


@styled
def image_sheet(
    title: str,
    rows: Sequence[ImageRow],
    columns: Sequence[str] = (),
    legend: Sequence[tuple[str, str]] = (),
    scale: ColorScale | None = None,
    note: str = "",
) -> Figure:
    """A sheet of images.

    The places of all parts are computed rather than left to a layout engine: images have a fixed shape, and
    so nothing can overlap.

    Args:
        title: of the sheet.
        rows: from top to bottom, at least one.
        columns: headings over the columns of images; empty for none.
        legend: (label, colour) patches below the images.
        scale: a colour bar below the images.
        note: a line under the title.
    """
    across = max(len(row.images) for row in rows)
    cell = min(_LARGEST_CELL, (WIDTH - 2 * _MARGIN - (across - 1) * _GAP) / across)
    width = WIDTH
    left = (width - across * cell - (across - 1) * _GAP) / 2
    legend_columns = min(max(len(legend), 1), 5)
    below = _LINE * 1.25 * math.ceil(len(legend) / legend_columns) + (0.62 if scale else 0.0) + _MARGIN
    above = 0.42 + (_LINE if note else 0.0) + (_LINE if columns else 0.0)
    height = above + len(rows) * (cell + _LINE + _GAP) + below
    figure = Figure(figsize=(width, height), dpi=DPI)

    def text(x: float, y: float, words: str, **style: Any) -> None:
        figure.text(x / width, 1 - y / height, drawn(words, _LONGEST_TEXT), va="center", **style)

    text(left, 0.25, title, fontsize=12.5, fontweight="bold")
    if note:
        text(left, 0.5, note, color=MUTED, fontsize=9)
    for place, heading in enumerate(columns):
        middle = left + place * (cell + _GAP) + cell / 2
        text(
            middle,
            above - _LINE / 2,
            drawn(heading, round(8 * cell)),
            ha="center",
            fontsize=9.5,
            fontweight="bold",
        )
    for line, row in enumerate(rows):
        top = above + line * (cell + _LINE + _GAP)
        text(left, top + _LINE / 2, row.caption, fontsize=9, color=MUTED)
        for place, image in enumerate(row.images):
            box = (
                (left + place * (cell + _GAP)) / width,
                1 - (top + _LINE + cell) / height,
                cell / width,
                cell / height,
            )
            axes = figure.add_axes(box)
            axes.imshow(image, interpolation="nearest")
            axes.set_axis_off()
    if legend:
        figure.legend(
            handles=[
                Patch(facecolor=color, label=drawn(label), edgecolor=MUTED, lw=0.5) for label, color in legend
            ],
            loc="lower center",
            ncols=legend_columns,
            bbox_to_anchor=(0.5, (0.62 / height) if scale else 0.0),
        )
    if scale:
        axes = figure.add_axes((0.25, 0.42 / height, 0.5, 0.12 / height))
        mappable = ScalarMappable(Normalize(scale.low, scale.high), colormaps[scale.name])
        figure.colorbar(mappable, cax=axes, orientation="horizontal", label=scale.label)
    return figure

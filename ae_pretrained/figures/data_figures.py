"""Images of the data: contact sheets, counts per split, pixels per class."""

from __future__ import annotations

import math
from collections.abc import Sequence

import cv2
import numpy as np
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from ae_pretrained.figures.image_grids import overlay_mask
from ae_pretrained.figures.style import (
    DPI,
    IGNORE_COLOR,
    MUTED,
    WIDTH,
    class_colors,
    new_figure,
    set_title,
    styled,
)
from ae_pretrained.names import drawn

_ACROSS = 8
_LUMINANCE = (0.2126, 0.7152, 0.0722)  # of red, green, blue
_LEGEND_COLUMNS = 6  # that a figure has room for
TILE = 134  # px, of a tile of a contact sheet
_MARGIN, _GAP, _CAPTION = 0.15, 0.08, 0.32  # inches
# train, val, test, unlabelled: none of them the colour of cat or dog, which mean classes wherever they stand.
SPLIT_COLORS = ("#009E73", "#56B4E9", "#CC79A7", MUTED)


@styled
def contact_sheet(
    title: str, images: np.ndarray, masks: np.ndarray | None, names: Sequence[str], classes: Sequence[str]
) -> Figure:
    """Images in rows, their masks laid over them; what no class has, border and padding, is left as it is.

    Args:
        title: of the sheet.
        images: (n, H, W, 3) uint8, at least one.
        masks: (n, H, W) class masks, 255 ignored; None for images without.
        names: of the images.
        classes: class names.
    """
    rows = -(-len(images) // _ACROSS)
    cell = (WIDTH - 2 * _MARGIN - (_ACROSS - 1) * _GAP) / _ACROSS
    above, below = 0.72 if masks is None else 0.5, 0.2 if masks is None else 0.5
    height = above + rows * (_CAPTION + cell) + below
    figure = Figure(figsize=(WIDTH, height), dpi=DPI)
    figure.text(_MARGIN / WIDTH, 1 - 0.27 / height, title, va="center", fontsize=12.5, fontweight="bold")
    for row in range(rows):
        part = range(row * _ACROSS, min((row + 1) * _ACROSS, len(images)))
        top = above + row * (_CAPTION + cell)
        caption = " … ".join(drawn(names[n], 48) for n in sorted({part[0], part[-1]}))
        middle = 1 - (top + _CAPTION / 2) / height
        figure.text(_MARGIN / WIDTH, middle, caption, va="center", fontsize=9, color=MUTED)
        # One image a row: axes cost more than all that is drawn in them.
        strip = _strip([_tile(images[n], None if masks is None else masks[n], len(classes)) for n in part])
        width = strip.shape[1] / TILE * cell
        axes = figure.add_axes(
            (_MARGIN / WIDTH, 1 - (top + _CAPTION + cell) / height, width / WIDTH, cell / height)
        )
        axes.imshow(strip, interpolation="nearest", aspect="auto")
        axes.set_axis_off()
    if masks is None:
        note = "no usable mask: the autoencoder alone sees these"
        figure.text(_MARGIN / WIDTH, 1 - 0.55 / height, note, va="center", fontsize=9, color=MUTED)
    else:
        pairs = zip(classes[1:], class_colors(len(classes))[1:], strict=True)
        handles = [
            Patch(facecolor=color, label=drawn(name), edgecolor=MUTED, lw=0.5) for name, color in pairs
        ]
        figure.legend(handles=handles, loc="lower center", ncols=min(6, len(handles)))
    return figure


def _tile(image: np.ndarray, mask: np.ndarray | None, num_classes: int) -> np.ndarray:
    tile = np.asarray(image)
    if mask is not None:
        tile = overlay_mask(tile, np.asarray(mask), num_classes, opacity=0.4)
    # Small images are enlarged before they are drawn, so that overlays have smooth enough edges.
    how = cv2.INTER_CUBIC if len(tile) < TILE else cv2.INTER_AREA
    return np.asarray(cv2.resize(tile, (TILE, TILE), interpolation=how))


def _strip(tiles: Sequence[np.ndarray]) -> np.ndarray:
    """Tiles side by side, white between them."""
    gap = np.full((TILE, round(TILE * _GAP / 0.9), 3), 255, dtype=np.uint8)
    parts = [part for tile in tiles for part in (tile, gap)]
    return np.concatenate(parts[:-1], axis=1)


def _more_lines(entries: int) -> float:
    """Height of the lines of a legend beyond its first, inches."""
    return 0.22 * (math.ceil(entries / _LEGEND_COLUMNS) - 1)


@styled
def split_counts(counts: dict[str, list[int]], classes: Sequence[str]) -> Figure:
    """Images per split and foreground class.

    Args:
        counts: split name to images per foreground class.
        classes: foreground class names; ``unknown`` for images without a mask.
    """
    figure = new_figure(0.5 * len(counts) + 1.6 + _more_lines(len(classes)))
    axes = figure.subplots()
    places = np.arange(len(counts))[::-1]
    left = np.zeros(len(counts))
    for label, name in enumerate(classes):
        values = np.array([row[label] for row in counts.values()], dtype=float)
        axes.barh(
            places,
            values,
            left=left,
            height=0.62,
            label=drawn(name),
            color=MUTED if name == "unknown" else class_colors(len(classes) + 1)[label + 1],
        )
        left += values
    for place, total in zip(places, left, strict=True):
        axes.text(total, place, f"  {total:.0f}", va="center")
    axes.set_yticks(places, list(counts))
    axes.set_xlabel("images")
    axes.set_xlim(0, left.max() * 1.12)
    figure.legend(loc="outside lower center", ncols=min(len(classes), _LEGEND_COLUMNS))
    set_title(figure, "Images per split")
    return figure


@styled
def pixel_shares(shares: dict[str, np.ndarray], classes: Sequence[str]) -> Figure:
    """Share of the pixels of every class and of ignored ones, per split.

    Args:
        shares: split name to (C + 1,) shares, ignored pixels last.
        classes: class names.
    """
    figure = new_figure(0.5 * len(shares) + 1.6 + _more_lines(len(classes) + 1))
    axes = figure.subplots()
    places = np.arange(len(shares))[::-1]
    left = np.zeros(len(shares))
    colors = [*class_colors(len(classes)), IGNORE_COLOR]
    for label, name in enumerate([*classes, "ignored (border)"]):
        values = np.array([share[label] for share in shares.values()])
        axes.barh(places, values, left=left, height=0.62, label=drawn(name), color=colors[label])
        for place, start, value in zip(places, left, values, strict=True):
            if value > 0.06:
                dark = np.dot(to_rgb(colors[label]), _LUMINANCE) < 0.43
                axes.text(
                    start + value / 2,
                    place,
                    f"{value:.0%}",
                    ha="center",
                    va="center",
                    color="white" if dark else "black",
                )
        left += values
    axes.set_yticks(places, list(shares))
    axes.set_xlim(0, 1)
    axes.set_xlabel("share of the pixels")
    figure.legend(loc="outside lower center", ncols=min(len(classes) + 1, _LEGEND_COLUMNS))
    set_title(figure, "Pixels per class")
    return figure


@styled
def breed_counts(counts: dict[str, dict[str, int]]) -> Figure:
    """Images per breed, its splits side by side in one bar.

    Args:
        counts: breed to split name to images; every breed has the same splits.
    """
    splits = list(next(iter(counts.values())))
    figure = new_figure(0.19 * len(counts) + 1.5)
    axes = figure.subplots()
    places = np.arange(len(counts))[::-1]
    left = np.zeros(len(counts))
    for split, color in zip(splits, SPLIT_COLORS, strict=False):
        values = np.array([row[split] for row in counts.values()], dtype=float)
        axes.barh(places, values, left=left, height=0.74, label=split, color=color)
        left += values
    axes.set_yticks(places, [drawn(breed.replace("_", " ")) for breed in counts], fontsize=8)
    axes.set_ylim(-0.7, len(counts) - 0.3)
    axes.set_xlabel("images")
    figure.legend(loc="outside lower center", ncols=len(splits))
    set_title(figure, "Images per breed")
    return figure


@styled
def original_sizes(sizes: np.ndarray) -> Figure:
    """Width against height of the images as they came, and how often each side ratio occurs.

    Args:
        sizes: (n, 2) width and height, pixels.
    """
    figure = new_figure(3.6)
    left, right = figure.subplots(1, 2)
    # Many images share a size: one mark each, the larger the more there are.
    places, counts = np.unique(sizes, axis=0, return_counts=True)
    area = 12 + 240 * counts / counts.max()
    left.scatter(places[:, 0], places[:, 1], s=area, color=SPLIT_COLORS[0], alpha=0.35, linewidths=0)
    top = float(sizes.max()) * 1.12
    left.plot([0, top], [0, top], color=MUTED, linewidth=0.8, linestyle="--")
    left.set_xlim(0, top)
    left.set_ylim(0, top)
    left.set_aspect("equal")
    left.set_xlabel("width, px")
    left.set_ylabel("height, px")
    left.set_title(f"{len(places)} sizes (dashed: square)")
    ratio = sizes[:, 0] / sizes[:, 1]
    low, high = min(0.5, ratio.min()), max(2.0, ratio.max())
    right.hist(ratio, bins=np.geomspace(low, high, 41).tolist(), color=SPLIT_COLORS[0])
    right.set_xscale("log")
    marks = [mark for mark in (0.1, 0.25, 0.5, 0.75, 1, 1.33, 2, 4, 10) if low <= mark <= high]
    right.set_xticks(marks, [f"{mark:g}" for mark in marks])
    right.set_xticks([], minor=True)
    right.set_xlabel("width / height")
    right.set_ylabel("images")
    right.set_title("Side ratios")
    set_title(figure, "Images as they came")
    return figure

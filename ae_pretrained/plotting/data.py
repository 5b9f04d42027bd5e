"""Pictures of the data: contact sheets, counts per split, pixels per class."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from matplotlib.figure import Figure

from ae_pretrained.plotting.images import PictureRow, overlay_mask, picture_sheet
from ae_pretrained.plotting.style import IGNORE_COLOR, class_colors, new_figure, set_title, styled

_ACROSS = 8


def contact_sheet(
    title: str, images: np.ndarray, masks: np.ndarray | None, names: Sequence[str], classes: Sequence[str]
) -> Figure:
    """Pictures in rows, the outline of their masks drawn in.

    Args:
        title: of the sheet.
        images: (n, H, W, 3) uint8.
        masks: (n, H, W) class masks, 255 ignored; None for pictures without.
        names: of the pictures.
        classes: class names.
    """
    tiles = []
    for position, image in enumerate(images):
        tile = np.asarray(image)
        if masks is not None:
            tile = overlay_mask(tile, np.asarray(masks[position]), len(classes), opacity=0.4)
        # Small pictures are enlarged before they are drawn, so that overlays have smooth enough edges.
        tiles.append(cv2.resize(tile, (160, 160), interpolation=cv2.INTER_CUBIC))
    rows = []
    for start in range(0, len(tiles), _ACROSS):
        first, last = names[start], names[min(start + _ACROSS, len(names)) - 1]
        rows.append(PictureRow(f"{first} … {last}", tiles[start : start + _ACROSS]))
    colors = class_colors(len(classes))
    legend = list(zip(classes[1:], colors[1:], strict=True)) if masks is not None else []
    note = "" if masks is not None else "no usable mask: the autoencoder alone sees these"
    return picture_sheet(title, rows, legend=legend, note=note)


@styled
def split_counts(counts: dict[str, list[int]], classes: Sequence[str]) -> Figure:
    """Pictures per split and foreground class.

    Args:
        counts: split name to pictures per foreground class.
        classes: foreground class names.
    """
    figure = new_figure(0.5 * len(counts) + 1.6)
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
            label=name,
            color=class_colors(len(classes) + 1)[label + 1],
        )
        left += values
    for place, total in zip(places, left, strict=True):
        axes.text(total, place, f"  {total:.0f}", va="center")
    axes.set_yticks(places, list(counts))
    axes.set_xlabel("pictures")
    axes.set_xlim(0, left.max() * 1.12)
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.32), ncols=len(classes))
    set_title(figure, "Pictures per split")
    return figure


@styled
def pixel_shares(shares: dict[str, np.ndarray], classes: Sequence[str]) -> Figure:
    """Share of the pixels of every class and of ignored ones, per split.

    Args:
        shares: split name to (C + 1,) shares, ignored pixels last.
        classes: class names.
    """
    figure = new_figure(0.5 * len(shares) + 1.6)
    axes = figure.subplots()
    places = np.arange(len(shares))[::-1]
    left = np.zeros(len(shares))
    colors = [*class_colors(len(classes)), IGNORE_COLOR]
    for label, name in enumerate([*classes, "ignored (border, padding)"]):
        values = np.array([share[label] for share in shares.values()])
        axes.barh(places, values, left=left, height=0.62, label=name, color=colors[label])
        for place, start, value in zip(places, left, values, strict=True):
            if value > 0.06:
                dark = label == len(classes) or label == 2
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
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.32), ncols=len(classes) + 1)
    set_title(figure, "Pixels per class")
    return figure

"""Colours, fonts and the writing of figures: everything that all images share.

The colours are those of Okabe and Ito ("Color Universal Design", 2008), which stay apart under the common
kinds of colour blindness. A class has the same colour in every image.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import matplotlib
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

BACKGROUND_COLOR = "#D9D9D9"
FOREGROUND_COLORS = (
    "#E69F00",  # orange: cat
    "#0072B2",  # blue: dog
    "#009E73",  # bluish green
    "#CC79A7",  # reddish purple
    "#56B4E9",  # sky blue
    "#D55E00",  # vermillion
    "#F0E442",  # yellow
)
IGNORE_COLOR = "#6B6B6B"
INK = "#1F2328"
MUTED = "#5C6570"
GRID = "#DDE1E6"

WIDTH = 8.0  # inches; with DPI below 1200 px, the width of the report on a laptop
DPI = 150

STYLE: Any = {
    "font.family": "DejaVu Sans",  # comes with matplotlib: the same on every machine
    "font.size": 9.5,
    "axes.titlesize": 10.5,
    "axes.labelsize": 9.5,
    "xtick.labelsize": 9,
    "ytick.labelsize": 9,
    "legend.fontsize": 9,
    "figure.facecolor": "white",
    "axes.facecolor": "white",
    "axes.edgecolor": MUTED,
    "axes.labelcolor": INK,
    "text.color": INK,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": False,
    "axes.axisbelow": True,
    "grid.color": GRID,
    "grid.linewidth": 0.8,
    "legend.frameon": False,
    "lines.linewidth": 1.8,
    "image.interpolation": "nearest",
    "savefig.dpi": DPI,
    "figure.dpi": DPI,
}

styled = matplotlib.rc_context(STYLE)
"""Decorator of every function that draws: sets the style while it runs and nothing outside."""


def class_colors(num_classes: int) -> list[str]:
    """One colour per class as ``#RRGGBB``: background light grey, then orange, blue, and so on.

    Beyond seven foreground classes the colours come again, much darker and then lighter; beyond 21 ever darker, so
    that any number has distinct ones.

    Args:
        num_classes: Classes with the background, from 1 to 255.
    """
    if not 1 <= num_classes <= 255:
        raise ValueError(f"class_colors: expected 1 to 255 classes, found {num_classes}")
    colors = [BACKGROUND_COLOR]
    for index in range(num_classes - 1):
        shade, place = divmod(index, len(FOREGROUND_COLORS))
        round_, kind = divmod(shade, 3)
        parts = np.array(to_rgb(FOREGROUND_COLORS[place]))
        parts = (parts, 0.55 * parts, 0.5 + 0.5 * parts)[kind] * 0.93**round_
        red, green, blue = (round(255 * part) for part in parts.tolist())
        colors.append(f"#{red:02X}{green:02X}{blue:02X}")
    return colors


def group_colors(groups: Sequence[str], classes: Sequence[str]) -> list[str]:
    """Colours of classes or other groups: the class's own colour where the name is a class, else grey."""
    known = dict(zip(classes, class_colors(len(classes)), strict=True))
    return [known.get(name, MUTED) for name in groups]


def class_rgb(num_classes: int) -> np.ndarray:
    """The colours of :func:`class_colors` as an array, (num_classes, 3) uint8."""
    return hex_to_rgb(class_colors(num_classes))


def hex_to_rgb(colors: list[str]) -> np.ndarray:
    """``#RRGGBB`` colours as an array, (n, 3) uint8."""
    return np.array([[round(255 * part) for part in to_rgb(color)] for color in colors], dtype=np.uint8)


def new_figure(height: float, width: float = WIDTH) -> Figure:
    """An empty figure (inches) that keeps its parts from overlapping."""
    figure = Figure(figsize=(width, height), dpi=DPI)
    figure.set_layout_engine("constrained", w_pad=0.09, h_pad=0.09)
    return figure


def set_title(figure: Figure, title: str) -> None:
    """Title of a figure, at the left as on the sheets of images."""
    figure.suptitle(title, x=0.012, ha="left", fontsize=12.5, fontweight="bold")


def png_bytes(figure: Figure) -> bytes:
    """A figure as PNG without transparency; the same figure gives the same bytes (no date, no version inside)."""
    # Not savefig: it lays out and draws every figure twice, and compresses at a level that costs more than both.
    # Run lengths take a fifth of the time; sheets of photographs get smaller by them, charts larger by some KiB.
    canvas = FigureCanvasAgg(figure)
    with matplotlib.rc_context(STYLE):
        canvas.draw()
    pixels = np.ascontiguousarray(np.asarray(canvas.buffer_rgba())[..., 2::-1])  # BGR, as OpenCV has it
    options = [cv2.IMWRITE_PNG_COMPRESSION, 1, cv2.IMWRITE_PNG_STRATEGY, cv2.IMWRITE_PNG_STRATEGY_RLE]
    return cv2.imencode(".png", pixels, options)[1].tobytes()


def save_png(figure: Figure, path: Path) -> None:
    """Write a figure as PNG, and make its folder if there is none."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(png_bytes(figure))

"""Line charts: training curves and robustness."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke
from matplotlib.ticker import MaxNLocator

from ae_pretrained.figures.style import (
    FOREGROUND_COLORS,
    INK,
    MUTED,
    class_colors,
    new_figure,
    set_title,
    styled,
)
from ae_pretrained.names import drawn

_LINES = (FOREGROUND_COLORS[1], FOREGROUND_COLORS[5], FOREGROUND_COLORS[2], FOREGROUND_COLORS[3], INK, MUTED)
_NAMES = {"psnr": "PSNR", "ssim": "SSIM", "mse": "MSE", "iou": "IoU", "dice": "Dice"}
_LEARNING_RATE = "learning rate"


def _words(column: str) -> str:
    """A column name as words, abbreviations written as usual."""
    return " ".join(_NAMES.get(word, word) for word in column.split("_"))


def _place(column: str, classes: Sequence[str]) -> tuple[str, str]:
    """The panel that a column belongs to, and its label there.

    Train and val of the same quantity share a panel; so do the classes of one score, and the rates.
    """
    part, _, name = column.partition("_")
    if column in ("lr", "encoder_lr"):
        return _LEARNING_RATE, _words(column)
    if part not in ("train", "val"):
        return _words(column), _words(column)
    for score in ("dice", "iou"):
        for class_name in classes:
            if name == f"{score}_{class_name}":
                return f"{_NAMES[score]} by class, {part}", class_name
    if name in ("mean_iou", "mean_foreground_dice"):
        return f"mean scores, {part}", _words(name)
    return _words(name), part


@styled
def training_curves(title: str, columns: Mapping[str, Sequence[float]], classes: Sequence[str]) -> Figure:
    """Everything that a training log holds, against the epoch.

    Args:
        title: of the figure.
        columns: name to one value per epoch (NaN for none), ``epoch`` among them.
        classes: class names, for the colours of their curves.
    """
    epochs = np.asarray(columns["epoch"], dtype=float)
    panels: dict[str, list[tuple[str, str]]] = {}
    for name in columns:
        if name != "epoch":
            panel, label = _place(name, classes)
            panels.setdefault(panel, []).append((name, label))
    order = sorted(panels, key=lambda panel: panel == _LEARNING_RATE)  # the rates last
    across = min(3, max(1, len(panels)))
    down = math.ceil(len(panels) / across)
    figure = new_figure(2.75 * down + 0.4)
    grid = figure.subplots(down, across, squeeze=False).ravel()
    known = dict(zip(classes, class_colors(len(classes)), strict=True))
    for axes, panel in zip(grid, order, strict=False):
        for place, (name, label) in enumerate(panels[panel]):
            color = known.get(label, _LINES[place % len(_LINES)])
            # Dashes, because the rates are often one and the same line.
            style = "--" if panel == _LEARNING_RATE and place else "-"
            (line,) = axes.plot(epochs, columns[name], style, color=color, label=drawn(label))
            if len(epochs) == 1:
                line.set_marker("o")
            if label in classes[:1]:  # light grey on white needs an edge
                line.set_path_effects([withStroke(linewidth=2.6, foreground=MUTED)])
        axes.set_title(f"{panel} (dB)" if panel == "PSNR" else panel)
        axes.set_xlabel("epoch")
        axes.xaxis.set_major_locator(MaxNLocator(nbins=5, integer=True))
        axes.grid()
        # Below the panel: inside, it would lie on the curves.
        axes.legend(
            loc="upper center", bbox_to_anchor=(0.5, -0.24), ncols=2, handlelength=1.2, columnspacing=1
        )
    for axes in grid[len(panels) :]:
        axes.set_axis_off()
    set_title(figure, title)
    return figure


@dataclass(frozen=True)
class RobustnessCurve:
    """One corruption.

    Attributes:
        title: what is done to the images.
        unit: what the strength means.
        neutral: the strength that changes nothing.
        points: (strength, mean IoU) from the mildest to the strongest.
    """

    title: str
    unit: str
    neutral: float
    points: Sequence[tuple[float, float]]


@styled
def robustness_curves(curves: Sequence[RobustnessCurve], clean: float) -> Figure:
    """Mean IoU against the strength of each corruption, one panel per corruption, stronger to the right.

    Args:
        curves: at least one.
        clean: mean IoU without corruption.
    """
    across = 3
    down = math.ceil(len(curves) / across)
    figure = new_figure(2.35 * down + 0.7)
    grid = figure.subplots(down, across, squeeze=False, sharey=True)
    flat = grid.ravel()
    for axes, curve in zip(flat, curves, strict=False):
        strengths = [curve.neutral, *(strength for strength, _ in curve.points)]
        scores = [clean, *(score for _, score in curve.points)]
        axes.axhline(clean, color=MUTED, linestyle="--", linewidth=1.2, label="clean")
        axes.plot(strengths, scores, "o-", color=FOREGROUND_COLORS[1], markersize=4, label="corrupted")
        if strengths[-1] < strengths[0]:
            axes.invert_xaxis()
        axes.set_title(curve.title)
        axes.set(xlabel=curve.unit, ylim=(0, 1))
        axes.xaxis.set_major_locator(MaxNLocator(nbins=5))
        axes.grid()
    for axes in flat[len(curves) :]:
        axes.set_axis_off()
    for row in grid:
        row[0].set_ylabel("mean IoU")
    handles, labels = flat[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=2)
    set_title(figure, "Robustness to corrupted images")
    return figure

"""Line charts: training curves and robustness."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from ae_pretrained.plotting.style import (
    FOREGROUND_COLORS,
    INK,
    MUTED,
    class_colors,
    new_figure,
    set_title,
    styled,
)

_LINES = (FOREGROUND_COLORS[1], FOREGROUND_COLORS[5], FOREGROUND_COLORS[2], FOREGROUND_COLORS[3], INK, MUTED)
_UNITS = {"psnr": "dB"}


def _panel_of(column: str) -> str:
    """Train and val of the same quantity share a panel; so do the classes of one score, and the rates."""
    name = column.removeprefix("train_").removeprefix("val_")
    if name.endswith("lr"):
        return "learning rate"
    for score in ("dice_loss", "mean_iou", "mean_foreground_dice"):
        if name == score:
            return {"dice_loss": "dice loss"}.get(score, "mean scores")
    for score in ("dice", "iou"):
        if name.startswith(f"{score}_"):
            return f"{score} by class"
    return name.replace("_", " ")


@styled
def training_curves(title: str, columns: Mapping[str, Sequence[float]], classes: Sequence[str]) -> Figure:
    """Everything that a training log holds, against the epoch.

    Args:
        title: of the figure.
        columns: name to one value an epoch (NaN for none), ``epoch`` among them.
        classes: class names, for the colours of their curves.
    """
    epochs = np.asarray(columns["epoch"], dtype=float)
    panels: dict[str, list[str]] = {}
    for name in columns:
        if name != "epoch":
            panels.setdefault(_panel_of(name), []).append(name)
    across = min(3, max(1, len(panels)))
    down = math.ceil(len(panels) / across)
    figure = new_figure(2.6 * down + 0.5)
    grid = figure.subplots(down, across, squeeze=False).ravel()
    colors = dict(zip(classes, class_colors(len(classes)), strict=True))
    for axes, (panel, names) in zip(grid, panels.items(), strict=False):
        for place, name in enumerate(names):
            label, color = name, _LINES[place % len(_LINES)]
            for class_name, class_color in colors.items():
                if name.endswith(f"_{class_name}") and panel.endswith("by class"):
                    label, color = class_name, class_color
            marker = "o" if len(epochs) == 1 else ""
            label = label.removesuffix("_" + panel.replace(" ", "_")).replace("_", " ")
            axes.plot(epochs, columns[name], color=color, label=label, marker=marker)
        axes.set_title(panel)
        axes.set(xlabel="epoch", ylabel=_UNITS.get(panel, ""))
        axes.xaxis.set_major_locator(MaxNLocator(nbins=5, integer=True))
        axes.grid()
        _legend(axes)
    for axes in grid[len(panels) :]:
        axes.set_axis_off()
    set_title(figure, title)
    return figure


def _legend(axes: Axes) -> None:
    axes.legend(
        loc="best", handlelength=1.2, borderaxespad=0.2, framealpha=0.8, frameon=True, edgecolor="white"
    )


@dataclass(frozen=True)
class RobustnessCurve:
    """One corruption.

    Attributes:
        title: what is done to the pictures.
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
    """Mean IoU against the strength of each corruption, a panel each, stronger to the right.

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
    set_title(figure, "Robustness to corrupted pictures")
    return figure

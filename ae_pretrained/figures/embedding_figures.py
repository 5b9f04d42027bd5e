"""Scatter plots of embeddings, coloured by class or by breed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ae_pretrained.figures.style import FOREGROUND_COLORS, MUTED, group_colors, new_figure, set_title, styled
from ae_pretrained.names import drawn

_MARKERS = ("o", "^", "s", "D", "v", "P")


@dataclass(frozen=True)
class Projection:
    """Points in the plane.

    Attributes:
        title: of the panel.
        points: (n, 2).
        axes: labels of the two axes.
        rows: (n,) which images the points are, to look up their labels.
    """

    title: str
    points: np.ndarray
    axes: tuple[str, str]
    rows: np.ndarray


def _panels(figure: Figure, projections: Sequence[Projection]) -> list[Axes]:
    panels = figure.subplots(1, len(projections), squeeze=False)[0].tolist()
    for axes, projection in zip(panels, projections, strict=True):
        axes.set_title(projection.title)
        axes.set(xlabel=projection.axes[0], ylabel=projection.axes[1])
        axes.set_box_aspect(1)
        axes.grid()
    return panels


@styled
def embeddings_by_class(
    projections: Sequence[Projection], labels: Sequence[str], classes: Sequence[str]
) -> Figure:
    """Every projection coloured by class.

    Args:
        projections: panels side by side.
        labels: class of every image that ``Projection.rows`` may name; empty for unknown.
        classes: class names, background first.
    """
    figure = new_figure(4.8, width=8.0 if len(projections) > 1 else 5.4)
    colors = np.array(group_colors(labels, classes))
    for axes, projection in zip(_panels(figure, projections), projections, strict=True):
        # One call for all points: drawn class by class, the last one would hide the others.
        across, up = projection.points.T
        axes.scatter(across, up, s=9, c=colors[projection.rows], alpha=0.6, linewidths=0)
    names = sorted(set(labels))
    handles = [
        Line2D([], [], marker="o", linestyle="", color=color, label=drawn(name or "unknown"))
        for name, color in zip(names, group_colors(names, classes), strict=True)
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=min(len(handles), 6))
    set_title(figure, "Embeddings by class, test images")
    return figure


@styled
def embeddings_by_breed(projections: Sequence[Projection], breeds: Sequence[str]) -> Figure:
    """Every projection by breed: seven colours times six markers tell 42 breeds apart.

    Beyond 42, the most frequent have their own sign and the others share a grey dot.
    """
    distinct = len(FOREGROUND_COLORS) * len(_MARKERS)
    counts = Counter(breeds)
    names = sorted(sorted(counts, key=lambda name: (-counts[name], name))[:distinct])
    rest = len(counts) - len(names)
    labels = [drawn(name.replace("_", " ") or "unknown") for name in names]
    columns = max(1, min(4, 112 // (4 + max(map(len, labels)))))  # the width of the figure, in characters
    lines = -(-(len(names) + bool(rest)) // columns)
    figure = new_figure(4.5 + 0.2 * lines, width=8.0)
    label = np.array(breeds)
    handles = []
    panels = _panels(figure, projections)
    if rest:
        others = ~np.isin(label, names)
        for axes, projection in zip(panels, projections, strict=True):
            chosen = others[projection.rows]
            across, up = projection.points[chosen].T
            axes.scatter(across, up, s=7, color=MUTED, alpha=0.4, linewidths=0)
    for place, name in enumerate(names):
        color = FOREGROUND_COLORS[place % len(FOREGROUND_COLORS)]
        marker = _MARKERS[place // len(FOREGROUND_COLORS)]
        for axes, projection in zip(panels, projections, strict=True):
            chosen = label[projection.rows] == name
            across, up = projection.points[chosen].T
            axes.scatter(across, up, s=13, color=color, marker=marker, alpha=0.7, linewidths=0)
        handles.append(
            Line2D([], [], marker=marker, linestyle="", color=color, markersize=5, label=labels[place])
        )
    if rest:
        handles.append(Line2D([], [], marker="o", linestyle="", color=MUTED, label=f"{rest} other breeds"))
    figure.legend(handles=handles, loc="outside lower center", ncols=columns, columnspacing=1.2)
    set_title(figure, "Embeddings by breed, test images")
    return figure

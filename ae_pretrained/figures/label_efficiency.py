"""The figure of a label-efficiency study: score against the share of labels, and the controls of one run."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from matplotlib.ticker import NullLocator

from ae_pretrained.figures.style import FOREGROUND_COLORS, INK, MUTED, new_figure, set_title, styled

_COLORS = (
    INK,
    *(FOREGROUND_COLORS[i] for i in (1, 4, 3, 2)),
    MUTED,
    *(FOREGROUND_COLORS[i] for i in (0, 5)),
    "#7A5230",
    "#5B3A8E",
)
_MARKERS = "osv^DPX*ph"
_PANELS_HEIGHT = 4.1  # inches, legend included
_LEGEND_CHARACTERS = 85  # of two names that fit beside each other
_ROW_HEIGHT = 0.27  # inches per arm among the controls


@dataclass(frozen=True)
class EfficiencyCurve:
    """One arm under one budget.

    Attributes:
        arm: name, which fixes colour and marker.
        title: what the legend says.
        points: (label fraction in (0, 1], mean IoU, lower and upper end of its interval), fractions rising;
            NaN ends where there is no interval.
        fit: (label fraction, mean IoU) of a learning curve through them; drawn dotted.
    """

    arm: str
    title: str
    points: Sequence[tuple[float, float, float, float]]
    fit: Sequence[tuple[float, float]] = ()


@dataclass(frozen=True)
class Controls:
    """Arms side by side at one share of the labels and one budget.

    Attributes:
        title: what they have in common.
        arms: curves of a single point each.
        reference: the arm whose mean a line marks; it need not be among them.
    """

    title: str
    arms: Sequence[EfficiencyCurve]
    reference: str


@styled
def label_efficiency(
    budgets: Mapping[str, Sequence[EfficiencyCurve]],
    titles: Mapping[str, str],
    controls: Controls | None = None,
) -> Figure:
    """A panel per budget with the shares of labels on a logarithmic axis, and below them the controls.

    Args:
        budgets: curves by budget.
        titles: panel titles by budget, in the order in which they are drawn.
        controls: a row per arm, best first; None leaves that panel out.
    """
    below = 0.0 if controls is None else 0.95 + _ROW_HEIGHT * len(controls.arms)
    figure = new_figure(_PANELS_HEIGHT + below)
    arms = list(dict.fromkeys(curve.arm for curves in budgets.values() for curve in curves))
    if controls is None:
        _draw_budgets(figure, budgets, titles, arms)
    else:
        arms += [curve.arm for curve in controls.arms if curve.arm not in arms]
        parts = figure.subfigures(2, 1, squeeze=False, height_ratios=[_PANELS_HEIGHT, below])
        upper, lower = parts[:, 0]
        _draw_budgets(upper, budgets, titles, arms)
        _draw_controls(lower.subplots(), controls, arms)
    set_title(figure, "Segmentation against the labels it was given")
    return figure


def _look(arm: str, arms: Sequence[str]) -> dict[str, Any]:
    """How an arm is drawn, the same in every panel."""
    place = arms.index(arm)
    color, marker = _COLORS[place % len(_COLORS)], _MARKERS[place % len(_MARKERS)]
    return {"color": color, "marker": marker, "markersize": 5, "capsize": 2.5}


def _bars(curve: EfficiencyCurve) -> list[list[float]]:
    """Lengths of a curve's bars below its points, and above them."""
    below = [_length(mean - low) for _, mean, low, _ in curve.points]
    return [below, [_length(high - mean) for _, mean, _, high in curve.points]]


def _draw_budgets(
    figure: Figure | SubFigure,
    budgets: Mapping[str, Sequence[EfficiencyCurve]],
    titles: Mapping[str, str],
    arms: Sequence[str],
) -> None:
    panels = figure.subplots(1, len(titles), squeeze=False, sharex=True, sharey=True)[0]
    # The same shares in every panel: a budget with a single one would otherwise stretch it over the axis.
    fractions = sorted(
        {point[0] for curves in budgets.values() for curve in curves for point in curve.points}
    )
    handles = {}
    for axes, budget in zip(panels, titles, strict=True):
        curves = budgets[budget]
        for place, curve in enumerate(curves):
            # A little apart, so that the bars of different arms can be told from each other.
            shift = 1.0 + 0.035 * (place - (len(curves) - 1) / 2)
            x = [100 * point[0] * shift for point in curve.points]
            y = [point[1] for point in curve.points]
            look = _look(curve.arm, arms)
            handles[curve.title] = axes.errorbar(x, y, yerr=_bars(curve), **look)
            if curve.fit:
                places, scores = zip(*curve.fit, strict=True)
                axes.plot([100 * f for f in places], scores, ":", color=look["color"], linewidth=1.5)
        axes.set_xscale("log")
        axes.set_xticks([100 * f for f in fractions], [f"{100 * f:g}" for f in fractions])
        axes.xaxis.set_minor_locator(NullLocator())
        if len(fractions) == 1:  # its arms side by side, not at the ends of the axis
            axes.set_xlim(50 * fractions[0], 200 * fractions[0])
        axes.set_title(titles[budget])
        axes.set_xlabel("training masks used, %")
        axes.grid(axis="y")
    panels[0].set_ylabel("test mean IoU")
    figure.legend(
        list(handles.values()), list(handles), loc="outside lower center", ncols=_columns(list(handles))
    )


def _columns(names: list[str]) -> int:
    """Two columns where the longest names of both fit beside each other."""
    half = (len(names) + 1) // 2
    left, right = (max(map(len, part), default=0) for part in (names[:half], names[half:]))
    return 2 if right > 0 and left + right <= _LEGEND_CHARACTERS else 1


def _draw_controls(axes: Axes, controls: Controls, arms: Sequence[str]) -> None:
    rows = sorted(controls.arms, key=lambda curve: curve.points[0][1])
    for row, curve in enumerate(rows):
        mean = curve.points[0][1]
        axes.errorbar(mean, row, xerr=_bars(curve), **_look(curve.arm, arms))
        axes.text(1.01, row, f"{mean:.3f}", transform=axes.get_yaxis_transform(), va="center", fontsize=9)
        if curve.arm == controls.reference:
            axes.axvline(mean, color=MUTED, linewidth=1.0, linestyle=":", zorder=0)
    axes.set_yticks(range(len(rows)), [curve.title for curve in rows])
    axes.set_ylim(-0.6, len(rows) - 0.4)
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x")
    axes.set_title(controls.title)
    axes.set_xlabel("test mean IoU")


def _length(value: float) -> float:
    return 0.0 if math.isnan(value) else max(value, 0.0)

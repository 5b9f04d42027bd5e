"""The figure of a label-efficiency study: score against the share of labels, one line per arm."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from ae_pretrained.plotting.style import FOREGROUND_COLORS, INK, MUTED, new_figure, set_title, styled

_COLORS = (INK, FOREGROUND_COLORS[1], FOREGROUND_COLORS[4], FOREGROUND_COLORS[3], FOREGROUND_COLORS[2], MUTED)
_EXTRA = (FOREGROUND_COLORS[0], FOREGROUND_COLORS[5])
_MARKERS = "osv^DPX*"


@dataclass(frozen=True)
class EfficiencyCurve:
    """One arm under one budget.

    Attributes:
        arm: name, which fixes colour and marker.
        title: what the legend says.
        points: (label fraction in (0, 1], mean IoU, lower and upper end of its interval), fractions rising;
            NaN ends where there is no interval.
    """

    arm: str
    title: str
    points: Sequence[tuple[float, float, float, float]]


@styled
def label_efficiency(budgets: Mapping[str, Sequence[EfficiencyCurve]], titles: Mapping[str, str]) -> Figure:
    """A panel per budget, the shares of labels on a logarithmic axis.

    Args:
        budgets: curves by budget.
        titles: panel titles by budget, in the order in which they are drawn.
    """
    figure = new_figure(4.9)
    panels = figure.subplots(1, len(titles), squeeze=False, sharex=True, sharey=True)[0]
    arms = list(dict.fromkeys(curve.arm for curves in budgets.values() for curve in curves))
    colors = dict(zip(arms, (_COLORS + _EXTRA) * (1 + len(arms) // 8), strict=False))
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
            below = [_length(point[1] - point[2]) for point in curve.points]
            above = [_length(point[3] - point[1]) for point in curve.points]
            marker = _MARKERS[arms.index(curve.arm) % len(_MARKERS)]
            handles[curve.title] = axes.errorbar(
                x, y, yerr=[below, above], color=colors[curve.arm], marker=marker, markersize=5, capsize=2.5
            )
        axes.set_xscale("log")
        axes.set_xticks([100 * f for f in fractions], [f"{100 * f:g}" for f in fractions])
        axes.xaxis.set_minor_locator(NullLocator())
        axes.set_title(titles[budget])
        axes.set_xlabel("training masks used, %")
        axes.grid(axis="y")
    panels[0].set_ylabel("test mean IoU")
    figure.legend(
        list(handles.values()), list(handles), loc="outside lower center", ncols=min(2, len(handles))
    )
    set_title(figure, "Segmentation against the labels it was given")
    return figure


def _length(value: float) -> float:
    return 0.0 if math.isnan(value) else max(value, 0.0)

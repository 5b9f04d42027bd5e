from __future__ import annotations

import math
from dataclasses import replace

import pytest

from ae_pretrained.figures.label_efficiency import Controls, EfficiencyCurve, label_efficiency
from ae_pretrained.figures.style import png_bytes


def curve(arm: str, *points: tuple[float, float]) -> EfficiencyCurve:
    return EfficiencyCurve(arm, arm.upper(), tuple((x, y, y - 0.02, y + 0.01) for x, y in points))


SCRATCH = curve("scratch", (0.05, 0.5), (0.1, 0.6))
OURS = curve("ours", (0.05, 0.7), (0.1, 0.72))


def test_a_panel_per_budget_and_no_controls() -> None:
    figure = label_efficiency({"short": [SCRATCH], "long": [SCRATCH, OURS]}, {"short": "S", "long": "L"})
    short, long = figure.axes
    assert (short.get_title(), long.get_title()) == ("S", "L")
    assert [text.get_text() for text in long.get_xticklabels()] == ["5", "10"]
    assert len(png_bytes(figure)) > 5_000


def test_controls_stand_best_on_top_with_their_values_and_ends() -> None:
    arms = [curve("scratch", (0.05, 0.5)), curve("frozen", (0.05, 0.68)), curve("random", (0.05, 0.4))]
    figure = label_efficiency(
        {"long": [SCRATCH, OURS]}, {"long": "L"}, Controls("Controls", arms, reference="scratch")
    )
    axes = next(axes for axes in figure.axes if axes.get_title() == "Controls")
    assert [text.get_text() for text in axes.get_yticklabels()] == ["RANDOM", "SCRATCH", "FROZEN"]
    assert [text.get_text() for text in axes.texts] == ["0.400", "0.500", "0.680"]
    marked = [line.get_xdata() for line in axes.lines if line.get_linestyle() == ":"]
    assert [list(positions) for positions in marked] == [[0.5, 0.5]]
    assert len(png_bytes(figure)) > 5_000


def test_a_single_seed_has_no_interval() -> None:
    lone = EfficiencyCurve("ours", "Ours", ((0.05, 0.7, math.nan, math.nan),))
    figure = label_efficiency({"long": [lone]}, {"long": "L"}, Controls("C", [lone], reference="scratch"))
    assert len(png_bytes(figure)) > 5_000


def test_arms_of_a_single_share_stand_side_by_side() -> None:
    arms = [curve("scratch", (0.05, 0.5)), curve("ours", (0.05, 0.6))]
    (axes,) = label_efficiency({"long": arms}, {"long": "L"}).axes
    low, high = axes.get_xlim()
    assert low < 4 < 6 < high
    assert [text.get_text() for text in axes.get_xticklabels()] == ["5"]


@pytest.mark.parametrize("length", [5, 41, 43, 90])
def test_the_legend_lies_inside_the_figure(length: int) -> None:
    long = [replace(SCRATCH, arm=arm, title=(arm + "enough " * 20)[:length]) for arm in "abcd"]
    figure = label_efficiency({"long": long}, {"long": "L"})
    png_bytes(figure)  # lays it out
    (legend,) = figure.legends
    box = legend.get_window_extent()
    assert box.x0 >= 0
    assert box.x1 <= figure.bbox.width

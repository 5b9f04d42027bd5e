"""Charts of a segmentation result: confusion, classes, calibration, size of the foreground, breeds."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.artist import Artist
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import PercentFormatter

from ae_pretrained.figures.style import (
    FOREGROUND_COLORS,
    INK,
    MUTED,
    class_colors,
    group_colors,
    new_figure,
    set_title,
    styled,
)
from ae_pretrained.names import drawn

_MOST_ANNOTATED = 8
_MOST_GROUPS = 40


@styled
def confusion_matrix(pooled: np.ndarray, classes: Sequence[str]) -> Figure:
    """Confusion matrix: shares of each true class, pixel counts beneath.

    Args:
        pooled: (C, C) pixel counts, truth in rows.
    """
    count = len(classes)
    total = pooled.sum(axis=1, keepdims=True)
    share = np.where(total > 0, pooled / np.where(total > 0, total, 1), 0.0)
    figure = new_figure(max(4.4, 0.32 * count + 2), width=6.4)
    axes = figure.subplots()
    image = axes.imshow(share, cmap="Blues", vmin=0, vmax=1)
    labels = [drawn(name) for name in classes]
    axes.set_xticks(range(count), labels, rotation=0 if count <= 6 else 90)
    axes.set_yticks(range(count), labels)
    axes.set(xlabel="Predicted", ylabel="Truth")
    axes.spines[:].set_visible(False)
    if count <= _MOST_ANNOTATED:
        for row in range(count):
            for column in range(count):
                color = "white" if share[row, column] > 0.55 else INK
                words = f"{share[row, column]:.1%}\n{pooled[row, column]:,} px"
                axes.text(column, row, words, ha="center", va="center", color=color)
    figure.colorbar(image, ax=axes, label="share of the true class", format=PercentFormatter(1.0), shrink=0.9)
    set_title(figure, "Confusion matrix, test pixels")
    return figure


@styled
def class_bars(scores: dict[str, np.ndarray], classes: Sequence[str]) -> Figure:
    """Bars of each score, one bar per class.

    Args:
        scores: name of the score to (C,) values in [0, 1]; NaN for an absent class.
    """
    figure = new_figure(3.9)
    axes = figure.subplots()
    colors, width = class_colors(len(classes)), 0.84 / len(classes)
    for place, (name, color) in enumerate(zip(classes, colors, strict=True)):
        heights = np.array([values[place] for values in scores.values()])
        offset = (place - (len(classes) - 1) / 2) * width
        bars = axes.bar(
            np.arange(len(scores)) + offset,
            np.nan_to_num(heights),
            width * 0.94,
            color=color,
            edgecolor=MUTED,
            linewidth=0.5,
            label=drawn(name),
        )
        if len(classes) <= _MOST_ANNOTATED:
            labels = ["absent" if np.isnan(value) else f"{value:.2f}" for value in heights]
            axes.bar_label(bars, labels, fontsize=9 if len(classes) <= 4 else 7, padding=2)
    axes.set_xticks(range(len(scores)), list(scores))
    axes.set(ylim=(0, 1.08), ylabel="score")
    axes.grid(axis="y")
    figure.legend(loc="outside lower center", ncols=min(len(classes), 6))
    set_title(figure, "Scores by class, pooled over the test split")
    return figure


@styled
def class_distribution(truth: np.ndarray, predicted: np.ndarray, classes: Sequence[str]) -> Figure:
    """Share of the labelled pixels of every class, in truth and in prediction.

    Args:
        truth, predicted: (C,) pixel counts.
    """
    figure = new_figure(max(2.6, 0.62 * len(classes) + 1.3))
    axes = figure.subplots()
    places = np.arange(len(classes))
    for counts, offset, hatch in ((truth, -0.2, ""), (predicted, 0.2, "////")):
        share = counts / counts.sum()
        bars = axes.barh(
            places + offset,
            share,
            0.36,
            color=class_colors(len(classes)),
            edgecolor=MUTED,
            linewidth=0.5,
            hatch=hatch,
        )
        axes.bar_label(bars, [f"{value:.1%}" for value in share], padding=3)
    axes.set_yticks(places, [drawn(name) for name in classes])
    axes.invert_yaxis()
    axes.xaxis.set_major_formatter(PercentFormatter(1.0))
    axes.set(
        xlabel="share of the labelled pixels",
        xlim=(0, 1.12 * max((truth / truth.sum()).max(), (predicted / predicted.sum()).max())),
    )
    axes.grid(axis="x")
    handles = [
        Patch(facecolor="white", edgecolor=MUTED, label="truth"),
        Patch(facecolor="white", edgecolor=MUTED, hatch="////", label="prediction"),
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=2)
    set_title(figure, "Class distribution, test split")
    return figure


@styled
def reliability_diagram(
    confidence: np.ndarray, accuracy: np.ndarray, count: np.ndarray, expected_error: float
) -> Figure:
    """Accuracy against confidence, and how many pixels have which confidence.

    Args:
        confidence, accuracy: (bins,) means, NaN in empty bins.
        count: (bins,) pixels.
        expected_error: the expected calibration error, in [0, 1].
    """
    figure = new_figure(6.2, width=6.4)
    top, bottom = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    edges = np.linspace(0, 1, len(count) + 1)
    width = edges[1] - edges[0]
    blue, orange = FOREGROUND_COLORS[1], FOREGROUND_COLORS[5]
    top.bar(
        edges[:-1],
        np.nan_to_num(accuracy),
        width,
        align="edge",
        color=blue,
        edgecolor="white",
        label="accuracy",
    )
    top.plot([0, 1], [0, 1], color=MUTED, linestyle="--", label="perfectly calibrated")
    top.plot(
        confidence,
        accuracy,
        "o",
        color=orange,
        markersize=5,
        markeredgecolor="white",
        label="mean confidence of the bin",
    )
    top.set(ylabel="accuracy", ylim=(0, 1.02), xlim=(0, 1))
    top.grid(axis="y")
    top.legend(loc="upper left")
    top.set_title(f"expected calibration error {expected_error:.3f}", loc="left", color=MUTED)
    bottom.bar(edges[:-1], count / max(count.sum(), 1), width, align="edge", color=MUTED, edgecolor="white")
    bottom.set(xlabel="confidence (probability of the predicted class)", ylabel="share of\npixels")
    bottom.yaxis.set_major_formatter(PercentFormatter(1.0))
    bottom.grid(axis="y")
    set_title(figure, "Reliability diagram, test pixels")
    return figure


@styled
def score_by_size(
    share: np.ndarray,
    score: np.ndarray,
    groups: Sequence[str],
    line: np.ndarray,
    classes: Sequence[str],
    noun: str,
) -> Figure:
    """IoU of each image against the size of its foreground, and the mean over sixths of the images.

    Args:
        share: (n,) share of the labelled pixels that are foreground, in [0, 1].
        score: (n,) mean IoU per image.
        groups: (n,) true class of each image, for its colour; empty for none.
        line: (k, 2) mean share and mean score of the images sorted by share and cut into sixths.
        noun: what the foreground is.
    """
    figure = new_figure(4.4)
    axes = figure.subplots()
    axes.scatter(share, score, s=9, c=group_colors(groups, classes), alpha=0.35, linewidths=0)
    axes.plot(*line.T, "o-", color=INK, label="mean of a sixth of the images")
    axes.set(xlabel=f"share of the image that is {noun}", ylabel="mean IoU of the image", ylim=(-0.02, 1.02))
    axes.xaxis.set_major_formatter(PercentFormatter(1.0))
    axes.grid()
    axes_handles, _ = axes.get_legend_handles_labels()
    names = sorted(set(groups))
    handles: list[Artist] = [
        Line2D([], [], marker="o", linestyle="", color=color, label=drawn(name or f"no {noun} marked"))
        for name, color in zip(names, group_colors(names, classes), strict=True)
    ]
    figure.legend(handles=[*handles, *axes_handles], loc="outside lower center", ncols=4)
    set_title(figure, f"Error analysis by size of the {noun}")
    return figure


@styled
def score_by_group(
    names: Sequence[str], means: np.ndarray, counts: np.ndarray, kinds: Sequence[str], classes: Sequence[str]
) -> Figure:
    """Mean score of each breed (or other group) as a bar, best first.

    Beyond 40 groups the 20 best and the 20 worst are shown, and the title says so.

    Args:
        names: (g,) groups.
        means: (g,) mean over images of their mean IoU.
        counts: (g,) images.
        kinds: (g,) class of each group, for its colour.
    """
    order = np.argsort(-means, kind="stable")
    title = "Error analysis by breed"
    if len(order) > _MOST_GROUPS:
        half = _MOST_GROUPS // 2
        title += f": the {half} best and the {half} worst of {len(order)}"
        order = np.concatenate([order[:half], order[-half:]])
    figure = new_figure(max(2.4, 0.205 * len(order) + 1.4))
    axes = figure.subplots()
    colors = group_colors(kinds, classes)
    bars = axes.barh(
        range(len(order)), means[order], 0.78, color=[colors[place] for place in order], edgecolor="white"
    )
    axes.bar_label(bars, [f"{means[place]:.2f}  ({counts[place]})" for place in order], padding=3, fontsize=9)
    axes.set_yticks(range(len(order)), [drawn(names[place].replace("_", " ")) for place in order])
    axes.invert_yaxis()
    axes.margins(y=0.01)
    axes.set(xlabel="mean IoU of an image, averaged over the breed (number of images)", xlim=(0, 1.12))
    axes.set_xticks(np.linspace(0, 1, 6))
    axes.grid(axis="x")
    shown = dict(zip(kinds, colors, strict=True))
    if len(shown) > 1:
        handles = [
            Patch(facecolor=color, label=drawn(name or "unknown")) for name, color in sorted(shown.items())
        ]
        figure.legend(handles=handles, loc="outside lower center", ncols=len(handles))
    set_title(figure, title)
    return figure

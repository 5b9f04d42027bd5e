"""The report as Markdown that a pull request shows."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import PurePath
from typing import Any

from tools.review.changes import (
    ABSENT,
    Change,
    format_difference,
    format_value,
    metrics_changes,
    params_changes,
)
from tools.review.curves import Curve, curve_changes
from tools.review.lock import StageChange, inconsistencies, shortened, stage_changes
from tools.review.paired import Difference, paired_difference
from tools.review.revisions import Snapshot

# Shown at once; the other figures are folded away.
_HEADLINES = {
    "eval_seg": (
        "mean_iou",
        "mean_foreground_dice",
        "pixel_accuracy",
        "boundary_iou",
        "image_class_accuracy",
        "expected_calibration_error",
    ),
    "robustness": ("mean_iou_clean", "mean_iou"),
    "eval_ae": ("psnr", "ssim", "mse"),
}
_ORDER = ("eval_seg", "robustness", "eval_ae", "train_seg", "train_ae", "prepare")
_MARKS = {True: "▲ better", False: "▼ worse", None: ""}


def write_page(base: Snapshot, here: Snapshot, notes: Iterable[str] = ()) -> str:
    """Everything that differs between two states of the project.

    Raises:
        PipelineError: when a file of either state cannot be read as what it should be.
    """
    params, metrics = params_changes(base, here), metrics_changes(base, here)
    curves, stages = curve_changes(base, here), stage_changes(base, here)
    commit = f" ({base.commit[:7]})" if base.commit and not base.commit.startswith(base.name) else ""
    lines = [f"## Review against `{base.name}`{commit}", ""]
    warnings = [*notes, *inconsistencies(here)]
    for text in warnings:
        lines += [f"> ⚠ {text}", ""]
    if not (params or metrics or curves or stages):
        lines += ["Nothing changed: parameters, metrics, curves and recorded stages are the same."]
    else:
        lines += [_summary(params, metrics), ""]
        lines += _params_section(params, base.name)
        lines += _metrics_section(metrics, base.name, paired_difference(base, here))
        lines += _curves_section(curves, base.name)
        lines += _stages_section(stages, base.name)
    return "\n".join(lines).rstrip() + "\n"


def _summary(params: list[tuple[str, Any, Any]], metrics: list[Change]) -> str:
    better = sum(change.welcome is True and change.visible for change in metrics)
    worse = sum(change.welcome is False and change.visible for change in metrics)
    return (
        f"{_count(len(params), 'parameter')} changed; {_count(len(metrics), 'figure')} changed, "
        f"{better} for the better and {worse} for the worse."
    )


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def markdown_table(
    head: tuple[str, ...],
    rows: Iterable[tuple[str, ...]],
    numbers: range = range(0),
    *,
    aligned: bool = False,
) -> list[str]:
    """Lines of a Markdown table.

    Args:
        head: titles of the columns.
        rows: cells; what would break the table is escaped.
        numbers: columns that are set flush right.
        aligned: pad the cells, for a reader on a terminal.
    """
    cells = [head, *([re.sub(r"(?<!\\)\|", r"\\|", cell.replace("\n", " ")) for cell in row] for row in rows)]
    widths = [max(3, *(len(row[i]) for row in cells)) if aligned else 0 for i in range(len(head))]
    lines = []
    for row in cells:
        padded = [
            c.rjust(w) if i in numbers else c.ljust(w)
            for i, (c, w) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("| " + " | ".join(padded) + " |")
    rule = ["-" * max(3, w - 1) + ":" if i in numbers else "-" * max(3, w) for i, w in enumerate(widths)]
    return [lines[0], "| " + " | ".join(rule) + " |", *lines[1:]]


def _params_section(params: list[tuple[str, Any, Any]], base: str) -> list[str]:
    if not params:
        return []
    rows = [(f"`{key}`", _plain(before), _plain(after)) for key, before, after in params]
    return ["### Parameters", "", *markdown_table(("parameter", base, "here"), rows), ""]


def _plain(value: Any) -> str:
    return "–" if value is ABSENT else f"`{value}`"


def _metrics_section(metrics: list[Change], base: str, paired: Difference | None) -> list[str]:
    shown = sorted((change for change in metrics if change.visible), key=_rank)
    if not metrics:
        return []
    lines = ["### Metrics", ""]
    headlines = [change for change in shown if _is_headline(change)]
    others = [change for change in shown if not _is_headline(change)]
    data = [change for change in others if PurePath(change.file).stem == "prepare"]
    others = [change for change in others if change not in data]
    head = ("figure", base, "here", "change", "")
    if headlines:
        lines += [*markdown_table(head, map(_row, headlines), range(1, 4)), ""]
    lines += _interval_note(metrics) if paired is None else [str(paired), ""]
    for kind, rest in (("further figure", others), ("figure of the data", data)):
        if rest:
            folded = markdown_table(head, map(_row, rest), range(1, 4))
            lines += [f"<details><summary>{len(rest)} × {kind}</summary>", "", *folded, "", "</details>", ""]
    if hidden := len(metrics) - len(shown):
        verb = "differs" if hidden == 1 else "differ"
        lines += [f"{_count(hidden, 'figure').capitalize()} {verb} only beyond the digits shown here.", ""]
    return lines


def _rank(change: Change) -> int:
    stem = PurePath(change.file).stem
    return _ORDER.index(stem) if stem in _ORDER else len(_ORDER)


def _is_headline(change: Change) -> bool:
    stem = PurePath(change.file).stem
    per_class = stem == "eval_seg" and change.key.count(".") == 1 and change.key.endswith(".iou")
    return per_class or change.key in _HEADLINES.get(stem, ())


def _row(change: Change) -> tuple[str, ...]:
    name = f"{PurePath(change.file).stem} `{change.key}`"
    values = (format_value(change.before), format_value(change.after))
    return (name, *values, format_difference(change.before, change.after), _MARKS[change.welcome])


def _interval_note(metrics: list[Change]) -> list[str]:
    """Whether the mean IoU moved by more than chance, where the images cannot be paired: a coarse answer."""
    for change in metrics:
        before, after = change.before, change.after
        if change.key == "mean_iou_ci95" and isinstance(before, list) and isinstance(after, list):
            apart = before[1] < after[0] or after[1] < before[0]
            verdict = "do not overlap" if apart else "overlap: the change of the mean IoU may be chance"
            return [
                f"95 % intervals of the mean IoU: {format_value(before)} and {format_value(after)}; they {verdict}.",
                "",
            ]
    return []


def _curves_section(curves: list[Curve], base: str) -> list[str]:
    if not curves:
        return []
    rows = [_curve_row(curve) for curve in curves]
    head = ("curve", base, "here", f"best, {base}", "here", f"last, {base}", "here")
    return ["### Curves", "", *markdown_table(head, rows, range(3, 7)), ""]


def _curve_row(curve: Curve) -> tuple[str, ...]:
    drawn = [f"`{line}`" if line else "–" for line in curve.lines()]
    states = [values or [] for values in (curve.before, curve.after)]
    best = [format_value(ABSENT if (top := curve.best(v)) is None else top) for v in states]
    last = [format_value(v[-1] if v else ABSENT) for v in states]
    return (f"{curve.title}: `{curve.label}`", *drawn, *best, *last)


def _stages_section(stages: list[StageChange], base: str) -> list[str]:
    if not stages:
        return []
    rows = [
        (
            f"{stage.name} ({stage.note})" if stage.note else stage.name,
            ", ".join(shortened(stage.inputs)),
            ", ".join(stage.outputs),
        )
        for stage in stages
    ]
    text = (
        "From `dvc.lock`. Which images of a folder differ is in the DVC cache: "
        f"`dvc pull`, then `dvc plots diff {base}`."
    )
    return ["### Stages", "", *markdown_table(("stage", "changed inputs", "changed outputs"), rows), "", text]

"""From the cells of a study to tables, a figure and sentences."""

from __future__ import annotations

import csv
import math
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ae_pretrained.errors import PipelineError
from ae_pretrained.figures.label_efficiency import Controls, EfficiencyCurve, label_efficiency
from ae_pretrained.figures.style import save_png
from ae_pretrained.files import write_json, write_table, write_text
from ae_pretrained.params import load_params
from ae_pretrained.study.answer import answer, fitted_curves
from ae_pretrained.study.comparable import mixture, origin, other_machines, why_not_paired
from ae_pretrained.study.grid import REFERENCE, Cell, cells_of, reference_of
from ae_pretrained.study.layout import Study
from ae_pretrained.study.learning_curve import LearningCurve
from ae_pretrained.study.records import read_record, record_of
from ae_pretrained.study.statistics import (
    Interval,
    area_under_curve,
    paired_difference,
    t_interval,
    updates_to_reach,
)


def write_results(study: Study) -> None:
    """Read every cell of the grid, and write the tables, the figure and the answer into ``results/``.

    Raises:
        PipelineError: for a cell that has not been run.
    """
    grid, results, reference = study.grid, study.results, reference_of(study)
    classes = load_params(study.params_file).data.classes
    cells = [read_cell(cell, study) for cell in cells_of(study)]
    write_rows(results / "cells.csv", [cell_row(cell, classes) for cell in cells])
    table = summarise_groups(cells, classes, reference)
    write_rows(results / "summary.csv", table)
    write_rows(results / "curves.csv", wide_rows(table, list(grid["arms"])))
    write_json(results / "summary.json", nested(table))
    areas = area_rows(cells, table, reference)
    if areas:
        write_rows(results / "area.csv", areas)
    titles = grid["titles"]
    fits = fitted_curves(cells, table)
    lines = answer(table, fits, areas, titles, reference)
    write_text(results / "answer.md", "\n".join(f"- {line}" for line in lines) + "\n")
    figure = label_efficiency(
        curves(table, titles, fits), budget_titles(table), controls(table, titles, reference)
    )
    save_png(figure, results / "label_efficiency.png")
    print("\n".join(lines))


def read_cell(cell: Cell, study: Study) -> dict[str, Any]:
    """What a finished cell left: its figures, and its validation curve under ``curve``."""
    path = record_of(cell, study)
    if not path.is_file():
        raise PipelineError(
            f"{path}: this cell of the grid has not been run; `dvc repro {study.folder}/dvc.yaml` runs what is "
            "missing"
        )
    values = read_record(path)
    interval = study.grid["validate_every"]
    with path.with_suffix(".csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    values["curve"] = [(int(row["epoch"]) * interval, float(row["val_mean_iou"])) for row in rows]
    return values


def cell_row(cell: dict[str, Any], classes: Sequence[str]) -> dict[str, Any]:
    keys = ("arm", "label_fraction", "num_labelled", "updates", "seed", "best_update", "val_mean_iou")
    test = cell["test"]
    return {
        **{key: cell[key] for key in keys},
        "test_mean_iou": test["mean_iou"],
        **(
            {"test_mean_iou_best_on_val": cell["test_best_on_val"]["mean_iou"]}
            if "test_best_on_val" in cell
            else {}
        ),
        **{f"test_iou_{name}": test[name]["iou"] for name in classes if name in test},
        "test_mean_foreground_dice": test["mean_foreground_dice"],
        "test_pixel_accuracy": test["pixel_accuracy"],
        # Records keep the keys of their day: this one had another name.
        "test_image_class_accuracy": test.get("image_class_accuracy", test.get("species_accuracy", "")),
        **origin(cell),
    }


DRAWN_BUDGETS = ("short", "long")
Group = tuple[float, int]  # label fraction, updates
Point = tuple[float, float, float, float]  # label fraction, mean IoU, ends of its interval


def summarise_groups(
    cells: Sequence[dict[str, Any]], classes: Sequence[str], reference: str = REFERENCE
) -> list[dict[str, Any]]:
    """One row per arm, label fraction and budget, in the order of the grid."""
    by_arm: dict[Group, dict[str, dict[int, dict[str, Any]]]] = defaultdict(lambda: defaultdict(dict))
    for cell in cells:
        by_arm[cell["label_fraction"], cell["updates"]][cell["arm"]][cell["seed"]] = cell
    rows = []
    for (fraction, updates), arms in sorted(by_arm.items()):
        budget = budget_of(updates, [u for f, u in by_arm if f == fraction])
        for arm, by_seed in arms.items():
            rows.append(
                {
                    "budget": budget,
                    "label_fraction": fraction,
                    "num_labelled": next(iter(by_seed.values()))["num_labelled"],
                    "updates": updates,
                    "arm": arm,
                    "seeds": len(by_seed),
                    **scores(by_seed, classes),
                    **comparison(by_seed, arms.get(reference)),
                    **mixture(by_seed),
                    "remark": remark(by_seed, arms.get(reference), reference),
                }
            )
    return rows


def budget_of(updates: int, of_share: Sequence[int]) -> str:
    """Which of a share's budgets this is: its longest, its shortest or one between. A single one counts as long."""
    if updates == max(of_share):
        return "long"
    return "short" if updates == min(of_share) else "middle"


def scores(by_seed: dict[int, dict[str, Any]], classes: Sequence[str]) -> dict[str, Any]:
    tests = [cell["test"] for cell in by_seed.values()]
    of_classes = {
        f"iou_{name}": t_interval([test[name]["iou"] for test in tests]).mean
        for name in classes
        if all(name in test for test in tests)
    }
    chosen = [cell["test_best_on_val"]["mean_iou"] for cell in by_seed.values() if "test_best_on_val" in cell]
    best = spread("mean_iou_best_on_val", t_interval(chosen)) if len(chosen) == len(tests) else {}
    return {**spread("mean_iou", t_interval([test["mean_iou"] for test in tests])), **best, **of_classes}


def comparison(
    by_seed: dict[int, dict[str, Any]], reference: dict[int, dict[str, Any]] | None
) -> dict[str, Any]:
    """Difference to the reference of the same budget, and the updates to its best validation score.

    All NaN where there is no reference, or cells and reference must not be paired (:mod:`.comparable`).
    """
    names = ("difference", "difference_low", "difference_high", "updates_to_reference")
    if reference is None:
        return dict.fromkeys(names, math.nan)
    difference = paired_difference(
        {seed: cell["test"]["mean_iou"] for seed, cell in by_seed.items()},
        {seed: cell["test"]["mean_iou"] for seed, cell in reference.items()},
    )
    if why_not_paired(by_seed, reference):
        return dict.fromkeys(names, math.nan)
    needed = [
        updates_to_reach(max(score for _, score in reference[seed]["curve"]), cell["curve"])
        for seed, cell in by_seed.items()
    ]
    reached = [updates for updates in needed if updates is not None]
    mean = sum(reached) / len(reached) if len(reached) == len(needed) else math.nan
    return {**spread("difference", difference), "updates_to_reference": mean}


def remark(by_seed: dict[int, dict[str, Any]], reference: dict[int, dict[str, Any]] | None, name: str) -> str:
    """What a reader of a row's difference has to know: why there is none, or that it is between machines."""
    if reference is None:
        return f"no {name} to compare with"
    return why_not_paired(by_seed, reference) or other_machines(by_seed, reference)


def area_rows(
    cells: Sequence[dict[str, Any]], table: Sequence[dict[str, Any]], reference: str
) -> list[dict[str, Any]]:
    """Area under the learning curve of the long budget, a row per arm that has it at every share; none of one share.

    The difference to the reference is taken seed by seed; NaN where it is at one of the shares.

    Args:
        cells: as read from their records.
        table: rows of ``summary.csv``.
        reference: the arm to compare with.
    """
    long = {(row["label_fraction"], row["updates"]) for row in table if row["budget"] == "long"}
    if len(long) < 2:
        return []
    by_arm: dict[str, dict[int, list[dict[str, Any]]]] = defaultdict(lambda: defaultdict(list))
    for cell in cells:
        if (cell["label_fraction"], cell["updates"]) in long:
            by_arm[cell["arm"]][cell["seed"]].append(cell)
    whole = {
        arm: {seed: sorted(curve, key=_masks_of) for seed, curve in by_seed.items()}
        for arm, by_seed in by_arm.items()
        if all(len(curve) == len(long) for curve in by_seed.values())
    }
    areas = {arm: _areas(by_seed) for arm, by_seed in whole.items()}
    unpaired = {row["arm"] for row in table if row["budget"] == "long" and math.isnan(row["difference"])}
    rows = []
    for arm, by_seed in whole.items():
        curve = next(iter(by_seed.values()))
        difference = (
            Interval(math.nan, math.nan, math.nan)
            if arm in unpaired
            else paired_difference(areas[arm], areas[reference])
        )
        rows.append(
            {
                "arm": arm,
                "fewest_masks": _masks_of(curve[0]),
                "most_masks": _masks_of(curve[-1]),
                "seeds": len(by_seed),
                **spread("area", t_interval(list(areas[arm].values()))),
                **spread("difference", difference),
            }
        )
    return rows


def _masks_of(cell: dict[str, Any]) -> int:
    return int(cell["num_labelled"])


def _areas(by_seed: dict[int, list[dict[str, Any]]]) -> dict[int, float]:
    return {
        seed: area_under_curve(
            [_masks_of(cell) for cell in curve], [cell["test"]["mean_iou"] for cell in curve]
        )
        for seed, curve in by_seed.items()
    }


def spread(name: str, interval: Interval) -> dict[str, float]:
    return {name: interval.mean, f"{name}_low": interval.low, f"{name}_high": interval.high}


def wide_rows(table: Sequence[dict[str, Any]], arms: Sequence[str]) -> list[dict[str, Any]]:
    """Mean IoU of the long budget with a column per arm, for `dvc plots`."""
    by_fraction: dict[float, dict[str, Any]] = {}
    for row in table:
        if row["budget"] == "long":
            start = {"label_percent": 100 * row["label_fraction"], **dict.fromkeys(arms, math.nan)}
            by_fraction.setdefault(row["label_fraction"], start)[row["arm"]] = row["mean_iou"]
    return list(by_fraction.values())


def nested(table: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The table as budget -> fraction -> arm, without what is not known.

    A share may have several middle budgets: there its name is that of the run, ``0.1x2500``.
    """
    result: dict[str, Any] = {}
    for row in table:
        known = {
            key: value
            for key, value in row.items()
            if key not in ("budget", "label_fraction", "arm")
            and value != ""
            and not (isinstance(value, float) and math.isnan(value))
        }
        share = f"{row['label_fraction']:g}"
        if row["budget"] == "middle":
            share += f"x{row['updates']}"
        place = result.setdefault(row["budget"], {}).setdefault(share, {})
        place[row["arm"]] = known
    return result


def curves(
    table: Sequence[dict[str, Any]], titles: dict[str, str], fits: dict[str, LearningCurve]
) -> dict[str, list[EfficiencyCurve]]:
    """What the figure draws as lines: a panel for the short and the long budget, one line per arm.

    Fitted curves stand in the panel of the long budget.
    """
    points: dict[str, dict[str, list[Point]]] = defaultdict(lambda: defaultdict(list))
    masks: dict[float, int] = {}
    for row in drawn_rows(table):
        points[row["budget"]][row["arm"]].append(point_of(row))
        masks[row["label_fraction"]] = row["num_labelled"]

    def fitted(budget: str, arm: str) -> tuple[tuple[float, float], ...]:
        if budget != "long" or arm not in fits:
            return ()
        curve = fits[arm]
        return tuple(
            (share, curve(count)) for share, count in sorted(masks.items()) if count >= curve.smallest
        )

    return {
        budget: [
            EfficiencyCurve(arm, titles.get(arm, arm), tuple(line), fitted(budget, arm))
            for arm, line in lines.items()
        ]
        for budget, lines in points.items()
    }


def controls(
    table: Sequence[dict[str, Any]], titles: dict[str, str], reference: str = REFERENCE
) -> Controls | None:
    """The run with the most arms, of several the longest; None if its arms are all drawn as lines."""
    lines = arms_with_lines(table)
    by_run: dict[Group, list[dict[str, Any]]] = defaultdict(list)
    for row in table:
        by_run[row["label_fraction"], row["updates"]].append(row)
    (_, updates), rows = max(by_run.items(), key=lambda run: (len(run[1]), run[0][1]))
    if all(row["arm"] in lines for row in rows):
        return None
    arms = [EfficiencyCurve(row["arm"], titles.get(row["arm"], row["arm"]), (point_of(row),)) for row in rows]
    masks = rows[0]["num_labelled"]
    return Controls(f"Every arm with {masks:,} masks, {updates:,} updates", arms, reference)


def point_of(row: dict[str, Any]) -> Point:
    return row["label_fraction"], row["mean_iou"], row["mean_iou_low"], row["mean_iou_high"]


def arms_with_lines(table: Sequence[dict[str, Any]]) -> set[str]:
    """Arms that were run at several shares; all of them if there is but one share."""
    shares: dict[str, set[float]] = defaultdict(set)
    for row in table:
        shares[row["arm"]].add(row["label_fraction"])
    most = max(len(fractions) for fractions in shares.values())
    return {arm for arm, fractions in shares.items() if len(fractions) > 1 or most == 1}


def drawn_rows(table: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows behind the lines: those of middle budgets are in the tables alone."""
    lines = arms_with_lines(table)
    return [row for row in table if row["budget"] in DRAWN_BUDGETS and row["arm"] in lines]


def budget_titles(table: Sequence[dict[str, Any]]) -> dict[str, str]:
    updates: dict[str, list[int]] = defaultdict(list)
    for row in drawn_rows(table):
        updates[row["budget"]].append(row["updates"])
    return {budget: _budget_title(budget, updates[budget]) for budget in DRAWN_BUDGETS if budget in updates}


def _budget_title(budget: str, counts: Sequence[int]) -> str:
    low, high = min(counts), max(counts)
    words = f"{low:,}" if low == high else f"{low:,} to {high:,}"
    return f"{budget.capitalize()} budget: {words} updates"


def write_rows(path: Path, rows: Sequence[dict[str, Any]]) -> None:
    """Rows of the same columns as a CSV."""
    columns = list(dict.fromkeys(key for row in rows for key in row))
    write_table(path, columns, [[row.get(column, "") for column in columns] for row in rows])
